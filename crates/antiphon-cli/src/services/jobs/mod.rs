//! Work that takes a while, each on a thread of its own; what only reckons lets every other thread go first.

mod work;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use antiphon_api::{
    ErrorBody, ErrorCode, HubAddress, Job, JobKind, JobRequest, JobResult, JobState, JobsReply,
};
use antiphon_hub::services::{Change, Served, Tell};

use super::uploads::Uploads;
use super::{no_such, random_id};
use crate::lab::Ended;

/// Jobs that are remembered: who reads a result does so within minutes. A result is under 200 kB.
const REMEMBERED: usize = 20;

/// Progress is told at most so often: a page needs no more.
const TELL: Duration = Duration::from_millis(200);

/// The jobs.
#[derive(Debug)]
pub struct Jobs {
    board: Arc<Board>,
    uploads: Arc<Uploads>,
    hub: OnceLock<HubAddress>,
}

/// Where the jobs stand, for all threads.
#[derive(Default)]
struct Board {
    /// The latest first.
    entries: Mutex<VecDeque<Entry>>,
    tell: OnceLock<Tell>,
}

#[derive(Debug)]
struct Entry {
    job: Job,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    told: Instant,
}

/// What a job is told and tells.
struct Desk {
    board: Arc<Board>,
    id: String,
    stop: Arc<AtomicBool>,
}

impl Jobs {
    /// None yet; recordings are among `uploads`.
    pub fn new(uploads: Arc<Uploads>) -> Self {
        Self { board: Arc::default(), uploads, hub: OnceLock::new() }
    }

    /// The hub answers at `hub`.
    pub fn begin(&self, hub: HubAddress, tell: Tell) {
        // A hub begins once.
        let _ = self.hub.set(hub);
        let _ = self.board.tell.set(tell);
    }

    /// Tells all of them to end; their threads.
    pub fn end(&self) -> Vec<JoinHandle<()>> {
        let mut entries = self.board.lock();
        entries.iter().for_each(|entry| entry.stop.store(true, Ordering::Release));
        entries.iter_mut().filter_map(|entry| entry.thread.take()).collect()
    }

    /// Begins one.
    ///
    /// # Errors
    /// Another one of its kind is at work; what it names is not there.
    pub fn start(&self, request: &JobRequest) -> Served<Job> {
        let hub = self.hub.get().ok_or_else(|| ErrorBody::new(ErrorCode::Busy, "the hub is starting"))?;
        let work = work::plan(request, hub, &self.uploads)?;
        let (id, stop) = (random_id()?, Arc::new(AtomicBool::new(false)));
        let desk = Desk { board: self.board.clone(), id: id.clone(), stop: stop.clone() };
        let mut entries = self.board.lock();
        let kind = request.kind();
        if let Some(other) =
            entries.iter().find(|entry| entry.is_running() && in_the_way(entry.job.kind, kind))
        {
            let message = format!("{} is under way; wait for its end, or end it", title(other.job.kind));
            return Err(ErrorBody::new(ErrorCode::Conflict, message));
        }
        let thread = std::thread::Builder::new().name("job".into()).spawn(move || desk.run(work));
        let thread = thread
            .map_err(|error| ErrorBody::new(ErrorCode::Busy, format!("no thread for this job: {error}")))?;
        let job = Job {
            id,
            kind,
            state: JobState::Running,
            progress: 0.0,
            message: "begun".into(),
            result: None,
            error: None,
        };
        entries.push_front(Entry { job: job.clone(), stop, thread: Some(thread), told: Instant::now() });
        forget(&mut entries);
        drop(entries);
        self.board.tell(&job);
        Ok(job)
    }

    /// Those of late.
    pub fn all(&self) -> JobsReply {
        JobsReply { jobs: self.board.lock().iter().map(|entry| entry.job.clone()).collect() }
    }

    /// The job `id`.
    ///
    /// # Errors
    /// There is none, or none any more.
    pub fn find(&self, id: &str) -> Served<Job> {
        let entries = self.board.lock();
        let found = entries.iter().find(|entry| entry.job.id == id).map(|entry| entry.job.clone());
        found.ok_or_else(|| no_such("job"))
    }

    /// Ends the job `id`; one that has ended stays as it is.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub fn cancel(&self, id: &str) -> Served<Job> {
        if let Some(entry) = self.board.lock().iter().find(|entry| entry.job.id == id) {
            entry.stop.store(true, Ordering::Release);
        }
        self.find(id)
    }
}

impl Entry {
    fn is_running(&self) -> bool {
        self.job.state == JobState::Running
    }
}

impl std::fmt::Debug for Board {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Board")
    }
}

impl Board {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, job: &Job) {
        if let Some(tell) = self.tell.get() {
            tell(Change::Job(Box::new(job.clone())));
        }
    }

    /// Changes the job `id`, and tells it if that is wanted now.
    fn change(&self, id: &str, at_once: bool, change: impl FnOnce(&mut Job)) {
        let told = {
            let mut entries = self.lock();
            let Some(entry) = entries.iter_mut().find(|entry| entry.job.id == id) else { return };
            change(&mut entry.job);
            let due = at_once || entry.told.elapsed() >= TELL;
            if due {
                entry.told = Instant::now();
            }
            due.then(|| entry.job.clone())
        };
        if let Some(job) = told {
            self.tell(&job);
        }
    }
}

impl Desk {
    fn run(self, work: work::Work) {
        let done = catch_unwind(AssertUnwindSafe(|| work.run(&self)));
        let broke_down = done.is_err();
        let ended = done.unwrap_or_else(|_| {
            let message = "the job broke down: this is Antiphon's fault; the hub's log says where";
            Err(Ended::Failed(crate::exit::Failure::failed(message)))
        });
        self.board.change(&self.id, true, |job| match ended {
            Ok((result, message)) => {
                (job.state, job.progress, job.message, job.result) = (JobState::Done, 1.0, message, result);
            }
            Err(Ended::Interrupted) => {
                (job.state, job.message) = (JobState::Cancelled, "ended before its end".into());
            }
            Err(Ended::Failed(failure)) => {
                (job.state, job.message) = (JobState::Failed, failure.message.clone());
                let mut error = super::refused(failure);
                // A microphone or a speaker that cannot be had is no fault of the hub's.
                if error.code == ErrorCode::Internal && !broke_down {
                    error.code = ErrorCode::Conflict;
                }
                job.error = Some(error);
            }
        });
    }

    fn progress(&self, part: f64) {
        self.board.change(&self.id, false, |job| job.progress = job.progress.max(part.clamp(0.0, 1.0)));
    }

    fn note(&self, line: &str) {
        self.board.change(&self.id, true, |job| line.clone_into(&mut job.message));
    }
}

/// What came of a job, and that in words.
type Outcome = Result<(Option<JobResult>, String), Ended>;

/// The speakers, and the processor, are for one measurement at a time; looking at the machine needs neither.
fn in_the_way(one: JobKind, other: JobKind) -> bool {
    (one == JobKind::Doctor) == (other == JobKind::Doctor)
}

fn title(kind: JobKind) -> &'static str {
    match kind {
        JobKind::Measure => "a measurement",
        JobKind::Calibrate => "a calibration",
        JobKind::Identify => "a beep",
        JobKind::Doctor => "a look at the machine",
    }
}

fn forget(entries: &mut VecDeque<Entry>) {
    while entries.len() > REMEMBERED {
        let Some(at) = entries.iter().rposition(|entry| !entry.is_running()) else { return };
        entries.remove(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_measurement_at_a_time_and_a_look_at_the_machine_beside_it() {
        assert!(
            in_the_way(JobKind::Measure, JobKind::Calibrate)
                && in_the_way(JobKind::Identify, JobKind::Identify)
        );
        assert!(in_the_way(JobKind::Doctor, JobKind::Doctor));
        assert!(!in_the_way(JobKind::Measure, JobKind::Doctor));
    }

    #[test]
    fn what_is_not_there_is_no_job() {
        let dir = tempfile::tempdir().unwrap();
        let jobs = Jobs::new(Arc::new(Uploads::new(dir.path().join("up"))));
        let request = JobRequest::Measure { upload: "../../etc/passwd".into() };
        assert_eq!(jobs.start(&request).unwrap_err().code, ErrorCode::Busy);
        jobs.begin("127.0.0.1:9".parse().unwrap(), Arc::new(|_| {}));
        assert_eq!(jobs.start(&request).unwrap_err().code, ErrorCode::NotFound);
        let both = JobRequest::Calibrate { upload: None, mic: None, speakers: Vec::new() };
        assert_eq!(jobs.start(&both).unwrap_err().code, ErrorCode::BadRequest);
        let mic =
            |mic: &str| JobRequest::Calibrate { upload: None, mic: Some(mic.into()), speakers: Vec::new() };
        for other in ["/etc/passwd", "file:///etc/passwd", "-", "room:a.wav", "alsa:hw:1"] {
            assert_eq!(jobs.start(&mic(other)).unwrap_err().code, ErrorCode::BadRequest, "{other}");
        }
        assert!(jobs.all().jobs.is_empty() && jobs.find("x").is_err() && jobs.cancel("x").is_err());
    }
}
