//! Figures of the follower, as JSON: pieces x drift x signal to noise.
//!
//! `cargo run --release -p antiphon-sim --example follow`

use antiphon_sim::follow_table::{FollowRow, FollowScenario, Piece, follow};

const SEEDS: std::ops::Range<u64> = 1..3;

fn main() {
    let mut rows = Vec::new();
    for piece in [Piece::Duet, Piece::Ballad, Piece::NearlyMono] {
        for drift_us_per_s in [0.0, 1.0, -1.0, 5.0] {
            for snr_db in [25.0, 15.0, 5.0] {
                rows.extend(SEEDS.map(|seed| row(piece, drift_us_per_s, snr_db, seed)));
            }
        }
    }
    println!("{{\"follow\": [\n{}\n]}}", rows.join(",\n"));
}

fn row(piece: Piece, drift_us_per_s: f64, snr_db: f64, seed: u64) -> String {
    let scenario = FollowScenario { snr_db, seed, ..FollowScenario::new(piece, drift_us_per_s) };
    let looks = follow(&scenario);
    let row = FollowRow::new(&looks);
    let sure_after = row.sure_after_s.map_or("null".to_owned(), |s| format!("{s:.1}"));
    let said = looks.last().map_or(String::new(), |l| l.state.certainty.to_string());
    format!(
        "  {{\"piece\": \"{}\", \"drift_us_per_s\": {drift_us_per_s}, \"snr_db\": {snr_db}, \"seed\": {seed}, \
         \"sure_after_s\": {sure_after}, \"error_at_60_s_us\": {:.1}, \"stated_us\": {:.1}, \"worst_us\": {:.1}, \
         \"covered_percent\": {:.0}, \"sure_percent\": {:.0}, \"says\": \"{said}\"}}",
        piece.name(),
        row.error_at_60_s_us,
        row.stated_us,
        row.worst_us,
        row.covered,
        row.sure,
    )
}
