//! Everything that is asked of BlueZ, against a fake one on a private bus.

mod faults;
mod pairing;
mod scanning;
mod serving;
mod support;
mod telling;
