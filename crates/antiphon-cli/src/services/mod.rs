//! What a hub does for those without a terminal: the verbs of this program as services.
//!
//! Each part has a thread of its own and a bound; none is waited for by the hub's own threads.

mod advice;

mod folders;

mod jobs;

mod library;

mod queue;

mod signals;

mod uploads;

use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use antiphon_api::advice::{CaseQuery, CheckReport, ExplainQuery, ExplainReport, GuideReport, NamesReport};
use antiphon_api::{
    ErrorBody, ErrorCode, Job, JobRequest, JobsReply, LibraryQuery, LibraryReply, QueueAdd, QueuePatch,
    QueueReply, SignalReport, UploadReply,
};
use antiphon_hub::services::{Bytes, Picture, Served, Services, Tell};

use crate::exit::{Exit, Failure};
pub use folders::music;
use jobs::Jobs;
use library::Library;
use queue::Desk;
use uploads::Uploads;

/// How long what is under way may take to end: a person waits at Ctrl-C. A station that does not answer, and
/// a search in a recording, take longer and keep nothing.
const FAREWELL: Duration = Duration::from_secs(2);

/// The services of a hub that this program runs.
#[derive(Debug)]
pub struct HubServices {
    library: Arc<Library>,
    uploads: Arc<Uploads>,
    desk: Arc<Desk>,
    jobs: Jobs,
    /// Ends what plays.
    stop: Arc<AtomicBool>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl HubServices {
    /// With these music folders, and what is kept in `state`.
    pub fn new(music: &[PathBuf], state: &Path) -> Self {
        let library = Arc::new(Library::new(music));
        let uploads = Arc::new(Uploads::new(state.join("uploads")));
        let desk = Arc::new(Desk::open(state.to_owned(), library.clone(), uploads.clone()));
        let jobs = Jobs::new(uploads.clone());
        let (stop, threads) = (Arc::new(AtomicBool::new(false)), Mutex::new(Vec::new()));
        Self { library, uploads, desk, jobs, stop, threads }
    }

    fn spawn(&self, name: &str, work: impl FnOnce() + Send + 'static) {
        match std::thread::Builder::new().name(name.to_owned()).spawn(work) {
            Ok(thread) => self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread),
            Err(error) => tracing::error!("no thread for {name}: {error}"),
        }
    }
}

impl Services for HubServices {
    fn begin(&self, hub: SocketAddr, tell: Tell) {
        // Only now is it sure that no other hub uses this state directory.
        self.uploads.clear();
        self.desk.tell_by(tell.clone());
        self.jobs.begin(hub.into(), tell);
        let (library, uploads, desk) = (self.library.clone(), self.uploads.clone(), self.desk.clone());
        self.spawn("library", move || library.keep(|| uploads.expire(&desk.uploads_held())));
        let (desk, stop) = (self.desk.clone(), self.stop.clone());
        self.spawn("queue", move || queue::play(&desk, &hub.into(), &stop));
    }

    fn end(&self) {
        self.stop.store(true, Ordering::Release);
        self.library.stop();
        self.desk.stop();
        end_within(FAREWELL, self.jobs.end());
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        end_within(FAREWELL, threads);
        self.uploads.clear();
    }

    fn library(&self, query: &LibraryQuery) -> Served<LibraryReply> {
        self.library.browse(query)
    }

    fn rescan(&self) -> Served<()> {
        self.library.rescan();
        Ok(())
    }

    fn art(&self, id: &str) -> Served<Picture> {
        self.library.art(id)
    }

    fn queue(&self) -> QueueReply {
        self.desk.reply()
    }

    fn add(&self, add: &QueueAdd) -> Served<QueueReply> {
        self.desk.add(add)
    }

    fn change(&self, patch: &QueuePatch) -> Served<QueueReply> {
        self.desk.change(patch)
    }

    fn remove(&self, key: Option<&str>) -> Served<QueueReply> {
        self.desk.remove(key)
    }

    fn upload(&self, name: &str, body: &mut dyn Read) -> Served<UploadReply> {
        self.uploads.take(name, body, &self.desk.uploads_held())
    }

    fn start_job(&self, request: &JobRequest) -> Served<Job> {
        self.jobs.start(request)
    }

    fn jobs(&self) -> JobsReply {
        self.jobs.all()
    }

    fn job(&self, id: &str) -> Served<Job> {
        self.jobs.find(id)
    }

    fn cancel(&self, id: &str) -> Served<Job> {
        self.jobs.cancel(id)
    }

    fn signals(&self) -> Vec<SignalReport> {
        signals::all()
    }

    fn signal(&self, name: &str) -> Served<Bytes> {
        signals::wav(name)
    }

    fn check(&self, query: &CaseQuery) -> Served<CheckReport> {
        advice::check(query)
    }

    fn guide(&self, query: &CaseQuery) -> Served<GuideReport> {
        advice::guide(query)
    }

    fn explain(&self, query: &ExplainQuery) -> Served<ExplainReport> {
        advice::explain(query)
    }

    fn catalog(&self) -> NamesReport {
        advice::names()
    }
}

/// Waits for `threads`; those that are still at work after `patience` end with the program.
fn end_within(patience: Duration, threads: Vec<JoinHandle<()>>) {
    let until = Instant::now() + patience;
    for thread in threads {
        while !thread.is_finished() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
        if thread.is_finished() && thread.join().is_err() {
            tracing::error!("a thread of the hub's services had panicked");
        }
    }
}

fn no_such(what: &str) -> ErrorBody {
    ErrorBody::new(ErrorCode::NotFound, format!("there is no such {what}"))
}

/// A verb's failure as an answer.
fn refused(failure: Failure) -> ErrorBody {
    let code = match failure.exit {
        Exit::NotFound => ErrorCode::NotFound,
        Exit::NotPermitted => ErrorCode::NotPermitted,
        Exit::Usage => ErrorCode::BadRequest,
        Exit::Untrustworthy | Exit::Interrupted => ErrorCode::Conflict,
        Exit::Ok | Exit::Failed | Exit::HubUnreachable => ErrorCode::Internal,
    };
    ErrorBody::new(code, failure.message)
}

/// A name that nobody guesses.
fn random_id() -> Served<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| {
        ErrorBody::new(ErrorCode::Internal, format!("this system gives no randomness: {error}"))
    })?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
