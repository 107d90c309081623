//! `GET /api/v1/events`

use std::net::TcpStream;
use std::time::{Duration, Instant};

use antiphon_api::{EventMessage, SourceLink, SpeakerPatch, Status};
use tungstenite::{Message, WebSocket};

use crate::house::{House, Speaker, connect, eventually, open_message};

fn listen(house: &House) -> WebSocket<TcpStream> {
    let url = format!("ws://{}/api/v1/events", house.hub.addr());
    tungstenite::client(url, connect(house.hub.addr())).unwrap().0
}

/// The next status that is told; `None` where none comes in time.
fn hear(socket: &mut WebSocket<TcpStream>, patience: Duration) -> Option<Status> {
    let end = Instant::now() + patience;
    loop {
        let left = end.checked_duration_since(Instant::now())?.max(Duration::from_millis(1));
        socket.get_ref().set_read_timeout(Some(left)).unwrap();
        match socket.read() {
            Ok(Message::Text(text)) => {
                let told = antiphon_api::json::read("event", text.as_bytes()).unwrap();
                if let EventMessage::Status { status } = told {
                    return Some(*status);
                }
            }
            Ok(_) => {}
            Err(tungstenite::Error::Io(_)) => return None,
            Err(error) => panic!("{error}"),
        }
    }
}

fn wait_for(socket: &mut WebSocket<TcpStream>, what: &str, holds: impl Fn(&Status) -> bool) -> Status {
    let mut found = None;
    eventually(what, || {
        found = hear(socket, Duration::from_millis(500)).filter(|status| holds(status));
        found.is_some()
    });
    found.unwrap()
}

#[test]
fn a_page_hears_at_once_how_things_are_and_then_only_what_changes() {
    let house = House::new();
    let mut page = listen(&house);
    let first = hear(&mut page, Duration::from_secs(20)).unwrap();
    assert_eq!((first.hub.name.as_str(), first.speakers.len()), ("lab", 0));
    assert_eq!(hear(&mut page, Duration::from_secs(2)), None, "nothing has changed");

    let _desk = Speaker::join(&house, "desk", 1);
    let joined = wait_for(&mut page, "desk joins", |status| status.speakers.len() == 1);
    assert_eq!(joined.speakers[0].name, "desk");
    let patch = SpeakerPatch { gain_db: Some(-7.0), ..SpeakerPatch::default() };
    house.client().set_speaker("desk", &patch).unwrap();
    wait_for(&mut page, "desk is quieter", |status| status.speakers[0].gain_db == -7.0);
}

#[test]
fn an_idle_hub_says_that_it_is_there_and_one_that_has_news_says_those() {
    let house = House::new();
    let mut page = listen(&house);
    hear(&mut page, Duration::from_secs(20)).unwrap();
    page.get_ref().set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let begun = Instant::now();
    for _ in 0..2 {
        let text = loop {
            if let Message::Text(text) = page.read().unwrap() {
                break text;
            }
        };
        assert_eq!(text.as_str(), r#"{"type":"alive"}"#);
        assert_eq!(
            antiphon_api::json::read::<EventMessage>("event", text.as_bytes()).unwrap(),
            EventMessage::Alive
        );
    }
    // Two seconds each, less what the first status had waited on its way.
    assert!(begun.elapsed() > Duration::from_secs(3), "{:?}", begun.elapsed());
}

#[test]
fn a_position_is_told_about_once_a_second() {
    let house = House::new();
    let mut link = SourceLink::connect(&house.hub.addr().into(), &open_message()).unwrap();
    eventually("there is credit", || {
        link.poll(Duration::from_millis(20)).unwrap();
        link.credit() >= 48_000
    });
    link.push(&[0.0; 2 * 48_000]).unwrap();
    let mut page = listen(&house);
    wait_for(&mut page, "it plays", |status| status.programme.position_s > 0.0);
    let begun = Instant::now();
    let mut told = 0;
    while begun.elapsed() < Duration::from_secs(3) {
        link.poll(Duration::from_millis(1)).unwrap();
        let run = link.credit().min(48_000);
        link.push(&vec![0.0; 2 * run]).unwrap();
        told += u32::from(hear(&mut page, Duration::from_millis(100)).is_some());
    }
    assert!((1..=4).contains(&told), "{told} in three seconds");
}

#[test]
fn a_page_too_many_is_refused_in_words_and_one_that_leaves_makes_room() {
    let house = House::new();
    let mut pages: Vec<_> = (0..256).map(|_| listen(&house)).collect();
    let url = format!("ws://{}/api/v1/events", house.hub.addr());
    let one_more = || tungstenite::client(&url, connect(house.hub.addr())).map_err(Box::new);
    let Err(tungstenite::HandshakeError::Failure(tungstenite::Error::Http(answer))) =
        one_more().map_err(|refusal| *refusal)
    else {
        panic!("let in")
    };
    assert_eq!(answer.status(), 503);
    assert!(String::from_utf8_lossy(answer.body().as_deref().unwrap()).contains("too many pages"));
    pages.pop();
    eventually("there is room", || one_more().is_ok());
    for page in &mut pages {
        assert!(hear(page, Duration::from_secs(20)).is_some());
    }
}
