//! `antiphon load`

use antiphon_api::json;
use antiphon_base::Span;
use antiphon_speaker::{LoadConfig, LoadReport};

use crate::args::LoadArgs;
use crate::exit::{Exit, Failure};
use crate::{dirs, signals, terminal};

/// Plays many speakers, then says what became of their packets.
pub fn run(args: LoadArgs) -> Result<Exit, Failure> {
    let config = LoadConfig {
        hub: args.hub.to_string(),
        speakers: usize::from(args.speakers),
        time: args.seconds.map(|s| Span::from_s(i64::from(s))),
        state_dir: dirs::state()?,
        runtime_dir: dirs::runtime()?,
        codec: args.codec,
    };
    let stop = signals::stop_flag()?;
    let report = antiphon_speaker::load(&config, &stop).map_err(|e| Failure::failed(e.to_string()))?;
    let text = if args.json { as_json(&report) } else { as_text(&report) };
    terminal::print(&text);
    Ok(Exit::Ok)
}

fn as_json(report: &LoadReport) -> String {
    let mut text = String::from_utf8_lossy(&json::write(report)).into_owned();
    text.push('\n');
    text
}

fn as_text(report: &LoadReport) -> String {
    let LoadReport { speakers, connected, synced, broken, seconds, .. } = report;
    let LoadReport { received, lost, late, recovered, nacked, refused, exchanges, .. } = report;
    let margin = report.least_margin_ms.map_or("-".to_owned(), |ms| format!("{ms:.1} ms"));
    format!(
        "{connected} of {speakers} speakers connected, {synced} in sync, {broken} connections broken, {seconds:.1} s\n\
         packets: {received} received, {lost} lost, {late} late, {recovered} recovered, {nacked} asked for, \
         {refused} refused; least margin {margin}\n\
         clock: {exchanges} exchanges\n\
         this process: {:.1} % of one core, {:.1} MB\n",
        report.cpu_percent,
        report.rss_kb as f64 / 1024.0,
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use antiphon_hub::{HubDaemon, HubOptions};

    use super::*;

    #[test]
    fn three_speakers_of_one_process_are_paired_and_learn_the_hubs_time() {
        let dir = tempfile::tempdir().unwrap();
        let hub = HubDaemon::start(HubOptions {
            listen: "127.0.0.1:0".parse().unwrap(),
            name: "hub".into(),
            latency: Span::from_ms(200),
            open: false,
            state_dir: dir.path().join("hub"),
            runtime_dir: dir.path().join("run"),
            mdns: false,
            https: None,
        })
        .unwrap();
        let config = LoadConfig {
            hub: hub.listen().to_string(),
            speakers: 3,
            time: Some(Span::from_ms(500)),
            state_dir: dir.path().join("speakers"),
            runtime_dir: dir.path().join("run"),
            codec: antiphon_proto::session::Codec::L24,
        };
        let report = antiphon_speaker::load(&config, &Arc::default()).unwrap();
        hub.stop();
        assert_eq!((report.connected, report.broken, report.refused), (3, 0, 0));
        assert!(report.exchanges >= 9, "{report:?}");
        assert!(as_text(&report).starts_with("3 of 3 speakers connected"));
    }
}
