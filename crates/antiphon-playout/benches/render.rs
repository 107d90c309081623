//! What the audio thread costs: share of one core for 48 kHz in periods of 256 frames.

use std::time::Instant;

use antiphon_base::{Chunk, Epoch, Frames, SampleRate, Span};
use antiphon_playout::{Command, Renderer, RendererConfig, Target};

const PERIOD: i64 = 256;
const PERIODS: i64 = 48_000 * 60 / PERIOD;

fn share_of_a_core(channels: u16) -> (f64, f64) {
    let (mut renderer, mut controller) = Renderer::new(RendererConfig {
        dac_rate: SampleRate::MEDIA,
        channels,
        ring: Span::from_s(2),
        max_period: Frames(PERIOD),
    });
    let mut out = vec![0.0; PERIOD as usize * usize::from(channels)];
    let (mut total, mut worst) = (0.0, 0.0f64);
    for period in 0..PERIODS {
        let first = Frames(period * PERIOD);
        let samples =
            (0..PERIOD as usize * usize::from(channels)).map(|n| (n as f32 * 0.1).sin() * 0.5).collect();
        let chunk = Chunk { epoch: Epoch(1), first_frame: first, channels, samples };
        controller.push(chunk).expect("the renderer empties the queue every period");
        let target = Target {
            epoch: Epoch(1),
            media_frame: Frames(0),
            dac_frame: 960.0,
            media_per_dac: 1.0 - 50e-6,
            start: Some(Frames(0)),
            trusted: true,
        };
        controller.command(Command::Target(target)).expect("the renderer empties the queue every period");
        let before = Instant::now();
        renderer.render(first, &mut out);
        let took = before.elapsed().as_secs_f64();
        total += took;
        worst = worst.max(took);
    }
    (total / (PERIODS * PERIOD) as f64 * 48_000.0 * 100.0, worst * 1e6)
}

fn main() {
    for channels in [1, 2] {
        let (share, worst_us) = share_of_a_core(channels);
        println!("{channels} channel(s): {share:.2} % of a core, longest period {worst_us:.0} us");
    }
}
