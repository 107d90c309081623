//! `antiphon join`: a link that makes a phone's browser a speaker.

use std::io::IsTerminal;

use antiphon_api::{Client, JoinCodeReply, JoinCodeRequest, JoinCodeStatus, json};
use antiphon_base::Span;
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;

use crate::args::JoinArgs;
use crate::exit::{Exit, Failure};
use crate::{access, find, terminal};

/// White on black, whatever the terminal's own colours are: some readers take no code that is light on dark.
const PAPER: (&str, &str) = ("\x1b[97;40m", "\x1b[0m");

/// Makes a code, lists those there are, or revokes one.
pub fn run(args: &JoinArgs) -> Result<Exit, Failure> {
    let client = find::client(args.at.hub.as_ref())?;
    let text = match &args.revoke {
        Some(id) => revoke(&client, id)?,
        None if args.list => list(&client, args.json)?,
        None => make(&client, args)?,
    };
    // Done, whether somebody reads it or not.
    let _ = terminal::print(&text);
    Ok(Exit::Ok)
}

fn make(client: &Client, args: &JoinArgs) -> Result<String, Failure> {
    let valid_s = u64::try_from(args.valid.as_ns() / Span::from_s(1).as_ns()).unwrap_or_default();
    let reply = client.make_join_code(&JoinCodeRequest { valid_s, address: args.address })?;
    if args.json {
        return Ok(json::write_pretty(&reply));
    }
    let link = if args.https { https(&reply)? } else { &reply.url };
    let alone = if is_here_only(link) { Some(access::alone(client)?) } else { None };
    if let (Some(why), true) = (&alone, args.qr) {
        client.revoke_join_code(&reply.id)?;
        return Err(Failure::failed(format!("no phone can open a link of this hub: {why}")));
    }
    let mut text = match args.qr {
        true => format!("{}\n", qr(link)?),
        false => String::new(),
    };
    text.push_str(&format!("{link}\n"));
    match alone {
        Some(why) => terminal::note(&format!("Only a browser on this machine can open this: {why}")),
        None => terminal::note(&told(&reply, args.https)),
    }
    Ok(text)
}

/// Whether the link names the machine that opens it.
fn is_here_only(link: &str) -> bool {
    ["127.", "[::1]", "localhost"]
        .iter()
        .any(|host| link.split_once("://").is_some_and(|(_, at)| at.starts_with(host)))
}

fn https(reply: &JoinCodeReply) -> Result<&String, Failure> {
    reply.https_url.as_ref().ok_or_else(|| {
        Failure::failed(
            "this hub does not serve HTTPS: start it without --no-https, and see its log for why not",
        )
    })
}

fn told(reply: &JoinCodeReply, https: bool) -> String {
    let valid = span(reply.expires_in_s);
    let mut told = format!(
        "Open this on a phone in the same network: its browser becomes a speaker. Good for {valid}, for any number of \
         phones; `antiphon join --revoke {}` ends it.",
        reply.id
    );
    match (https, &reply.fingerprint) {
        (true, Some(fingerprint)) => told.push_str(&format!(
            "\nThe browser will warn that nobody vouches for the certificate. Its SHA-256 fingerprint is\n{fingerprint}"
        )),
        _ => told.push_str("\nIt is not encrypted: who is in the network can listen. --https encrypts."),
    }
    told
}

/// `link` for a camera, two rows of it in each line.
fn qr(link: &str) -> Result<String, Failure> {
    let code = QrCode::new(link).map_err(|error| Failure::failed(format!("no QR code: {error}")))?;
    let colour =
        std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty());
    let image = code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build();
    let (before, after) = if colour { PAPER } else { ("", "") };
    Ok(image.lines().map(|line| format!("{before}{line}{after}")).collect::<Vec<_>>().join("\n"))
}

fn list(client: &Client, as_json: bool) -> Result<String, Failure> {
    let kept = client.join_codes()?;
    if as_json {
        return Ok(json::write_pretty(&kept));
    }
    match kept.codes.is_empty() {
        true => Ok("No join code is in force. Make one with: antiphon join --qr\n".to_owned()),
        false => Ok(kept.codes.iter().map(line).collect()),
    }
}

fn line(code: &JoinCodeStatus) -> String {
    let valid = match code.expires_in_s {
        0 => "expired".to_owned(),
        left => format!("good for {}", span(left)),
    };
    let printable = |name: &String| name.chars().filter(|c| !c.is_control()).collect::<String>();
    let speakers: Vec<_> = code.speakers.iter().map(printable).collect();
    let speakers = if speakers.is_empty() { "nobody".to_owned() } else { speakers.join(", ") };
    format!("{}  {valid:<20}  {speakers}\n", code.id)
}

fn revoke(client: &Client, id: &str) -> Result<String, Failure> {
    client.revoke_join_code(id)?;
    Ok(format!("{id} is revoked; whoever joined by it has been sent away\n"))
}

/// Seconds as a person says them, rounded up.
fn span(s: u64) -> String {
    match s {
        0..120 => format!("{s} s"),
        120..7_200 => format!("{} min", s.div_ceil(60)),
        7_200..172_800 => format!("{} h", s.div_ceil(3_600)),
        _ => format!("{} days", s.div_ceil(86_400)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_a_square_that_a_camera_reads_on_a_dark_terminal() {
        let text = qr("http://192.168.1.20:7755/j#K7QX2M4A9T").unwrap();
        let lines: Vec<Vec<char>> = text.lines().map(|line| line.chars().collect()).collect();
        assert!(
            lines.iter().all(|line| line.len() == lines[0].len())
                && lines.len() == lines[0].len().div_ceil(2)
        );
        assert!(lines[0].iter().all(|block| *block == '\u{2588}'), "the margin is light: {text}");
    }

    #[test]
    fn a_link_to_this_machine_is_none_for_phones() {
        for link in ["http://127.0.0.1:7755/j#A", "https://[::1]:7756/j#A"] {
            assert!(is_here_only(link), "{link}");
        }
        assert!(!is_here_only("http://192.168.1.20:7755/j#127.0"));
    }

    #[test]
    fn times_are_said_in_words() {
        assert_eq!([span(90), span(43_200), span(43_199)], ["90 s", "12 h", "12 h"]);
        assert_eq!([span(121), span(900_000)], ["3 min", "11 days"]);
    }

    #[test]
    fn a_code_is_listed_with_who_came_by_it() {
        let code =
            JoinCodeStatus { id: "0a1b2c3d".into(), expires_in_s: 60, speakers: vec!["a\u{7}b".into()] };
        assert_eq!(line(&code), "0a1b2c3d  good for 60 s         ab\n");
    }
}
