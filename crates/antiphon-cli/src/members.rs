//! Speakers that play inside this program: saved pairs, and single ones by their output.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use antiphon_api::SourceTarget;
use antiphon_audio::uri::OutputUri;
use antiphon_base::Role;
use antiphon_bluetooth::Address;
use antiphon_net::Warp;
use antiphon_proto::session::Codec;
use antiphon_proto::session::message::MAX_NAME;
use antiphon_speaker::pairs::{Pair, PairMember, Pairs, PairsError};
use antiphon_speaker::{AgentConfig, AgentError, BluetoothError, BluetoothHost};

use crate::dirs;
use crate::exit::{Exit, Failure};

/// How the agents inside this program reach their hub, and how they differ from others.
#[derive(Debug, Clone, Default)]
pub struct Manner {
    /// `HOST:PORT`; the one on this machine otherwise.
    pub hub: Option<String>,
    /// A pairing code.
    pub code: Option<String>,
    /// Join an open hub.
    pub open: bool,
    /// What they decode; everything if empty.
    pub codecs: Vec<Codec>,
    /// A wrong clock, for tests.
    pub warp: Warp,
}

/// An output that is no Bluetooth speaker, as a speaker of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Device {
    /// What the hub calls it.
    pub speaker: String,
    /// What it plays.
    pub role: Role,
    /// Where it plays.
    pub output: OutputUri,
}

/// Speakers that run in this program until this is dropped.
#[derive(Debug)]
pub struct Members {
    agents: Vec<Agent>,
}

#[derive(Debug)]
struct Agent {
    name: String,
    /// Each has a flag of its own: one that ends does not take the others with it.
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<(), AgentError>>>,
}

impl Members {
    /// Starts an agent for each.
    ///
    /// # Errors
    /// This machine has no Bluetooth, or another program has its speakers.
    pub fn start(bluetooth: &[PairMember], devices: &[Device], manner: &Manner) -> Result<Self, Failure> {
        let mut running = Self { agents: Vec::new() };
        if !bluetooth.is_empty() {
            let pair = Pair { name: "all".into(), member: bluetooth.to_vec() };
            pair.check()?;
            let host = BluetoothHost::start(pair.members(), manner.warp)?;
            for member in bluetooth {
                let config = config(&Device::from(member), manner)?;
                running.spawn(AgentConfig { bluetooth: Some(Arc::clone(&host)), ..config })?;
            }
        }
        for device in devices {
            running.spawn(config(device, manner)?)?;
        }
        Ok(running)
    }

    /// The first failure of an agent, if one has ended.
    pub fn failure(&mut self) -> Option<Failure> {
        let has_ended = |agent: &&mut Agent| agent.thread.as_ref().is_some_and(JoinHandle::is_finished);
        let Agent { name, thread, .. } = self.agents.iter_mut().find(has_ended)?;
        match thread.take()?.join() {
            Ok(Ok(())) => None,
            Ok(Err(error @ AgentError::Refused(_))) => {
                Some(Failure::new(Exit::NotPermitted, format!("speaker {name}: {error}")))
            }
            Ok(Err(error)) => Some(Failure::failed(format!("speaker {name}: {error}"))),
            Err(_) => {
                Some(Failure::failed(format!("speaker {name} panicked; this is a fault of the program")))
            }
        }
    }

    fn spawn(&mut self, config: AgentConfig) -> Result<(), Failure> {
        let (name, stop) = (config.name.clone(), Arc::new(AtomicBool::new(false)));
        let (thread, raised) =
            (std::thread::Builder::new().name(format!("speaker {name}")), Arc::clone(&stop));
        let spawned = thread.spawn(move || antiphon_speaker::run(config, raised));
        let spawned = spawned.map_err(|error| Failure::failed(format!("cannot start a thread: {error}")))?;
        self.agents.push(Agent { name, stop, thread: Some(spawned) });
        Ok(())
    }
}

impl Drop for Members {
    fn drop(&mut self) {
        for agent in &self.agents {
            agent.stop.store(true, Ordering::Release);
        }
        for Agent { name, thread, .. } in &mut self.agents {
            if thread.take().is_some_and(|thread| thread.join().is_err()) {
                tracing::error!("speaker {name} had panicked");
            }
        }
    }
}

impl From<&PairMember> for Device {
    fn from(member: &PairMember) -> Self {
        let output = OutputUri::Bluetooth(member.address.to_string());
        Self { speaker: member.speaker.clone(), role: member.role, output }
    }
}

fn config(device: &Device, manner: &Manner) -> Result<AgentConfig, Failure> {
    Ok(AgentConfig {
        name: device.speaker.clone(),
        hub: manner.hub.clone(),
        role: Some(device.role),
        output: device.output.clone(),
        warp: manner.warp,
        state_dir: dirs::state()?,
        runtime_dir: dirs::runtime()?,
        code: manner.code.clone(),
        open: manner.open,
        codecs: if manner.codecs.is_empty() { Codec::ALL.to_vec() } else { manner.codecs.clone() },
        bluetooth: None,
    })
}

/// What is saved on this machine.
///
/// # Errors
/// The file is damaged.
pub fn saved() -> Result<Pairs, Failure> {
    Ok(Pairs::load(&dirs::state()?)?)
}

/// All saved speakers.
pub fn all(pairs: &Pairs) -> Vec<PairMember> {
    pairs.all().iter().flat_map(|pair| pair.member.iter().cloned()).collect()
}

/// A saved pair by its name.
///
/// # Errors
/// None of that name, with those that there are.
pub fn pair<'a>(pairs: &'a Pairs, name: &str) -> Result<&'a Pair, Failure> {
    pairs.get(name).ok_or_else(|| {
        let known: Vec<_> = pairs.all().iter().map(|pair| format!("{:?}", pair.name)).collect();
        let message = match known.as_slice() {
            [] => format!("no pair {name:?} is saved; pair two speakers with `antiphon pair`"),
            _ => format!("no pair {name:?} is saved; there is {}", known.join(", ")),
        };
        Failure::new(Exit::NotFound, message)
    })
}

/// Who shall play, with pairs and outputs made speakers' names.
#[derive(Debug, PartialEq)]
pub struct Cast {
    /// Each a speaker of the hub.
    pub targets: Vec<SourceTarget>,
    /// Bluetooth speakers named by their address: nobody but this program can run them.
    pub named: Vec<PairMember>,
    /// Other outputs of this machine.
    pub devices: Vec<Device>,
    /// Saved speakers that are asked for.
    pub saved: Vec<PairMember>,
}

/// Reads what was typed: outputs of this machine, and names of saved pairs; other names stay.
///
/// # Errors
/// An output that is none.
pub fn cast(targets: Vec<SourceTarget>, pairs: &Pairs) -> Result<Cast, Failure> {
    let mut cast = Cast { targets: Vec::new(), named: Vec::new(), devices: Vec::new(), saved: Vec::new() };
    for target in targets {
        let known = |member: &PairMember| member.speaker == target.name;
        if let Some(address) = target.name.strip_prefix("bluetooth:") {
            let address: Address =
                address.parse().map_err(|error| Failure::new(Exit::Usage, format!("{error}")))?;
            let member = by_address(address, target.role, pairs);
            cast.targets.push(SourceTarget { name: member.speaker.clone(), role: Some(member.role) });
            cast.named.push(member);
        } else if is_output(&target.name) {
            let device = by_output(&target)?;
            cast.targets.push(SourceTarget { name: device.speaker.clone(), role: Some(device.role) });
            cast.devices.push(device);
        } else if let (Some(pair), None) = (pairs.get(&target.name), target.role) {
            for member in &pair.member {
                cast.targets.push(SourceTarget { name: member.speaker.clone(), role: Some(member.role) });
                cast.saved.push(member.clone());
            }
        } else {
            cast.saved.extend(all(pairs).into_iter().filter(known));
            cast.targets.push(target);
        }
    }
    Ok(cast)
}

/// Whether `text` is written as an output, not as the name of a speaker.
pub fn is_output(text: &str) -> bool {
    let schemes = ["alsa", "pulse", "bluetooth", "wav", "null", "virtual"];
    text.split_once(':').is_some_and(|(scheme, _)| schemes.contains(&scheme))
}

/// What a speaker is called that was named by an output; `None`: `typed` is no output.
pub fn called(typed: &str) -> Option<String> {
    if let Some(address) = typed.strip_prefix("bluetooth:") {
        let pairs = saved().unwrap_or_default();
        return Some(by_address(address.parse().ok()?, None, &pairs).speaker);
    }
    let output: OutputUri = Some(typed).filter(|typed| is_output(typed))?.parse().ok()?;
    Some(shortened(&output.to_string()))
}

/// A speaker named by its output is called like that, as far as a name can hold it.
fn by_output(target: &SourceTarget) -> Result<Device, Failure> {
    let output: OutputUri =
        target.name.parse().map_err(|error| Failure::new(Exit::Usage, format!("{error}")))?;
    Ok(Device { speaker: shortened(&output.to_string()), role: target.role.unwrap_or_default(), output })
}

/// Both ends of a long name: one tells the kind, the other mostly which.
fn shortened(name: &str) -> String {
    if name.len() <= MAX_NAME {
        return name.to_owned();
    }
    let head: String = name.chars().scan(0, |bytes, c| within(bytes, c, MAX_NAME / 2 - 1)).collect();
    let tail: Vec<char> = name.chars().rev().scan(0, |bytes, c| within(bytes, c, MAX_NAME / 2 - 1)).collect();
    format!("{}~{}", head.trim_end(), tail.iter().rev().collect::<String>().trim_start())
}

fn within(bytes: &mut usize, c: char, most: usize) -> Option<char> {
    *bytes += c.len_utf8();
    (*bytes <= most).then_some(c)
}

/// A speaker named by its address keeps the name that it has in a saved pair.
fn by_address(address: Address, role: Option<Role>, pairs: &Pairs) -> PairMember {
    let known = all(pairs).into_iter().find(|member| member.address == address);
    let speaker = known.as_ref().map_or_else(|| address.to_string(), |member| member.speaker.clone());
    let role = role.or(known.map(|member| member.role)).unwrap_or_default();
    PairMember { address, speaker, role }
}

impl From<PairsError> for Failure {
    fn from(error: PairsError) -> Self {
        let exit = if matches!(error, PairsError::Senseless(_)) { Exit::Usage } else { Exit::Failed };
        Self::new(exit, error.to_string())
    }
}

impl From<BluetoothError> for Failure {
    fn from(error: BluetoothError) -> Self {
        let exit = if matches!(error, BluetoothError::Address(_)) { Exit::Usage } else { Exit::Failed };
        Self::new(exit, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(name: &str, role: Option<Role>) -> SourceTarget {
        SourceTarget { name: name.into(), role }
    }

    fn pairs() -> Pairs {
        let member = |n, speaker: &str, role| PairMember {
            address: Address([0, 0, 0, 0, 0, n]),
            speaker: speaker.into(),
            role,
        };
        let member = vec![member(1, "desk", Role::Left), member(2, "shelf", Role::Right)];
        let mut pairs = Pairs::default();
        pairs.put(Pair { name: "living".into(), member }).unwrap();
        pairs
    }

    #[test]
    fn a_pair_is_its_speakers_and_an_address_is_a_speaker_of_its_own() {
        let cast = cast(
            vec![
                target("living", None),
                target("bluetooth:0A:00:00:00:00:09", Some(Role::Left)),
                target("tv", None),
            ],
            &pairs(),
        )
        .unwrap();
        let names: Vec<_> = cast.targets.iter().map(|target| (target.name.as_str(), target.role)).collect();
        let wanted = [
            ("desk", Some(Role::Left)),
            ("shelf", Some(Role::Right)),
            ("0A:00:00:00:00:09", Some(Role::Left)),
            ("tv", None),
        ];
        assert_eq!(names, wanted);
        assert_eq!((cast.saved.len(), cast.named.len()), (2, 1));
    }

    #[test]
    fn an_address_of_a_saved_speaker_is_that_speaker() {
        let cast = cast(vec![target("bluetooth:00:00:00:00:00:02", None)], &pairs()).unwrap();
        assert_eq!(cast.targets, [target("shelf", Some(Role::Right))]);
    }

    #[test]
    fn an_output_is_a_speaker_that_is_called_like_it() {
        let cast =
            cast(vec![target("pulse:a.b#left", Some(Role::Left)), target("pulse:", None)], &pairs()).unwrap();
        let names: Vec<_> =
            cast.devices.iter().map(|device| (device.speaker.as_str(), device.role)).collect();
        assert_eq!(names, [("pulse:a.b#left", Role::Left), ("pulse:", Role::default())]);
        assert_eq!(cast.targets[0], target("pulse:a.b#left", Some(Role::Left)));
        assert_eq!(super::cast(vec![target("pulse:a#top", None)], &pairs()).unwrap_err().exit, Exit::Usage);
    }

    #[test]
    fn a_long_name_keeps_both_ends() {
        let long = "pulse:alsa_output.usb-Focusrite_Scarlett_2i2_USB_Y8K1ZBF0A4F5F1-00.analog-stereo#right";
        let short = shortened(long);
        assert!(antiphon_proto::session::message::is_name(&short), "{short}");
        assert!(
            short.starts_with("pulse:alsa_output.usb-Foc") && short.ends_with("analog-stereo#right"),
            "{short}"
        );
    }

    #[test]
    fn what_is_not_saved_is_named_with_a_remedy() {
        let said = pair(&Pairs::default(), "attic").unwrap_err();
        assert!(said.exit == Exit::NotFound && said.message.contains("antiphon pair"), "{said}");
        assert!(pair(&pairs(), "attic").unwrap_err().message.contains("living"));
        assert!(cast(vec![target("bluetooth:desk", None)], &pairs()).is_err());
    }
}
