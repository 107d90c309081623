//! Groups of speakers.

use antiphon_api::{
    ErrorBody, ErrorCode, Group, GroupKind, GroupRequest, GroupUsed, MAX_TARGETS, SpeakerPatch, json,
};
use antiphon_base::Role;
use antiphon_proto::session::message::is_name;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::access::written;
use super::{Json, Refused, Shared, SharedState};
use crate::convert;

/// `GET /api/v1/groups`
pub async fn list(State(shared): SharedState) -> Json<Vec<Group>> {
    Json(shared.store.groups())
}

/// `PUT /api/v1/groups/{name}`
pub async fn put(
    State(shared): SharedState,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Json<Group>, Refused> {
    let request: GroupRequest = json::read("the group", &body)?;
    let group = Group { name, kind: request.kind, members: request.members };
    check(&group)?;
    let kept = group.clone();
    if !written(&shared, move |store| store.put_group(kept)).await? {
        let message = "there are as many groups as a hub keeps; remove one with `antiphon group remove NAME`";
        return Err(ErrorBody::new(ErrorCode::Conflict, message).into());
    }
    tell(&shared);
    Ok(Json(group))
}

/// `DELETE /api/v1/groups/{name}`
pub async fn remove(State(shared): SharedState, Path(name): Path<String>) -> Result<StatusCode, Refused> {
    let gone = name.clone();
    if !written(&shared, move |store| store.remove_group(&gone)).await? {
        return Err(unknown(&shared, &name).into());
    }
    tell(&shared);
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /api/v1/groups/{name}/use`
pub async fn use_roles(
    State(shared): SharedState,
    Path(name): Path<String>,
) -> Result<Json<GroupUsed>, Refused> {
    let group = shared.store.groups().into_iter().find(|group| group.name == name);
    let group = group.ok_or_else(|| unknown(&shared, &name))?;
    let changes = group.members.into_iter().map(|member| {
        let patch = SpeakerPatch { role: Some(member.role), ..SpeakerPatch::default() };
        convert::change(&patch).map(|change| (member.speaker, change))
    });
    let changes = changes.collect::<Result<Vec<_>, _>>()?;
    let used = shared.media.ask(move |core| {
        let mut used = GroupUsed { set: Vec::new(), missing: Vec::new() };
        for (speaker, change) in changes {
            match core.set(&speaker, change) {
                Ok(_) => used.set.push(speaker),
                Err(_) => used.missing.push(speaker),
            }
        }
        used
    });
    Ok(Json(used.await?))
}

/// Tells every page the groups.
pub fn tell(shared: &Shared) {
    shared.events.publish("groups", json::text(&shared.store.groups()));
}

fn unknown(shared: &Shared, name: &str) -> ErrorBody {
    let groups = shared.store.groups();
    ErrorBody::unknown_group(name, groups.iter().map(|group| group.name.as_str()))
}

fn check(group: &Group) -> Result<(), ErrorBody> {
    let refused = |message: String| Err(ErrorBody::new(ErrorCode::BadRequest, message));
    if !is_name(&group.name) {
        return refused(format!("{:?} is no name for a group: use 1 to 63 printable characters", group.name));
    }
    if !(1..=MAX_TARGETS).contains(&group.members.len()) {
        return refused(format!("a group has 1 to {MAX_TARGETS} speakers"));
    }
    for (n, member) in group.members.iter().enumerate() {
        if !is_name(&member.speaker) {
            return refused(format!("{:?} is no name of a speaker", member.speaker));
        }
        if group.members[..n].iter().any(|other| other.speaker == member.speaker) {
            return refused(format!("speaker {:?} is named twice", member.speaker));
        }
    }
    let has = |role| group.members.iter().any(|member| member.role == role);
    if group.kind == GroupKind::Stereo && !(has(Role::Left) && has(Role::Right)) {
        return refused("a stereo group has a left and a right speaker".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use antiphon_api::GroupMember;

    use super::*;

    #[test]
    fn a_group_that_makes_no_sense_is_refused_in_words() {
        let member = |speaker: &str, role| GroupMember { speaker: speaker.into(), role };
        let group = |name: &str, kind, members: &[GroupMember]| Group {
            name: name.into(),
            kind,
            members: members.into(),
        };
        let (left, right) = (member("desk", Role::Left), member("tv", Role::Right));
        assert_eq!(check(&group("den", GroupKind::Stereo, &[left.clone(), right.clone()])), Ok(()));
        for (bad, said) in [
            (group(" ", GroupKind::Party, std::slice::from_ref(&left)), "no name"),
            (group("den", GroupKind::Party, &[]), "1 to"),
            (group("den", GroupKind::Custom, &[left.clone(), left.clone()]), "twice"),
            (group("den", GroupKind::Stereo, &[left, member("tv", Role::Both)]), "left and a right"),
            (group("den", GroupKind::Custom, &[member("", Role::Both)]), "no name of a speaker"),
        ] {
            let error = check(&bad).unwrap_err();
            assert!(error.message.contains(said), "{error}");
        }
    }
}
