//! Who is let in from other machines, to what, and how they are thrown out.

use std::time::Duration;

use antiphon_api::{
    AccessRole, ApiError, Client, ErrorCode, JoinCodeRequest, Problem, SpeakerPatch, TransportAction,
    TransportRequest,
};
use antiphon_hub::HubDaemon;
use tungstenite::client::IntoClientRequest;

use crate::house::{House, Speaker, eventually, open_message, options};
use crate::lan::{Guest, PHONE, TABLET, with_a_hub};

fn code(house: &House, role: AccessRole) -> String {
    house.client().offer_access(role).unwrap().code
}

fn guest(house: &House, role: AccessRole) -> Guest {
    Guest::new(house, PHONE).let_in(&code(house, role)).unwrap()
}

#[test]
fn a_stranger_is_told_to_log_in_and_learns_nothing_else() {
    with_a_hub(|house| {
        let stranger = Guest::new(house, PHONE);
        let me = stranger.ask("GET", "/api/v1/me", "");
        assert!(me.status == 200 && me.body.contains(r#""role":"none","this_machine":false"#), "{me:?}");
        for (method, path) in [
            ("GET", "/api/v1/status"),
            ("GET", "/api/v1/events"),
            ("GET", "/api/v1/source"),
            ("GET", "/api/v1/groups"),
            ("GET", "/api/v1/access"),
            ("GET", "/api/v1/openapi.json"),
            ("GET", "/metrics"),
            ("POST", "/api/v1/access"),
            ("POST", "/api/v1/pairing-code"),
            ("POST", "/api/v1/transport"),
            ("DELETE", "/api/v1/calibration"),
        ] {
            let answer = stranger.ask(method, path, "{}");
            assert_eq!(answer.status, 401, "{method} {path}");
            assert!(answer.head.contains("application/problem+json"), "{answer:?}");
            assert!(
                answer.body.contains("antiphon access") && answer.body.contains("login_needed"),
                "{answer:?}"
            );
        }
        assert_eq!(stranger.with("Authorization: Bearer 00").status_of("GET", "/api/v1/status", ""), 401);
        assert_eq!(stranger.with("Cookie: antiphon_access=").status_of("GET", "/api/v1/status", ""), 401);
        assert_eq!(house.client().me().unwrap().role, AccessRole::Admin, "the hub's own machine");
    });
}

#[test]
fn six_digits_let_a_browser_in_and_its_token_outlives_the_hub_but_is_nowhere_on_disk() {
    with_a_hub(|house| {
        let phone = Guest::new(house, PHONE);
        let answer = phone.ask(
            "POST",
            "/api/v1/login",
            &format!(r#"{{"code":"{}","name":"Anna"}}"#, code(house, AccessRole::Control)),
        );
        let cookie = answer.head.lines().find(|line| line.starts_with("set-cookie")).unwrap().to_owned();
        assert!(cookie.contains("httponly; samesite=strict; path=/"), "{cookie}");
        let token = cookie.split(['=', ';']).nth(1).unwrap().to_owned();
        assert_eq!(token.len(), 64);
        let phone = phone.with(&format!("Cookie: theme=dark; antiphon_access={token}"));
        assert_eq!(phone.status_of("GET", "/api/v1/status", ""), 200);
        let entry = house.client().access().unwrap().access.remove(0);
        assert_eq!((entry.name.as_str(), entry.role, entry.is_me), ("Anna", AccessRole::Control, false));
        let kept = std::fs::read_to_string(house.dir.path().join("state/hub.toml")).unwrap();
        assert!(kept.contains("Anna") && !kept.contains(&token), "{kept}");
    });
}

#[test]
fn who_was_let_in_is_still_after_a_new_start() {
    with_a_hub(|house| {
        let dir = tempfile::tempdir().unwrap();
        let start = || HubDaemon::start(options(dir.path(), "0.0.0.0:0")).unwrap();
        let hub = start();
        let code = Client::new(hub.addr().into()).offer_access(AccessRole::Listen).unwrap().code;
        let there = |hub: &antiphon_hub::HubHandle| format!("{}:{}", crate::lan::HUB, hub.listen().port());
        let token = Client::new(there(&hub).parse().unwrap()).login(&code, "laptop").unwrap();
        hub.stop();
        let hub = start();
        let laptop = Client::with_token(there(&hub).parse().unwrap(), Some(token));
        let me = laptop.me().unwrap();
        assert_eq!((me.role, me.this_machine), (AccessRole::Listen, false));
        let other = Client::with_token(house.hub.addr().into(), None);
        assert_eq!(other.access().unwrap().access, [], "another hub let nobody in");
    });
}

#[test]
fn three_wrong_codes_void_the_code_and_whoever_guesses_waits() {
    with_a_hub(|house| {
        let right = code(house, AccessRole::Control);
        let wrong = if right == "000000" { "000001" } else { "000000" };
        let (guesser, other) = (Guest::new(house, PHONE), Guest::new(house, TABLET));
        for left in ["2 more tries", "1 more tries", "void now"] {
            let answer = guesser.let_in(wrong).err().unwrap();
            assert!(answer.status == 403 && answer.body.contains(left), "{answer:?}");
        }
        let answer = other.let_in(&right).err().unwrap();
        assert!(answer.status == 403 && answer.body.contains("no code is valid"), "{answer:?}");
        let right = code(house, AccessRole::Control);
        let answer = guesser.let_in(&right).err().unwrap();
        assert!(answer.status == 429 && answer.head.contains("retry-after: "), "{answer:?}");
        let other = other.let_in(&right).unwrap();
        assert_eq!(other.status_of("GET", "/api/v1/status", ""), 200);
        let again = Guest::new(house, TABLET).let_in(&right).err().unwrap();
        assert_eq!(again.status, 403, "a code is used once");
        for bad in ["12345", "12345a", ""] {
            assert_eq!(Guest::new(house, TABLET).let_in(bad).err().unwrap().status, 400, "{bad:?}");
        }
    });
}

#[test]
fn a_code_for_speakers_lets_no_browser_in() {
    with_a_hub(|_| {
        let dir = tempfile::tempdir().unwrap();
        let sealed = antiphon_hub::HubOptions { open: false, ..options(dir.path(), "0.0.0.0:0") };
        let hub = HubDaemon::start(sealed).unwrap();
        let code = Client::new(hub.addr().into()).pairing_code().unwrap().code;
        let there = format!("{}:{}", crate::lan::HUB, hub.listen().port());
        let error = Client::new(there.parse().unwrap()).login(&code, "laptop").unwrap_err();
        assert!(matches!(&error, ApiError::Refused(body) if body.code == ErrorCode::NotPermitted), "{error}");
    });
}

#[test]
fn a_listener_changes_nothing_and_a_controller_lets_nobody_in() {
    with_a_hub(|house| {
        let _desk = Speaker::join(house, "desk", 1);
        let changes = [
            ("PATCH", "/api/v1/speakers/desk", r#"{"muted":true}"#),
            ("PUT", "/api/v1/latency", r#"{"latency_us":100000}"#),
            ("PUT", "/api/v1/groups/den", r#"{"kind":"party","members":[{"speaker":"desk","role":"both"}]}"#),
            ("POST", "/api/v1/groups/den/use", ""),
            ("DELETE", "/api/v1/groups/den", ""),
        ];
        let manages = [
            ("GET", "/api/v1/access", ""),
            ("POST", "/api/v1/access", r#"{"role":"admin"}"#),
            ("DELETE", "/api/v1/access/00", ""),
            ("POST", "/api/v1/pairing-code", ""),
        ];
        let listener = guest(house, AccessRole::Listen);
        assert_eq!(listener.status_of("GET", "/api/v1/status", ""), 200);
        for (method, path, body) in changes.into_iter().chain(manages) {
            assert_eq!(listener.status_of(method, path, body), 403, "{method} {path}");
        }
        let upgrade = listener.with("Upgrade: websocket").status_of("GET", "/api/v1/source", "");
        assert_eq!(upgrade, 403, "a player plays, so it controls");
        let controller = guest(house, AccessRole::Control);
        for (method, path, body) in changes {
            assert!(controller.status_of(method, path, body) < 300, "{method} {path}");
        }
        for (method, path, body) in manages {
            assert_eq!(controller.status_of(method, path, body), 403, "{method} {path}");
        }
        let admin = guest(house, AccessRole::Admin);
        assert_eq!(admin.status_of("GET", "/api/v1/access", ""), 200);
        assert_eq!(admin.status_of("GET", "/api/v1/nothing-here", ""), 404);
    });
}

#[test]
fn who_is_thrown_out_loses_its_open_connections_too() {
    with_a_hub(|house| {
        let phone = guest(house, AccessRole::Control);
        let client = Client::new(phone.hub().into());
        let token = client.login(&code(house, AccessRole::Control), "laptop").unwrap();
        let laptop = Client::with_token(phone.hub().into(), Some(token.clone()));
        let mut link = laptop.source(&open_message()).unwrap();
        link.poll(Duration::from_secs(20)).unwrap();
        let mut request = format!("ws://{}/api/v1/events", phone.hub()).into_client_request().unwrap();
        request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        let (mut page, _) = tungstenite::client(request, phone.connect()).unwrap();
        assert!(page.read().is_ok(), "it hears the status");

        let list = house.client().access().unwrap().access;
        let entry = list.iter().find(|entry| entry.name == "laptop").unwrap();
        house.client().revoke_access(&entry.id).unwrap();
        assert!(
            matches!(laptop.status(), Err(ApiError::Refused(body)) if body.code == ErrorCode::LoginNeeded)
        );
        eventually("the page is closed", || page.read().is_err());
        eventually("the player is told", || {
            matches!(
                link.poll(Duration::from_millis(20)),
                Ok(Some(antiphon_api::SourceNotice::Error(body))) if body.code == ErrorCode::NotPermitted
            )
        });
        assert_eq!(phone.status_of("GET", "/api/v1/status", ""), 200, "others stay");
        assert_eq!(phone.status_of("POST", "/api/v1/logout", ""), 204);
        assert_eq!(phone.status_of("GET", "/api/v1/status", ""), 401);
        let again = house.client().revoke_access(&entry.id).unwrap_err();
        assert!(matches!(again, ApiError::Refused(body) if body.code == ErrorCode::NotFound));
    });
}

#[test]
fn the_join_codes_of_who_is_thrown_out_go_with_it() {
    with_a_hub(|house| {
        let make = |guest: &Guest| guest.status_of("POST", "/api/v1/join-codes", r#"{"valid_s":60}"#);
        let (phone, tablet) = (guest(house, AccessRole::Control), guest(house, AccessRole::Control));
        assert_eq!([make(&phone), make(&tablet)], [200, 200]);
        let own = house.client().make_join_code(&JoinCodeRequest { valid_s: 60, address: None }).unwrap().id;
        let codes = || house.client().join_codes().unwrap().codes;
        assert_eq!(codes().len(), 3);
        let first = house.client().access().unwrap().access.remove(0);
        house.client().revoke_access(&first.id).unwrap();
        assert_eq!(codes().len(), 2);
        // Who leaves could not be thrown out any more.
        assert_eq!(tablet.status_of("POST", "/api/v1/logout", ""), 204);
        assert_eq!(codes().iter().map(|code| code.id.as_str()).collect::<Vec<_>>(), [own]);
    });
}

#[test]
fn another_machine_controls_what_plays_with_the_client_that_every_verb_uses() {
    with_a_hub(|house| {
        let _desk = Speaker::join(house, "desk", 1);
        let hub = Guest::new(house, PHONE).hub();
        let laptop = Client::new(hub.into());
        let token = laptop.login(&code(house, AccessRole::Control), "laptop").unwrap();
        let laptop = Client::with_token(hub.into(), Some(token));
        let patch = SpeakerPatch { gain_db: Some(-3.0), ..SpeakerPatch::default() };
        assert_eq!(laptop.set_speaker("desk", &patch).unwrap().gain_db, -3.0);
        let mut link = laptop.source(&open_message()).unwrap();
        link.poll(Duration::from_secs(20)).unwrap();
        let stop = TransportRequest { action: TransportAction::Stop, to: None };
        laptop.transport(&stop).unwrap();
    });
}

#[test]
fn pages_of_other_sites_and_rebound_names_are_kept_out_and_the_hubs_own_page_is_not() {
    with_a_hub(|house| {
        let phone = guest(house, AccessRole::Admin);
        let hub = phone.hub().to_string();
        for origin in [format!("http://{hub}"), format!("https://{hub}")] {
            let page = phone.with(&format!("Origin: {origin}"));
            assert_eq!(page.status_of("GET", "/api/v1/status", ""), 200, "{origin}");
        }
        for origin in ["http://evil.example", "null", "http://198.51.100.1"] {
            let page = phone.with(&format!("Origin: {origin}"));
            assert_eq!(page.status_of("GET", "/api/v1/status", ""), 403, "{origin}");
            assert_eq!(page.status_of("POST", "/api/v1/login", "{}"), 403, "{origin}");
        }
        for host in ["evil.example", "198.51.100.9", "localhost.evil.example"] {
            assert_eq!(phone.ask_as(host, "GET", "/api/v1/status", "").status, 403, "{host}");
            let rebound = phone.with(&format!("Origin: http://{host}"));
            assert_eq!(rebound.ask_as(host, "POST", "/api/v1/login", "{}").status, 403, "{host}");
        }
        let machine = nix::sys::utsname::uname().unwrap().nodename().to_string_lossy().into_owned();
        let own = format!("{}.local:7755", machine.split('.').next().unwrap());
        assert_eq!(phone.ask_as(&own, "GET", "/api/v1/status", "").status, 200, "{own}");
    });
}

#[test]
fn what_a_proxy_of_this_machine_brings_is_not_of_this_machine() {
    let house = House::new();
    let ask = |header: &str| {
        let request =
            format!("GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{header}\r\n");
        crate::house::raw(crate::house::connect(house.hub.addr()), &request)
    };
    assert!(ask("").starts_with("HTTP/1.1 200"));
    for header in ["X-Forwarded-For: 10.0.0.9\r\n", "Forwarded: for=10.0.0.9\r\n", "Via: 1.1 proxy\r\n"] {
        assert!(ask(header).starts_with("HTTP/1.1 401"), "{header}");
    }
}

#[test]
fn every_error_is_a_problem_that_says_what_is_wrong() {
    let house = House::new();
    let ask = |method: &str, path: &str, body: &str| {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        crate::house::raw(crate::house::connect(house.hub.addr()), &request)
    };
    let long = "x".repeat(20_000);
    for (method, path, body, status) in [
        ("GET", "/nothing", "", 404),
        ("GET", "/api/v1/nothing", "", 404),
        ("PATCH", "/api/v1/speakers/dusk", "{}", 404),
        ("POST", "/api/v1/status", "", 405),
        ("PUT", "/api/v1/latency", "{\"a\":", 400),
        ("PUT", "/api/v1/latency", &long, 413),
        ("GET", "/api/v1/events", "", 400),
        ("PATCH", "/api/v1/speakers/%ff", "{}", 400),
        ("POST", "/api/v1/transport", r#"{"action":"pause"}"#, 409),
    ] {
        let answer = ask(method, path, body);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{method} {path}: {head}");
        assert!(head.contains("content-type: application/problem+json"), "{method} {path}: {head}");
        let problem: Problem = antiphon_api::json::read("the problem", body.as_bytes()).unwrap();
        assert_eq!((problem.status, problem.kind.as_str()), (status, "about:blank"));
        assert!(!problem.title.is_empty() && problem.detail == problem.error.message, "{problem:?}");
    }
    let answer = ask("POST", "/api/v1/status", "");
    assert!(answer.to_lowercase().contains("allow: get,head"), "{answer}");
}
