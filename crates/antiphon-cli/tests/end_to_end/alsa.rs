//! ALSA itself, without a card: its configuration leads to devices of a real sound server, which are recorded.

use crate::conclusive::unless_the_machine_stands_still;
use crate::house::{House, Process, eventually};
use crate::pulse::{are_together, comes_in_time, write_bursts};
use crate::sound_server::SoundServer;

/// One device of ALSA for each of the server's.
fn devices(names: &[&str]) -> String {
    names.iter().map(|name| format!("pcm.{name} {{ type pulse; device {name} }}\n")).collect()
}

/// PulseAudio, and a house whose ALSA has `names` in it and plays and hears there.
fn house_of_alsa(names: &[&str]) -> Option<(SoundServer, House)> {
    let server = SoundServer::pulseaudio()?;
    let mut house = House::empty();
    house.set_sound_server(&server.socket());
    house.set_sound_cards(&devices(names));
    Some((server, house))
}

/// Plays `what` to `left` and `right`, both of which are in time then.
fn playing(house: &House, what: &str, left: &str, right: &str) -> Process {
    let player = house.start("play.log", &["play", what, "--left", left, "--right", right]);
    for name in [left, right] {
        comes_in_time(house, name);
    }
    player
}

/// The way from ALSA to a sound server claims a position that is milliseconds off and wanders, for both channels of a
/// device alike: so these can be judged here, and two devices only where there are cards (`rig/cards.sh`).
#[test]
fn what_an_input_of_alsa_hears_is_played_on_both_channels_of_a_device_as_two_speakers_together() {
    unless_the_machine_stands_still(an_input_is_heard_on_both);
}

fn an_input_is_heard_on_both() {
    let Some((server, mut house)) = house_of_alsa(&["card", "line"]) else { return };
    server.load("module-null-sink sink_name=card rate=48000 channels=2 channel_map=front-left,front-right");
    server.load("module-null-sink sink_name=in rate=44100 channels=2 channel_map=front-left,front-right");
    server.load("module-remap-source source_name=line master=in.monitor");
    house.start_hub();
    let file = house.path("bursts.wav");
    write_bursts(&file, 44_100, 240);
    let program = server.play(&file, "in");
    let player = playing(&house, "alsa:line", "alsa:card#left", "alsa:card#right");
    let both = "front-left,front-right";
    eventually("they are together", || are_together(&server, &house, "card.monitor", both, 1));
    player.interrupt();
    drop(program);
}

#[test]
fn what_no_speaker_can_be_is_said_in_a_sentence_and_alsa_prints_nothing_itself() {
    let mut house = House::empty();
    house.set_sound_cards("");
    for (output, sentence) in [
        ("alsa:attic", "there is no output alsa:attic"),
        ("alsa:hw:97", "there is no output alsa:hw:97"),
        ("alsa:hw:0#rear", "a device has no part \"rear\""),
        ("alsa:null", "is no sound card: it takes sound faster than time passes"),
    ] {
        let run = house.run(&["speaker", "--name", "x", "--output", output]);
        let said = String::from_utf8(run.stderr).unwrap();
        assert!(
            run.status.code().is_some_and(|code| code != 0) && said.contains(sentence),
            "{output}: {said}"
        );
        assert!(!said.contains("ALSA lib"), "{said}");
    }
    let run = house.run(&["play", "alsa:attic", "--left", "null:"]);
    let said = String::from_utf8(run.stderr).unwrap();
    assert!(said.contains("there is no microphone alsa:attic"), "{said}");
}
