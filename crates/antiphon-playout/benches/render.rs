//! What the audio thread costs: share of one core for 48 kHz in periods of 256 frames.
//!
//! Counted in time on the processor, not by the clock, so that a busy machine measures the same.

use antiphon_base::{Chunk, Epoch, Frames, SampleRate, Span};
use antiphon_playout::{Command, Filter, Renderer, RendererConfig, Target};

const PERIOD: i64 = 256;
const PERIODS: i64 = 48_000 * 60 / PERIOD;

/// Nanoseconds that this thread has run, from Linux's scheduler.
fn on_processor_ns() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("this bench needs Linux");
    stat.split(' ').next().and_then(|ns| ns.parse().ok()).expect("the first field is a number")
}

/// Includes the copying of each chunk, as a decoder's thread would do.
fn share_of_a_core(channels: u16, filter: Filter) -> f64 {
    let (mut renderer, mut controller) = Renderer::new(RendererConfig {
        dac_rate: SampleRate::MEDIA,
        channels,
        ring: Span::from_s(2),
        max_period: Frames(PERIOD),
        filter,
    });
    let mut out = vec![0.0; PERIOD as usize * usize::from(channels)];
    let samples: Vec<f32> =
        (0..PERIOD as usize * usize::from(channels)).map(|n| (n as f32 * 0.1).sin() * 0.5).collect();
    let before = on_processor_ns();
    for period in 0..PERIODS {
        let first = Frames(period * PERIOD);
        let chunk = Chunk { epoch: Epoch(1), first_frame: first, channels, samples: samples.clone() };
        controller.push(chunk).expect("the renderer empties the queue every period");
        let target = Target {
            epoch: Epoch(1),
            media_frame: Frames(0),
            dac_frame: 960.0,
            media_per_dac: 1.0 - 50e-6,
            start: Some(Frames(0)),
            moves: 0,
            trusted: true,
        };
        controller.command(Command::Target(target)).expect("the renderer empties the queue every period");
        renderer.render(first, &mut out);
    }
    let took = on_processor_ns() - before;
    let played_ns = (PERIODS * PERIOD) as f64 / 48_000.0 * 1e9;
    took as f64 / played_ns * 100.0
}

fn main() {
    for filter in [Filter::Transparent, Filter::Coded] {
        for channels in [1, 2] {
            println!(
                "{channels} channel(s), {filter:?}: {:.2} % of a core",
                share_of_a_core(channels, filter)
            );
        }
    }
}
