//! THD+N of a stretch of a recorded tone, as one line of JSON.
//!
//! `cargo run -p antiphon-measure --example distortion -- RECORDING.wav FIRST_FRAME FRAMES`

use std::error::Error;
use std::path::Path;

use antiphon_measure::recording::read_wav;
use antiphon_measure::thd;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [recording, first, frames] = args.as_slice() else {
        return Err("usage: distortion RECORDING.wav FIRST_FRAME FRAMES".into());
    };
    let (first, frames): (usize, usize) = (first.parse()?, frames.parse()?);
    let wav = read_wav(Path::new(recording))?;
    let mono: Vec<f32> = wav.samples.iter().step_by(wav.channels).copied().collect();
    let part = first.checked_add(frames).and_then(|end| mono.get(first..end));
    let part = part.ok_or_else(|| format!("{recording} has only {} frames", mono.len()))?;
    let found = thd::analyse(part, f64::from(wav.rate.hz())).ok_or("there is no tone in this part")?;
    println!(
        "{{\"frequency_hz\":{:.3},\"level_dbfs\":{:.3},\"thd_n_db\":{:.2},\"strict_db\":{:.2}}}",
        found.frequency_hz, found.level_dbfs, found.thd_n_db, found.strict_db
    );
    Ok(())
}
