//! The way to BlueZ.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::join_all;

use crate::bus::Bus;
use crate::facts::Facts;
use crate::gatt;
use crate::rfkill::RFKILL;
use crate::serve::Settings;
use crate::trouble::Trouble;

/// BlueZ on this machine. All methods block the caller, never BlueZ's questions to us: those are
/// answered on a thread of their own. Not to be called from inside an async runtime.
#[derive(Debug)]
pub struct Bluetooth {
    pub(crate) runtime: Arc<Worker>,
    pub(crate) bus: Bus,
    pub(crate) address: Option<String>,
    pub(crate) rfkill: PathBuf,
}

impl Bluetooth {
    /// Connects to the system bus (or the one that `DBUS_SYSTEM_BUS_ADDRESS` names).
    ///
    /// # Errors
    /// No bus, or one that does not let this user in. That BlueZ itself is absent is told by what
    /// is called next.
    pub fn connect() -> Result<Self, Trouble> {
        Self::over(None)
    }

    /// Connects to the bus at `address`, in D-Bus's own form.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub fn connect_to(address: &str) -> Result<Self, Trouble> {
        Self::over(Some(address.to_owned()))
    }

    fn over(address: Option<String>) -> Result<Self, Trouble> {
        let runtime = Arc::new(Worker::start()?);
        let bus = runtime.block_on(Bus::connect(address.as_deref()))?;
        Ok(Self { runtime, bus, address, rfkill: PathBuf::from(RFKILL) })
    }

    /// Reads the kernel's radio switches below `folder`, for tests.
    #[must_use]
    pub fn with_rfkill(mut self, folder: impl Into<PathBuf>) -> Self {
        self.rfkill = folder.into();
        self
    }

    /// Every device that BlueZ knows, those in reach and those once paired, in the order of their
    /// addresses; a device that several adapters know appears once.
    ///
    /// # Errors
    /// No bus or no BlueZ.
    pub fn devices(&self) -> Result<Vec<Facts>, Trouble> {
        let tree = self.wait(self.bus.look())?;
        let mut addresses: Vec<_> = tree.devices().iter().filter_map(|device| device.address).collect();
        addresses.sort();
        addresses.dedup();
        let known = addresses.into_iter().filter_map(|address| tree.find(address));
        Ok(known.filter_map(|device| Facts::of(&device, &tree)).collect())
    }

    /// Asks those of `devices` that are connected what they are, all at once, and adds what they say; takes at most
    /// two seconds. Whoever does not answer is as before, and that is said in its place.
    ///
    /// # Errors
    /// No bus or no BlueZ.
    pub fn ask(&self, devices: &mut [Facts]) -> Result<(), Trouble> {
        self.wait(async {
            let tree = self.bus.look().await?;
            let asked = devices.iter_mut().filter_map(|facts| Some((tree.find(facts.address)?, facts)));
            let all = asked.map(|(device, facts)| gatt::ask(&self.bus, &tree, device, facts));
            join_all(all).await;
            Ok(())
        })
    }

    pub(crate) fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// A connection of its own: what BlueZ does in its name ends with it.
    pub(crate) async fn own_bus(&self) -> Result<Bus, Trouble> {
        Bus::connect(self.address.as_deref()).await
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings { bus: self.address.clone(), rfkill: self.rfkill.clone() }
    }
}

/// One thread that runs everything which must go on while callers block.
#[derive(Debug)]
pub(crate) struct Worker {
    runtime: Option<tokio::runtime::Runtime>,
}

impl Worker {
    fn start() -> Result<Self, Trouble> {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let built = builder.worker_threads(1).thread_name("bluetooth").enable_all().build();
        let runtime = built.map_err(|error| Trouble::NoBus(format!("no thread for it: {error}")))?;
        Ok(Self { runtime: Some(runtime) })
    }

    fn runtime(&self) -> &tokio::runtime::Runtime {
        self.runtime.as_ref().expect("it is there until the drop")
    }

    pub fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime().block_on(work)
    }

    pub fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> tokio::task::JoinHandle<T> {
        self.runtime().spawn(work)
    }
}

impl Drop for Worker {
    /// Waits for nothing: the owner may itself be inside a runtime.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
