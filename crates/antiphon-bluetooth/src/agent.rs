//! What a person answers while a speaker is paired.

use std::sync::{Arc, Mutex, PoisonError};

use zbus::OwnedObjectPath;

use crate::trouble::Who;

/// Answers a speaker's questions, on a thread of its own: it may wait for a person. BlueZ itself
/// gives up after a minute.
pub trait PairingAgent: Send {
    /// The speaker's PIN, 1 to 16 characters; `None`: nobody knows it.
    fn pin(&mut self, speaker: &Who) -> Option<String>;

    /// The six digits that the speaker shows; `None`: nobody can read them.
    fn passkey(&mut self, speaker: &Who) -> Option<u32>;

    /// Whether the speaker shows these six digits; `None`: nobody can look.
    fn confirm(&mut self, speaker: &Who, passkey: u32) -> Option<bool>;

    /// Digits to enter on the device; those are keyboards as a rule.
    fn show(&mut self, speaker: &Who, digits: &str);
}

/// Our agent on the bus.
pub(crate) struct Agent {
    pub device: String,
    pub who: Who,
    pub person: Arc<Mutex<Box<dyn PairingAgent>>>,
    pub asked: Arc<Mutex<Asked>>,
}

/// What the speaker asked and how it was answered: the same error of BlueZ then means one thing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    /// A PIN, a passkey or a look at one was asked for.
    pub secret: bool,
    /// And nobody gave one.
    pub unanswered: bool,
}

/// Where it is.
pub(crate) const AGENT_PATH: &str = "/io/antiphon/bluetooth/agent";

/// A person's no.
#[derive(Debug, zbus::DBusError)]
#[zbus(prefix = "org.bluez.Error")]
pub(crate) enum No {
    #[zbus(error)]
    Bus(zbus::Error),
    Rejected(String),
    Canceled(String),
}

#[zbus::interface(name = "org.bluez.Agent1")]
impl Agent {
    async fn release(&self) {}

    async fn request_pin_code(&self, device: OwnedObjectPath) -> Result<String, No> {
        self.only_ours(&device)?;
        self.secret(|person, who| person.pin(who).filter(|pin| (1..=16).contains(&pin.len()))).await
    }

    async fn request_passkey(&self, device: OwnedObjectPath) -> Result<u32, No> {
        self.only_ours(&device)?;
        self.secret(|person, who| person.passkey(who).filter(|passkey| *passkey <= 999_999)).await
    }

    async fn request_confirmation(&self, device: OwnedObjectPath, passkey: u32) -> Result<(), No> {
        self.only_ours(&device)?;
        match self.secret(move |person, who| person.confirm(who, passkey)).await? {
            true => Ok(()),
            false => Err(No::Rejected("the digits differ".into())),
        }
    }

    async fn display_pin_code(&self, device: OwnedObjectPath, pincode: String) -> Result<(), No> {
        self.only_ours(&device)?;
        self.ask(move |person, who| person.show(who, &pincode)).await
    }

    async fn display_passkey(&self, device: OwnedObjectPath, passkey: u32, entered: u16) -> Result<(), No> {
        self.only_ours(&device)?;
        // Told again for every key that is pressed there.
        if entered > 0 {
            return Ok(());
        }
        self.ask(move |person, who| person.show(who, &format!("{passkey:06}"))).await
    }

    /// The person has asked for this very pairing.
    async fn request_authorization(&self, device: OwnedObjectPath) -> Result<(), No> {
        self.only_ours(&device)
    }

    #[zbus(name = "AuthorizeService")]
    async fn authorize_service(&self, device: OwnedObjectPath, _uuid: String) -> Result<(), No> {
        self.only_ours(&device)
    }

    async fn cancel(&self) {}
}

impl Agent {
    fn only_ours(&self, device: &OwnedObjectPath) -> Result<(), No> {
        match device.as_str() == self.device {
            true => Ok(()),
            false => Err(No::Rejected("not the device that is being paired".into())),
        }
    }

    async fn secret<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut dyn PairingAgent, &Who) -> Option<T> + Send + 'static,
    ) -> Result<T, No> {
        let answer = self.ask(question).await?;
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        *asked = Asked { secret: true, unanswered: answer.is_none() };
        answer.ok_or_else(|| No::Canceled("nobody to answer".into()))
    }

    /// A person takes seconds: not on the thread that serves the bus.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut dyn PairingAgent, &Who) -> T + Send + 'static,
    ) -> Result<T, No> {
        let (person, who) = (Arc::clone(&self.person), self.who.clone());
        let asked = tokio::task::spawn_blocking(move || {
            let mut person = person.lock().unwrap_or_else(PoisonError::into_inner);
            question(&mut **person, &who)
        });
        asked.await.map_err(|_| No::Canceled("the answer was not waited for".into()))
    }
}
