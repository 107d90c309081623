//! Names in place of addresses.

use antiphon_bluetooth::{Address, Facts};
use strsim::levenshtein;

use crate::exit::{Exit, Failure};

/// The device of that name, in either case; an error names those that come near, or all of the
/// same name.
pub fn meant(name: &str, devices: &[Facts]) -> Result<Address, Failure> {
    let same = |facts: &&Facts| facts.name.as_deref().is_some_and(|is| folded(is) == folded(name));
    let found: Vec<&Facts> = devices.iter().filter(same).collect();
    match found[..] {
        [one] => Ok(one.address),
        [] => Err(unknown(name, devices)),
        [..] => {
            let addresses: Vec<String> = found.iter().map(|facts| facts.address.to_string()).collect();
            let message = format!(
                "{} devices are called {name:?}: say which by its address: {}",
                found.len(),
                addresses.join(", ")
            );
            Err(Failure::new(Exit::Usage, message))
        }
    }
}

fn unknown(name: &str, devices: &[Facts]) -> Failure {
    let mut near: Vec<(usize, &str)> = devices
        .iter()
        .filter_map(|facts| facts.name.as_deref())
        .map(|is| (levenshtein(&folded(is), &folded(name)), is))
        .filter(|(far, is)| *far <= name.chars().count().div_ceil(2) || folded(is).contains(&folded(name)))
        .collect();
    near.sort_unstable();
    let names: Vec<String> = near.iter().take(3).map(|(_, is)| format!("{is:?}")).collect();
    let hint = if names.is_empty() {
        "switch it to pairing and see `antiphon bluetooth scan`".to_owned()
    } else {
        format!("did you mean {}?", names.join(" or "))
    };
    Failure::new(Exit::NotFound, format!("no Bluetooth device called {name:?} is known; {hint}"))
}

fn folded(name: &str) -> String {
    name.trim().to_lowercase()
}

#[cfg(test)]
pub mod tests {
    use antiphon_bluetooth::{Kind, Told};

    use super::*;

    pub fn device(last: u8, name: &str) -> Facts {
        Facts {
            address: Address([1, 2, 3, 4, 5, last]),
            name: Some(name.into()),
            adapter: "hci0".into(),
            kind: Kind::Speaker,
            maker: None,
            class: None,
            uuids: vec![],
            rssi: None,
            paired: true,
            bonded: None,
            trusted: true,
            connected: false,
            battery: None,
            sinks: vec![],
            firmware: Told::Unasked,
            model: None,
        }
    }

    #[test]
    fn a_name_is_as_good_as_an_address_while_it_is_unique() {
        let devices = [device(1, "JBL Flip 6"), device(2, "Mi Speaker"), device(3, "mi speaker")];
        assert_eq!(meant("jbl flip 6", &devices), Ok(devices[0].address));
        let both = meant("Mi Speaker", &devices).unwrap_err();
        assert!(both.message.contains("01:02:03:04:05:02, 01:02:03:04:05:03"), "{both}");
    }

    #[test]
    fn a_name_that_nobody_has_is_answered_with_those_that_come_near() {
        let devices = [device(1, "JBL Flip 6"), device(2, "Mi Speaker")];
        let near = meant("JBL Flpi 6", &devices).unwrap_err();
        assert!(near.message.contains("\"JBL Flip 6\"?") && near.exit == Exit::NotFound, "{near}");
        let far = meant("kitchen radio", &devices).unwrap_err();
        assert!(far.message.contains("antiphon bluetooth scan"), "{far}");
    }
}
