//! The link through which a player streams to the hub: `/api/v1/source`, a WebSocket.
//!
//! Text messages are JSON, [`SourceCommand`] one way and [`SourceNotice`] the other; binary
//! messages are interleaved 32-bit little-endian floats at 48 kHz. The player sends no more frames
//! than it was given credit for. File names never travel: the player decodes.

use antiphon_base::Role;
use serde::{Deserialize, Serialize};

use crate::error::ErrorBody;
use crate::status::ProgrammeStatus;
use crate::text;

/// The most speakers that one source may name: as many as a hub can hold.
pub const MAX_TARGETS: usize = 512;

/// A speaker that shall play, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceTarget {
    /// The speaker's name.
    pub name: String,
    /// The role that it has for as long as this plays; absent: its own.
    #[serde(default, with = "text::option", skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
}

/// How a source's frames come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourcePace {
    /// As fast as they are taken, up to two seconds ahead: a file.
    #[default]
    Stored,
    /// As fast as they are taken, but what is far ahead is wanted late: a pipe whose writer is told to pause is
    /// to be silent soon. A quarter of a second ahead.
    Pulled,
    /// By a clock of their own, which nobody can hold: a microphone, a line input, a desktop. The hub resamples them to
    /// its own clock, keeps a tenth of a second of them, and throws away what comes during a pause.
    Clocked,
}

/// Player to hub.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum SourceCommand {
    /// The first message: what will come, and for whom.
    Open {
        /// Channels interleaved in the binary messages, 1 to 32; up to 8 in WAVE order. Of a source
        /// with more, speakers play single channels only.
        channels: u16,
        /// What `status` shows.
        title: String,
        /// Length in frames at 48 kHz, where known.
        duration_frames: Option<i64>,
        /// Who shall play; empty: every speaker in its own role.
        #[serde(default)]
        targets: Vec<SourceTarget>,
        /// How long to wait for named speakers that are not here, in milliseconds.
        #[serde(default)]
        wait_ms: u64,
        /// Whether the player can answer a [`SourceNotice::Seek`]: a pipe cannot.
        #[serde(default)]
        seekable: bool,
        /// The frame of the programme, at 48 kHz, that the first binary message starts with: a player
        /// that comes back to its hub goes on where it was.
        #[serde(default)]
        first_frame: i64,
        /// How its frames come.
        #[serde(default)]
        pace: SourcePace,
    },
    /// What the next binary message starts with, after a [`SourceNotice::Seek`] or a [`SourceNotice::Skip`].
    Position {
        /// Frame of the programme, at 48 kHz.
        frame: i64,
    },
    /// Of a player of several things: a track begins. Said before its first frame is sent, and again after
    /// a [`Position`](Self::Position) that lies in it.
    Track {
        /// Its place in the player's list, from 1.
        number: u32,
        /// Length of that list.
        of: u32,
        /// What `status` shows while it is heard.
        title: String,
        /// Frame of the programme, at 48 kHz, that it begins with.
        first_frame: i64,
        /// Length in frames at 48 kHz, where known.
        duration_frames: Option<i64>,
    },
    /// Of a station: what it says that it plays.
    OnAir {
        /// What `status` shows while it is heard.
        title: String,
        /// Frame of the programme, at 48 kHz, from which on it is heard.
        first_frame: i64,
    },
    /// No more frames will come; what was sent plays out.
    End,
}

/// Hub to player.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum SourceNotice {
    /// That many frames more may be sent.
    Credit {
        /// Frames, beyond those already granted.
        frames: u64,
    },
    /// Ten times a second.
    State(ProgrammeStatus),
    /// Somebody asked for another place: answer [`SourceCommand::Position`], then go on from there.
    Seek {
        /// Frame of the programme, at 48 kHz.
        frame: i64,
    },
    /// Somebody asked for another track: answer [`SourceCommand::Position`] with frame 0, from which frames are
    /// counted anew, and [`SourceCommand::Track`], then go on with it; behind the last track
    /// [`SourceCommand::End`] follows the position.
    Skip {
        /// The number of the track that was heard, or was on its way.
        from: u32,
        /// Which other one: 1 is the next, -1 the one before.
        by: i32,
    },
    /// Played to its end, or stopped; the link closes.
    Done {
        /// True: it was not played to its end, for whatever reason. What every hub says.
        stopped: bool,
        /// Why it ended; absent where a hub does not say it.
        #[serde(default)]
        why: DoneReason,
    },
    /// It cannot go on; the link closes.
    Error(ErrorBody),
}

/// Why a source ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DoneReason {
    /// It was played to its end.
    Played,
    /// Somebody stopped it.
    Stopped,
    /// Another source took its place.
    Replaced,
    /// The hub ends.
    HubEnds,
    /// The hub does not say, or says what this program does not know.
    #[default]
    #[serde(other)]
    Unknown,
}

impl DoneReason {
    /// Read together with `stopped`, which hubs without reasons say too.
    pub fn or_from(self, stopped: bool) -> Self {
        match (self, stopped) {
            (Self::Unknown, true) => Self::Stopped,
            (Self::Unknown, false) => Self::Played,
            (said, _) => said,
        }
    }
}

impl From<DoneReason> for SourceNotice {
    fn from(why: DoneReason) -> Self {
        Self::Done { stopped: why != DoneReason::Played, why }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_message_reads_as_the_protocol_shows_it() {
        let json = r#"{"type":"open","channels":2,"title":"t","duration_frames":null,
                       "targets":[{"name":"a","role":"left"},{"name":"b"}]}"#;
        let open: SourceCommand = serde_json::from_str(json).unwrap();
        let SourceCommand::Open { targets, wait_ms, first_frame, pace, .. } = open else {
            panic!("{open:?}")
        };
        assert_eq!(pace, SourcePace::Stored);
        assert_eq!(targets[0].role, Some(Role::Left));
        assert_eq!((targets[1].role, wait_ms, first_frame), (None, 0, 0));
    }

    #[test]
    fn tracks_read_as_the_protocol_shows_them() {
        let json =
            r#"{"type":"track","number":3,"of":12,"title":"t","first_frame":48000,"duration_frames":null}"#;
        let track: SourceCommand = serde_json::from_str(json).unwrap();
        assert!(matches!(track, SourceCommand::Track { number: 3, of: 12, first_frame: 48_000, .. }));
        let on_air = r#"{"type":"on_air","title":"t","first_frame":96000}"#;
        let on_air: SourceCommand = serde_json::from_str(on_air).unwrap();
        assert_eq!(on_air, SourceCommand::OnAir { title: "t".into(), first_frame: 96_000 });
        let skip = serde_json::to_string(&SourceNotice::Skip { from: 3, by: -1 }).unwrap();
        assert_eq!(skip, r#"{"type":"skip","from":3,"by":-1}"#);
    }

    #[test]
    fn the_end_is_understood_from_hubs_that_say_why_that_do_not_and_that_say_what_nobody_knows() {
        let said = serde_json::to_string(&SourceNotice::from(DoneReason::Replaced)).unwrap();
        assert_eq!(said, r#"{"type":"done","stopped":true,"why":"replaced"}"#);
        for (json, meant) in [
            (r#"{"type":"done","stopped":true,"why":"replaced"}"#, DoneReason::Replaced),
            (r#"{"type":"done","stopped":true,"why":"hub_ends"}"#, DoneReason::HubEnds),
            (r#"{"type":"done","stopped":true}"#, DoneReason::Stopped),
            (r#"{"type":"done","stopped":false}"#, DoneReason::Played),
            (r#"{"type":"done","stopped":true,"why":"full_moon"}"#, DoneReason::Stopped),
        ] {
            let SourceNotice::Done { stopped, why } = serde_json::from_str(json).unwrap() else {
                panic!("{json}")
            };
            assert_eq!(why.or_from(stopped), meant, "{json}");
        }
    }

    #[test]
    fn a_state_notice_is_one_flat_object() {
        let json = serde_json::to_string(&SourceNotice::State(ProgrammeStatus::default())).unwrap();
        assert!(json.starts_with(r#"{"type":"state","state":"idle""#), "{json}");
    }
}
