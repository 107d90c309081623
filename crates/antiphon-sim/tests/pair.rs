//! Two speakers, one programme: the whole system by its samples.

use antiphon_base::{Ppm, Span};
use antiphon_sim::network::{DelayModel, LossModel};
use antiphon_sim::scenario::{Outcome, Scenario};

const NETWORKS: [(&str, DelayModel); 3] =
    [("LAN", DelayModel::LAN), ("quiet Wi-Fi", DelayModel::QUIET_WIFI), ("busy Wi-Fi", DelayModel::BUSY_WIFI)];

fn row(name: &str, outcome: &Outcome) -> String {
    let s = &outcome.report.all;
    let sync = outcome.report.opening.start_to_sync.map_or(-1.0, |t| t.as_ms_f64());
    let first = outcome.report.opening.first_spread_us.unwrap_or(f64::NAN);
    format!(
        "{name:<34} {:>7.1} {:>7.1} {:>7.1} {:>7.1} {:>9.0} {:>9.1} {:>9.1e} {:>9} {:>9.1} {:>6.1} {:>7.1}\n",
        s.p50, s.p95, s.p99, s.max, sync, first, outcome.residual_loss, outcome.recovered, outcome.concealed_ms,
        outcome.coverage * 100.0, outcome.stated_us
    )
}

const HEAD: &str = "two speakers, 60 s of music            p50     p95     p99     max  sync, ms first, us  residual recovered concealed  in 95% +-95,us\n";

#[test]
fn a_pair_in_a_wired_network_is_a_stereo_pair() {
    let outcome = Scenario { music: Span::from_s(20), ..Scenario::default() }.run().unwrap();
    print!("{HEAD}{}", row("LAN", &outcome));
    assert!(outcome.report.all.p99 < 20.0);
}

#[test]
#[ignore = "slow: the committed table of networks and losses"]
fn table() {
    let mut text = HEAD.to_owned();
    for (network, delay) in NETWORKS {
        for (loss_name, share) in [("0 %", 0.0), ("10 %", 0.1), ("20 %", 0.2)] {
            for drift in [0.0, 40.0] {
                let loss = LossModel { share, mean_burst: Span::from_ms(20) };
                let scenario = Scenario { delay, loss, drift: Ppm(drift), ..Scenario::default() };
                text += &row(&format!("{network}, loss {loss_name}, +-{drift} ppm"), &scenario.run().unwrap());
            }
        }
    }
    print!("{text}");
}
