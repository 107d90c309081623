//! What a thread that must be on time asks of the scheduler. All of it is a wish: where the system
//! refuses, the thread is later, and whoever measures sees it.

use nix::libc;

/// Lets this thread's timers fire to the nanosecond: the kernel delays an ordinary thread's timers
/// by up to 50 us so that it may gather wake-ups.
pub fn precise_timers() {
    let _ = nix::sys::prctl::set_timerslack(1);
}

/// Runs this thread before all ordinary ones (SCHED_FIFO, at a low real-time priority), as sound
/// servers do. Says whether the system allowed it: root, or a limit on RTPRIO. Threads made by it
/// are ordinary ones.
pub fn real_time_priority() -> bool {
    // Above nothing but other programs' ordinary threads: the kernel's own stay far above.
    let param = libc::sched_param { sched_priority: 5 };
    // SAFETY: `param` is a valid sched_param for the duration of the call; 0 is this thread.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK, &param) == 0 }
}

/// Lets every other thread of the machine go before this one, as `nice -n 10` does: for work that nobody
/// waits for by the clock.
pub fn low_priority() {
    // SAFETY: no memory is involved; on Linux 0 is this thread alone. A refusal changes nothing.
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, 0, 10);
    }
}
