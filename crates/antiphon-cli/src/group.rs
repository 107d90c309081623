//! `antiphon group`: speakers that are set together.

use std::fmt::Write as _;

use antiphon_api::{Group, GroupKind, GroupMember, GroupRequest, json};
use antiphon_base::Role;
use clap::{Subcommand, ValueEnum};

use crate::args::HubOnlyArgs;
use crate::exit::{Exit, Failure};
use crate::play::targets;
use crate::{find, members, terminal};

/// `antiphon group`
#[derive(Debug, clap::Args)]
pub struct GroupArgs {
    /// What to do
    #[command(subcommand)]
    pub action: GroupAction,

    /// Where the hub is
    #[command(flatten)]
    pub at: HubOnlyArgs,
}

/// What to do with groups.
#[derive(Debug, Subcommand)]
pub enum GroupAction {
    /// List the groups
    List {
        /// Print JSON with a stable schema
        #[arg(long)]
        json: bool,
    },
    /// Make a group, or change it
    Set {
        /// Its name
        #[arg(value_name = "GROUP")]
        name: String,
        /// Its speakers: desk:left tv:right; without a role: both
        #[arg(value_name = "NAME[:ROLE]", required = true)]
        members: Vec<String>,
        /// What it is for [default: stereo with a left and a right speaker, party where all play both, else custom]
        #[arg(long)]
        kind: Option<Kind>,
    },
    /// Give a group's speakers its roles
    Use {
        /// Its name
        #[arg(value_name = "GROUP")]
        name: String,
    },
    /// Forget a group
    Remove {
        /// Its name
        #[arg(value_name = "GROUP")]
        name: String,
    },
}

/// What a group is for, as typed.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Kind {
    /// Left and right in one room
    Stereo,
    /// The same everywhere
    Party,
    /// Anything else
    Custom,
}

/// Does it.
pub fn run(args: &GroupArgs) -> Result<Exit, Failure> {
    let client = find::client(args.at.hub.as_ref())?;
    let said = match &args.action {
        GroupAction::List { json: true } => json::write_pretty(&client.groups()?),
        GroupAction::List { json: false } => page(&client.groups()?),
        GroupAction::Set { name, members, kind } => {
            let members = members.iter().map(|typed| member(typed)).collect::<Result<Vec<_>, _>>()?;
            let kind = kind.map_or_else(|| likely(&members), GroupKind::from);
            line(&client.put_group(name, &GroupRequest { members, kind })?)
        }
        GroupAction::Use { name } => {
            let used = client.use_group(name)?;
            for speaker in &used.missing {
                terminal::note(&format!("speaker {speaker} is not connected and keeps its role"));
            }
            format!(
                "{name}: {}\n",
                if used.set.is_empty() { "nobody".to_owned() } else { used.set.join(", ") }
            )
        }
        GroupAction::Remove { name } => {
            client.remove_group(name)?;
            format!("{name} removed\n")
        }
    };
    // Done, whether somebody reads it or not.
    let _ = terminal::print(&said);
    Ok(Exit::Ok)
}

/// As `play --to` has it. An output is the speaker that is called by it.
fn member(typed: &str) -> Result<GroupMember, Failure> {
    let refused = |why: String| Failure::new(Exit::Usage, format!("{typed:?}: {why}"));
    let target = targets::target(typed).map_err(|error| refused(error.to_string()))?;
    if target.name.is_empty() {
        return Err(refused("it names no speaker; write NAME:ROLE".into()));
    }
    let speaker = members::called(&target.name).unwrap_or(target.name);
    Ok(GroupMember { speaker, role: target.role.unwrap_or(Role::Both) })
}

fn likely(members: &[GroupMember]) -> GroupKind {
    let has = |role| members.iter().any(|member| member.role == role);
    match has(Role::Left) && has(Role::Right) {
        true => GroupKind::Stereo,
        false if members.iter().all(|member| matches!(member.role, Role::Both | Role::Mono)) => {
            GroupKind::Party
        }
        false => GroupKind::Custom,
    }
}

impl From<Kind> for GroupKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Stereo => Self::Stereo,
            Kind::Party => Self::Party,
            Kind::Custom => Self::Custom,
        }
    }
}

fn page(groups: &[Group]) -> String {
    match groups {
        [] => "no groups; make one with `antiphon group set NAME SPEAKER:ROLE...`\n".to_owned(),
        groups => groups.iter().map(line).collect(),
    }
}

fn line(group: &Group) -> String {
    let mut line = format!("{} ({}):", group.name, group.kind);
    for member in &group.members {
        // Writing to a string cannot fail.
        let _ = write!(line, " {}:{}", member.speaker, member.role);
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_a_name_and_a_role() {
        let read = |typed| member(typed).map(|member| (member.speaker, member.role)).unwrap();
        assert_eq!(read("desk:left"), ("desk".into(), Role::Left));
        assert_eq!(read("desk"), ("desk".into(), Role::Both));
        assert_eq!(read("a:b:ch3"), ("a:b".into(), Role::Channel(3)));
        assert_eq!(read("pulse:a#left"), ("pulse:a#left".into(), Role::Both));
        assert_eq!(read("pulse:a#left:mono"), ("pulse:a#left".into(), Role::Mono));
        assert_eq!(member(":left").unwrap_err().exit, Exit::Usage);
    }

    #[test]
    fn a_role_that_is_none_is_refused_and_no_part_of_the_name() {
        let said = member("desk:middle").unwrap_err();
        assert!(said.exit == Exit::Usage && said.message.contains("\"middle\""), "{said}");
        assert!(said.message.contains("mono"), "{said}");
    }

    #[test]
    fn a_group_without_a_kind_has_the_likely_one() {
        let of =
            |typed: &[&str]| likely(&typed.iter().map(|typed| member(typed).unwrap()).collect::<Vec<_>>());
        assert_eq!(of(&["a:left", "b:right"]), GroupKind::Stereo);
        assert_eq!(of(&["a", "b:mono"]), GroupKind::Party);
        assert_eq!(of(&["a:left", "b"]), GroupKind::Custom);
    }
}
