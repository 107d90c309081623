//! What this computer can see of a step's success.

use std::process::{Command, Stdio};

use antiphon_api::json;
use antiphon_api::measurement::MeasurementReport;
use antiphon_bluetooth::{Bluetooth, Facts, Trouble};
use antiphon_catalog::check::{Gate, Host, Question};
use antiphon_catalog::guide::{Check, Checker, Plan, Verdict};
use antiphon_catalog::{Catalogue, MethodId, VendorVersion};

use crate::bluetooth::named;
use crate::pair::Person;
use crate::{find, told};

/// This computer's Bluetooth, hub and measurements, and whoever sits before it.
pub struct Looks<'a> {
    catalogue: &'a Catalogue,
    model: Option<&'a str>,
    /// How many speakers this computer itself connects.
    wanted: usize,
    /// What a check wants to know from the person, asked before it.
    pub told: Option<String>,
    /// What speakers of a model themselves tell of their firmware.
    told_by: fn(&Catalogue, &str) -> Vec<String>,
}

impl<'a> Looks<'a> {
    /// For `plan`, whose speakers are of the model called `model`.
    pub fn new(catalogue: &'a Catalogue, plan: &Plan, model: Option<&'a str>) -> Self {
        let method = catalogue.guide(&plan.guide).map(|guide| guide.method);
        let wanted = if method == Some(MethodId::HostPair) { 2 } else { 1 };
        Self { catalogue, model, wanted, told: None, told_by }
    }

    fn adapter(&self) -> Verdict {
        match Bluetooth::connect().and_then(|bluetooth| bluetooth.adapters()) {
            Err(trouble) => Verdict::Failed(trouble.to_string()),
            Ok(adapters) if adapters.is_empty() => Verdict::Failed(Trouble::NoAdapter.to_string()),
            Ok(adapters) => match adapters.iter().find(|adapter| adapter.powered) {
                Some(adapter) => Verdict::Passed(format!("the adapter {} is on", adapter.name)),
                None => Verdict::Failed(Trouble::AdapterOff(adapters[0].name.clone()).to_string()),
            },
        }
    }

    fn forgotten(&self) -> Verdict {
        match self.speakers(|facts| facts.paired) {
            Err(trouble) => Verdict::CannotTell(trouble.to_string()),
            Ok(paired) if paired.is_empty() => {
                Verdict::Passed("no speaker is paired with this computer".into())
            }
            Ok(paired) => Verdict::CannotTell(format!("paired with this computer: {}", list(&paired))),
        }
    }

    fn paired(&self) -> Verdict {
        match self.speakers(|facts| facts.paired) {
            Err(trouble) => Verdict::Failed(trouble.to_string()),
            Ok(paired) if paired.len() >= self.wanted => {
                Verdict::Passed(format!("paired: {}", list(&paired)))
            }
            Ok(paired) if paired.is_empty() => {
                Verdict::Failed("no speaker is paired with this computer".into())
            }
            Ok(paired) => Verdict::Failed(format!("only {} is paired with this computer", list(&paired))),
        }
    }

    /// A phone's connections are not seen from here.
    fn connected(&self) -> Verdict {
        match self.speakers(|facts| facts.connected) {
            Ok(connected) if connected.len() >= self.wanted => {
                Verdict::Passed(format!("connected: {}", list(&connected)))
            }
            Ok(connected) if self.wanted > 1 => Verdict::Failed(match connected.as_slice() {
                [] => "no speaker is connected to this computer".to_owned(),
                some => format!("only {} is connected to this computer", list(some)),
            }),
            Ok(_) => Verdict::CannotTell(
                "no speaker is connected to this computer; a phone's are not seen here".into(),
            ),
            Err(trouble) if self.wanted > 1 => Verdict::Failed(trouble.to_string()),
            Err(_) => Verdict::CannotTell(
                "this computer has no Bluetooth; a phone's connections are not seen".into(),
            ),
        }
    }

    fn speakers(&self, which: impl Fn(&Facts) -> bool) -> Result<Vec<Facts>, Trouble> {
        let devices = Bluetooth::connect()?.devices()?;
        Ok(devices.into_iter().filter(|facts| facts.may_play() && which(facts)).collect())
    }

    fn hub(&self) -> Verdict {
        match find::on_this_machine() {
            Some(address) => Verdict::Passed(format!("a hub answers at {address}")),
            None => Verdict::Failed("no hub runs on this machine".into()),
        }
    }

    /// Compares what the person read in the app, or the speakers told, with what the catalogue says is needed.
    fn firmware(&mut self) -> Verdict {
        let told = match self.told.take() {
            Some(typed) => vec![typed],
            None => self.model.map(|model| (self.told_by)(self.catalogue, model)).unwrap_or_default(),
        };
        let read = told.iter().map(|text| text.parse());
        let have = match read.collect::<Result<Vec<VendorVersion>, _>>() {
            Ok(have) => have,
            Err(error) => return Verdict::CannotTell(format!("{error}")),
        };
        if have.is_empty() {
            let why = "speakers hardly ever tell it to a computer; the maker's app shows it";
            return Verdict::CannotTell(why.into());
        }
        let Some(model) = self.model else {
            return Verdict::CannotTell(
                "which firmware is needed is known per model: antiphon check MODEL".into(),
            );
        };
        let firmware = [have.first(), have.last()];
        let question = Question { first: model, second: None, firmware, app: None, host: Host::Linux };
        let report = self.catalogue.check(&question);
        let gates: Vec<&Gate> = report.methods.iter().flat_map(|judged| &judged.gates).collect();
        let worst = gates.iter().find(|gate| gate.what.contains("firmware") && gate.met == Some(false));
        gate_verdict(worst.or_else(|| gates.iter().find(|gate| gate.what == "firmware")).copied())
    }

    /// Runs this program's own measurement, so that the verdict is the one that it always gives.
    fn together(&mut self) -> Verdict {
        let Some(recording) = self.told.take() else {
            return Verdict::CannotTell("without a recording only your ears can tell".into());
        };
        let measured = std::env::current_exe().and_then(|program| {
            Command::new(program)
                .args(["measure", "--json", "--"])
                .arg(&recording)
                .stdin(Stdio::null())
                .stderr(Stdio::null())
                .output()
        });
        let report = match measured {
            Ok(output) => json::read::<MeasurementReport>("the measurement", &output.stdout).ok(),
            Err(_) => None,
        };
        report.map_or_else(
            || Verdict::Failed(format!("{recording} cannot be measured")),
            |report| judged(&report),
        )
    }
}

impl Checker for Looks<'_> {
    fn check(&mut self, what: Check) -> Verdict {
        match what {
            Check::Adapter => self.adapter(),
            Check::Forgotten => self.forgotten(),
            Check::Paired => self.paired(),
            Check::Connected => self.connected(),
            Check::Hub => self.hub(),
            Check::Firmware => self.firmware(),
            Check::Channels => Verdict::CannotTell("this only ears can tell".into()),
            Check::Together => self.together(),
        }
    }
}

impl super::lead::Asks for Looks<'_> {
    fn ask_for(&mut self, what: Check, person: &mut dyn Person) {
        let question = match what {
            Check::Firmware => {
                "The version that the app shows for both (Enter: what they told this computer):"
            }
            Check::Together => "The recording's file (Enter: skip):",
            _ => return,
        };
        self.told = person.ask(question).filter(|answer| !answer.is_empty());
    }
}

/// What speakers of that model told, those that are connected first: at most two.
fn told_by(catalogue: &Catalogue, model: &str) -> Vec<String> {
    let asked = Bluetooth::connect().and_then(|bluetooth| {
        let mut devices = bluetooth.devices()?;
        devices.retain(|facts| facts.connected && facts.may_play());
        bluetooth.ask(&mut devices)?;
        Ok(devices)
    });
    asked.unwrap_or_default().iter().for_each(told::keep);
    let kept = told::kept().into_iter().filter(|telling| telling.model_in(catalogue) == Some(model));
    kept.map(|telling| telling.firmware).take(2).collect()
}

fn gate_verdict(gate: Option<&Gate>) -> Verdict {
    match gate {
        None => Verdict::CannotTell("no least firmware is known for this model".into()),
        Some(gate) => match gate.met {
            Some(true) => Verdict::Passed(format!("enough: {}", gate.need)),
            Some(false) => Verdict::Failed(format!("it must be {}", gate.need)),
            None => Verdict::CannotTell(gate.todo.join(" ")),
        },
    }
}

/// What guides for buyers ask of a stereo pair, in microseconds.
const GUIDES_ASK_US: f64 = 12_000.0;

/// Below it a listener in the middle hears one image, in microseconds.
const ONE_IMAGE_US: f64 = 1_000.0;

fn judged(report: &MeasurementReport) -> Verdict {
    let widest = report.pairs.iter().map(|pair| pair.delay_us.abs()).max_by(f64::total_cmp);
    match (report.grade.as_str(), widest) {
        ("not_trustworthy", _) | (_, None) => Verdict::Failed(report.verdict.clone()),
        (_, Some(delay)) if delay < ONE_IMAGE_US => Verdict::Passed(report.verdict.clone()),
        (_, Some(delay)) if delay < GUIDES_ASK_US => Verdict::Passed(format!(
            "{:.1} ms apart: below the 12 ms that guides call good, and not one stereo image, which needs well under \
             1 ms",
            delay / 1_000.0
        )),
        (_, Some(delay)) => Verdict::Failed(format!(
            "{:.1} ms apart, more than the 12 ms that guides call good. {}",
            delay / 1_000.0,
            report.verdict
        )),
    }
}

fn list(speakers: &[Facts]) -> String {
    speakers.iter().map(named).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use antiphon_api::measurement::PairReport;

    use super::*;

    #[test]
    fn a_pair_passes_by_a_measurement_that_is_to_be_trusted_and_below_what_guides_ask() {
        let report = |grade: &str, delays: &[f64]| MeasurementReport {
            grade: grade.into(),
            verdict: "so and so".into(),
            pairs: delays.iter().map(|us| PairReport { delay_us: *us, ..PairReport::default() }).collect(),
            ..MeasurementReport::default()
        };
        let passes =
            |grade: &str, delays: &[f64]| matches!(judged(&report(grade, delays)), Verdict::Passed(_));
        assert!(passes("good", &[50.0]) && passes("usable", &[-11_900.0]));
        assert!(
            !passes("good", &[50.0, -12_100.0])
                && !passes("not_trustworthy", &[50.0])
                && !passes("good", &[])
        );
    }

    #[test]
    fn a_firmware_is_compared_with_what_the_model_needs() {
        let catalogue = Catalogue::embedded();
        let plan = catalogue.plan("update", None).unwrap();
        let of = |model: Option<&'static str>, told: Option<&str>| {
            let mut looks = Looks::new(&catalogue, &plan, model);
            looks.told = told.map(str::to_owned);
            looks.told_by = |_, _| Vec::new();
            looks.check(Check::Firmware)
        };
        let model = Some("Mi Portable Speaker 3");
        assert!(matches!(of(model, Some("2.18.10")), Verdict::Passed(_)));
        assert!(matches!(of(model, Some("2.18.9")), Verdict::Failed(why) if why.contains("2.18.10")));
        for (model, told) in
            [(model, None), (None, Some("1.2")), (model, Some("new")), (Some("JBL Go 4"), Some("1.2"))]
        {
            assert!(matches!(of(model, told), Verdict::CannotTell(_)), "{model:?} {told:?}");
        }
        let mut looks = Looks::new(&catalogue, &plan, model);
        looks.told_by = |_, _| vec!["2.18.10".into(), "2.18.9".into()];
        let verdict = looks.check(Check::Firmware);
        assert!(
            matches!(&verdict, Verdict::Failed(why) if why.contains("2.18.10")),
            "one is too old: {verdict:?}"
        );
    }
}
