//! What a hub does besides playing what players send: a library, a queue with a player of its own, measuring,
//! advice. The hub knows how it is asked; who starts the hub knows how it is done, and hands it in.
//!
//! Calls come from worker threads and may take a moment; what takes longer is a job. What a request names is
//! an id that was given out, never a path.

use std::fmt::Debug;
use std::io::Read;
use std::net::SocketAddr;
use std::sync::Arc;

use antiphon_api::advice::{CaseQuery, CheckReport, ExplainQuery, ExplainReport, GuideReport, NamesReport};
use antiphon_api::{
    ErrorBody, Job, JobRequest, JobsReply, LibraryQuery, LibraryReply, QueueAdd, QueuePatch, QueueReply,
    SignalReport, UploadReply,
};

/// Bytes that many answers share: who reads none of them holds no copy.
pub use axum::body::Bytes;

/// What came of a request.
pub type Served<T> = Result<T, ErrorBody>;

/// Something that those who watch want to know.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// The queue is as it stands here.
    Queue(QueueReply),
    /// The job is as it stands here.
    Job(Box<Job>),
}

/// Tells everybody who watches; never waits.
pub type Tell = Arc<dyn Fn(Change) + Send + Sync>;

/// A picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Its media type: one that browsers show and that holds no program.
    pub media_type: &'static str,
    /// Its bytes.
    pub bytes: Bytes,
}

/// What a hub does besides.
pub trait Services: Debug + Send + Sync {
    /// The hub answers at `hub` from here on; changes are told by `tell`.
    fn begin(&self, hub: SocketAddr, tell: Tell);

    /// The hub is about to stop: everything under way ends.
    fn end(&self);

    /// A part of the library.
    ///
    /// # Errors
    /// No such folder. Of every request: what the asker is to be told.
    fn library(&self, query: &LibraryQuery) -> Served<LibraryReply>;

    /// Looks at the music folders anew.
    ///
    /// # Errors
    /// There are none.
    fn rescan(&self) -> Served<()>;

    /// The picture of a file of the library.
    ///
    /// # Errors
    /// No such file, or it has none.
    fn art(&self, id: &str) -> Served<Picture>;

    /// The queue.
    fn queue(&self) -> QueueReply;

    /// Puts something into the queue.
    ///
    /// # Errors
    /// Something is not there, or the queue is full.
    fn add(&self, add: &QueueAdd) -> Served<QueueReply>;

    /// Changes how the queue is played.
    ///
    /// # Errors
    /// No such item.
    fn change(&self, patch: &QueuePatch) -> Served<QueueReply>;

    /// Takes one item off the queue, or all.
    ///
    /// # Errors
    /// No such item.
    fn remove(&self, key: Option<&str>) -> Served<QueueReply>;

    /// Takes what `body` gives, to its end; `name` is what people see.
    ///
    /// # Errors
    /// It is too large, or there are too many; the body breaks off.
    fn upload(&self, name: &str, body: &mut dyn Read) -> Served<UploadReply>;

    /// Begins a job.
    ///
    /// # Errors
    /// Another one is in its way.
    fn start_job(&self, request: &JobRequest) -> Served<Job>;

    /// The jobs of late.
    fn jobs(&self) -> JobsReply;

    /// A job.
    ///
    /// # Errors
    /// No such job.
    fn job(&self, id: &str) -> Served<Job>;

    /// Ends a job early.
    ///
    /// # Errors
    /// No such job.
    fn cancel(&self, id: &str) -> Served<Job>;

    /// The test tracks.
    fn signals(&self) -> Vec<SignalReport>;

    /// A test track as a WAV file.
    ///
    /// # Errors
    /// No such track.
    fn signal(&self, name: &str) -> Served<Bytes>;

    /// Which method works for these models.
    ///
    /// # Errors
    /// No model is named, or a version does not read.
    fn check(&self, query: &CaseQuery) -> Served<CheckReport>;

    /// The steps of a method.
    ///
    /// # Errors
    /// No such method or model.
    fn guide(&self, query: &CaseQuery) -> Served<GuideReport>;

    /// Answers.
    ///
    /// # Errors
    /// Nothing is known about it.
    fn explain(&self, query: &ExplainQuery) -> Served<ExplainReport>;

    /// What the catalogue knows by name.
    fn catalog(&self) -> NamesReport;
}
