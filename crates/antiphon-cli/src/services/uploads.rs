//! Files that came in: kept for an hour in a private folder, under names that this draws.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use antiphon_api::{ErrorBody, ErrorCode, UploadReply};
use antiphon_hub::services::Served;
use antiphon_hub::{MAX_UPLOAD, private_files};

use super::{no_such, random_id, signals};
use crate::lab;

/// Files that are kept beside those that the queue holds: with the greatest of them a gigabyte. One more, and the
/// oldest goes.
const MOST: usize = 10;

/// Bytes that the queue's files may have together: an evening of what phones send, and no small disk is full of it.
const MOST_HELD: u64 = 2_000_000_000;

/// How long they are kept: a recording is measured within minutes.
const KEPT: Duration = Duration::from_secs(3_600);

/// Bytes written at a time.
const PIECE: usize = 64 * 1024;

/// Longest name that is shown.
const LONGEST_NAME: usize = 120;

/// The folder and what is in it. Nothing of it outlives the hub.
#[derive(Debug)]
pub struct Uploads {
    dir: PathBuf,
    files: Mutex<Vec<Upload>>,
}

/// A file that came in.
#[derive(Debug, Clone)]
pub struct Upload {
    pub id: String,
    /// As it was called: for people, and never a path.
    pub name: String,
    pub path: PathBuf,
    bytes: u64,
    came: Instant,
}

impl Uploads {
    /// In `dir`, which this alone uses from [`clear`](Self::clear) on.
    pub fn new(dir: PathBuf) -> Self {
        Self { dir, files: Mutex::new(Vec::new()) }
    }

    /// Takes what `body` gives. What is in `held` is still to be played, and stays.
    ///
    /// # Errors
    /// It breaks off, is too large or empty, or the disk is full; what is held is too much already.
    pub fn take(&self, name: &str, body: &mut dyn Read, held: &BTreeSet<String>) -> Served<UploadReply> {
        let is_held = |upload: &Upload| held.contains(&upload.id);
        let waiting: u64 =
            self.lock().iter().filter(|upload| is_held(upload)).map(|upload| upload.bytes).sum();
        if waiting > MOST_HELD {
            let message = "the queue holds as many uploaded files as the hub keeps; take some out first";
            return Err(ErrorBody::new(ErrorCode::Conflict, message));
        }
        let id = random_id()?;
        let path = self.dir.join(&id);
        let taken = self.create(&path).and_then(|mut file| copy(body, &mut file));
        let bytes = taken.and_then(|bytes| if bytes == 0 { Err(refused("it is empty")) } else { Ok(bytes) });
        // What there is of it is of no use.
        let bytes = bytes.inspect_err(|_| drop(fs::remove_file(&path)))?;
        let upload = Upload { id, name: shown(name), path, bytes, came: Instant::now() };
        let reply = UploadReply { id: upload.id.clone(), name: upload.name.clone(), bytes };
        let mut files = self.lock();
        while files.iter().filter(|upload| !is_held(upload)).count() >= MOST
            && let Some(oldest) = files.iter().position(|upload| !is_held(upload))
        {
            forget(files.remove(oldest));
        }
        files.push(upload);
        Ok(reply)
    }

    /// The upload `id`.
    ///
    /// # Errors
    /// There is none, or none any more.
    pub fn find(&self, id: &str) -> Served<Upload> {
        let found = self.lock().iter().find(|upload| upload.id == id).cloned();
        found.ok_or_else(|| no_such("upload, or none any more: they are kept for an hour"))
    }

    /// The test track `name` as a file.
    ///
    /// # Errors
    /// No such track, or the disk is full.
    pub fn signal(&self, name: &str) -> Served<PathBuf> {
        let track = signals::track(name)?;
        let path = self.dir.join(format!("track-{}.wav", track.name()));
        if !path.exists() {
            self.make_dir()?;
            let written = lab::write(&path, &track.render(), signals::CHANNELS, signals::BITS);
            written.map_err(|failure| ErrorBody::new(ErrorCode::Internal, failure.message))?;
        }
        Ok(path)
    }

    /// Forgets what has been kept for long enough and is not in `held`.
    pub fn expire(&self, held: &BTreeSet<String>) {
        self.expire_after(KEPT, held);
    }

    fn expire_after(&self, kept: Duration, held: &BTreeSet<String>) {
        let mut files = self.lock();
        let is_over = |upload: &Upload| upload.came.elapsed() > kept && !held.contains(&upload.id);
        let (old, kept): (Vec<Upload>, Vec<Upload>) = files.drain(..).partition(is_over);
        *files = kept;
        old.into_iter().for_each(forget);
    }

    /// Forgets everything, also what a hub left that was killed.
    pub fn clear(&self) {
        self.lock().clear();
        let _ = fs::remove_dir_all(&self.dir);
    }

    fn create(&self, path: &PathBuf) -> Served<File> {
        self.make_dir()?;
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(|error| disk(&error))
    }

    fn make_dir(&self) -> Served<()> {
        private_files::make_private_dir(&self.dir)
            .map_err(|error| ErrorBody::new(ErrorCode::Internal, error.to_string()))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Upload>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn copy(body: &mut dyn Read, file: &mut File) -> Served<u64> {
    let (mut piece, mut bytes) = (vec![0; PIECE], 0);
    loop {
        let count = match body.read(&mut piece) {
            Ok(0) => return Ok(bytes),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(refused(&format!("it broke off: {error}"))),
        };
        bytes += count as u64;
        if bytes > MAX_UPLOAD {
            return Err(ErrorBody::new(ErrorCode::TooLarge, "the file is too large"));
        }
        file.write_all(&piece[..count]).map_err(|error| disk(&error))?;
    }
}

fn forget(upload: Upload) {
    // It may be gone with its folder.
    let _ = fs::remove_file(upload.path);
}

fn refused(why: &str) -> ErrorBody {
    ErrorBody::new(ErrorCode::BadRequest, format!("the file did not arrive: {why}; send it once more"))
}

fn disk(error: &io::Error) -> ErrorBody {
    ErrorBody::new(ErrorCode::Internal, format!("the hub cannot keep the file: {error}"))
}

fn shown(name: &str) -> String {
    let plain: String = name.chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect();
    if plain.trim().is_empty() { "recording".to_owned() } else { plain }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives some bytes, and then breaks off.
    struct Broken(usize);

    impl Read for Broken {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let count = self.0.min(out.len());
            self.0 -= count;
            if count == 0 { Err(io::Error::from(io::ErrorKind::ConnectionAborted)) } else { Ok(count) }
        }
    }

    #[test]
    fn a_name_is_shown_and_never_a_path() {
        let dir = tempfile::tempdir().unwrap();
        let uploads = Uploads::new(dir.path().join("up"));
        let reply = uploads.take("../../evil\n.wav", &mut &b"abc"[..], &BTreeSet::new()).unwrap();
        assert_eq!((reply.name.as_str(), reply.bytes), ("../../evil.wav", 3));
        let path = uploads.find(&reply.id).unwrap().path;
        assert_eq!(path.parent(), Some(dir.path().join("up").as_path()));
        assert!(uploads.find("../up").is_err());
        uploads.clear();
        assert!(!path.exists() && uploads.find(&reply.id).is_err());
    }

    #[test]
    fn of_too_many_the_oldest_go_and_what_broke_off_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let uploads = Uploads::new(dir.path().join("up"));
        let held = BTreeSet::new();
        let take = |_| uploads.take("a", &mut &b"x"[..], &held).unwrap().id;
        let ids: Vec<_> = (0..MOST + 2).map(take).collect();
        assert!(uploads.find(&ids[1]).is_err() && uploads.find(&ids[2]).is_ok());
        assert_eq!(uploads.take("b", &mut Broken(100_000), &held).unwrap_err().code, ErrorCode::BadRequest);
        assert_eq!(uploads.take("c", &mut io::empty(), &held).unwrap_err().code, ErrorCode::BadRequest);
        assert_eq!(fs::read_dir(dir.path().join("up")).unwrap().count(), MOST);
    }

    #[test]
    fn what_the_queue_holds_stays_however_many_come_and_however_long_it_waits() {
        let dir = tempfile::tempdir().unwrap();
        let uploads = Uploads::new(dir.path().join("up"));
        let mut queue = BTreeSet::new();
        for _ in 0..MOST + 2 {
            queue.insert(uploads.take("a", &mut &b"x"[..], &queue).unwrap().id);
        }
        let others: Vec<_> =
            (0..=MOST).map(|_| uploads.take("b", &mut &b"x"[..], &queue).unwrap().id).collect();
        assert!(queue.iter().all(|id| uploads.find(id).is_ok()));
        assert!(uploads.find(&others[0]).is_err() && uploads.find(&others[1]).is_ok());
        uploads.expire_after(Duration::ZERO, &queue);
        assert!(queue.iter().all(|id| uploads.find(id).is_ok()) && uploads.find(&others[1]).is_err());
        assert_eq!(fs::read_dir(dir.path().join("up")).unwrap().count(), queue.len());
        uploads.lock()[0].bytes = MOST_HELD + 1;
        assert_eq!(uploads.take("c", &mut &b"x"[..], &queue).unwrap_err().code, ErrorCode::Conflict);
    }
}
