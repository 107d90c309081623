//! Which speaker of the hub is meant by what somebody typed.

use antiphon_api::{Client, SourceTarget, SpeakerStatus};

use crate::args::AudienceArgs;
use crate::columns::CUT;
use crate::exit::{Exit, Failure};
use crate::{find, members};

/// The speaker of `client`'s hub that `typed` means; see [`meant`].
///
/// # Errors
/// The hub does not answer; a beginning that several speakers have.
pub fn at(client: &Client, typed: &str) -> Result<String, Failure> {
    meant(typed, &client.status()?.speakers)
}

/// `targets` with the whole names of those that a hub has which runs already.
///
/// # Errors
/// A beginning that several speakers have.
pub fn completed(mut targets: Vec<SourceTarget>, on: &AudienceArgs) -> Result<Vec<SourceTarget>, Failure> {
    let hub = on.hub.clone().map(find::named).or_else(|| find::on_this_machine().map(Client::new));
    let Some(Ok(status)) = hub.map(|client| client.status()) else { return Ok(targets) };
    let pairs = members::saved()?;
    for target in &mut targets {
        if !members::is_output(&target.name) && pairs.get(&target.name).is_none() {
            target.name = meant(&target.name, &status.speakers)?;
        }
    }
    Ok(targets)
}

/// The name that is meant: as it is, or in another case; a beginning that only one has; as a table shows it, with its
/// middle cut out; or the output that a speaker is called by. What means nobody stays as it was typed: the hub knows
/// what comes near.
///
/// # Errors
/// A beginning that several have.
pub fn meant(typed: &str, speakers: &[SpeakerStatus]) -> Result<String, Failure> {
    let names = || speakers.iter().map(|speaker| speaker.name.as_str());
    let typed = members::called(typed).unwrap_or_else(|| typed.to_owned());
    if names().any(|name| name == typed) {
        return Ok(typed);
    }
    let wanted = typed.to_lowercase();
    if wanted.is_empty() {
        return Ok(typed);
    }
    let (head, tail) = wanted.split_once(CUT).unwrap_or((wanted.as_str(), ""));
    let is_it = |name: &&str| name.to_lowercase() == wanted;
    let begins = |name: &&str| {
        let name = name.to_lowercase();
        name.strip_prefix(head).is_some_and(|rest| rest.ends_with(tail))
    };
    match names().filter(is_it).collect::<Vec<_>>()[..] {
        [one] => Ok(one.to_owned()),
        _ => one_of(&names().filter(begins).collect::<Vec<_>>(), typed),
    }
}

fn one_of(those: &[&str], typed: String) -> Result<String, Failure> {
    match those {
        [] => Ok(typed),
        [one] => Ok((*one).to_owned()),
        several => {
            let named: Vec<String> = several.iter().map(|name| format!("{name:?}")).collect();
            let message = format!("{typed:?} may be {}; write more of the name", named.join(" or "));
            Err(Failure::new(Exit::Usage, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::{NAME, cut};
    use crate::status::tests::speaker;

    fn meant_of(typed: &str, names: &[&str]) -> Result<String, Failure> {
        meant(typed, &names.iter().map(|name| speaker(name)).collect::<Vec<_>>())
    }

    #[test]
    fn a_beginning_is_as_good_as_a_name_while_only_one_speaker_has_it() {
        let names = ["Mi Portable Bluetooth Speaker", "Mi Box", "desk", "desk lamp"];
        assert_eq!(meant_of("mi p", &names).unwrap(), "Mi Portable Bluetooth Speaker");
        assert_eq!(meant_of("Desk", &names).unwrap(), "desk", "a whole name is one, whatever begins with it");
        let both = meant_of("mi", &names).unwrap_err();
        assert!(both.exit == Exit::Usage && both.message.contains("\"Mi Box\""), "{both}");
        assert_eq!(meant_of("kitchen", &names).unwrap(), "kitchen", "the hub says what comes near");
        assert_eq!(meant_of("", &names).unwrap(), "");
    }

    #[test]
    fn a_name_can_be_typed_as_a_table_shows_it_and_as_the_output_was_typed() {
        let left = "pulse:alsa_output.usb-Focusrite_Scarlett_2i2_USB_Y8K1ZBF0A4F5F1-00.analog-stereo#left";
        let names = [left, &left.replace("#left", "#right")].map(|output| members::called(output).unwrap());
        let names = names.each_ref().map(String::as_str);
        assert!(names[0].len() < left.len(), "a name holds less than an output");
        assert_eq!(meant_of(left, &names).unwrap(), names[0]);
        assert_eq!(meant_of(&cut(names[1], NAME), &names).unwrap(), names[1]);
    }
}
