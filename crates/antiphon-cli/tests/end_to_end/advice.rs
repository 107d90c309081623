//! `antiphon check`, `explain`, `catalog` and `guide` from outside.

use std::fs;

use antiphon_api::advice::{CatalogueReport, CheckReport, ExplainReport, GuideReport};
use antiphon_api::json;
use antiphon_api::measurement::{MeasurementReport, PairReport};
use antiphon_bluez_fake::{Answer, FakeBluez, Speaker};

use antiphon_measure::recording::{read_wav, write_wav};

use crate::house::House;
use crate::lab::one_microphone;
use crate::pairing::Terminal;

fn run(house: &House, args: &[&str]) -> (Option<i32>, String, String) {
    let output = house.run(args);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn checked(house: &House, args: &[&str]) -> CheckReport {
    let (_, out, said) = run(house, &[&["check", "--json"], args].concat());
    json::read("the report", out.as_bytes()).unwrap_or_else(|error| panic!("{error}: {said}"))
}

#[test]
fn firmware_one_step_too_old_says_what_is_missing_and_what_to_do() {
    let house = House::empty();
    let (code, out, said) =
        run(&house, &["check", "Mi Portable Speaker 3", "--firmware", "SPK-MIP3-V2.18.09"]);
    assert_eq!(code, Some(0), "{said}");
    for words in [
        "SPK-MIP3-V2.18.10 or later",
        "SPK-MIP3-V2.18.09 is not enough",
        "before pairing",
        "claimed",
        "antiphon pair",
    ] {
        assert!(out.split_whitespace().collect::<Vec<_>>().join(" ").contains(words), "{words}: {out}");
    }
    assert!(out.lines().all(|line| line.chars().count() <= 80 || line.contains("http")), "{out}");
    let report =
        checked(&house, &["mi portable 3", "--firmware", "2.18.10", "--app", "6.23", "--source", "ios"]);
    assert_eq!((report.best.as_str(), report.source.as_str()), ("vendor_stereo", "ios"));
}

#[test]
fn two_brands_are_for_the_host_and_it_says_how() {
    let house = House::empty();
    let (code, out, _) = run(&house, &["check", "Xiaomi Sound Outdoor", "JBL Flip 6"]);
    let out = out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(code == Some(0) && out.contains("only the host can") && out.contains("> antiphon pair"), "{out}");
}

#[test]
fn an_unknown_model_gets_the_nearest_three_and_what_works_for_any() {
    let house = House::empty();
    let (code, out, said) = run(&house, &["check", "JBL Flip 99"]);
    assert!(code == Some(4) && out.contains("antiphon pair"), "{out}{said}");
    assert!(said.contains("JBL Flip") && said.contains("catalog new"), "{said}");
    assert_eq!(checked(&house, &["JBL Flip 99"]).speakers[0].nearest.len(), 3);
}

#[test]
fn a_name_that_may_mean_another_model_is_taken_for_one_aloud_and_a_brand_for_none() {
    let house = House::empty();
    let (code, out, _) = run(&house, &["check", "Marshall Emberton"]);
    assert!(
        code == Some(0) && out.contains("\"Marshall Emberton\" is taken for Marshall Emberton II."),
        "{out}"
    );
    let (code, out, _) = run(&house, &["check", "flip 6"]);
    assert!(code == Some(0) && !out.contains("taken for"), "{out}");
    let (code, _, said) = run(&house, &["check", "JBL"]);
    assert!(
        code == Some(4) && said.contains(" more (antiphon catalog list") && !said.contains("with"),
        "{said}"
    );
}

#[test]
fn nonsense_is_a_matter_of_usage() {
    let house = House::empty();
    for (args, words) in [
        (&["check", "flip 6", "--firmware", "latest"][..], "SPK-MIP3-V2.18.10"),
        (&["check", "flip 6", "--source", "amiga"], "linux, android"),
        (&["check"], "MODEL"),
        (
            &["check", "flip 6", "--firmware", "1.1", "--firmware", "1.2", "--firmware", "1.3"],
            "once or twice",
        ),
    ] {
        let (code, out, said) = run(&house, args);
        assert!(code == Some(2) && out.is_empty() && said.contains(words), "{args:?}: {said}");
    }
}

/// A house with one speaker that tells what it is.
fn house_with(speaker: Speaker) -> (House, FakeBluez) {
    let bluez = FakeBluez::start();
    bluez.register_desktop("hci0");
    bluez.add(speaker.paired());
    let mut house = House::empty();
    house.set_bus(bluez.address());
    (house, bluez)
}

#[test]
fn a_speaker_is_asked_what_it_is_and_what_it_told_is_known_on_another_day() {
    let information =
        vec![(0x2a24, Answer::text("Mi Portable Speaker 3")), (0x2a26, Answer::text("SPK-MIP3-V2.18.09"))];
    let (house, bluez) = house_with(Speaker { information, ..Speaker::new(ADDRESS, "Kitchen") });
    let (code, out, said) = run(&house, &["check", "--speaker", "kitchen"]);
    let words = out.split_whitespace().collect::<Vec<_>>().join(" ");
    // Its name is no model's, and it has told nothing else yet.
    assert!(
        code == Some(4) && words.contains(&format!("antiphon bluetooth connect {ADDRESS}")),
        "{out}{said}"
    );
    assert_eq!(run(&house, &["bluetooth", "connect", "Kitchen"]).0, Some(0));
    let report = checked(&house, &["--speaker", ADDRESS]);
    assert_eq!(report.speakers[0].name.as_deref(), Some("Mi Portable Speaker 3"));
    assert_eq!(report.told[0].firmware.as_deref(), Some("SPK-MIP3-V2.18.09"));
    assert!(report.told[0].text.contains("SBC"), "{report:?}");
    let gates = |report: &CheckReport| {
        let stereo = report.methods.iter().find(|method| method.id == "vendor_stereo").unwrap();
        stereo.gates.iter().map(|gate| (gate.what.clone(), gate.met)).collect::<Vec<_>>()
    };
    assert_eq!(gates(&report)[0], ("firmware".into(), Some(false)));
    drop(bluez);
    let later = checked(&house, &["mi portable 3"]);
    assert!(later.told[0].text.contains("read by Bluetooth on 20"), "{later:?}");
    assert_eq!(gates(&later)[0], ("firmware".into(), Some(false)));
    assert_eq!(gates(&later)[1], ("firmware of the other one".into(), None));
    let typed = checked(&house, &["mi portable 3", "--firmware", "2.18.10"]);
    assert!(
        typed.told.is_empty() && gates(&typed)[0].1 == Some(true),
        "what is typed is believed: {typed:?}"
    );
    let (code, _, said) = run(&house, &["check", "--speaker", "kitchen"]);
    assert!(code == Some(1) && said.contains("D-Bus"), "{said}");
}

#[test]
fn a_speaker_without_gatt_is_checked_by_its_name_and_its_firmware_is_called_not_exposed() {
    let (house, _bluez) = house_with(Speaker::new(ADDRESS, "JBL Flip 6"));
    run(&house, &["bluetooth", "connect", ADDRESS]);
    let (code, out, said) = run(&house, &["check", "--speaker", "jbl flip 6"]);
    let words = out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(code == Some(0) && words.contains("firmware not exposed by this device"), "{out}{said}");
    let (code, _, said) = run(&house, &["check", "--speaker", "nobody"]);
    assert!(code == Some(4) && said.contains("nobody"), "{said}");
    assert_eq!(run(&house, &["check", "flip 6", "charge 5", "--speaker", ADDRESS]).0, Some(2));
    let (code, _, said) = run(&house, &["check", "--speaker", "jbl flip 6", "--speaker", ADDRESS]);
    assert!(code == Some(2) && said.contains("one speaker"), "{said}");
}

const ADDRESS: &str = "AA:BB:CC:DD:EE:01";

#[test]
fn phones_are_speakers_by_their_browsers_for_whatever_speakers() {
    let house = House::empty();
    for source in ["android", "ios", "windows", "macos", "linux"] {
        for model in ["JBL Flip 6", "some radio nobody knows"] {
            let report = checked(&house, &[model, "--source", source]);
            let browsers = report.methods.iter().find(|method| method.id == "browsers").unwrap();
            assert_eq!(browsers.standing, "with_more", "{model} {source}");
            assert!(browsers.how.iter().any(|how| how == "antiphon join --qr"), "{browsers:?}");
        }
    }
    let (_, out, _) = run(&house, &["guide", "browser", "--print"]);
    for words in
        ["> antiphon join --qr", "choose Left", "not films", "Calibrate", "antiphon measure recording.m4a"]
    {
        assert!(out.split_whitespace().collect::<Vec<_>>().join(" ").contains(words), "{words}: {out}");
    }
}

/// How far a measurement says that two are apart.
fn result(house: &House, name: &str, grade: &str, delay_us: f64) -> String {
    let pair = PairReport { delay_us, ..PairReport::default() };
    let report = MeasurementReport { grade: grade.into(), pairs: vec![pair], ..MeasurementReport::default() };
    let file = house.path(name);
    fs::write(&file, json::write_pretty(&report)).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn a_measurement_becomes_a_fact_that_is_told_before_what_is_claimed() {
    let house = House::empty();
    let good = result(&house, "good.json", "good", -5_004.0);
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/../../catalog/speakers/mi-portable-speaker-3.toml");
    let file = house.path("mi-portable-speaker-3.toml");
    fs::copy(own, &file).unwrap();
    let file = file.to_str().unwrap();
    let add = ["catalog", "add-measurement", "mi portable 3"];
    let how = ["--firmware", "2.18.10", "--conditions", "both at 1 m, from an Android phone"];
    let (code, out, said) = run(&house, &[&add[..], &[good.as_str(), "--file", file], &how].concat());
    assert!(code == Some(0) && out.is_empty() && said.contains("5 ms apart"), "{said}");
    assert_eq!(run(&house, &["catalog", "lint", file]).0, Some(0));
    let report = checked(&house, &["mi portable 3", "--with", file]);
    let stereo = report.methods.iter().find(|method| method.id == "vendor_stereo").unwrap();
    let proof = stereo.latency_proof.clone().unwrap();
    assert_eq!((stereo.latency_ms, proof.evidence.as_str()), (Some(5.0), "measured"));
    assert!(proof.measured.unwrap()[2].contains("firmware 2.18.10; both at 1 m"));
    let bad = result(&house, "bad.json", "not_trustworthy", 100.0);
    let (code, out, said) = run(&house, &[&add[..], &[bad.as_str()], &how].concat());
    assert!(code == Some(1) && out.is_empty() && said.contains("proves nothing"), "{said}");
    let (code, out, said) = run(&house, &[&add[..], &[good.as_str()], &how].concat());
    assert!(code == Some(0) && out.starts_with("[[fact]]") && said.contains("--file"), "{out}{said}");
    let (code, _, said) = run(&house, &[&add[..], &[file], &how].concat());
    assert!(code == Some(2) && said.contains("measure --json"), "{said}");
}

#[test]
fn a_refuted_claim_leads_the_answer() {
    let house = House::empty();
    let (code, out, _) = run(&house, &["explain", "second speaker disconnects the first"]);
    assert_eq!(code, Some(0));
    let refuted = out.find("Refuted:").unwrap();
    assert!(refuted < out.find("Because the phone").unwrap(), "{out}");
    let (_, out, _) = run(&house, &["explain", "--json", "can I use", "siri?"]);
    let report: ExplainReport = json::read("it", out.as_bytes()).unwrap();
    assert_eq!(report.answers[0].id, "voice-assistant");
    let (code, _, said) = run(&house, &["explain", "bread recipes"]);
    assert!(code == Some(4) && said.contains("lists what is answered"), "{said}");
}

#[test]
fn a_speaker_is_added_in_three_commands() {
    let house = House::empty();
    let dir = house.path("mine");
    fs::create_dir(&dir).unwrap();
    let place = dir.to_str().unwrap();
    let (code, out, said) = run(&house, &["catalog", "new", "Teapot One", "--dir", place]);
    assert_eq!(code, Some(0), "{said}");
    let file = out.trim();
    assert_eq!(run(&house, &["catalog", "lint", file]).0, Some(0));
    let report = checked(&house, &["teapot one", "--with", file]);
    assert_eq!(report.speakers[0].name.as_deref(), Some("Teapot One"));
    let again = run(&house, &["catalog", "new", "Teapot One", "--dir", place]);
    assert!(again.0 == Some(1) && again.2.contains("is there already"), "{}", again.2);
    let text = fs::read_to_string(file).unwrap();
    let twice = "\n[[fact]]\npairing = \"stereo\"\nevidence = \"claimed\"\nwhere = \"guide\"\n";
    fs::write(file, text + twice).unwrap();
    let (code, _, said) = run(&house, &["catalog", "lint", file]);
    assert!(code == Some(1) && said.contains("contradict each other"), "{said}");
    let (code, _, said) = run(&house, &["check", "teapot one", "--with", file]);
    assert!(code == Some(2) && said.contains("teapot-one.toml"), "{said}");
}

#[test]
fn the_list_has_every_model_and_says_how_sure_it_is() {
    let house = House::empty();
    let (_, out, _) = run(&house, &["catalog", "list"]);
    assert!(
        out.contains("Mi Portable Speaker 3") && out.contains("    JBL Flip 6") && out.contains("claimed"),
        "{out}"
    );
    let (_, out, _) = run(&house, &["catalog", "list", "--json"]);
    let report: CatalogueReport = json::read("it", out.as_bytes()).unwrap();
    assert!(
        report.models.iter().any(|model| model.facts.iter().any(|fact| fact.proof.evidence == "documented"))
    );
    assert_eq!(run(&house, &["catalog", "lint"]).0, Some(0));
}

#[test]
fn every_guide_prints_as_text_and_as_data() {
    let house = House::empty();
    let (_, list, _) = run(&house, &["guide"]);
    let names: Vec<&str> =
        list.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   ")).collect();
    assert!(names.len() >= 10, "{list}");
    for name in names.iter().map(|line| line.split_whitespace().next().unwrap()) {
        let (code, out, said) = run(&house, &["guide", name, "--print"]);
        assert!(
            code == Some(0) && out.contains(" 1. ") && out.contains("You should see:"),
            "{name}: {out}{said}"
        );
        assert!(out.lines().all(|line| line.chars().count() <= 80 || line.contains("> ")), "{out}");
        let (_, out, _) = run(&house, &["guide", name, "--json"]);
        let report: GuideReport = json::read(name, out.as_bytes()).unwrap();
        assert!(report.id == name && report.steps.iter().all(|step| !step.see.is_empty()));
    }
    assert!(!house.path("state").exists(), "printing keeps no place");
}

#[test]
fn a_model_is_guided_by_its_best_method_and_its_own_steps_are_called_claimed() {
    let house = House::empty();
    let (_, out, said) = run(&house, &["guide", "Xiaomi Sound Outdoor", "JBL Flip 6", "--print"]);
    assert!(out.contains("> antiphon pair") && said.contains("only the host can"), "{out}{said}");
    let (_, out, _) = run(&house, &["guide", "vendor-stereo", "mi portable 3", "--print"]);
    assert!(out.contains("12 seconds") && out.matches("(claimed [1]").count() == 6, "{out}");
    assert!(out.contains("antiphon measure recording.m4a"), "it ends with a proof: {out}");
    let (_, out, _) = run(&house, &["guide", "vendor-stereo", "flip 6", "--print"]);
    let words = out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("press the PartyBoost key on both") && words.contains("(claimed)"), "{out}");
    let (code, _, said) = run(&house, &["guide", "teapot"]);
    assert!(code == Some(4) && said.contains("host-pair"), "{said}");
}

#[test]
fn a_guide_that_was_left_is_taken_up_another_day() {
    let house = House::empty();
    let mut terminal = Terminal::of(&house, &["guide", "splitter"]);
    terminal.answer("Step 1 of", "");
    terminal.answer("Step 2 of", "");
    terminal.answer("Step 3 of", "n");
    terminal.answer("once more", "q");
    assert_eq!(terminal.child.end(), Some(0), "{}", terminal.screen());
    let mut terminal = Terminal::of(&house, &["guide"]);
    terminal.answer("Go on there?", "what?");
    terminal.answer("y or Enter is yes", "");
    terminal.answer("once more", "b");
    terminal.answer("Step 2 of", "q");
    assert_eq!(terminal.child.end(), Some(0), "{}", terminal.screen());
    fs::write(house.path("state/guide.toml"), "nonsense").unwrap();
    let mut terminal = Terminal::of(&house, &["guide", "splitter"]);
    terminal.answer("Step 1 of", "q");
    assert_eq!(terminal.child.end(), Some(0), "{}", terminal.screen());
}

/// What a phone records where the right speaker is `late` frames behind.
fn recording(house: &House, name: &str, late: usize) -> String {
    let track = house.path(&format!("track-{name}"));
    house.order(&["signal", "measure", "-o", track.to_str().unwrap()]);
    let file = house.path(name);
    write_wav(&file, &one_microphone(&read_wav(&track).unwrap(), late, 1.0)).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn a_guide_ends_with_a_measurement_that_passes_below_12_ms_and_fails_above() {
    let house = House::empty();
    let mut terminal = Terminal::of(&house, &["guide", "prove"]);
    terminal.answer("Step 1 of 3", "");
    terminal.answer("Is it as it should be? [Y/n/q]", "");
    terminal.answer("Step 2 of 3", "");
    terminal.answer("Step 3 of 3", "");
    terminal.answer("recording's file", &recording(&house, "far.wav", 960));
    terminal.answer("sees otherwise: 20.0 ms apart, more than the 12 ms", "n");
    // Its advice, and the same step again.
    terminal.answer("Step 3 of 3, once more", "");
    terminal.answer("once more", &recording(&house, "near.wav", 240));
    assert_eq!(terminal.child.end(), Some(0), "{}", terminal.screen());
    let screen = terminal.screen();
    assert!(
        screen.contains("Checked: 5.0 ms apart: below the 12 ms") && screen.contains("Done."),
        "{screen}"
    );
    assert!(!house.path("state/guide.toml").exists(), "a guide that was walked to its end keeps no place");
}
