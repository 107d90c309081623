//! What speakers are called by whoever lives with them.

use std::time::Duration;

use antiphon_api::{ApiError, Client, ErrorCode, SourceCommand, SourceLink, SourceTarget, SpeakerPatch};
use antiphon_hub::HubDaemon;

use crate::house::{House, Speaker, eventually, open_message, options};

fn rename(client: &Client, name: &str, new: &str) -> Result<String, ErrorCode> {
    let patch = SpeakerPatch { name: Some(new.into()), ..SpeakerPatch::default() };
    client.set_speaker(name, &patch).map(|speaker| speaker.name).map_err(|error| match error {
        ApiError::Refused(body) => body.code,
        other => panic!("{other}"),
    })
}

fn names(client: &Client) -> Vec<String> {
    client.status().unwrap().speakers.into_iter().map(|speaker| speaker.name).collect()
}

#[test]
fn a_speaker_is_called_as_it_was_renamed_when_it_comes_back_and_after_a_new_start_of_the_hub() {
    let house = House::new();
    let client = house.client();
    let desk = Speaker::join(&house, "desk", 1);
    assert_eq!(rename(&client, "desk", "B\u{fc}cherregal"), Ok("B\u{fc}cherregal".into()));
    assert_eq!(names(&client), ["B\u{fc}cherregal"]);
    drop(desk);
    eventually("it is gone", || names(&client).is_empty());
    // What it calls itself is free, and it is not that any more.
    let _other = Speaker::join(&house, "desk", 2);
    let _desk = Speaker::join(&house, "desk", 1);
    assert_eq!(names(&client), ["B\u{fc}cherregal", "desk"]);
    let House { dir, hub } = house;
    hub.stop();
    let house = House { hub: HubDaemon::start(options(dir.path(), "127.0.0.1:0")).unwrap(), dir };
    let _desk = Speaker::join(&house, "desk", 1);
    assert_eq!(names(&house.client()), ["B\u{fc}cherregal"]);
}

#[test]
fn a_name_is_one_speakers_and_one_that_is_none_is_refused() {
    let house = House::new();
    let client = house.client();
    let (_desk, tv) = (Speaker::join(&house, "desk", 1), Speaker::join(&house, "tv", 2));
    assert_eq!(rename(&client, "desk", "tv"), Err(ErrorCode::Conflict));
    assert_eq!(rename(&client, "dusk", "shelf"), Err(ErrorCode::NotFound));
    for none in ["", " shelf", "a\nb", "\u{7f}", &"x".repeat(64)] {
        assert_eq!(rename(&client, "desk", none), Err(ErrorCode::BadRequest), "{none:?}");
    }
    assert_eq!(rename(&client, "tv", "shelf"), Ok("shelf".into()));
    drop(tv);
    eventually("it is gone", || names(&client) == ["desk"]);
    assert_eq!(rename(&client, "desk", "shelf"), Err(ErrorCode::Conflict), "of one that is away");
    assert_eq!(names(&client), ["desk"]);
}

#[test]
fn who_plays_to_a_speaker_by_either_name_still_does_when_it_is_renamed() {
    let house = House::new();
    let client = house.client();
    let _speakers = [("desk", 1), ("tv", 2)].map(|(name, seed)| Speaker::join(&house, name, seed));
    let SourceCommand::Open {
        channels, title, duration_frames, wait_ms, seekable, first_frame, pace, ..
    } = open_message()
    else {
        panic!("not to be opened")
    };
    let targets = vec![SourceTarget { name: "desk".into(), role: None }];
    let open = SourceCommand::Open {
        channels,
        title,
        duration_frames,
        targets,
        wait_ms,
        seekable,
        first_frame,
        pace,
    };
    let streaming = || -> Vec<String> {
        let speakers = client.status().unwrap().speakers.into_iter();
        speakers.filter(|speaker| speaker.streaming).map(|speaker| speaker.name).collect()
    };
    let mut link = SourceLink::connect(&house.hub.addr().into(), &open).unwrap();
    link.poll(Duration::from_secs(20)).unwrap();
    assert_eq!(streaming(), ["desk"]);
    rename(&client, "desk", "shelf").unwrap();
    rename(&client, "shelf", "board").unwrap();
    assert_eq!(streaming(), ["board"]);
    // As a saved pair of loudspeakers knows it.
    let mut link = SourceLink::connect(&house.hub.addr().into(), &open).unwrap();
    link.poll(Duration::from_secs(20)).unwrap();
    assert_eq!(streaming(), ["board"]);
}
