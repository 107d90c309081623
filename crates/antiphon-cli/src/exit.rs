//! How the program ends.

use std::process::ExitCode;

use antiphon_api::{ApiError, ErrorCode};
use antiphon_hub::HubError;
use miette::Diagnostic;

/// Exit codes; scripts rely on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Ok = 0,
    /// Failed for a reason not below.
    Failed = 1,
    /// The command line makes no sense (clap's own code).
    Usage = 2,
    /// No hub answers.
    HubUnreachable = 3,
    /// No such file or speaker.
    NotFound = 4,
    /// Not allowed.
    NotPermitted = 5,
    /// Measured, and not to be trusted.
    Untrustworthy = 6,
    /// Interrupted by a signal: 128 + SIGINT.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why the work was not done: one sentence for a person, one code for a script.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Diagnostic)]
#[error("{message}")]
pub struct Failure {
    /// How the program ends.
    pub exit: Exit,
    /// What is wrong, and what to do.
    pub message: String,
}

impl Failure {
    /// A failure of the given kind.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }

    /// A failure of no special kind.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, message)
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        let exit = match &error {
            ApiError::Unreachable { .. } => Exit::HubUnreachable,
            ApiError::Nonsense(_) => Exit::Failed,
            ApiError::Refused(body) => match body.code {
                ErrorCode::NotFound => Exit::NotFound,
                ErrorCode::NotPermitted | ErrorCode::LoginNeeded => Exit::NotPermitted,
                ErrorCode::BadRequest | ErrorCode::MethodNotAllowed | ErrorCode::TooLarge => Exit::Usage,
                ErrorCode::Conflict | ErrorCode::Busy | ErrorCode::TooMany | ErrorCode::Internal => {
                    Exit::Failed
                }
            },
        };
        let remedy = match exit {
            Exit::HubUnreachable => "; start one with `antiphon hub`, or name another with --hub HOST:PORT",
            _ => "",
        };
        Self::new(exit, format!("{error}{remedy}"))
    }
}

impl From<HubError> for Failure {
    fn from(error: HubError) -> Self {
        let exit = match &error {
            HubError::Latency(_) | HubError::Name(_) => Exit::Usage,
            _ => Exit::Failed,
        };
        Self::new(exit, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use antiphon_api::ErrorBody;

    use super::*;

    #[test]
    fn each_refusal_of_the_hub_has_its_exit_code() {
        for (code, exit) in [
            (ErrorCode::NotFound, Exit::NotFound),
            (ErrorCode::NotPermitted, Exit::NotPermitted),
            (ErrorCode::BadRequest, Exit::Usage),
            (ErrorCode::Busy, Exit::Failed),
        ] {
            assert_eq!(Failure::from(ApiError::Refused(ErrorBody::new(code, "no"))).exit, exit);
        }
    }

    #[test]
    fn a_hub_that_is_not_there_is_named_with_a_remedy() {
        let error = ApiError::Unreachable { hub: "10.0.0.9:7755".into(), why: "connection refused".into() };
        let failure = Failure::from(error);
        assert_eq!(failure.exit, Exit::HubUnreachable);
        assert!(failure.message.contains("10.0.0.9:7755") && failure.message.contains("antiphon hub"));
    }
}
