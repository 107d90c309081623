//! The demo's processes: a hub, a relay that behaves like a network, two speakers, a player.

use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use antiphon_api::{Client, HubAddress, LocalReply, LocalRequest, Status, local};
use antiphon_base::{Timestamp, True};
use antiphon_net::raw_now;
use antiphon_speaker::Usage;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{DemoError, DemoPlan};

/// Both clocks and both sound cards are wrong, and differently: seconds and 80 ppm apart. A
/// program without synchronisation would drift 145 us a second here and start seconds apart.
const SPEAKERS: [Member; 2] = [
    Member { name: "left", clock: "ppm=+40&offset_s=1234.5&wander_ppm=0.5", dac_ppm: "+40", seed: 11 },
    Member { name: "right", clock: "ppm=-40&offset_s=77.25&wander_ppm=0.5", dac_ppm: "-25", seed: 23 },
];

struct Member {
    name: &'static str,
    clock: &'static str,
    dac_ppm: &'static str,
    seed: u32,
}

/// How long any of the processes may take to be there: a machine under load, started cold.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running demo. Dropping it ends every process that it started, and no other.
pub(super) struct Rig {
    program: PathBuf,
    dir: PathBuf,
    children: Vec<(&'static str, Child)>,
    hub: HubAddress,
}

/// Where a process stood at some instant.
#[derive(Debug, Clone)]
pub(super) struct Cost {
    pub name: &'static str,
    pub usage: Usage,
}

impl Rig {
    /// Starts hub, relay and speakers in `plan.out`.
    pub fn start(plan: &DemoPlan) -> Result<Self, DemoError> {
        let program = std::env::current_exe().map_err(|e| DemoError::System("find this program", e))?;
        let hub = HubAddress::from(std::net::SocketAddr::from(([127, 0, 0, 1], 0)));
        let mut rig = Self { program, dir: plan.out.clone(), children: Vec::new(), hub };
        rig.start_hub(plan)?;
        let reached = rig.start_relay(plan)?;
        for member in &SPEAKERS {
            rig.start_speaker(plan, member, &reached)?;
        }
        rig.wait_for_speakers()?;
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

    /// The player's end, if it has come, with whether it went well.
    pub fn player_ended(&mut self) -> Result<Option<bool>, DemoError> {
        let player = self.children.iter_mut().find(|(name, _)| *name == "player");
        let Some((_, child)) = player else { return Ok(None) };
        let status = child.try_wait().map_err(|e| DemoError::System("wait for the player", e))?;
        Ok(status.map(|status| status.success()))
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
        let address = self.wait_until("the hub", || match local::ask(&socket, &LocalRequest::Whereabouts) {
            Ok(LocalReply::Here { address, .. }) => Some(address),
            _ => None,
        })?;
        self.hub = address.parse().map_err(|_| DemoError::Nonsense(address))?;
        Ok(())
    }

    fn start_relay(&mut self, plan: &DemoPlan) -> Result<String, DemoError> {
        let Some(network) = &plan.network else { return Ok(self.hub.to_string()) };
        let listen = format!("127.0.0.1:{}", free_port()?);
        let mut command = self.command("impair");
        command.args(["--listen", &listen, "--to", &self.hub.to_string()]);
        command.args(["--jitter", network, "--seed", "7"]);
        if let Some(loss) = &plan.loss {
            command.args(["--loss", loss]);
        }
        if let Some(delay) = &plan.delay {
            command.args(["--delay", delay]);
        }
        self.spawn("relay", command)?;
        self.wait_until("the relay", || std::net::TcpStream::connect(&listen).ok())?;
        Ok(listen)
    }

    fn start_speaker(&mut self, plan: &DemoPlan, member: &Member, hub: &str) -> Result<(), DemoError> {
        let output = format!(
            "virtual:{}?ppm={}&wander_ppm=0.3&warmup_ppm={}&period=256&wake_jitter_us=300&stamp_noise_us=50\
             &latency_ms={}&channels=1&seed={}",
            Self::recording(&self.dir, member.name).display(),
            member.dac_ppm,
            plan.warmup_ppm,
            plan.output_latency_ms,
            member.seed,
        );
        let mut command = self.command("speaker");
        command.args(["--name", member.name, "--hub", hub, "--output", &output, "--local-clock", member.clock]);
        self.spawn(member.name, command)
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
