//! Findings for people and for programs.

use antiphon_api::doctor::{DOCTOR_SCHEMA, DoctorReport, FindingReport};

use super::judge::{Area, Finding, Level};
use crate::advice::Page;

/// For people: what is wrong is what one reads first.
pub fn page(findings: &[Finding]) -> String {
    let mut page = Page::default();
    let mut area = None;
    for finding in findings {
        if area != Some(finding.area) {
            page.gap();
            page.say(0, title(finding.area));
            area = Some(finding.area);
        }
        page.item(2, &format!("{}  ", finding.level.as_str()), &finding.what);
        for todo in &finding.todo {
            match is_command(todo) {
                true => page.command(8, &format!("> {todo}")),
                false => page.item(8, "* ", todo),
            }
        }
    }
    page.gap();
    page.say(0, &summary(findings));
    page.text()
}

fn title(area: Area) -> &'static str {
    match area {
        Area::Bluetooth => "Bluetooth",
        Area::Sound => "Sound on this machine",
        Area::Network => "Network",
        Area::Time => "Time",
        Area::Antiphon => "Antiphon",
    }
}

/// What commands begin with here.
const COMMANDS: [&str; 9] =
    ["antiphon", "bluetoothctl", "echo", "ip", "iw", "pulseaudio", "rfkill", "sudo", "systemctl"];

/// A sentence may begin with a command too, and ends with a full stop.
fn is_command(todo: &str) -> bool {
    let first = todo.split(' ').next().unwrap_or_default();
    COMMANDS.contains(&first) && !todo.ends_with('.')
}

fn summary(findings: &[Finding]) -> String {
    let count = |level: Level| findings.iter().filter(|finding| finding.level == level).count();
    let bluetooth = findings.iter().any(|f| f.area == Area::Bluetooth && f.level == Level::Fail);
    let other = findings.iter().any(|f| f.area != Area::Bluetooth && f.level == Level::Fail);
    let verdict = match (bluetooth, other) {
        (false, false) if count(Level::Warn) > 0 => "What WARNs may be in the way.",
        (false, false) => "Nothing is in the way.",
        (true, false) => {
            "Bluetooth speakers cannot play from here until that is mended. Speakers on other machines can \
             (antiphon hub), and antiphon demo shows it without any."
        }
        (_, true) => "Mend what FAILs, from the top; then look again.",
    };
    format!(
        "{verdict} {} FAIL, {} WARN, {} ???? (could not be seen).",
        count(Level::Fail),
        count(Level::Warn),
        count(Level::Unknown)
    )
}

/// For programs.
pub fn report(findings: &[Finding]) -> DoctorReport {
    let finding = |finding: &Finding| FindingReport {
        area: finding.area.as_str().to_owned(),
        id: finding.id.to_owned(),
        level: finding.level.word().to_owned(),
        what: finding.what.clone(),
        todo: finding.todo.clone(),
    };
    let worst = findings.iter().map(|finding| finding.level).filter(|level| *level != Level::Unknown).max();
    DoctorReport {
        schema: DOCTOR_SCHEMA,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        worst: worst.unwrap_or(Level::Pass).word().to_owned(),
        findings: findings.iter().map(finding).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_not_nothing() {
        let found =
            |level| Finding { area: Area::Time, id: "x", level, what: String::new(), todo: Vec::new() };
        let said = |levels: &[Level]| summary(&levels.iter().map(|level| found(*level)).collect::<Vec<_>>());
        assert!(said(&[Level::Pass]).starts_with("Nothing is in the way. 0 FAIL, 0 WARN, 0 ????"));
        assert!(
            said(&[Level::Warn, Level::Unknown])
                .starts_with("What WARNs may be in the way. 0 FAIL, 1 WARN, 1 ????")
        );
        assert!(said(&[Level::Fail, Level::Warn]).starts_with("Mend what FAILs"));
    }
}
