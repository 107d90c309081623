//! Law: pure crates only; no clock reads, sockets, threads or hash-map iteration; every random
//! number comes from a seed that is passed in.
//!
//! A world in virtual time: clocks that drift and wander, networks that delay and lose, sound
//! cards with clocks of their own; and tables of how well the estimators do in it. The oracle
//! knows [`True`](antiphon_base::True) time; what is under test never sees it.

pub mod rng;

pub mod clock;

pub mod network;

pub mod sound_card;

pub mod clock_table;

pub mod world;

pub mod scenario;

pub mod room;

pub mod follow_table;
