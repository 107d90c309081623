//! `antiphon queue`: what the hub plays by itself.

use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use antiphon_api::{
    Client, LibraryReply, QueueAdd, QueueMove, QueuePatch, QueuePlace, QueueReply, QueueWish,
    TransportAction, TransportRequest, json,
};
use antiphon_audio::source::is_url;

use crate::args::{QueueAction, QueueArgs};
use crate::exit::{Exit, Failure};
use crate::status::clock;
use crate::{find, terminal};

/// Files that are shown of a search.
const FOUND: usize = 50;

/// Does what was asked, and shows the queue.
pub fn run(args: &QueueArgs) -> Result<Exit, Failure> {
    let client = find::client(args.at.hub.as_ref())?;
    let queue = match args.action.clone().unwrap_or(QueueAction::List) {
        QueueAction::Find { words } => return find(&client, &words.join(" "), args.json),
        QueueAction::List => client.queue()?,
        QueueAction::Add { what, now, next } => {
            let place = match (now, next) {
                (true, _) => QueuePlace::Now,
                (_, true) => QueuePlace::Next,
                _ => QueuePlace::Last,
            };
            let items = what.iter().map(|what| wish(&client, what)).collect::<Result<_, _>>()?;
            client.add_to_queue(&QueueAdd { items, place })?
        }
        QueueAction::Play { number } => {
            let current = number.map(|number| numbered(&client.queue()?, number)).transpose()?;
            client.change_queue(&QueuePatch { current, playing: Some(true), ..QueuePatch::default() })?
        }
        QueueAction::Move { number, to } => {
            let moved = Some(moved(&client.queue()?, number, to)?);
            client.change_queue(&QueuePatch { moved, ..QueuePatch::default() })?
        }
        QueueAction::Remove { number } => client.remove_from_queue(&numbered(&client.queue()?, number)?)?,
        QueueAction::Next => {
            let before = client.queue()?.current;
            client.transport(&TransportRequest { action: TransportAction::Next, to: None })?;
            moved_on(&client, before.as_deref())?
        }
        QueueAction::Clear => client.clear_queue()?,
    };
    terminal::print(&if args.json { json::write_pretty(&queue) } else { page(&queue) });
    Ok(Exit::Ok)
}

/// The queue once another one is heard: the next one has to be opened, and what was sent already is heard first.
fn moved_on(client: &Client, before: Option<&str>) -> Result<QueueReply, Failure> {
    let end = Instant::now() + NEXT;
    loop {
        let queue = client.queue()?;
        if !queue.playing || queue.current.as_deref() != before || Instant::now() >= end {
            return Ok(queue);
        }
        std::thread::sleep(LOOK);
    }
}

/// A radio station may take longer to open; whoever typed this waits for nothing longer.
const NEXT: Duration = Duration::from_secs(3);

/// How often the hub is asked meanwhile.
const LOOK: Duration = Duration::from_millis(50);

fn find(client: &Client, words: &str, as_json: bool) -> Result<Exit, Failure> {
    let found = client.find_in_library(words, FOUND)?;
    let none = found.total == 0 && found.folders.is_empty();
    if as_json {
        terminal::print(&json::write_pretty(&found));
    } else if none {
        return Err(Failure::new(Exit::NotFound, nothing(&found, words)));
    } else {
        terminal::print(&files(&found));
    }
    Ok(if none { Exit::NotFound } else { Exit::Ok })
}

fn nothing(found: &LibraryReply, words: &str) -> String {
    match (found.reading, found.of) {
        (true, _) => format!(
            "nothing matches {words:?} so far; the hub still reads its folders: ask again in a moment"
        ),
        (false, 0) => {
            "the hub has no music files; name a folder that has: antiphon hub --music DIR".to_owned()
        }
        (false, of) => {
            format!("nothing in the hub's {of} files matches {words:?}; fewer or shorter words find more")
        }
    }
}

/// The key of number `number` of the list, from 1.
fn numbered(queue: &QueueReply, number: usize) -> Result<String, Failure> {
    let item = number.checked_sub(1).and_then(|at| queue.items.get(at));
    item.map(|item| item.key.clone()).ok_or_else(|| {
        let of = queue.items.len();
        Failure::new(
            Exit::NotFound,
            format!("the queue has no number {number}: it holds {of}; antiphon queue lists it"),
        )
    })
}

/// Number `number` comes where number `to` is.
fn moved(queue: &QueueReply, number: usize, to: usize) -> Result<QueueMove, Failure> {
    let key = numbered(queue, number)?;
    numbered(queue, to)?;
    let others = queue.items.iter().filter(|item| item.key != key);
    let before = others.map(|item| item.key.clone()).nth(to - 1);
    Ok(QueueMove { key, before })
}

/// What is meant: a file of this machine is sent to the hub.
fn wish(client: &Client, what: &str) -> Result<QueueWish, Failure> {
    let path = Path::new(what);
    match what.strip_prefix("signal:") {
        Some(name) => Ok(QueueWish::Signal(name.to_owned())),
        None if is_url(what) => Ok(QueueWish::Url(what.to_owned())),
        None if path.is_file() => {
            let file = std::fs::File::open(path);
            let file = file.map_err(|error| Failure::new(Exit::NotPermitted, format!("{what}: {error}")))?;
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            Ok(QueueWish::Upload(client.upload(&name, file)?.id))
        }
        None => Ok(QueueWish::Library(what.to_owned())),
    }
}

fn page(queue: &QueueReply) -> String {
    let mut text = String::new();
    if queue.items.is_empty() {
        text.push_str("The queue is empty: antiphon queue find WORD, antiphon queue add ID\n");
    }
    for (n, item) in queue.items.iter().enumerate() {
        let here = queue.current.as_ref() == Some(&item.key);
        let mark = if here && queue.playing {
            ">"
        } else if here {
            "|"
        } else {
            " "
        };
        let length = item.duration_s.map_or_else(String::new, |s| format!("  {}", clock(s)));
        let artist = item.artist.as_ref().map_or_else(String::new, |artist| format!("{artist} - "));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{mark} {:>3} {artist}{}{length}", n + 1, item.title);
    }
    if let Some(problem) = &queue.problem {
        let _ = writeln!(text, "{problem}");
    }
    text
}

fn files(found: &LibraryReply) -> String {
    let mut text = String::new();
    for folder in &found.folders {
        let _ = writeln!(text, "{}  {}/", folder.id, folder.name);
    }
    for file in &found.files {
        let parts = [file.artist.as_ref(), Some(&file.title), file.album.as_ref()];
        let named: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
        let _ = writeln!(text, "{}  {}", file.id, named.join(" - "));
    }
    if found.total > found.files.len() {
        let _ = writeln!(text, "and {} more", found.total - found.files.len());
    }
    if found.reading {
        text.push_str("The folders are still being read; there may be more in a moment.\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use antiphon_api::QueueItem;

    use super::*;

    #[test]
    fn a_search_that_finds_nothing_says_in_how_much_it_looked() {
        let library = |of, reading| LibraryReply { of, reading, ..LibraryReply::default() };
        assert!(nothing(&library(312, false), "zzz").contains("312 files matches \"zzz\""));
        assert!(nothing(&library(0, false), "zzz").contains("--music DIR"));
        assert!(nothing(&library(0, true), "zzz").contains("still reads"));
    }

    #[test]
    fn numbers_are_those_of_the_list() {
        let item = |key: &str| QueueItem { key: key.into(), ..QueueItem::default() };
        let queue = QueueReply { items: ["a", "b", "c"].map(item).into(), ..QueueReply::default() };
        let place = |number, to| moved(&queue, number, to).map(|moved| (moved.key, moved.before)).ok();
        let before = |key: &str, before: Option<&str>| Some((key.to_owned(), before.map(str::to_owned)));
        assert_eq!(place(3, 1), before("c", Some("a")));
        assert_eq!(place(1, 2), before("a", Some("c")));
        assert_eq!(place(1, 3), before("a", None));
        assert_eq!(place(2, 2), before("b", Some("c")));
        assert_eq!((place(0, 1), place(1, 4), place(4, 1)), (None, None, None));
        assert!(numbered(&queue, 4).is_err_and(|error| error.message.contains("holds 3")));
    }
}
