//! `org.mpris.MediaPlayer2`: what the program is.

use tokio::sync::watch;

use super::{Now, stop};

/// The program.
#[derive(Debug)]
pub(super) struct Root {
    pub now: watch::Receiver<Now>,
}

#[zbus::interface(name = "org.mpris.MediaPlayer2")]
impl Root {
    /// There is no window to raise.
    fn raise(&self) {}

    /// Ends playing, and with it the program.
    async fn quit(&self) {
        stop(self.now.borrow().client.clone());
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn can_quit(&self) -> bool {
        true
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn can_raise(&self) -> bool {
        false
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn has_track_list(&self) -> bool {
        false
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn identity(&self) -> &str {
        "Antiphon"
    }

    /// It opens nothing for others.
    #[zbus(property(emits_changed_signal = "const"))]
    fn supported_uri_schemes(&self) -> Vec<String> {
        Vec::new()
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn supported_mime_types(&self) -> Vec<String> {
        Vec::new()
    }
}
