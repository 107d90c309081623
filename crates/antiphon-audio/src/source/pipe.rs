//! A named pipe whose writers come and go.
//!
//! Opened for reading only: so the system says when a writer has gone, and a frame that it left half written is not
//! taken for the beginning of the next writer's first. Opened without waiting: so it may have no writer yet.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::libc::O_NONBLOCK;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// The most that is taken for what a writer left behind: what Linux lets a pipe hold.
const MOST_LEFT: usize = 1 << 20;

/// How often a pipe that was removed is looked for: players that make their own make it anew with their next start.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// A pipe as an input that ends (a read of 0 bytes) with each writer, and goes on with the next one.
pub(super) struct Pipe {
    path: PathBuf,
    file: File,
    /// What a writer that has gone had written.
    left: VecDeque<u8>,
    /// A writer has gone, and that is not said yet.
    is_over: bool,
}

impl Pipe {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = open(path)?;
        Ok(Self { path: path.to_owned(), file, left: VecDeque::new(), is_over: false })
    }

    /// Sleeps until there is something to read, or a writer has gone; whether one has.
    fn wait(&self) -> io::Result<bool> {
        let mut fds = [PollFd::new(self.file.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) => Ok(fds[0].revents().is_some_and(|found| found.contains(PollFlags::POLLHUP))),
            Err(Errno::EINTR) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Takes what the writer left before the next one adds to it, and makes ready for that one.
    fn see_off(&mut self) -> io::Result<()> {
        let mut block = [0; 4_096];
        while self.left.len() < MOST_LEFT {
            match self.file.read(&mut block) {
                Ok(0) => break,
                Ok(read) => self.left.extend(&block[..read]),
                // The next one is there, and has written nothing yet.
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        // An open pipe says for ever that its writer has gone; one opened anew waits for the next. The old one is
        // closed after: a writer that comes meanwhile finds a reader.
        self.file = open_again(&self.path)?;
        self.is_over = true;
        Ok(())
    }
}

impl Read for Pipe {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.left.is_empty() {
                return self.left.read(into);
            }
            if std::mem::take(&mut self.is_over) {
                return Ok(0);
            }
            if self.wait()? {
                self.see_off()?;
                continue;
            }
            match self.file.read(into) {
                // The writer went between the two looks, or a signal came: the next look says which.
                Ok(0) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                done => return done,
            }
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    File::options().read(true).custom_flags(O_NONBLOCK).open(path)
}

fn open_again(path: &Path) -> io::Result<File> {
    let mut told = false;
    loop {
        match open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            done => return done,
        }
        if !std::mem::replace(&mut told, true) {
            tracing::warn!("{} was removed; playing goes on when it is made anew", path.display());
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;

    use super::super::{PcmFormat, Source, SourceSpec};
    use super::*;

    fn fifo() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pipe");
        mkfifo(&path, Mode::S_IRWXU).unwrap();
        (dir, path)
    }

    fn source(path: &Path) -> Source {
        let format: PcmFormat = "s16le:48000:2".parse().unwrap();
        super::super::open(&SourceSpec::Pipe { path: path.to_owned(), format }).unwrap()
    }

    fn write(path: &Path, bytes: &[u8]) {
        File::options().write(true).open(path).unwrap().write_all(bytes).unwrap();
    }

    /// Frames whose left and right are the same number, from `from` on.
    fn frames(from: i16, count: i16) -> Vec<u8> {
        (from..from + count).flat_map(|n| [n, n]).flat_map(i16::to_le_bytes).collect()
    }

    fn numbers(source: &mut Source, count: usize) -> Vec<i32> {
        let mut heard = Vec::new();
        assert_eq!(source.read(count, &mut heard).unwrap(), count);
        heard.iter().map(|x| (x * 32_768.0).round() as i32).collect()
    }

    fn twice(range: std::ops::Range<i32>) -> Vec<i32> {
        range.flat_map(|n| [n, n]).collect()
    }

    #[test]
    fn a_writer_that_dies_within_a_frame_spoils_nothing_of_the_next_ones() {
        let (_dir, path) = fifo();
        let mut source = source(&path);
        for stray in 0..4 {
            write(&path, &[frames(1, 100), vec![0x55; stray]].concat());
            assert_eq!(numbers(&mut source, 100), twice(1..101), "before {stray} bytes");
        }
    }

    #[test]
    fn what_a_dead_writer_left_in_the_pipe_is_told_from_what_the_next_one_writes_behind_it() {
        let (_dir, path) = fifo();
        let mut source = source(&path);
        // More than a block: the reader sees the writer gone while most of it is in the pipe yet.
        write(&path, &[frames(1, 3_000), vec![0x55]].concat());
        assert_eq!(numbers(&mut source, 10), twice(1..11));
        write(&path, &frames(7_000, 3_000));
        assert_eq!(numbers(&mut source, 2_990), twice(11..3_001));
        assert_eq!(numbers(&mut source, 3_000), twice(7_000..10_000));
    }

    #[test]
    fn a_pipe_without_a_writer_is_waited_for_without_turning_round() {
        let (_dir, path) = fifo();
        let mut pipe = Pipe::open(&path).unwrap();
        write(&path, b"one");
        let mut into = [0; 8];
        assert_eq!(pipe.read(&mut into).unwrap(), 3);
        assert_eq!(pipe.read(&mut into).unwrap(), 0, "the end of the first writer");
        let mut fds = [PollFd::new(pipe.file.as_fd(), PollFlags::POLLIN)];
        assert_eq!(poll(&mut fds, PollTimeout::from(50u8)).unwrap(), 0, "nothing wakes it");
        let to = path.clone();
        let writer = std::thread::spawn(move || write(&to, b"two"));
        assert_eq!(pipe.read(&mut into).unwrap(), 3);
        writer.join().unwrap();
    }

    #[test]
    fn a_pipe_that_was_made_anew_is_read_on() {
        let (_dir, path) = fifo();
        let mut source = source(&path);
        let held = File::options().write(true).open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        mkfifo(&path, Mode::S_IRWXU).unwrap();
        drop(held);
        let to = path.clone();
        let writer = std::thread::spawn(move || write(&to, &frames(1, 10)));
        assert_eq!(numbers(&mut source, 10), twice(1..11));
        writer.join().unwrap();
    }
}
