//! How well clocks are known, in numbers: the tables are committed, so that a change of quality is
//! a diff, and what they must reach is asserted.

use antiphon_base::{Ppm, Span};
use antiphon_sim::clock_table::{
    CardRow, CardScenario, ClockRow, ClockScenario, card_table, measure, measure_card, table, watch_speaker,
};
use antiphon_sim::network::{DelayModel, LossModel};
use antiphon_sim::rng::Rng;

const SEEDS: std::ops::Range<u64> = 0..6;

fn row(name: &str, scenario: &ClockScenario) -> (String, ClockRow) {
    (name.to_owned(), measure(scenario, SEEDS))
}

/// What one network must reach.
struct Target {
    name: &'static str,
    delay: DelayModel,
    p50_us: f64,
    p99_us: f64,
    in_sync_s: f64,
}

const TARGETS: [Target; 3] = [
    Target { name: "LAN", delay: DelayModel::LAN, p50_us: 5.0, p99_us: 10.0, in_sync_s: 0.3 },
    Target { name: "quiet Wi-Fi", delay: DelayModel::QUIET_WIFI, p50_us: 5.0, p99_us: 25.0, in_sync_s: 1.0 },
    Target { name: "busy Wi-Fi", delay: DelayModel::BUSY_WIFI, p50_us: 13.0, p99_us: 65.0, in_sync_s: 6.0 },
];

#[test]
fn two_speakers_agree_on_the_hubs_clock() {
    let mut rows = Vec::new();
    for target in &TARGETS {
        for ppm in [20.0, 100.0] {
            let (name, row) =
                row(&format!("{}, +-{ppm} ppm", target.name), &ClockScenario::new(target.delay, Ppm(ppm)));
            assert!(
                row.spread_us[0] <= target.p50_us && row.spread_us[2] <= target.p99_us,
                "{name}: {row:?}"
            );
            assert!(row.in_sync_s[0] <= target.in_sync_s, "{name}: {row:?}");
            assert!(row.covered >= 95.0, "{name}: {row:?}");
            rows.push((name, row));
        }
    }
    let quiet = ClockScenario::new(DelayModel::QUIET_WIFI, Ppm(20.0));
    let loss = LossModel { share: 0.1, mean_burst: Span::from_ms(200) };
    rows.push(row("quiet Wi-Fi, +-20 ppm, 10 % loss", &ClockScenario { loss, ..quiet }));
    let there = DelayModel { base: quiet.back.base, ..DelayModel::BUSY_WIFI };
    rows.push(row("busy there, quiet back, +-20 ppm", &ClockScenario { there, ..quiet }));
    insta::assert_snapshot!("two_speakers", table(&rows));
}

#[test]
fn a_sound_cards_clock_is_known() {
    let rows = [(0.0, 240), (3.0, 240), (3.0, 60)].map(|(ppm, s)| {
        let scenario = CardScenario { warm_up: Ppm(ppm), warms_for: Span::from_s(s) };
        let name = format!("warms by {ppm} ppm, time constant {s} s");
        let row: CardRow = measure_card(&scenario, 0..16);
        assert!(row.rms_us[0] <= 15.0 && row.bias_us <= 2.0, "{name}: {row:?}");
        assert!(row.covered >= 95.0 && row.step_rms_us < 0.2, "{name}: {row:?}");
        (name, row)
    });
    insta::assert_snapshot!("sound_card", card_table(&rows));
}

#[test]
fn a_path_five_milliseconds_slower_one_way_puts_the_clock_out_by_half_of_it() {
    let lan = ClockScenario::new(DelayModel::LAN, Ppm(20.0));
    let there = lan.there.longer_by(Span::from_ms(5));
    let scenario = ClockScenario { there, lasts: Span::from_s(60), ..lan };
    let last = watch_speaker(&scenario, Ppm(20.0), &Rng::new(1)).pop().flatten().unwrap();
    assert!((last.error_us - 2_500.0).abs() < 10.0, "no filter sees it, and it is stated apart: {last:?}");
}
