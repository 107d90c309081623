//! Keeping speakers connected, for as long as a handle lives.

pub(crate) mod attempt;

mod engine;

pub(crate) mod pool;

mod seat;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::bus::Bus;
use crate::events::{EventSender, LinkEvents, channel};
use crate::{Address, Bluetooth, Member, Trouble};

/// Speakers that are kept connected. Dropped, it releases their streams and takes our endpoints
/// back; the speakers stay connected to this machine.
#[derive(Debug)]
pub struct Served {
    wishes: Arc<Wishes>,
    task: Option<tokio::task::JoinHandle<()>>,
    runtime: Arc<crate::bluetooth::Worker>,
}

/// What the owner of a [`Served`] wants; newer wishes replace older ones.
#[derive(Debug, Default)]
pub(crate) struct Wishes {
    inner: Mutex<Wanted>,
    news: Notify,
}

#[derive(Debug, Default)]
struct Wanted {
    members: Option<Vec<Member>>,
    volumes: BTreeMap<Address, u8>,
    stop: bool,
}

/// BlueZ answers a release within milliseconds; a speaker that just vanished may hold it up.
const RELEASE_TIMEOUT: Duration = Duration::from_millis(2500);

impl Bluetooth {
    /// Connects every member, one after the other, and keeps them connected for ever: a speaker
    /// that returns, a restarted BlueZ and an adapter that was unplugged need nobody.
    ///
    /// Returns at once; what happens is told by events, the first of them for each member either
    /// [`LinkEvent::Up`](crate::LinkEvent::Up) or [`LinkEvent::Down`](crate::LinkEvent::Down) with
    /// the reason.
    ///
    /// # Errors
    /// No bus.
    pub fn serve(&self, members: Vec<Member>) -> Result<(Served, LinkEvents), Trouble> {
        let bus = self.runtime.block_on(Bus::connect(self.address.as_deref()))?;
        let (sender, events) = channel();
        let wishes = Arc::new(Wishes::default());
        wishes.lock().members = Some(members);
        let keeper = engine::keep(bus, self.settings(), sender, Arc::clone(&wishes));
        let task = Some(self.runtime.spawn(keeper));
        Ok((Served { wishes, task, runtime: Arc::clone(&self.runtime) }, events))
    }
}

impl Served {
    /// Sets a speaker's absolute volume, 0 to 127; done when it is next connected if it is not.
    pub fn set_volume(&self, address: Address, volume: u8) {
        self.wishes.lock().volumes.insert(address, volume.min(127));
        self.wishes.news.notify_one();
    }

    /// Replaces the members; those who stay keep their links.
    pub fn set_members(&self, members: Vec<Member>) {
        self.wishes.lock().members = Some(members);
        self.wishes.news.notify_one();
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.wishes.lock().stop = true;
        self.wishes.news.notify_one();
        let Some(mut task) = self.task.take() else { return };
        // Inside an async runtime nothing may wait; the task then ends by itself.
        if tokio::runtime::Handle::try_current().is_err() {
            let ended =
                self.runtime.block_on(async { tokio::time::timeout(RELEASE_TIMEOUT, &mut task).await });
            if ended.is_err() {
                task.abort();
            }
        }
    }
}

impl Wishes {
    fn lock(&self) -> MutexGuard<'_, Wanted> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stopped(&self) -> bool {
        self.lock().stop
    }
}

/// The engine's view of where its things are.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// The bus; `None`: the system's.
    pub bus: Option<String>,
    /// The kernel's list of radio switches.
    pub rfkill: std::path::PathBuf,
}

pub(crate) type Events = EventSender;
