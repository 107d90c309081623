//! What is answered, for every model.

use super::*;

fn version(text: &str) -> VendorVersion {
    text.parse().unwrap()
}

fn ask<'a>(
    catalogue: &'a Catalogue,
    line: &str,
    host: Host,
    firmware: &[&str],
    app: Option<&str>,
) -> Report<'a> {
    let (first, second) = line.split_once(" + ").map_or((line, None), |(one, other)| (one, Some(other)));
    let told: Vec<VendorVersion> = firmware.iter().map(|text| version(text)).collect();
    let firmware = [told.first(), told.last()];
    let app = app.map(version);
    catalogue.check(&Question { first, second, firmware, app: app.as_ref(), host })
}

fn judged<'a, 'r>(report: &'r Report<'a>, id: MethodId) -> &'r Judged<'a> {
    report.methods.iter().find(|judged| judged.method.id == id).unwrap()
}

#[test]
fn firmware_that_is_too_old_says_what_is_missing_and_what_to_do_and_what_works_meanwhile() {
    let catalogue = Catalogue::embedded();
    let report = ask(&catalogue, "Mi Portable Speaker 3", Host::Linux, &["SPK-MIP3-V2.18.09"], None);
    let stereo = judged(&report, MethodId::VendorStereo);
    assert_eq!(stereo.standing, Standing::NotYet);
    let firmware = &stereo.gates[0];
    assert_eq!((firmware.met, firmware.have.as_deref()), (Some(false), Some("SPK-MIP3-V2.18.09")));
    assert!(firmware.need.contains("SPK-MIP3-V2.18.10"), "{firmware:?}");
    let todo = firmware.todo.join(" ");
    assert!(
        todo.contains("both") && todo.contains("before pairing") && todo.contains("off and on"),
        "{todo}"
    );
    assert_eq!(firmware.proof.as_ref().unwrap().evidence.word(), "claimed");
    assert_eq!(report.best, MethodId::HostPair);
    assert!(report.verdict.contains("once its conditions are met"), "{}", report.verdict);
}

#[test]
fn with_all_that_it_asks_for_the_makers_mode_comes_first() {
    let catalogue = Catalogue::embedded();
    let line = "Mi Portable Speaker 3";
    let report = ask(&catalogue, line, Host::Android, &["SPK-MIP3-V2.18.10"], Some("6.22.1"));
    assert_eq!((report.best, report.methods[0].standing), (MethodId::VendorStereo, Standing::Works));
    assert_eq!(report.methods[0].latency_ms.as_ref().unwrap().0, 11.3);
    let report = ask(&catalogue, line, Host::Android, &["SPK-MIP3-V2.18.10"], Some("6.22.0"));
    assert_eq!(judged(&report, MethodId::VendorStereo).standing, Standing::NotYet);
    let report = ask(&catalogue, line, Host::Android, &["2.18.10", "2.18.11"], Some("6.22.1"));
    let gates = &judged(&report, MethodId::VendorStereo).gates;
    assert!(
        gates.iter().any(|gate| gate.what == "the same firmware" && gate.met == Some(false)),
        "{gates:?}"
    );
}

#[test]
fn what_was_read_of_one_of_the_two_says_nothing_of_the_other() {
    let catalogue = Catalogue::embedded();
    let (first, read) = ("Mi Portable Speaker 3", version("2.18.10"));
    let question =
        Question { first, second: None, firmware: [Some(&read), None], app: None, host: Host::Ios };
    let report = catalogue.check(&question);
    let gates = &judged(&report, MethodId::VendorStereo).gates;
    let told: Vec<_> = gates.iter().take(2).map(|gate| (gate.what.as_str(), gate.met)).collect();
    assert_eq!(told, [("firmware", Some(true)), ("firmware of the other one", None)]);
}

#[test]
fn a_measured_latency_is_told_before_a_claimed_one_and_neither_makes_the_other_wrong() {
    use crate::catalogue::File;
    let name = "mi-portable-speaker-3.toml";
    let own =
        std::fs::read_to_string(format!("{}/../../catalog/speakers/{name}", env!("CARGO_MANIFEST_DIR")));
    let measured = "\n[[fact]]\nlatency_ms = 4.2\nfor = \"stereo\"\nevidence = \"measured\"\nwhere = \"lab\"\n\
                    date = \"2026-03-31\"\ngrade = \"good\"\nconditions = \"1 m\"\n";
    let text = own.unwrap() + measured;
    let (catalogue, flaws) = Catalogue::of(&[File { name, text: &text }]);
    assert!(flaws.is_empty(), "{flaws:?}");
    let report = ask(&catalogue, "Mi Portable Speaker 3", Host::Ios, &[], None);
    let (ms, proof) = judged(&report, MethodId::VendorStereo).latency_ms.clone().unwrap();
    assert_eq!((ms, proof.evidence.word()), (4.2, "measured"));
}

#[test]
fn a_version_of_another_product_is_neither_enough_nor_too_old() {
    let catalogue = Catalogue::embedded();
    let report = ask(&catalogue, "Mi Portable Speaker 3", Host::Linux, &["SPK-MISP-V9.0"], None);
    let gate = &judged(&report, MethodId::VendorStereo).gates[0];
    assert!(gate.met.is_none() && gate.todo[0].contains("another product"), "{gate:?}");
}

#[test]
fn two_brands_can_only_be_paired_by_the_host() {
    let catalogue = Catalogue::embedded();
    let report = ask(&catalogue, "Xiaomi Sound Outdoor + JBL Flip 6", Host::Linux, &[], None);
    assert_eq!(report.best, MethodId::HostPair);
    assert!(report.verdict.contains("only the host"), "{}", report.verdict);
    assert_eq!(judged(&report, MethodId::VendorStereo).standing, Standing::Cannot);
    assert_eq!(judged(&report, MethodId::VendorParty).standing, Standing::Cannot);
    assert!(judged(&report, MethodId::HostPair).how.contains(&"antiphon pair".to_owned()));
}

#[test]
fn party_systems_join_within_themselves_only() {
    let catalogue = Catalogue::embedded();
    let standing =
        |line: &str| judged(&ask(&catalogue, line, Host::Ios, &[], None), MethodId::VendorParty).standing;
    assert_eq!(standing("JBL Flip 6 + JBL Charge 5"), Standing::Works);
    assert_eq!(standing("JBL Flip 6 + JBL Flip 7"), Standing::Cannot);
    assert_eq!(standing("JBL Flip 6 + Marshall Willen"), Standing::Cannot);
    assert_eq!(standing("JBL Flip 6 + teapot"), Standing::Maybe);
}

#[test]
fn an_unknown_speaker_still_gets_what_works_for_any() {
    let catalogue = Catalogue::embedded();
    for host in Host::ALL {
        let report = ask(&catalogue, "JBL Flip 99", host, &[], None);
        let Named::Unknown(nearest) = &report.speakers[0].named else { panic!() };
        assert_eq!(nearest.len(), 3);
        assert!(judged(&report, report.best).standing != Standing::Cannot && report.facts.is_empty());
    }
}

#[test]
fn no_answer_is_a_bare_no() {
    let catalogue = Catalogue::embedded();
    let names: Vec<&str> =
        catalogue.models.iter().flat_map(|model| model.names().map(|(_, name)| name)).collect();
    for one in &names {
        for other in names.iter().step_by(3) {
            for host in Host::ALL {
                let report = catalogue.check(&Question {
                    first: one,
                    second: Some(other),
                    firmware: [None; 2],
                    app: None,
                    host,
                });
                let best = judged(&report, report.best);
                assert!(best.standing.helps() && !best.how.is_empty(), "{one} {other} {host}");
                assert!(
                    report
                        .methods
                        .iter()
                        .all(|judged| judged.why.ends_with(['.', ':', '!']) || judged.why.ends_with("look."))
                );
            }
        }
    }
}

/// Each method by two letters and how it stands.
fn line(report: &Report) -> String {
    let mark = |judged: &Judged| {
        let sign = match judged.standing {
            Standing::Works => "+",
            Standing::Maybe => "?",
            Standing::NotYet => "!",
            Standing::WithMore => "&",
            Standing::Cannot => "-",
            Standing::Later => "_",
        };
        let best = if judged.method.id == report.best { "*" } else { "" };
        format!("{}{sign}{best}", judged.method.guide)
    };
    report.methods.iter().map(mark).collect::<Vec<_>>().join(" ")
}

/// Below, at and above what a version must be, and none.
fn around(least: Option<String>) -> Vec<Option<String>> {
    let Some(least) = least else { return vec![None] };
    let (head, last) = least.rsplit_once('.').unwrap();
    let last: u32 = last.parse().unwrap();
    let below = match last {
        0 => format!(
            "{}.99",
            head.rsplit_once('.')
                .map(|(head, n)| format!("{head}.{}", n.parse::<u32>().unwrap() - 1))
                .unwrap()
        ),
        _ => format!("{head}.{}", last - 1),
    };
    vec![None, Some(below), Some(least.clone()), Some(format!("{head}.{}", last + 1))]
}

#[test]
fn every_model_firmware_app_and_source_is_answered_as_in_the_table() {
    use crate::model::{Purpose, Statement};
    let catalogue = Catalogue::embedded();
    let mut table = String::from(
        "+ works  ? if something that nobody told is so  ! after something is done  & with one more device\n\
         - cannot  _ not in this version  * the best as things are\n",
    );
    for model in &catalogue.models {
        let mut names: Vec<&str> = model.covers.iter().map(String::as_str).collect();
        if names.is_empty() {
            names.push(&model.name);
        }
        let gate = |pick: &dyn Fn(&Statement) -> Option<String>| {
            model.facts.iter().find_map(|fact| pick(&fact.statement))
        };
        let firmware = gate(&|says| match says {
            Statement::Firmware(Purpose::Stereo | Purpose::App, least) => Some(least.to_string()),
            _ => None,
        });
        let app = gate(&|says| match says {
            Statement::App(Purpose::Stereo | Purpose::App, _, least) => Some(least.to_string()),
            _ => None,
        });
        for name in names {
            table.push_str(&format!("\n{name}\n"));
            for host in Host::ALL {
                for firmware in around(firmware.clone()) {
                    for app in around(app.clone()) {
                        let told: Vec<&str> = firmware.as_deref().into_iter().collect();
                        let report = ask(&catalogue, name, host, &told, app.as_deref());
                        let given = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
                        table.push_str(&format!(
                            "  {host:<8}{:<18} {:<7} {}\n",
                            given(&firmware),
                            given(&app),
                            line(&report)
                        ));
                    }
                }
            }
        }
    }
    insta::assert_snapshot!("methods", table);
}

#[test]
fn pairs_of_unlike_speakers_are_answered_as_in_the_table() {
    let catalogue = Catalogue::embedded();
    let mut table = String::new();
    for pair in [
        "Xiaomi Sound Outdoor + JBL Flip 6",
        "Mi Portable Speaker 3 + Redmi Bluetooth Speaker X",
        "Mi Portable Speaker 2 + Mi Soundbar",
        "JBL Flip 6 + JBL Charge 5",
        "JBL Charge 5 + JBL Charge 6",
        "Sony SRS-XB100 + Sony SRS-XB43",
        "Sony SRS-XB43 + Sony SRS-XB22",
        "Bose SoundLink Flex + Bose SoundLink Flex (2nd Gen)",
        "UE BOOM 3 + UE HYPERBOOM",
        "UE BOOM 2 + UE BOOM 3",
        "Marshall Willen + Marshall Middleton",
        "Redmi Buds 4 Pro + JBL Go 4",
        "teapot + JBL Go 4",
    ] {
        for host in Host::ALL {
            let report = ask(&catalogue, pair, host, &[], None);
            table.push_str(&format!("{pair}, {host}\n  {}\n  {}\n", line(&report), report.verdict));
        }
    }
    insta::assert_snapshot!("pairs", table);
}
