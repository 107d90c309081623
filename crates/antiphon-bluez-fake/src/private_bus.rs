//! A D-Bus broker of our own, in this process.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;

use busd::bus::Bus;
use tokio::sync::oneshot;

/// A bus that lives as long as this.
#[derive(Debug)]
pub struct PrivateBus {
    address: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl PrivateBus {
    /// Starts one on an abstract socket of this process.
    ///
    /// # Panics
    /// Where the kernel gives no socket or thread.
    pub fn start() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let asked = format!("unix:abstract=antiphon-bluez-{}-{number}", std::process::id());
        let (ready, is_ready) = std::sync::mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("private bus".into()).spawn(move || {
            zruntime::block_on(async {
                let mut bus = Bus::for_address(Some(&asked)).await.expect("an abstract socket");
                ready.send(bus.address().to_string()).expect("the starter waits");
                tokio::select! {
                    _ = bus.run() => {}
                    _ = stopped => {}
                }
            });
        });
        let address = is_ready.recv().expect("the bus starts");
        Self { address, stop: Some(stop), thread: Some(thread.expect("a thread")) }
    }

    /// In D-Bus's own form.
    pub fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for PrivateBus {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
