//! The program from outside: real processes, their sentences, their exit codes and what they play.

mod house;

mod conclusive;

mod sentences;

mod playing;

mod two_players;

mod bluetooth;

mod lab;

mod lists;

mod mpris;

mod bluetooth_verbs;

mod pairing;

mod advice;

mod doctor;

mod sound_server;

mod pulse;

#[cfg(feature = "alsa")]
mod alsa;

mod inputs;

mod miio;

mod radio;

mod services;
