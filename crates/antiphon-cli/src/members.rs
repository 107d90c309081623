//! Bluetooth speakers that play inside this program: saved pairs, and single ones by their address.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use antiphon_api::SourceTarget;
use antiphon_base::Role;
use antiphon_bluetooth::Address;
use antiphon_net::Warp;
use antiphon_proto::session::Codec;
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
    pub fn start(members: &[PairMember], manner: &Manner) -> Result<Self, Failure> {
        let pair = Pair { name: "all".into(), member: members.to_vec() };
        pair.check()?;
        let host = BluetoothHost::start(pair.members(), manner.warp)?;
        let mut running = Self { agents: Vec::new() };
        for member in members {
            running.spawn(config(member, manner, Arc::clone(&host))?)?;
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

fn config(member: &PairMember, manner: &Manner, host: Arc<BluetoothHost>) -> Result<AgentConfig, Failure> {
    Ok(AgentConfig {
        name: member.speaker.clone(),
        hub: manner.hub.clone(),
        role: Some(member.role),
        output: antiphon_audio::uri::OutputUri::Bluetooth(member.address.to_string()),
        warp: manner.warp,
        state_dir: dirs::state()?,
        runtime_dir: dirs::runtime()?,
        code: manner.code.clone(),
        open: manner.open,
        codecs: if manner.codecs.is_empty() { Codec::ALL.to_vec() } else { manner.codecs.clone() },
        bluetooth: Some(host),
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

/// Who shall play, with pairs and addresses made speakers' names.
#[derive(Debug, PartialEq)]
pub struct Cast {
    /// Each a speaker of the hub.
    pub targets: Vec<SourceTarget>,
    /// Speakers named by their address: nobody but this program can run them.
    pub named: Vec<PairMember>,
    /// Saved speakers that are asked for.
    pub saved: Vec<PairMember>,
}

/// Reads what was typed: `bluetooth:ADDRESS` and names of saved pairs; other names stay.
///
/// # Errors
/// An address that is none.
pub fn cast(targets: Vec<SourceTarget>, pairs: &Pairs) -> Result<Cast, Failure> {
    let mut cast = Cast { targets: Vec::new(), named: Vec::new(), saved: Vec::new() };
    for target in targets {
        let known = |member: &PairMember| member.speaker == target.name;
        if let Some(address) = target.name.strip_prefix("bluetooth:") {
            let address: Address =
                address.parse().map_err(|error| Failure::new(Exit::Usage, format!("{error}")))?;
            let member = by_address(address, target.role, pairs);
            cast.targets.push(SourceTarget { name: member.speaker.clone(), role: Some(member.role) });
            cast.named.push(member);
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
    fn what_is_not_saved_is_named_with_a_remedy() {
        let said = pair(&Pairs::default(), "attic").unwrap_err();
        assert!(said.exit == Exit::NotFound && said.message.contains("antiphon pair"), "{said}");
        assert!(pair(&pairs(), "attic").unwrap_err().message.contains("living"));
        assert!(cast(vec![target("bluetooth:desk", None)], &pairs()).is_err());
    }
}
