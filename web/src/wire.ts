// The control messages of docs/protocol.md, sections 7 and "Browsers", as a browser speaker sends and reads them.
// Unknown types and fields are ignored, as the protocol asks; nothing here throws on what a hub says.

export type Role = "left" | "right" | "both" | "mono" | `ch${number}`;
export type Codec = "l16" | "l24" | "opus";

export interface Settings {
  role: string;
  gain_db: number;
  muted: boolean;
  /** Of the loudspeaker itself, 0 to 100; a browser multiplies its gain by the third power of it. */
  volume: number | undefined;
  /** Positive plays later. */
  delay_us: number;
  codec: string;
  latency_us: number;
}

export type RefusalCode =
  | "wrong_code"
  | "expired"
  | "full"
  | "bad_message"
  | "name_taken"
  | "protocol"
  | "unknown";

export type HubMessage =
  | { type: "joined"; ticket: string }
  | { type: "refused"; code: RefusalCode; message: string }
  | { type: "welcome"; session: number; clock: number; hubName: string; settings: Settings }
  | { type: "settings"; settings: Settings }
  | { type: "timeline"; epoch: number; firstFrame: number; presentationNs: number }
  | { type: "stop"; epoch: number; atNs: number }
  | { type: "goodbye"; reason: string };

export interface Hello {
  type: "hello";
  protocol: 1;
  name: string;
  software: string;
  codecs: Codec[];
  channels: number;
  output: string;
  /** A `Role`, or what the hub calls one. */
  role?: string;
  min_latency_us: number;
}

export interface Stats {
  type: "stats";
  state: "idle" | "buffering" | "playing" | "stopped" | "failed";
  offset_us: number;
  offset_sd_us: number;
  skew_ppm: number;
  rtt_us: number;
  synced: boolean;
  dac_ppm: number;
  dac_sd_us: number;
  phase_error_us: number;
  buffer_ms: number;
  margin_ms: number;
  packets: { received: number; late: number; lost: number; malformed: number };
  concealed_ms: number;
  underruns: number;
  slips: number;
  reprimes: number;
  exchanges: number;
  peak_db: number;
  min_latency_us: number;
}

export type BrowserMessage =
  | { type: "join"; code?: string; key: string }
  | { type: "clock"; session: number; ticket: string }
  | { type: "goodbye"; reason: string }
  | Hello
  | Stats;

/** The longest text that section 7 allows. */
const MAX_TEXT = 16_384;
const REFUSALS: readonly string[] = ["wrong_code", "expired", "full", "bad_message", "name_taken", "protocol"];

/** `undefined` for text that is no message (the connection is at fault), `"ignored"` for types not known here. */
export function readHubMessage(text: string): HubMessage | "ignored" | undefined {
  const object = text.length <= MAX_TEXT ? parseObject(text) : undefined;
  if (!object || typeof object["type"] !== "string") return undefined;
  switch (object["type"]) {
    case "joined":
      return { type: "joined", ticket: string(object["ticket"]) };
    case "refused":
      return { type: "refused", code: refusal(object["code"]), message: string(object["message"]) };
    case "welcome":
      return {
        type: "welcome",
        session: number(object["session"], 0),
        clock: number(object["clock"], 0),
        hubName: string(object["hub_name"]),
        settings: settings(record(object["settings"])),
      };
    case "settings":
      return { type: "settings", settings: settings(object) };
    case "timeline":
      return {
        type: "timeline",
        epoch: number(object["epoch"], 0),
        firstFrame: number(object["first_frame"], 0),
        presentationNs: number(object["presentation_ns"], 0),
      };
    case "stop":
      return { type: "stop", epoch: number(object["epoch"], 0), atNs: number(object["at_ns"], 0) };
    case "goodbye":
      return { type: "goodbye", reason: string(object["reason"]) };
    default:
      return "ignored";
  }
}

function settings(object: Record<string, unknown>): Settings {
  const volume = object["volume"];
  return {
    role: string(object["role"]) || "both",
    gain_db: clamp(number(object["gain_db"], 0), -100, 12),
    muted: object["muted"] === true,
    volume: typeof volume === "number" ? clamp(volume, 0, 100) : undefined,
    delay_us: clamp(number(object["delay_us"], 0), -2_000_000, 2_000_000),
    codec: string(object["codec"]),
    latency_us: clamp(number(object["latency_us"], 1_000_000), 5_000, 10_000_000),
  };
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? record(value) : undefined;
  } catch {
    return undefined;
  }
}

const record = (value: unknown): Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
const string = (value: unknown): string => (typeof value === "string" ? value : "");
const number = (value: unknown, otherwise: number): number =>
  typeof value === "number" && Number.isFinite(value) ? value : otherwise;
const refusal = (value: unknown): RefusalCode =>
  REFUSALS.includes(string(value)) ? (value as RefusalCode) : "unknown";
const clamp = (value: number, least: number, most: number): number => Math.min(most, Math.max(least, value));
