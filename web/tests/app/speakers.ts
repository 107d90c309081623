// Speakers and programmes as the hub tells them, for tests.
import type { SpeakerReport, SpeakerStatus, Status } from "../../src/app/api";

export function report(changes: Partial<SpeakerReport> = {}): SpeakerReport {
  return {
    state: "playing", synced: true, offset_us: 0, offset_sd_us: 1, skew_ppm: 0, rtt_us: 500, dac_ppm: 0, dac_sd_us: 0, phase_error_us: 0,
    buffer_ms: 200, margin_ms: 150, packets: { received: 1, late: 0, lost: 0, recovered: 0 }, concealed_ms: 0, underruns: 0, slips: 0,
    reprimes: 0, peak_db: -12, cpu_percent: 1, rss_kb: 1, ...changes,
  };
}

export function speaker(name: string, changes: Partial<SpeakerStatus> = {}): SpeakerStatus {
  return {
    id: name, name, address: null, sealed: true, streaming: true, role: "left", codec: "l24", gain_db: 0, muted: false, delay_us: 0,
    latency_us: 200_000, output: "pulse:card", software: "antiphon", calibration: null, silent_ms: 100,
    sent: { packets: 0, bytes: 0, retransmitted: 0 }, report: report(), ...changes,
  };
}

export function playing(...speakers: SpeakerStatus[]): Status {
  return {
    schema: 1,
    hub: { name: "house", version: "0", listen: "", open: false, latency_us: 200_000, uptime_s: 1, clock: 1 },
    programme: { state: "playing", title: "t", position_s: 1, duration_s: 10, missing: [], starved: 0 },
    speakers,
  };
}
