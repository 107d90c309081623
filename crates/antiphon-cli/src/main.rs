//! Law: arguments as typed -> plan as meant -> work; data on stdout, everything else on stderr.
//!
//! The `antiphon` program. Whatever goes wrong ends in one sentence that names the thing and the
//! remedy, and in an exit code of [`exit::Exit`].

mod args;

mod plan;

mod exit;

mod terminal;

mod signals;

mod dirs;

mod columns;

mod names;

mod find;

mod hub;

mod services;

mod queue;

mod members;

mod saved;

mod speaker;

mod play;

mod pair;

mod status;

mod settings;

mod access;
mod join;

mod group;

mod service;

mod instruments;

mod load;

mod generate;

mod lab;

mod demo;

mod bluetooth;

mod told;

mod advice;

mod doctor;

mod outputs;

mod miio;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Verb};
use exit::{Exit, Failure};

fn main() -> ExitCode {
    let args = Args::parse();
    terminal::start_log(&args);
    match work(args.verb) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            terminal::complain(&failure);
            failure.exit.into()
        }
    }
}

fn work(verb: Verb) -> Result<Exit, Failure> {
    match verb {
        Verb::Demo(args) => {
            let stop = signals::stop_flag()?;
            match demo::run(&args, &stop) {
                Err(demo::DemoError::Interrupted) => Ok(Exit::Interrupted),
                done => done.map(demo_exit).map_err(|error| Failure::failed(error.to_string())),
            }
        }
        Verb::Hub(args) => hub::run(args),
        Verb::Speaker(args) => speaker::run(args),
        Verb::Play(args) => play::run(args),
        Verb::Status(args) => status::run(&args),
        Verb::Speakers(args) => status::speakers(&args),
        Verb::Outputs(args) => outputs::run(&args),
        Verb::Volume(args) => settings::volume(&args),
        Verb::Delay(args) => settings::delay(&args),
        Verb::Role(args) => settings::role(&args),
        Verb::Rename(args) => settings::rename(&args),
        Verb::Codec(args) => settings::codec(&args),
        Verb::Latency(args) => settings::latency(&args),
        Verb::Queue(args) => queue::run(&args),
        Verb::Ctl(args) => settings::ctl(&args),
        Verb::Signal(args) => lab::signal(args),
        Verb::Measure(args) => lab::measure(&args),
        Verb::Calibrate(args) => lab::calibrate(&args),
        Verb::Bluetooth(args) => bluetooth::run(&args),
        Verb::Pair(args) => pair::run(&args),
        Verb::Check(args) => advice::check(&args),
        Verb::Guide(args) => advice::guide(&args),
        Verb::Explain(args) => advice::explain(&args),
        Verb::Miio(args) => miio::run(&args),
        Verb::Doctor(args) => doctor::run(&args),
        Verb::Catalog(args) => advice::catalog(&args),
        Verb::Join(args) => join::run(&args),
        Verb::Access(args) => access::run(&args),
        Verb::Group(args) => group::run(&args),
        Verb::Impair(args) => instruments::impair(args),
        Verb::Witness(args) => instruments::witness(args),
        Verb::Load(args) => load::run(args),
        Verb::Completions { shell } => generate::completions(shell),
        Verb::Man => generate::man(),
    }
}

/// Figures that the machine's own stalls have spoilt are no figures.
fn demo_exit(told: demo::Told) -> Exit {
    let (conclusive, together) = match told {
        demo::Told::Played(report) => (report.conclusive, report.in_time),
        demo::Told::Calibrated(report) => (report.after.conclusive, report.together),
    };
    match (conclusive, together) {
        (false, _) => Exit::Untrustworthy,
        (true, false) => Exit::Failed,
        (true, true) => Exit::Ok,
    }
}
