// What the hub says and takes, as crates/antiphon-api defines it. Fields are only ever added under one schema number, so
// what this page does not know it ignores.

export type ProgrammeState = "idle" | "waiting" | "starting" | "playing" | "paused" | "ended";

export interface Status {
  schema: number;
  hub: HubStatus;
  programme: ProgrammeStatus;
  speakers: SpeakerStatus[];
}

export interface HubStatus {
  name: string;
  version: string;
  listen: string;
  open: boolean;
  latency_us: number;
  uptime_s: number;
  clock: number;
}

export interface ProgrammeStatus {
  state: ProgrammeState;
  title: string;
  /** Of a station: what it says that it plays. */
  on_air?: string;
  position_s: number;
  duration_s: number | null;
  track?: { number: number; of: number };
  missing: string[];
  starved: number;
  held_us?: number;
}

export interface SpeakerStatus {
  id: string;
  name: string;
  address: string | null;
  sealed: boolean;
  /** It is a page in a browser: `sealed` then says whether it came over HTTPS. */
  browser?: boolean;
  streaming: boolean;
  role: string;
  codec: string;
  gain_db: number;
  muted: boolean;
  volume?: number;
  delay_us: number;
  latency_us: number;
  output: string;
  software: string;
  calibration: CalibrationStatus | null;
  link?: LinkStats;
  silent_ms: number;
  sent: { packets: number; bytes: number; retransmitted: number };
  report: SpeakerReport | null;
}

export interface SpeakerReport {
  state: string;
  synced: boolean;
  offset_us: number | null;
  offset_sd_us: number | null;
  skew_ppm: number | null;
  rtt_us: number | null;
  dac_ppm: number;
  dac_sd_us: number;
  phase_error_us: number;
  buffer_ms: number;
  margin_ms: number;
  packets: PacketCounts;
  concealed_ms: number;
  underruns: number;
  slips: number;
  reprimes: number;
  peak_db: number;
  cpu_percent: number;
  rss_kb: number;
}

export interface PacketCounts {
  received: number;
  late: number;
  lost: number;
  recovered: number;
}

export interface LinkStats {
  state: "unknown" | "connecting" | "up" | "stalled" | "down";
  why: string;
  needs_help: boolean;
  reported_us?: number;
  assumed_us?: number;
  delay_us: number;
  codec: string;
  volume?: number;
  battery?: number;
}

export interface CalibrationStatus {
  delay_us: number;
  gain_db: number;
  measured_at: number;
  age_s: number;
  grade: "good" | "usable";
  uncertainty_us: number;
  method: "place" | "equal_distance";
  verified: boolean;
  stale: string | null;
  previous: number;
}

export interface SpeakerPatch {
  /** What it is called from now on. */
  name?: string;
  role?: string;
  gain_db?: number;
  muted?: boolean;
  volume?: number;
  delay_us?: number;
  codec?: string;
}

export type TransportAction = "pause" | "resume" | "toggle" | "stop" | "seek" | "next" | "previous";

export type AccessRole = "none" | "listen" | "control" | "admin";

export interface Me {
  role: AccessRole;
  this_machine: boolean;
  hub: string;
  version: string;
  /** Where the encrypted page is, and its certificate's SHA-256. */
  https?: { port: number; fingerprint: string };
}

export interface Queue {
  items: QueueItem[];
  current: string | null;
  /** The hub's own player is at work. */
  playing: boolean;
  /** What a station says that it plays. */
  on_air?: string;
  /** What went wrong last, and what to do. */
  problem?: string;
  repeat: boolean;
  shuffle: boolean;
}

export interface QueueItem {
  key: string;
  title: string;
  artist: string | null;
  duration_s: number | null;
  from: string;
  /** Of a file of the library: its id, which has the cover. */
  library?: string;
  /** Of a file of the library: whether it has a cover. Absent: it may have one. */
  art?: boolean;
}

export type QueueAdd = { library: string } | { url: string } | { upload: string } | { signal: string };
export type QueuePlace = "now" | "next" | "last";

export interface Library {
  folder: Folder;
  folders: Folder[];
  files: LibraryFile[];
  total: number;
  /** The folders are being read: there may soon be more. */
  reading: boolean;
}

export interface Folder {
  id: string;
  name: string;
  parent?: string;
}

export interface LibraryFile {
  id: string;
  title: string;
  artist: string | null;
  album: string | null;
  track: number | null;
  duration_s: number | null;
  art: boolean;
}

export interface Upload {
  id: string;
  name: string;
  bytes: number;
}

export interface Job {
  id: string;
  kind: string;
  state: "running" | "done" | "failed" | "cancelled";
  progress: number;
  message: string;
  result?: JobResult;
  error?: { message: string };
}

export interface JobResult {
  measurement?: Measurement;
  calibration?: Calibrate;
  doctor?: Doctor;
}

export interface Signal {
  name: string;
  about: string;
  seconds: number;
}

export interface JoinCode {
  id: string;
  code: string;
  url: string;
  https_url?: string;
  fingerprint?: string;
  expires_in_s: number;
}

export interface JoinCodeStatus {
  id: string;
  expires_in_s: number;
  speakers: string[];
}

export interface PairingCode {
  code: string;
  expires_s: number;
}

export interface Group {
  name: string;
  kind: string;
  members: { speaker: string; role: string }[];
}

export interface AccessEntry {
  id: string;
  name: string;
  role: AccessRole;
  since: number;
  used_s: number | null;
  is_me: boolean;
}

/** Six digits that let one device in. */
export interface AccessCode {
  code: string;
  role: AccessRole;
  expires_s: number;
  url?: string;
}

// Measurements

export interface Measurement {
  grade: "good" | "usable" | "not_trustworthy";
  reasons: string[];
  verdict: string;
  findings: { kind: string; severity: string; message: string }[];
  channels: Channel[];
  pairs: Pair[];
}

export interface Channel {
  name: string;
  heard: boolean;
  arrival_us: number | null;
  uncertainty_us: number | null;
  level_db: number | null;
}

export interface Pair {
  a: string;
  b: string;
  delay_us: number;
  uncertainty_us: number;
  level_diff_db: number;
  class: string;
}

export interface Calibrate {
  outcome: "kept" | "nothing_to_do" | "put_back" | "refused" | string;
  reasons: string[];
  before: Measurement;
  corrections: { name: string; delay_us: number; gain_db: number }[];
  after: Measurement | null;
}

export interface Doctor {
  worst: string;
  findings: { area: string; id: string; level: string; what: string; todo: string[] }[];
}

// Advice

export interface Proof {
  evidence: "claimed" | "documented" | "measured" | "refuted" | string;
  source: string;
  address: string | null;
  place: string | null;
  because: string | null;
}

export interface Check {
  speakers: { typed: string; name: string | null; nearest: string[] }[];
  alike: boolean;
  source: string;
  verdict: string;
  best: string;
  methods: Method[];
  facts: { of: string; text: string; proof: Proof }[];
}

export interface Method {
  id: string;
  title: string;
  sound: string;
  standing: string;
  why: string;
  latency_ms: number | null;
  latency_proof: Proof | null;
  proofs: Proof[];
  gates: Gate[];
  says: { text: string; proof: Proof }[];
  how: string[];
}

export interface Gate {
  what: string;
  need: string;
  have: string | null;
  met: boolean | null;
  todo: string[];
  proof: Proof | null;
}

export interface Guide {
  id: string;
  title: string;
  model: string | null;
  later: string | null;
  needs: string[];
  steps: Step[];
}

export interface Step {
  id: string;
  task: string;
  run: string | null;
  see: string;
  check: string | null;
  otherwise: string[];
  back_to: string | null;
  proof: Proof | null;
}

export interface Explain {
  answers: { id: string; question: string; answer: string; claim: string | null; proof: Proof; todo: string[] }[];
}

export interface Catalogue {
  models: string[];
  guides: { id: string; title: string }[];
}

/** What the events socket says. */
export type HubEvent =
  | { type: "status"; status: Status }
  | { type: "job"; job: Job }
  | { type: "queue"; queue: Queue }
  | { type: "groups"; groups: Group[] }
  /** Nothing has changed, and the hub is there. */
  | { type: "alive" };
