//! After another player has taken over: what it needs of this program, the hub or speakers, stays until it has ended.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use antiphon_api::Client;

use super::reach::Reach;
use crate::exit::Exit;

/// A list whose files have other channels is one programme after the other, with half a second between.
const LINGER: Duration = Duration::from_secs(2);

/// How often the hub is asked.
const LOOK: Duration = Duration::from_millis(100);

/// How a person ends this program before.
pub struct Wishes<'a> {
    /// A signal came.
    pub stop: &'a AtomicBool,
    /// Whether a key for it was pressed.
    pub quits: &'a dyn Fn() -> bool,
}

/// Waits until nobody needs this program any more; `say` tells people why it is still there.
pub fn outlast(reach: &mut Reach, client: &Client, wishes: &Wishes<'_>, say: &dyn Fn(&str)) -> Exit {
    let mut told = reach.is_own();
    say(match told {
        true => "another player has taken over; this program stays its hub until that ends",
        false => "another player has taken over",
    });
    let mut needed = Instant::now();
    while reach.lends() && needed.elapsed() < LINGER {
        if wishes.stop.load(Ordering::Acquire) {
            return Exit::Interrupted;
        }
        if (wishes.quits)() {
            return Exit::Ok;
        }
        if let Some(failure) = reach.failure() {
            say(&format!("antiphon: {failure}"));
        }
        if client.status().is_ok_and(|status| reach.is_needed(&status)) {
            needed = Instant::now();
            if !std::mem::replace(&mut told, true) {
                say("it plays on speakers of this program, which stay until it ends");
            }
        }
        std::thread::sleep(LOOK);
    }
    Exit::Ok
}
