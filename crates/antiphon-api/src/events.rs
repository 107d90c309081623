//! What `GET /api/v1/events` tells.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::groups::Group;
use crate::jobs::Job;
use crate::queue::QueueReply;
use crate::status::Status;

/// A message of the hub to a page. Others may come that this version does not know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum EventMessage {
    /// The hub, the programme and every speaker: at most four a second, and when something has changed;
    /// figures that always move once a second.
    Status {
        /// As `GET /api/v1/status` answers.
        status: Box<Status>,
    },
    /// The groups.
    Groups {
        /// As `GET /api/v1/groups` answers.
        groups: Vec<Group>,
    },
    /// The queue.
    Queue {
        /// As `GET /api/v1/queue` answers.
        queue: Box<QueueReply>,
    },
    /// A job; while it is at work, at most five times a second.
    Job {
        /// As `GET /api/v1/jobs/{id}` answers.
        job: Box<Job>,
    },
    /// Nothing has changed: sent where nothing else was for two seconds. Who hears nothing for several times as long
    /// has lost the hub.
    Alive,
    /// Something else has changed.
    #[serde(other)]
    Other,
}
