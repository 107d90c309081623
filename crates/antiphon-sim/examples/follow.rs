//! Figures of the follower, as JSON: pieces x drift x signal to noise, each with music and a room of
//! its own. What is known of a delay is `null` where the follower is never sure.
//!
//! `cargo run --release -p antiphon-sim --example follow`

use antiphon_sim::follow_table::{FollowRow, FollowScenario, Piece, follow};

/// Other music and rooms than those that the follower's uncertainty was fitted to (11 to 34) and than
/// those of the tests (1).
const FIRST_SEED: u64 = 101;

fn main() {
    let mut worlds = Vec::new();
    for piece in [Piece::Duet, Piece::Ballad] {
        for drift_us_per_s in [1.0, -1.0, 5.0] {
            worlds.extend([25.0, 15.0].map(|snr_db| (piece, drift_us_per_s, snr_db)));
        }
    }
    worlds.push((Piece::NearlyMono, 1.0, 15.0));
    let rows: Vec<String> = worlds
        .into_iter()
        .zip(FIRST_SEED..)
        .map(|((piece, drift_us_per_s, snr_db), seed)| {
            row(&FollowScenario { snr_db, seed, ..FollowScenario::new(piece, drift_us_per_s) })
        })
        .collect();
    println!("{{\"follow\": [\n{}\n]}}", rows.join(",\n"));
}

fn row(scenario: &FollowScenario) -> String {
    let looks = follow(scenario);
    let row = FollowRow::new(&looks);
    let said = looks.last().map_or(String::new(), |l| l.state.certainty.to_string());
    let known = |value: f64| match row.sure_after_s {
        Some(_) => format!("{value:.1}"),
        None => "null".to_owned(),
    };
    format!(
        "  {{\"piece\": \"{}\", \"drift_us_per_s\": {}, \"snr_db\": {}, \"seed\": {}, \
         \"sure_after_s\": {}, \"error_at_60_s_us\": {}, \"stated_us\": {}, \"worst_us\": {}, \
         \"covered_percent\": {:.0}, \"sure_percent\": {:.0}, \"says\": \"{said}\"}}",
        scenario.piece.name(),
        scenario.drift_us_per_s,
        scenario.snr_db,
        scenario.seed,
        known(row.sure_after_s.unwrap_or(0.0)),
        known(row.error_at_60_s_us),
        known(row.stated_us),
        known(row.worst_us),
        row.covered,
        row.sure,
    )
}
