//! Players that follow each other, and players whose speakers fail: nobody falls silent without a word, and the exit
//! code tells what was heard.

use std::process::Command;
use std::time::{Duration, Instant};

use antiphon_api::ProgrammeState;

use crate::house::{House, Process, eventually, write_tones};

const TONES: (f64, f64) = (443.7, 617.3);

const STAYS: &str = "another player has taken over; this program stays its hub until that ends";

/// A house with something long and something short to play.
fn furnished(house: House) -> House {
    write_tones(&house.path("long.wav"), 120, TONES, 0.5);
    write_tones(&house.path("short.wav"), 3, TONES, 0.5);
    house
}

fn play(house: &House, log: &str, file: &str, speakers: &[&str]) -> Process {
    let file = house.path(file);
    let left = speakers.iter().flat_map(|speaker| ["--left", speaker]);
    let args: Vec<&str> = ["play", file.to_str().unwrap()].into_iter().chain(left).collect();
    house.start(log, &args)
}

fn plays(house: &House, title: &str) -> bool {
    house.is_there()
        && house.client().status().is_ok_and(|status| {
            status.programme.state == ProgrammeState::Playing && status.programme.title == title
        })
}

#[test]
fn a_player_that_is_the_hub_stays_it_for_the_one_that_takes_over() {
    let house = furnished(House::empty());
    let mut first = play(&house, "first.log", "long.wav", &["null:"]);
    eventually("the first plays", || plays(&house, "long"));
    let other = format!("wav:{}", house.path("second.wav").display());
    let mut second = play(&house, "second.log", "short.wav", &[&other]);
    eventually("the second is heard", || plays(&house, "short"));
    assert!(house.said("first.log").contains(STAYS), "{}", house.said("first.log"));
    assert_eq!(second.end(), Some(0), "{}", house.said("second.log"));
    assert!(!house.said("second.log").contains("stopped"), "{}", house.said("second.log"));
    assert_eq!(first.end(), Some(0), "{}", house.said("first.log"));
}

#[test]
fn the_one_that_takes_over_plays_on_the_speaker_that_the_first_has() {
    let house = furnished(House::new());
    let mut first = play(&house, "first.log", "long.wav", &["null:"]);
    eventually("the first plays", || plays(&house, "long"));
    let mut second = play(&house, "second.log", "short.wav", &["null:"]);
    eventually("the second is heard", || plays(&house, "short"));
    assert_eq!(second.end(), Some(0), "{}", house.said("second.log"));
    assert!(house.said("second.log").contains("on null: (left)"), "{}", house.said("second.log"));
    assert_eq!(first.end(), Some(0), "{}", house.said("first.log"));
    let said = house.said("first.log");
    assert!(said.contains("it plays on speakers of this program, which stay until it ends"), "{said}");
}

#[test]
fn a_player_that_nobody_needs_ends_where_another_takes_over() {
    let house = furnished(House::new());
    let _speaker = house.speaker("desk", "0");
    let mut first = play(&house, "first.log", "long.wav", &["desk"]);
    eventually("the first plays", || plays(&house, "long"));
    let second = play(&house, "second.log", "long.wav", &["desk"]);
    assert_eq!(first.end(), Some(0), "{}", house.said("first.log"));
    let said = house.said("first.log");
    assert!(said.contains("another player has taken over") && !said.contains("its hub"), "{said}");
    assert_eq!(second.interrupt(), Some(130));
}

#[test]
fn a_hub_that_ends_is_no_end_of_the_programme() {
    let house = furnished(House::empty());
    let first = play(&house, "first.log", "long.wav", &["null:"]);
    eventually("the first plays", || plays(&house, "long"));
    let other = format!("wav:{}", house.path("second.wav").display());
    let second = play(&house, "second.log", "long.wav", &[&other]);
    eventually("the first has given way", || house.said("first.log").contains(STAYS));
    eventually("the second plays", || plays(&house, "long"));
    assert_eq!(first.interrupt(), Some(130));
    eventually("the second waits for the hub", || house.said("second.log").contains("the hub is gone"));
    assert_eq!(second.interrupt(), Some(130));
}

/// The same command in a process that may write no file of more than a megabyte: two seconds of a recording.
fn with_little_room(command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; ulimit -f 1000; exec \"$0\" \"$@\""]);
    shell.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell
}

#[test]
fn an_output_that_fails_while_it_plays_is_said_at_once_and_is_no_success() {
    let house = furnished(House::empty());
    let file = house.path("tones.wav");
    write_tones(&file, 9, TONES, 0.5);
    let full = format!("wav:{}", house.path("full.wav").display());
    let run = |speakers: &[&str], log: &str| {
        let mut command = house.antiphon(&["play", file.to_str().unwrap()]);
        command.args(speakers.iter().flat_map(|speaker| ["--left", speaker]));
        let began = Instant::now();
        let log = std::fs::File::create(house.path(log)).unwrap();
        let code = with_little_room(&command).stderr(log).status().unwrap().code();
        (code, began.elapsed())
    };
    let (code, _) = run(&[&full, "null:"], "two.log");
    let said = house.said("two.log");
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("full.wav") && said.contains("played to the end, but not on every speaker"),
        "{said}"
    );
    assert!(said.find("failed") < said.find("played to the end"), "said at once: {said}");
    let (code, took) = run(&[&full], "one.log");
    let said = house.said("one.log");
    assert!(code == Some(1) && said.contains("nobody is left to play"), "{said}");
    assert!(took < Duration::from_secs(60), "{took:?}");
}
