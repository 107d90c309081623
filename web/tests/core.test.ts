import { expect, test } from "vitest";
import { SpeakerCore } from "../src/engine/core";

/** Half a minute of an output of which `latencyMs` are rendered ahead, and up to `more` besides, from block to block. */
function latencies(core: SpeakerCore, latencyMs: number, more: number): Set<number> {
  const found = new Set<number>();
  for (let t = 1; t < 30; t += 0.025) {
    const aheadS = (latencyMs + more * ((t * 3.9) % 1)) / 1e3;
    core.handleReading({ nowNs: (20 + t) * 1e9, currentS: t + aheadS, stampS: t, stampNs: (20 + t) * 1e9, latencyS: aheadS });
    found.add(core.minLatency());
  }
  return found;
}

test("what is rendered ahead goes up and down by two blocks, and asks for no other latency", () => {
  expect([...latencies(new SpeakerCore(48_000, 5e3), 60, 45)]).toEqual([600_000]);
});

test("an output that is later than was thought asks for a longer latency once", () => {
  const found = [...latencies(new SpeakerCore(48_000, 5e3), 250, 45)];
  expect(found.length).toBe(1);
  expect(found[0]).toBeGreaterThanOrEqual(770_000);
});
