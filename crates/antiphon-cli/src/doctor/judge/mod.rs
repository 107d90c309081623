//! What was seen, judged: each rule looks at one thing and says what to do.

mod bluetooth;

mod network;

mod rest;

use super::machine::Machine;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where it belongs.
    pub area: Area,
    /// Names what was looked at.
    pub id: &'static str,
    /// How it is.
    pub level: Level,
    /// In a sentence.
    pub what: String,
    /// What helps, in the order to try.
    pub todo: Vec<String>,
}

/// Where a finding belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Area {
    /// Adapters, BlueZ, speakers.
    Bluetooth,
    /// Sound servers.
    Sound,
    /// Interfaces, firewall, ports.
    Network,
    /// Clocks and priorities.
    Time,
    /// Antiphon's own.
    Antiphon,
}

impl Area {
    /// As in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bluetooth => "bluetooth",
            Self::Sound => "sound",
            Self::Network => "network",
            Self::Time => "time",
            Self::Antiphon => "antiphon",
        }
    }
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// As it should be.
    Pass,
    /// It could not be seen.
    Unknown,
    /// It works, and not at its best.
    Warn,
    /// It does not work.
    Fail,
}

impl Level {
    /// As printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Unknown => "????",
            Self::Warn => "WARN",
            Self::Fail => "FAIL",
        }
    }

    /// As in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Unknown => "unknown",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// Findings of one area on their way.
struct Findings(Area, Vec<Finding>);

impl Findings {
    fn add(&mut self, level: Level, id: &'static str, what: impl Into<String>, todo: &[&str]) {
        self.say(level, id, what, todo.iter().map(|line| (*line).to_owned()).collect());
    }

    fn say(&mut self, level: Level, id: &'static str, what: impl Into<String>, todo: Vec<String>) {
        self.1.push(Finding { area: self.0, id, level, what: what.into(), todo });
    }

    fn pass(&mut self, id: &'static str, what: impl Into<String>) {
        self.add(Level::Pass, id, what, &[]);
    }
}

/// Everything, in the order in which a sound travels.
pub fn all(machine: &Machine) -> Vec<Finding> {
    let mut all = Vec::new();
    for (area, look) in [
        (Area::Bluetooth, bluetooth::look as fn(&Machine, &mut Findings)),
        (Area::Sound, rest::sound),
        (Area::Network, network::look),
        (Area::Time, rest::time),
        (Area::Antiphon, rest::antiphon),
    ] {
        let mut findings = Findings(area, Vec::new());
        look(machine, &mut findings);
        all.extend(findings.1);
    }
    all
}

#[cfg(test)]
mod tests;
