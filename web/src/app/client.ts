// Requests to the hub. An answer that is not a success becomes a `Refusal` with the hub's own sentence.

import { capital } from "./format";
import { t } from "./strings";

export class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
    /** The hub gave no reason. */
    readonly bare = false,
  ) {
    super(message);
  }

  /** The hub was built without this part: it knows no such address, which is not the same as no such thing. */
  get isMissing(): boolean {
    return this.status === 404 && (this.bare || /nothing at this address/.test(this.message));
  }
}

const BASE = "/api/v1/";

/** A hub answers within milliseconds; what takes longer is a job. */
const PATIENCE_MS = 15_000;

export async function get<T>(path: string): Promise<T> {
  return request<T>("GET", path);
}

export async function send<T = void>(method: "POST" | "PUT" | "PATCH" | "DELETE", path: string, body?: unknown): Promise<T> {
  return request<T>(method, path, body === undefined ? undefined : JSON.stringify(body));
}

async function request<T>(method: string, path: string, body?: string): Promise<T> {
  const headers: Record<string, string> = body === undefined ? {} : { "content-type": "application/json" };
  const init: RequestInit = { method, headers, signal: AbortSignal.timeout(PATIENCE_MS), ...(body === undefined ? {} : { body }) };
  const answer = await fetch(BASE + path, init).catch(() => {
    throw new Refusal(0, t.errors.unreachable);
  });
  return read<T>(answer.status, await answer.text());
}

function read<T>(status: number, text: string): T {
  if (status >= 200 && status < 300) return (text === "" ? undefined : parsed(text)) as T;
  throw refusal(status, text);
}

/** What an answer that is no success says: problem+json's `detail`, or the older `message`. */
export function refusal(status: number, text: string): Refusal {
  const body = parsed(text) as { detail?: unknown; message?: unknown } | null;
  const sentence = [body?.detail, body?.message].find((said) => typeof said === "string" && said !== "");
  if (typeof sentence !== "string") return new Refusal(status, t.errors.status(status), true);
  return new Refusal(status, asSentence(sentence));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** The hub's messages are written to follow "antiphon: ". */
export function asSentence(text: string): string {
  const first = capital(text.trim());
  return /[.!?]$/.test(first) ? first : `${first}.`;
}

/** Sends a file as it is, and says how far it is (0 to 1): `fetch` cannot tell. */
export function upload<T>(path: string, file: Blob, progress: (part: number) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", BASE + path);
    request.setRequestHeader("content-type", "application/octet-stream");
    request.upload.onprogress = (event) => {
      if (event.lengthComputable) progress(event.loaded / event.total);
    };
    request.onerror = () => reject(new Refusal(0, t.errors.unreachable));
    request.onload = () => {
      try {
        resolve(read<T>(request.status, request.responseText));
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    };
    request.send(file);
  });
}

export function sentenceOf(error: unknown): string {
  return error instanceof Refusal ? error.message : t.errors.page(String(error));
}

export function isMissing(error: unknown): boolean {
  return error instanceof Refusal && error.isMissing;
}
