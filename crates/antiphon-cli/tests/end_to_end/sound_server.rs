//! Real sound servers, each with directories of its own: PulseAudio, and PipeWire with its session manager.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::house::{Process, eventually};

/// A server that is killed when the test is over.
pub struct SoundServer {
    dir: tempfile::TempDir,
    programs: Vec<Process>,
    is_pipewire: bool,
}

impl SoundServer {
    /// PulseAudio without any device; `None`, with a word, where it is not installed.
    pub fn pulseaudio() -> Option<Self> {
        has(&["pulseaudio", "pactl", "parec", "paplay"]).then(|| Self::start(false))
    }

    /// PipeWire, WirePlumber and PipeWire's server for PulseAudio's protocol.
    pub fn pipewire() -> Option<Self> {
        has(&["pipewire", "wireplumber", "pipewire-pulse", "dbus-daemon", "pactl", "parec", "paplay"])
            .then(|| Self::start(true))
    }

    fn start(is_pipewire: bool) -> Self {
        let mut server = Self { dir: tempfile::tempdir().unwrap(), programs: Vec::new(), is_pipewire };
        server.run();
        server
    }

    /// Starts it (again).
    pub fn run(&mut self) {
        if self.is_pipewire {
            std::fs::create_dir_all(self.dir.path().join("pulse")).unwrap();
            let bus = format!("--address={}", self.bus());
            self.spawn("dbus-daemon", &["--session", "--nofork", "--nopidfile", &bus]);
            let socket = self.dir.path().join("bus");
            eventually("the bus is there", || socket.exists());
            self.spawn("pipewire", &[]);
            // A session manager that comes before its server gives up at once, and nobody plays then.
            let socket = self.dir.path().join("pipewire-0");
            eventually("PipeWire listens", || socket.exists());
            for program in ["wireplumber", "pipewire-pulse"] {
                self.spawn(program, &[]);
            }
        } else {
            let listen =
                format!("module-native-protocol-unix socket={} auth-anonymous=1", self.socket().display());
            let mut args =
                vec!["-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1", "--disable-shm"];
            args.extend(["-L", listen.as_str()]);
            self.spawn("pulseaudio", &args);
        }
        eventually("the sound server answers", || self.pactl(&["info"]).is_some());
    }

    /// Kills it without a word to its clients.
    pub fn kill(&mut self) {
        self.programs.clear();
    }

    /// Where its clients connect.
    pub fn socket(&self) -> PathBuf {
        self.dir.path().join(if self.is_pipewire { "pulse/native" } else { "native" })
    }

    fn bus(&self) -> String {
        format!("unix:path={}", self.dir.path().join("bus").display())
    }

    fn spawn(&mut self, program: &str, args: &[&str]) {
        let child = self.command(program).args(args).spawn().unwrap();
        self.programs.push(Process(child));
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PULSE_"))
        {
            command.env_remove(name);
        }
        let dir = self.dir.path();
        for name in ["HOME", "XDG_RUNTIME_DIR", "PIPEWIRE_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_STATE_HOME"] {
            command.env(name, dir);
        }
        command.env("DBUS_SESSION_BUS_ADDRESS", self.bus());
        command.env("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// What it answers, if it does.
    pub fn pactl(&self, args: &[&str]) -> Option<String> {
        let server = format!("--server=unix:{}", self.socket().display());
        let output = self.command("pactl").arg(server).args(args).stdout(Stdio::piped()).output().unwrap();
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Loads a module; its number.
    pub fn load(&self, line: &str) -> String {
        let words: Vec<&str> = ["load-module"].into_iter().chain(line.split(' ')).collect();
        self.pactl(&words).unwrap_or_else(|| panic!("cannot load {line}"))
    }

    /// A program that plays a WAV file to a device, until dropped.
    pub fn play(&self, file: &Path, sink: &str) -> Process {
        let server = format!("--server=unix:{}", self.socket().display());
        Process(self.command("paplay").args([server.as_str(), "-d", sink]).arg(file).spawn().unwrap())
    }

    /// Records `channels` (as `front-left,front-right`) of a source to `path`, in 32-bit floats at 48 kHz, until dropped.
    pub fn record(&self, source: &str, channels: &str, path: &Path) -> Process {
        let count = channels.split(',').count();
        let child = self
            .command("parec")
            .arg(format!("--server=unix:{}", self.socket().display()))
            .args(["--raw", "--format=float32le", "--rate=48000", "--latency-msec=50", "-d", source])
            .args([format!("--channels={count}"), format!("--channel-map={channels}")])
            .stdout(File::create(path).unwrap())
            .spawn()
            .unwrap();
        eventually("the recorder runs", || std::fs::metadata(path).is_ok_and(|file| file.len() > 0));
        Process(child)
    }
}

fn has(programs: &[&str]) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there = |program: &&&str| std::env::split_paths(&path).any(|dir| dir.join(program).exists());
    let missing: Vec<_> = programs.iter().filter(|program| !is_there(program)).collect();
    if !missing.is_empty() {
        eprintln!("SKIPPED: {missing:?} not installed; scripts/setup.sh checks does that");
    }
    missing.is_empty()
}
