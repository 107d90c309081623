//! Devices asked over the loopback.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use antiphon_miio::{MiioError, Token, ask, discover};

mod device;

use device::{Device, ID, INFO, Manner};

const QUESTION: &[u8] = br#"{"id":1,"method":"miIO.info","params":[]}"#;

fn token(byte: u8) -> Token {
    format!("{byte:02x}").repeat(16).parse().unwrap()
}

fn manner() -> Manner {
    Manner { token: token(7), exposes: false, garbage: false, mute: false }
}

#[test]
fn a_device_tells_what_it_is_to_whoever_has_its_token() {
    let device = Device::start("127.0.0.1:0", manner());
    let (who, answer) = ask(device.address, &token(7), QUESTION).unwrap();
    assert_eq!((who.id, who.token), (ID, None));
    assert!(String::from_utf8(answer).unwrap().contains(INFO));
}

#[test]
fn a_wrong_token_silence_and_garbage_end_soon_each_in_its_own_words() {
    let right = Device::start("127.0.0.1:0", manner());
    let noise = Device::start("127.0.0.1:0", Manner { garbage: true, ..manner() });
    // Bound, so that nobody else gets the port, and never read.
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    for (address, words) in [
        (right.address, "token is wrong"),
        (noise.address, "no answer"),
        (silent.local_addr().unwrap(), "does not answer"),
    ] {
        let begin = Instant::now();
        let error = ask(address, &token(8), QUESTION).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
        assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    }
    let nobody = silent.local_addr().unwrap();
    drop(silent);
    assert!(matches!(ask(nobody, &token(8), QUESTION), Err(MiioError::Silent(_))));
}

#[test]
fn who_is_there_is_told_once_and_an_exposed_token_is_noticed() {
    let device = Device::start("127.0.0.1:0", Manner { exposes: true, ..manner() });
    let mut told = 0;
    let found = discover(device.address, Duration::from_millis(1_000), &mut |_| told += 1).unwrap();
    assert_eq!((found.len(), told), (1, 1));
    assert_eq!((found[0].id, found[0].token.as_ref()), (ID, Some(&token(7))));
    assert!(!format!("{found:?}").contains("0707"), "a token is never shown");
}
