//! What this process costs.

use antiphon_base::{Span, Timestamp, True};

/// Processor time and memory of a process.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Usage {
    /// Processor time used since the process started, all threads.
    pub cpu: Span,
    /// Resident memory in KiB.
    pub rss_kb: u64,
}

impl Usage {
    /// Of process `pid`, or of this one; `None` where the system does not tell.
    pub fn of(pid: Option<u32>) -> Option<Self> {
        let process = pid.map_or_else(|| "self".to_owned(), |pid| pid.to_string());
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        Some(Self { cpu: cpu_of(&stat)?, rss_kb: rss_of(&status)? })
    }
}

/// `utime` and `stime` are fields 14 and 15 of proc(5)'s stat; the name in field 2 may hold spaces.
fn cpu_of(stat: &str) -> Option<Span> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: i64 = fields.get(11)?.parse::<i64>().ok()? + fields.get(12)?.parse::<i64>().ok()?;
    let per_second = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).ok()??;
    Some(Span::from_ns(ticks * (1_000_000_000 / per_second.max(1))))
}

fn rss_of(status: &str) -> Option<u64> {
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Turns successive readings into percent of one core.
#[derive(Debug, Default)]
pub struct UsageMeter {
    last: Option<(Timestamp<True>, Span)>,
}

impl UsageMeter {
    /// Percent of one core since the previous call (0 at the first), and memory in KiB.
    pub fn read(&mut self, now: Timestamp<True>) -> (f64, u64) {
        let Some(usage) = Usage::of(None) else { return (0.0, 0) };
        let percent = self.last.map_or(0.0, |(then, cpu)| {
            let wall = (now - then).as_s_f64();
            if wall > 0.0 { (usage.cpu - cpu).as_s_f64() / wall * 100.0 } else { 0.0 }
        });
        self.last = Some((now, usage.cpu));
        (percent, usage.rss_kb)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_some_memory() {
        let usage = Usage::of(None).expect("/proc is there");
        assert!(usage.rss_kb > 100 && usage.cpu >= Span::ZERO, "{usage:?}");
    }

    #[test]
    fn a_process_name_with_spaces_and_parentheses_is_read_past() {
        let stat = "12 (a b) c) S 1 12 12 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 1 0 5 1 2 3";
        assert_eq!(cpu_of(stat).map(|cpu| cpu.as_s_f64()), Some(3.0));
    }
}
