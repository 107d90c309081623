//! A hub, speakers and players as processes of their own, with directories of their own.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use antiphon_api::{Client, LocalReply, LocalRequest, SpeakerStatus, local};

/// A machine that compiles beside the tests may keep a process waiting for seconds, and a clock uncertain for longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// So many lines of each log are shown where a test fails.
const LINES_AFTER_A_FAILURE: usize = 12;

/// A process that is killed when the test is over.
pub struct Process(pub Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    /// Asks it to end as Ctrl-C would, and waits.
    pub fn interrupt(mut self) -> Option<i32> {
        let pid = i32::try_from(self.0.id()).unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGINT).unwrap();
        self.end()
    }

    /// Waits for its end; its exit code.
    pub fn end(&mut self) -> Option<i32> {
        eventually("a process ends", || self.0.try_wait().unwrap().is_some());
        self.0.wait().unwrap().code()
    }
}

/// Looks again and again, and fails when it never comes true.
pub fn eventually(what: &str, look: impl FnMut() -> bool) {
    within(PATIENCE, what, look);
}

/// As [`eventually`], with a patience of its own.
pub fn within(patience: Duration, what: &str, mut look: impl FnMut() -> bool) {
    let end = Instant::now() + patience;
    while !look() {
        assert!(Instant::now() < end, "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub fn sleep_ms(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
}

pub struct House {
    dir: tempfile::TempDir,
    hub: Option<Process>,
    port: u16,
    /// The system bus of its processes, where it is not the machine's.
    bus: Option<String>,
    /// The socket of the sound server of its processes; they have none otherwise.
    sound: Option<PathBuf>,
    /// The music folder of its hub, which has none otherwise.
    music: PathBuf,
    /// A configuration of ALSA that its processes have in place of the machine's.
    cards: Option<PathBuf>,
}

/// After a failure: what its processes said, in short.
impl Drop for House {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        for entry in fs::read_dir(self.dir.path()).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.extension().is_some_and(|ext| ext == "log") {
                let said = fs::read_to_string(&path).unwrap_or_default();
                let last: Vec<_> = said.lines().rev().take(LINES_AFTER_A_FAILURE).collect();
                eprintln!("--- {}", entry.file_name().to_string_lossy());
                last.iter().rev().for_each(|line| eprintln!("{line}"));
            }
        }
    }
}

impl House {
    /// Nobody is at home.
    pub fn empty() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            hub: None,
            port: 0,
            bus: None,
            sound: None,
            music: PathBuf::new(),
            cards: None,
        }
    }

    /// With a hub.
    pub fn new() -> Self {
        let mut house = Self::empty();
        house.start_hub();
        house
    }

    /// Its processes are on this bus.
    pub fn set_bus(&mut self, address: &str) {
        self.bus = Some(address.to_owned());
    }

    /// Its processes play to this sound server.
    pub fn set_sound_server(&mut self, socket: &Path) {
        self.sound = Some(socket.to_owned());
    }

    /// Its hub has this music folder.
    pub fn set_music(&mut self, folder: &Path) {
        self.music = folder.to_owned();
    }

    /// Its processes know the devices of ALSA that `lines` define, beside those that exist everywhere.
    pub fn set_sound_cards(&mut self, lines: &str) {
        let path = self.path("asound.conf");
        fs::write(&path, format!("</usr/share/alsa/alsa.conf>\n{lines}\n")).unwrap();
        self.cards = Some(path);
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The program with this house's directories and nothing of the caller's settings.
    pub fn antiphon(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_antiphon"));
        for (name, _) in std::env::vars_os().filter(|(n, _)| n.to_string_lossy().starts_with("ANTIPHON_")) {
            command.env_remove(name);
        }
        command.env("ANTIPHON_STATE_DIR", self.path("state")).env("ANTIPHON_RUNTIME_DIR", self.path("run"));
        command.env("ANTIPHON_MUSIC", &self.music);
        let sound = self.sound.clone().unwrap_or_else(|| self.path("no-sound-server"));
        command.env("PULSE_SERVER", format!("unix:{}", sound.display()));
        // Nor do they appear among the players of whoever runs the tests.
        command
            .env("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}", self.path("no-session-bus").display()));
        if let Some(cards) = &self.cards {
            command.env("ALSA_CONFIG_PATH", cards);
        }
        if let Some(bus) = &self.bus {
            command.env("DBUS_SYSTEM_BUS_ADDRESS", bus);
        }
        command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Runs to the end.
    pub fn run(&self, args: &[&str]) -> Output {
        self.antiphon(args).stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap()
    }

    /// Runs, and must go well.
    pub fn order(&self, args: &[&str]) {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Starts, with what it says on stderr going to the file `name`.
    pub fn start(&self, name: &str, args: &[&str]) -> Process {
        let log = fs::File::create(self.path(name)).unwrap();
        Process(self.antiphon(args).stderr(log).spawn().unwrap())
    }

    pub fn said(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// A hub; after the first, at the port of the first.
    pub fn start_hub(&mut self) {
        let listen = format!("127.0.0.1:{}", self.port);
        self.hub = Some(self.start("hub.log", &["hub", "--no-mdns", "--name", "test", "--listen", &listen]));
        eventually("the hub listens", || self.address().is_some());
        self.port = self.address().unwrap().port();
    }

    /// The hub's process.
    pub fn hub_id(&self) -> u32 {
        self.hub.as_ref().expect("a hub").0.id()
    }

    pub fn kill_hub(&mut self) {
        self.hub = None;
    }

    fn address(&self) -> Option<SocketAddr> {
        match local::ask(&local::socket_path(&self.path("run")), &LocalRequest::Whereabouts) {
            Ok(LocalReply::Here { address, .. }) => address.parse().ok(),
            _ => None,
        }
    }

    /// Whether there is a hub.
    pub fn is_there(&self) -> bool {
        self.address().is_some()
    }

    pub fn client(&self) -> Client {
        Client::new(self.address().expect("a hub").into())
    }

    /// A speaker on a virtual output with a wrong clock, recording to `NAME.wav`.
    pub fn speaker(&self, name: &str, ppm: &str) -> Process {
        self.late_speaker(name, ppm, 0)
    }

    /// The same, whose sound comes `hidden_ms` later than its program knows.
    pub fn late_speaker(&self, name: &str, ppm: &str, hidden_ms: u32) -> Process {
        // So much is held by the output that a stall of the machine hardly ever empties it.
        self.speaker_on(name, ppm, &format!("latency_ms=60&hidden_ms={hidden_ms}"))
    }

    /// A speaker whose output holds `latency_ms`: the hub's latency must be longer.
    pub fn held_speaker(&self, name: &str, ppm: &str, latency_ms: u32) -> Process {
        self.speaker_on(name, ppm, &format!("latency_ms={latency_ms}"))
    }

    fn speaker_on(&self, name: &str, ppm: &str, output: &str) -> Process {
        let file = self.path(&format!("{name}.wav"));
        let output = format!("virtual:{}?ppm={ppm}&seed=1&wake_jitter_us=100&{output}", file.display());
        let clock = format!("ppm={ppm}&offset_s=1234.5");
        let process = self.start(
            &format!("{name}.log"),
            &["speaker", "--name", name, "--output", &output, "--local-clock", &clock],
        );
        eventually("the speaker knows the time", || {
            self.status_of(name).is_some_and(|s| s.report.is_some_and(|report| report.synced))
        });
        process
    }

    pub fn status_of(&self, name: &str) -> Option<SpeakerStatus> {
        self.client().status().ok()?.speakers.into_iter().find(|speaker| speaker.name == name)
    }
}

/// A stereo WAV file of two tones, full scale `amplitude`.
pub fn write_tones(path: &Path, seconds: u32, (left, right): (f64, f64), amplitude: f64) {
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: 48_000,
        bits_per_sample: 24,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = hound::WavWriter::create(path, spec).unwrap();
    for n in 0..seconds * 48_000 {
        for hz in [left, right] {
            let sample = amplitude * (f64::from(n) * hz * std::f64::consts::TAU / 48_000.0).sin();
            file.write_sample((sample * 8_388_607.0) as i32).unwrap();
        }
    }
    file.finalize().unwrap();
}
