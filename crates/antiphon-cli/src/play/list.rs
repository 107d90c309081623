//! Several things to play: `antiphon play FILE...`, folders and playlists.

use antiphon_audio::playlist::{self, LeftOut};
use antiphon_audio::source::{List, ListItem, SourceError};

use super::cannot_play;
use crate::args::PlayArgs;
use crate::exit::{Exit, Failure};
use crate::terminal;

/// Lines about what is left out, at most: who names the wrong list wants no more.
const MOST_SAID: usize = 20;

/// Whether `args` name more than one thing, or one that repeats.
pub fn is_list(args: &PlayArgs) -> bool {
    let several = args.files.iter().any(|file| playlist::is_several(file));
    args.files.len() > 1 || several || args.repeat
}

/// Opens what `args` name, and says what of it is left out.
///
/// # Errors
/// There is nothing that can be played.
pub fn open(args: &PlayArgs) -> Result<List, Failure> {
    if args.format.is_some() || args.files.iter().any(|file| file.as_os_str() == "-") {
        let message = "standard input (-, with --format) is played alone, and once: name the files of a list by their paths";
        return Err(Failure::new(Exit::Usage, message));
    }
    let gathered = playlist::gather(&args.files);
    let mut items = gathered.items;
    // Where nothing else is there, it is the error.
    if !items.is_empty() || gathered.left_out.len() > 1 {
        say(&gathered.left_out);
    }
    if args.shuffle {
        shuffle(&mut items, &mut fastrand::Rng::new());
    }
    let named = items.len() + gathered.left_out.len();
    List::open(items, args.repeat).map_err(|errors| nothing(&gathered.left_out, errors, named))
}

fn say(left_out: &[LeftOut]) {
    for left in left_out.iter().take(MOST_SAID) {
        terminal::note(&format!("left out: {left}"));
    }
    if left_out.len() > 1 {
        terminal::note(&format!("{} things are left out", left_out.len()));
    }
}

/// A random order; the same for the same numbers.
fn shuffle(items: &mut [ListItem], rng: &mut fastrand::Rng) {
    rng.shuffle(items);
}

/// Why nothing plays: of one thing, what is wrong with it; of several, how many, and with the first.
fn nothing(left_out: &[LeftOut], errors: Vec<SourceError>, named: usize) -> Failure {
    let first = errors.into_iter().next().map(cannot_play);
    let failure = first.or_else(|| {
        let left = left_out.first()?;
        let exit = if left.reason == playlist::NOT_THERE { Exit::NotFound } else { Exit::Failed };
        Some(Failure::new(exit, left.to_string()))
    });
    match failure {
        Some(failure) if named > 1 => Failure::new(
            failure.exit,
            format!("none of {named} things can be played; the first: {}", failure.message),
        ),
        Some(failure) => failure,
        None => Failure::failed("there is nothing to play"),
    }
}

#[cfg(test)]
mod tests {
    use antiphon_audio::source::SourceSpec;
    use clap::Parser;

    use super::*;
    use crate::args::{Args, Verb};

    fn args(line: &str) -> PlayArgs {
        let args = Args::try_parse_from(format!("antiphon play {line}").split(' ')).unwrap();
        let Verb::Play(args) = args.verb else { panic!("not play") };
        args
    }

    #[test]
    fn one_file_is_no_list_and_all_else_is() {
        assert!(!is_list(&args("a.flac")) && !is_list(&args("- --format s16le:48000:2")));
        assert!(!is_list(&args("a.flac --shuffle")), "there is nothing to shuffle");
        for several in ["a.flac b.flac", "a.M3U", "a.pls", "/", "a.flac --repeat"] {
            assert!(is_list(&args(several)), "{several}");
        }
    }

    #[test]
    fn standard_input_is_played_alone() {
        for line in ["a.flac - --format s16le:48000:2", "- --repeat --format s16le:48000:2", "a.flac -"] {
            assert!(is_list(&args(line)));
            assert_eq!(open(&args(line)).unwrap_err().exit, Exit::Usage, "{line}");
        }
    }

    #[test]
    fn where_nothing_can_be_played_the_first_reason_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let text = dir.path().join("text.mp3").display().to_string();
        std::fs::write(&text, "no music\n").unwrap();
        let failure = open(&args(&format!("{text} /gone.flac"))).unwrap_err();
        assert!(
            failure.message.contains("none of 2 things") && failure.message.contains("text.mp3"),
            "{failure}"
        );
        let failure = open(&args("/gone.flac /gone2.flac")).unwrap_err();
        assert_eq!(failure.exit, Exit::NotFound, "{failure}");
        let failure = open(&args("/gone.m3u")).unwrap_err();
        assert!(failure.message.contains("gone.m3u"), "{failure}");
    }

    #[test]
    fn a_shuffled_list_is_the_same_things_in_another_order() {
        let item =
            |n: usize| ListItem { spec: SourceSpec::Path(n.to_string().into()), title: Some(n.to_string()) };
        let ordered: Vec<_> = (0..50).map(item).collect();
        let mut shuffled = ordered.clone();
        shuffle(&mut shuffled, &mut fastrand::Rng::with_seed(1));
        assert_ne!(shuffled, ordered);
        shuffled.sort_by_key(|item| item.title.as_ref().map(|title| title.parse::<usize>().unwrap()));
        assert_eq!(shuffled, ordered);
    }
}
