//! How work with a microphone can end early.

use antiphon_api::ApiError;

use crate::exit::{Exit, Failure};

/// Not to its end.
#[derive(Debug)]
pub enum Ended {
    /// Asked to stop.
    Interrupted,
    /// It could not be done.
    Failed(Failure),
}

impl Ended {
    /// The exit of a verb that ended so.
    ///
    /// # Errors
    /// The failure, if it was one.
    pub fn exit(self) -> Result<Exit, Failure> {
        match self {
            Self::Interrupted => Ok(Exit::Interrupted),
            Self::Failed(failure) => Err(failure),
        }
    }
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<ApiError> for Ended {
    fn from(error: ApiError) -> Self {
        Self::Failed(error.into())
    }
}
