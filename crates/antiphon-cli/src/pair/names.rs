//! What the speakers of a pair are called in the hub, and which of them is which.

use antiphon_base::Role;
use antiphon_bluetooth::Facts;
use antiphon_proto::session::message::{MAX_NAME, is_name};
use antiphon_speaker::pairs::{Pair, PairMember};

/// The pair `name` of a left and a right speaker. Each keeps its own name where that can be told from the
/// other's; two of one model are called by their side.
pub fn pair(name: &str, [left, right]: [&Facts; 2]) -> Pair {
    let own =
        |facts: &Facts| facts.name.as_deref().map(str::trim).filter(|own| is_name(own)).map(str::to_owned);
    let alike = own(left) == own(right);
    let member = |facts: &Facts, role: Role| {
        let speaker = match own(facts).filter(|_| !alike) {
            Some(own) => own,
            None => sided(name, role),
        };
        PairMember { address: facts.address, speaker, role }
    };
    Pair { name: name.to_owned(), member: vec![member(left, Role::Left), member(right, Role::Right)] }
}

fn sided(name: &str, role: Role) -> String {
    let side = format!(" {role}");
    let mut end = name.len().min(MAX_NAME - side.len());
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{side}", name[..end].trim_end())
}

#[cfg(test)]
mod tests {
    use antiphon_bluetooth::Kind;

    use super::super::choose::tests::facts;
    use super::*;

    fn names(left: &str, right: &str, pair_name: &str) -> Vec<(String, Role)> {
        let (a, b) = (facts(1, left, Kind::Speaker, None), facts(2, right, Kind::Speaker, None));
        let pair = pair(pair_name, [&a, &b]);
        assert!(pair.check().is_ok(), "{pair:?}");
        pair.member.into_iter().map(|member| (member.speaker, member.role)).collect()
    }

    #[test]
    fn speakers_keep_their_names_and_two_of_one_model_are_called_by_their_side() {
        let unlike = names("JBL Go 3", "Mi Portable", "stereo");
        assert_eq!(unlike, [("JBL Go 3".into(), Role::Left), ("Mi Portable".into(), Role::Right)]);
        let alike = names("JBL Go 3", "JBL Go 3", "kitchen");
        assert_eq!(alike, [("kitchen left".into(), Role::Left), ("kitchen right".into(), Role::Right)]);
    }

    #[test]
    fn a_name_that_cannot_be_one_is_replaced_however_long_the_pairs_is() {
        let long = "\u{e4}".repeat(31);
        let named = names("bad\u{7}name", "", &long);
        assert!(named[0].0.ends_with(" left") && named[1].0.ends_with(" right"), "{named:?}");
    }
}
