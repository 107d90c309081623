//! Who shall play: `--left`, `--right` and `--to` as one list.

use antiphon_api::SourceTarget;
use antiphon_audio::uri::ParseOutputError;
use antiphon_base::{ParseRoleError, Role};

use crate::args::AudienceArgs;
use crate::exit::{Exit, Failure};
use crate::members::is_output;

/// The speakers named, each once, in the order of left, right, others.
///
/// # Errors
/// A name twice, or a role that is none.
pub fn plan(args: &AudienceArgs) -> Result<Vec<SourceTarget>, Failure> {
    let fixed = |names: &[String], role| {
        names.iter().map(|name| SourceTarget { name: name.clone(), role: Some(role) }).collect::<Vec<_>>()
    };
    let mut targets = fixed(&args.left, Role::Left);
    targets.extend(fixed(&args.right, Role::Right));
    for text in &args.to {
        of_a_known_kind(text)?;
        let refused = |why| Failure::new(Exit::Usage, format!("--to {text}: {why}"));
        targets.push(target(text).map_err(refused)?);
    }
    for (n, target) in targets.iter().enumerate() {
        if targets[..n].iter().any(|earlier| earlier.name == target.name) {
            let message = format!(
                "speaker {:?} is named twice; name each speaker once (both channels on one: --to {}:both)",
                target.name, target.name
            );
            return Err(Failure::new(Exit::Usage, message));
        }
    }
    Ok(targets)
}

/// `usb:1`: no role begins like this, so an output is meant, of a kind that there is not.
fn of_a_known_kind(text: &str) -> Result<(), Failure> {
    match text.rsplit_once(':') {
        Some((_, role)) if !is_output(text) && !role.starts_with(char::is_alphabetic) => {
            let why = ParseOutputError::Scheme(text.chars().take(60).collect());
            Err(Failure::new(Exit::NotFound, why.to_string()))
        }
        _ => Ok(()),
    }
}

/// NAME, NAME:ROLE, or an output with or without a role.
///
/// # Errors
/// A role that is none.
pub fn target(text: &str) -> Result<SourceTarget, ParseRoleError> {
    // Outputs have a colon of their own: only what stands behind another one, and is a role, is one.
    let whole = |name: &str| SourceTarget { name: name.to_owned(), role: None };
    if is_output(text) {
        let role = text.rsplit_once(':').filter(|(name, _)| is_output(name));
        return Ok(match role.and_then(|(name, role)| Some((name, role.parse::<Role>().ok()?))) {
            Some((name, role)) => SourceTarget { name: name.to_owned(), role: Some(role) },
            None => whole(text),
        });
    }
    match text.rsplit_once(':') {
        None => Ok(whole(text)),
        Some((name, role)) => {
            let role = Some(role.parse::<Role>()?);
            Ok(SourceTarget { name: name.to_owned(), role })
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Args, Verb};

    fn planned(line: &str) -> Result<Vec<SourceTarget>, Failure> {
        let args = Args::try_parse_from(format!("antiphon play f {line}").split(' ')).unwrap();
        let Verb::Play(args) = args.verb else { panic!("not play") };
        plan(&args.on)
    }

    #[test]
    fn speakers_and_roles_are_read_as_typed() {
        let targets = planned("--left a --right b --to c --to d:mono").unwrap();
        let shown: Vec<_> = targets.iter().map(|target| (target.name.as_str(), target.role)).collect();
        let wanted =
            [("a", Some(Role::Left)), ("b", Some(Role::Right)), ("c", None), ("d", Some(Role::Mono))];
        assert_eq!(shown, wanted);
    }

    #[test]
    fn outputs_keep_their_colons() {
        let targets =
            planned("--to pulse:a --to pulse:b#left:mono --to bluetooth:AA:BB:CC:DD:EE:FF --to pulse:")
                .unwrap();
        let shown: Vec<_> = targets.iter().map(|target| (target.name.as_str(), target.role)).collect();
        let wanted = [
            ("pulse:a", None),
            ("pulse:b#left", Some(Role::Mono)),
            ("bluetooth:AA:BB:CC:DD:EE:FF", None),
            ("pulse:", None),
        ];
        assert_eq!(shown, wanted);
        let targets =
            planned("--to alsa:hw:0,3 --to alsa:hw:CARD=PCH,DEV=0#right:left --left alsa:hw:1#left").unwrap();
        let shown: Vec<_> = targets.iter().map(|target| (target.name.as_str(), target.role)).collect();
        let wanted = [
            ("alsa:hw:1#left", Some(Role::Left)),
            ("alsa:hw:0,3", None),
            ("alsa:hw:CARD=PCH,DEV=0#right", Some(Role::Left)),
        ];
        assert_eq!(shown, wanted);
    }

    #[test]
    fn a_name_used_twice_is_refused_by_name() {
        let failure = planned("--left a --right a").unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        assert!(failure.message.contains("\"a\" is named twice"), "{failure}");
    }

    #[test]
    fn an_output_of_no_known_kind_is_not_taken_for_a_speaker_with_a_role() {
        let failure = planned("--to usb:1").unwrap_err();
        assert!(failure.exit == Exit::NotFound && failure.message.contains("pulse:SINK"), "{failure}");
    }

    #[test]
    fn an_unknown_role_is_refused_by_name() {
        let failure = planned("--to a:centre").unwrap_err();
        assert!(failure.message.contains("\"centre\"") && failure.message.contains("mono"), "{failure}");
    }
}
