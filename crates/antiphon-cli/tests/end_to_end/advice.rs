//! `antiphon check`, `explain`, `catalog` and `guide` from outside.

use std::fs;

use antiphon_api::advice::{CatalogueReport, CheckReport, ExplainReport, GuideReport};
use antiphon_api::json;

use crate::house::House;
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
    assert_eq!(terminal.child.end(), Some(130), "{}", terminal.screen());
    let mut terminal = Terminal::of(&house, &["guide"]);
    terminal.answer("Go on there?", "");
    terminal.answer("once more", "b");
    terminal.answer("Step 2 of", "q");
    assert_eq!(terminal.child.end(), Some(130), "{}", terminal.screen());
    fs::write(house.path("state/guide.toml"), "nonsense").unwrap();
    let mut terminal = Terminal::of(&house, &["guide", "splitter"]);
    terminal.answer("Step 1 of", "q");
    assert_eq!(terminal.child.end(), Some(130), "{}", terminal.screen());
}
