//! `antiphon access`: who else may control the hub.

mod tokens;

use std::fmt::Write as _;
use std::net::SocketAddr;

use antiphon_api::{AccessCodeReply, AccessEntry, AccessRole, Client, DEFAULT_PORT, json};

use crate::args::HubOnlyArgs;
use crate::exit::{Exit, Failure};
use crate::{dirs, find, terminal};

pub use tokens::stored;

/// `antiphon access`
#[derive(Debug, clap::Args)]
pub struct AccessArgs {
    /// What whoever uses the code may do: listen (look), control, admin (let others in) [default: control]
    #[arg(long, value_name = "ROLE")]
    pub role: Option<AccessRole>,

    /// List who was let in
    #[arg(long, conflicts_with_all = ["role", "revoke", "use_code"])]
    pub list: bool,

    /// Throw somebody out, by the ID of the list
    #[arg(long, value_name = "ID", conflicts_with_all = ["role", "use_code"])]
    pub revoke: Option<String>,

    /// Let this machine in: by the six digits that `antiphon access` shows on the hub's machine
    #[arg(long = "use", value_name = "DIGITS", conflicts_with = "role")]
    pub use_code: Option<String>,

    /// Print JSON with a stable schema
    #[arg(long)]
    pub json: bool,

    /// Where the hub is
    #[command(flatten)]
    pub at: HubOnlyArgs,
}

/// Lets somebody in, lists who was, throws somebody out, or logs this machine in.
pub fn run(args: &AccessArgs) -> Result<Exit, Failure> {
    let client = find::client(args.at.hub.as_ref())?;
    if let Some(code) = &args.use_code {
        return log_in(&client, code);
    }
    if let Some(id) = &args.revoke {
        client.revoke_access(id)?;
        return say("thrown out\n");
    }
    if args.list {
        let list = client.access()?;
        return match args.json {
            true => say(&json::write_pretty(&list)),
            false => say(&page(&list.access)),
        };
    }
    let reply = client.offer_access(args.role.unwrap_or(AccessRole::Control))?;
    if args.json {
        return say(&json::write_pretty(&reply));
    }
    let alone = if reply.url.is_none() { alone(&client)? } else { String::new() };
    for line in explain(&reply, &alone) {
        terminal::note(&line);
    }
    say(&format!("{}\n", reply.code))
}

fn log_in(client: &Client, code: &str) -> Result<Exit, Failure> {
    let token = client.login(code, &dirs::machine_name())?;
    let file = tokens::keep(client.hub(), &token)?;
    let me = Client::with_token(client.hub().clone(), Some(token)).me()?;
    terminal::note(&format!("the token is in {}, for this user only", file.display()));
    say(&format!("this machine is let in to hub {}, with the role {}\n", me.hub, me.role))
}

/// Why no other machine reaches the hub, and what to do.
pub fn alone(client: &Client) -> Result<String, Failure> {
    let listen = client.status()?.hub.listen;
    let loopback = listen.parse::<SocketAddr>().is_ok_and(|at| at.ip().is_loopback());
    Ok(if loopback {
        format!(
            "the hub listens to this machine only ({listen}): start it with --listen 0.0.0.0:{DEFAULT_PORT}"
        )
    } else {
        format!(
            "no network is up: the hub listens ({listen}), but nobody is there; connect this machine, then ask again"
        )
    })
}

/// What the code is good for, in the order in which people look for it; `alone` says why no other machine can use it.
fn explain(reply: &AccessCodeReply, alone: &str) -> Vec<String> {
    let minutes = reply.expires_s.div_ceil(60);
    let mut lines = vec![format!("Good once, for {minutes} minutes, with the role {}:", reply.role)];
    match &reply.url {
        Some(url) => {
            let there = url.trim_start_matches("http://").trim_end_matches('/');
            lines.push(format!("  in a browser:                open {url} and type the code"));
            lines.push(format!(
                "  on another machine:          antiphon access --hub {there} --use {}",
                reply.code
            ));
        }
        None => lines.push(format!("  no other machine can use it: {alone}")),
    }
    if reply.pairs {
        lines.push(format!("  on a speaker's machine:      antiphon speaker --code {}", reply.code));
    }
    lines
}

fn page(access: &[AccessEntry]) -> String {
    if access.is_empty() {
        return "nobody was let in\n".to_owned();
    }
    let mut page = format!("{:<10}{:<9}{:<18}NAME\n", "ID", "ROLE", "LAST SEEN");
    for entry in access {
        let seen = entry.used_s.map_or("before this start".to_owned(), ago);
        // Writing to a string cannot fail.
        let _ = writeln!(page, "{:<10}{:<9}{seen:<18}{}", entry.id, entry.role, entry.name);
    }
    page
}

fn ago(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s ago"),
        120..7_200 => format!("{} min ago", seconds / 60),
        7_200..172_800 => format!("{} h ago", seconds / 3_600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}

fn say(text: &str) -> Result<Exit, Failure> {
    // Done, whether somebody reads it or not.
    let _ = terminal::print(text);
    Ok(Exit::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_says_what_it_is_good_for() {
        let reply = AccessCodeReply {
            code: "012345".into(),
            role: AccessRole::Control,
            expires_s: 600,
            url: Some("http://192.168.1.20:7755/".into()),
            pairs: true,
        };
        let said = explain(&reply, "").join("\n");
        for part in ["10 minutes", "control", "--hub 192.168.1.20:7755 --use 012345", "speaker --code 012345"]
        {
            assert!(said.contains(part), "{said}");
        }
        let alone = AccessCodeReply { url: None, pairs: false, ..reply };
        let said = explain(&alone, "no network is up").join("\n");
        assert!(said.contains("can use it: no network is up") && !said.contains("speaker --code"), "{said}");
    }

    #[test]
    fn the_list_says_who_and_when() {
        let entry = |used_s| AccessEntry {
            id: "3f0a11c2".into(),
            name: "Anna's phone".into(),
            role: AccessRole::Listen,
            since: 0,
            used_s,
            is_me: false,
        };
        let page = page(&[entry(Some(3 * 3_600)), entry(None)]);
        assert!(page.contains("3 h ago") && page.contains("before this start"), "{page}");
        assert!(super::page(&[]).contains("nobody"));
    }
}
