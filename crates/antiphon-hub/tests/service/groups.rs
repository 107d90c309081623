//! Groups, and what the hub says of itself.

use std::collections::{BTreeMap, BTreeSet};

use antiphon_api::{ApiError, ErrorCode, GroupKind, GroupMember, GroupRequest};
use antiphon_base::Role;
use antiphon_hub::HubDaemon;

use crate::house::{House, Speaker, connect, options, raw};

fn den() -> GroupRequest {
    let member = |(speaker, role): (&str, Role)| GroupMember { speaker: speaker.into(), role };
    let members = [("desk", Role::Left), ("tv", Role::Right), ("attic", Role::Mono)].map(member).into();
    GroupRequest { members, kind: GroupKind::Stereo }
}

#[test]
fn a_group_sets_the_roles_of_its_speakers_that_are_there() {
    let house = House::new();
    let _speakers = [Speaker::join(&house, "desk", 1), Speaker::join(&house, "tv", 2)];
    let client = house.client();
    client.put_group("den", &den()).unwrap();
    let used = client.use_group("den").unwrap();
    assert_eq!((used.set, used.missing), (vec!["desk".into(), "tv".into()], vec!["attic".to_owned()]));
    let roles: Vec<_> = client.status().unwrap().speakers.iter().map(|speaker| speaker.role).collect();
    assert_eq!(roles, [Role::Left, Role::Right]);
    let error = client.use_group("dan").unwrap_err();
    let ApiError::Refused(body) = error else { panic!("{error}") };
    assert_eq!((body.code, body.nearest), (ErrorCode::NotFound, vec!["den".to_owned()]));
}

#[test]
fn groups_are_there_after_a_new_start_until_they_are_removed() {
    let House { dir, hub } = House::new();
    let client = antiphon_api::Client::new(hub.addr().into());
    client.put_group("den", &den()).unwrap();
    hub.stop();
    let hub = HubDaemon::start(options(dir.path(), "127.0.0.1:0")).unwrap();
    let client = antiphon_api::Client::new(hub.addr().into());
    let groups = client.groups().unwrap();
    assert_eq!((groups[0].name.as_str(), &groups[0].members), ("den", &den().members));
    client.remove_group("den").unwrap();
    assert_eq!(client.groups().unwrap(), []);
    assert!(
        matches!(client.remove_group("den"), Err(ApiError::Refused(body)) if body.code == ErrorCode::NotFound)
    );
}

#[test]
fn the_hub_describes_itself_and_tells_its_figures() {
    let house = House::new();
    let _desk = Speaker::join(&house, "de\"sk", 1);
    let get = |path: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        raw(connect(house.hub.addr()), &request)
    };
    assert!(get("/api/v1/openapi.json").ends_with(antiphon_api::openapi::document()));
    let metrics = get("/metrics");
    for line in [
        "antiphon_sessions 1\n",
        "antiphon_programme_state{state=\"idle\"} 1\n",
        "antiphon_speaker_sent_packets_total{speaker=\"de\\\"sk\"} 0\n",
        "# TYPE process_cpu_seconds_total counter\n",
        "antiphon_hub_info{name=\"lab\",version=\"",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
    assert!(house.client().health().unwrap().ok);
}

#[test]
fn every_address_takes_the_methods_that_its_description_says_and_no_other() {
    let house = House::new();
    let mut described = BTreeMap::<_, BTreeSet<_>>::new();
    for operation in antiphon_api::openapi::OPERATIONS {
        described.entry(operation.path).or_default().insert(operation.method.to_owned());
    }
    for (path, methods) in described {
        let asked: Vec<_> =
            path.split('/').map(|part| if part.starts_with('{') { "x" } else { part }).collect();
        let request =
            format!("TRACE {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", asked.join("/"));
        let answer = raw(connect(house.hub.addr()), &request);
        assert!(answer.starts_with("HTTP/1.1 405 "), "{path}: {answer}");
        let allowed = answer.lines().find_map(|line| line.strip_prefix("allow: ")).expect(path);
        // Every GET is a HEAD too.
        let allowed = allowed.split(',').filter(|method| *method != "HEAD").map(str::to_owned);
        assert_eq!(allowed.collect::<BTreeSet<_>>(), methods, "{path}");
    }
}
