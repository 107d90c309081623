//! The demo's processes: a hub, a relay that behaves like a network, two speakers, a player.

use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use antiphon_api::{Client, HubAddress, LocalReply, LocalRequest, SpeakerPatch, Status, local};
use antiphon_base::{Span, Timestamp, True};
use antiphon_net::raw_now;
use antiphon_speaker::Usage;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{DemoError, DemoPlan};

/// Both clocks are wrong, and differently: seconds and 80 ppm apart, beside sound cards that are 65 ppm
/// apart. A program without synchronisation would drift 145 us a second here and start seconds apart.
const SPEAKERS: [Member; 2] = [
    Member { name: "left", clock: "ppm=+40&offset_s=1234.5&wander_ppm=0.5", seed: 11 },
    Member { name: "right", clock: "ppm=-40&offset_s=77.25&wander_ppm=0.5", seed: 23 },
];

struct Member {
    name: &'static str,
    clock: &'static str,
    seed: u32,
}

/// The room of `--calibrate`: a living room, a microphone with a clock and a noise of its own.
const ROOM: &str = "distances_m=2,2&rt60_ms=300&snr_db=30&ppm=60&seed=1";

/// What the calibration printed.
pub(super) const CALIBRATION: &str = "calibration.json";

/// How long any of the processes may take to be there: a machine under load, started cold.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running demo. Dropping it ends every process that it started, and no other.
pub(super) struct Rig {
    program: PathBuf,
    dir: PathBuf,
    children: Vec<(&'static str, Child)>,
    hub: HubAddress,
    stop: Arc<AtomicBool>,
}

/// Where a process stood at some instant.
#[derive(Debug, Clone)]
pub(super) struct Cost {
    pub name: &'static str,
    pub usage: Usage,
}

impl Rig {
    /// Starts hub, relay and speakers in `plan.out`.
    pub fn start(plan: &DemoPlan, stop: Arc<AtomicBool>) -> Result<Self, DemoError> {
        let program = std::env::current_exe().map_err(|e| DemoError::System("find this program", e))?;
        let hub = HubAddress::from(std::net::SocketAddr::from(([127, 0, 0, 1], 0)));
        let mut rig = Self { program, dir: plan.out.clone(), children: Vec::new(), hub, stop };
        rig.start_hub(plan)?;
        let left = rig.start_relay("relay", plan.network, plan.loss.as_deref(), plan.delay.as_deref())?;
        let right = match &plan.rig.right_path {
            Some(path) => {
                let network = plan.network.or(Some("none"));
                rig.start_relay("relay-right", network, plan.loss.as_deref(), Some(path))?
            }
            None => left.clone(),
        };
        for (member, (hub, ppm)) in
            SPEAKERS.iter().zip([(left, plan.rig.card_ppm.0), (right, plan.rig.card_ppm.1)])
        {
            rig.start_speaker(plan, member, &hub, ppm)?;
        }
        rig.wait_for_speakers()?;
        rig.delay_right(plan.rig.right_delay)?;
        Ok(rig)
    }

    /// Plays `file`; returns the player and the instant at which it was asked to.
    pub fn play(&mut self, file: &Path) -> Result<Timestamp<True>, DemoError> {
        let asked = raw_now();
        let mut command = self.command("play");
        command.arg(file).args(["--left", "left", "--right", "right"]).args(["--hub", &self.hub.to_string()]);
        self.spawn("player", command)?;
        Ok(asked)
    }

    /// Calibrates by a microphone that stands in a room with both speakers, equally far from them. It
    /// gets what it would get at home: the address of the hub and what is heard.
    pub fn calibrate(&mut self) -> Result<(), DemoError> {
        let [left, right] =
            ["left", "right"].map(|name| Self::recording(&self.dir, name).display().to_string());
        let mut command = self.command("calibrate");
        command.args(["--mic", &format!("room:{left},{right}?{ROOM}"), "--periods", "4", "--json"]);
        command.args(["--hub", &self.hub.to_string()]);
        let found = std::fs::File::create(self.dir.join(CALIBRATION))
            .map_err(|e| DemoError::Write(self.dir.clone(), e))?;
        command.stdout(found);
        self.spawn("calibration", command)
    }

    /// The end of the process `name`, if it has come, with whether it went well. It is then forgotten.
    pub fn ended(&mut self, name: &str) -> Result<Option<bool>, DemoError> {
        let Some(place) = self.children.iter().position(|(child, _)| *child == name) else { return Ok(None) };
        let ended =
            self.children[place].1.try_wait().map_err(|e| DemoError::System("wait for a process", e))?;
        Ok(ended.map(|status| {
            self.children.remove(place);
            status.success()
        }))
    }

    /// What the hub says.
    pub fn status(&self) -> Option<Status> {
        Client::new(self.hub.clone()).status().ok()
    }

    /// What each process has used so far.
    pub fn costs(&self) -> Vec<Cost> {
        let cost = |(name, child): &(&'static str, Child)| {
            Usage::of(Some(child.id())).map(|usage| Cost { name, usage })
        };
        self.children.iter().filter_map(cost).collect()
    }

    /// Ends the speakers in order, so that their recordings are complete, then everything else.
    pub fn finish(mut self) -> Result<(), DemoError> {
        for (name, child) in self.children.iter_mut().rev() {
            end(child);
            let limit = Instant::now() + PATIENCE;
            while child.try_wait().map_err(|e| DemoError::System("wait for a process", e))?.is_none() {
                if Instant::now() > limit {
                    return Err(DemoError::Stuck(name));
                }
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        Ok(())
    }

    pub fn recording(dir: &Path, name: &str) -> PathBuf {
        dir.join(format!("{name}.wav"))
    }

    fn start_hub(&mut self, plan: &DemoPlan) -> Result<(), DemoError> {
        let mut command = self.command("hub");
        command.args(["--listen", "127.0.0.1:0", "--name", "demo", "--no-mdns"]);
        command.args(["--latency", &format!("{}ms", plan.latency.as_ms_f64())]);
        self.spawn("hub", command)?;
        let socket = local::socket_path(&self.runtime_dir());
        let address =
            self.wait_until("the hub", || match local::ask(&socket, &LocalRequest::Whereabouts) {
                Ok(LocalReply::Here { address, .. }) => Some(address),
                _ => None,
            })?;
        self.hub = address.parse().map_err(|_| DemoError::Nonsense(address))?;
        Ok(())
    }

    /// The address at which speakers reach the hub: a relay's, where there is a network to play.
    fn start_relay(
        &mut self,
        name: &'static str,
        network: Option<&str>,
        loss: Option<&str>,
        delay: Option<&str>,
    ) -> Result<String, DemoError> {
        let Some(network) = network else { return Ok(self.hub.to_string()) };
        let listen = format!("127.0.0.1:{}", free_port()?);
        let mut command = self.command("impair");
        command.args(["--listen", &listen, "--to", &self.hub.to_string()]);
        command.args(["--jitter", network, "--seed", "7"]);
        for (option, value) in [("--loss", loss), ("--delay", delay)] {
            command.args(value.into_iter().flat_map(|value| [option, value]));
        }
        self.spawn(name, command)?;
        self.wait_until("the relay", || std::net::TcpStream::connect(&listen).ok())?;
        Ok(listen)
    }

    fn start_speaker(
        &mut self,
        plan: &DemoPlan,
        member: &Member,
        hub: &str,
        ppm: f64,
    ) -> Result<(), DemoError> {
        let hidden = match (member.name, plan.hidden_ms) {
            ("right", ms @ 1..) => format!("&hidden_ms={ms}"),
            _ => String::new(),
        };
        let output = format!(
            "virtual:{}?ppm={ppm:+}&wander_ppm=0.3&warmup_ppm={}&period={}&wake_jitter_us=300&stamp_noise_us=50\
             &latency_ms={}&channels=1&seed={}{hidden}",
            Self::recording(&self.dir, member.name).display(),
            plan.rig.warmup_ppm,
            plan.rig.card_period,
            plan.rig.card_latency_ms,
            member.seed,
        );
        let mut command = self.command("speaker");
        command.args([
            "--name",
            member.name,
            "--hub",
            hub,
            "--output",
            &output,
            "--local-clock",
            member.clock,
        ]);
        self.spawn(member.name, command)
    }

    /// What `antiphon delay right` does.
    fn delay_right(&self, delay: Span) -> Result<(), DemoError> {
        if delay == Span::ZERO {
            return Ok(());
        }
        let patch = SpeakerPatch { delay_us: Some(delay.as_ns() / 1_000), ..SpeakerPatch::default() };
        let set = Client::new(self.hub.clone()).set_speaker("right", &patch);
        set.map(drop).map_err(|e| DemoError::NotSet(e.to_string()))
    }

    /// Ready: joined and sure of both clocks.
    fn wait_for_speakers(&mut self) -> Result<(), DemoError> {
        self.wait_until("the speakers", || {
            let status = self.status()?;
            let ready = status.speakers.iter().filter(|s| s.report.as_ref().is_some_and(|r| r.synced));
            (ready.count() == SPEAKERS.len()).then_some(())
        })
    }

    fn wait_until<T>(&self, what: &'static str, mut look: impl FnMut() -> Option<T>) -> Result<T, DemoError> {
        let limit = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look() {
                return Ok(found);
            }
            if self.stop.load(Ordering::Relaxed) {
                return Err(DemoError::Interrupted);
            }
            if Instant::now() > limit {
                return Err(DemoError::NotThere(what, self.dir.clone()));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn command(&self, verb: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.arg(verb).env("ANTIPHON_STATE_DIR", self.dir.join("state"));
        command.env("ANTIPHON_RUNTIME_DIR", self.runtime_dir()).stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    /// Unix socket paths hold 107 bytes, so this one lies in the system's temporary directory.
    fn runtime_dir(&self) -> PathBuf {
        std::env::temp_dir().join(format!("antiphon-demo-{}", std::process::id()))
    }

    fn spawn(&mut self, name: &'static str, mut command: Command) -> Result<(), DemoError> {
        let log = std::fs::File::create(self.dir.join(format!("{name}.log")))
            .map_err(|e| DemoError::Write(self.dir.clone(), e))?;
        let child = command.stderr(log).spawn().map_err(|e| DemoError::System("start a process", e))?;
        self.children.push((name, child));
        Ok(())
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        for (_, child) in &mut self.children {
            if matches!(child.try_wait(), Ok(None)) {
                // Gone between the two calls is as good.
                let _ = child.kill();
                let _ = child.wait();
            }
        }
        let _ = std::fs::remove_dir_all(self.runtime_dir());
    }
}

fn end(child: &mut Child) {
    if matches!(child.try_wait(), Ok(None))
        && let Ok(pid) = i32::try_from(child.id())
    {
        // Gone between the two calls is as good.
        let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
    }
}

/// A port that is free for both TCP and UDP.
fn free_port() -> Result<u16, DemoError> {
    for _ in 0..50 {
        let tcp = TcpListener::bind("127.0.0.1:0").map_err(|e| DemoError::System("find a port", e))?;
        let port = tcp.local_addr().map_err(|e| DemoError::System("find a port", e))?.port();
        if UdpSocket::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    Err(DemoError::System("find a port", std::io::Error::other("none is free for TCP and UDP")))
}
