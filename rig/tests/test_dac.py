import unittest

import numpy as np

from lab.dac import Dac, DacModel
from lab.sbc import Samples

RATE = 48_000
PACKET = 960


class Bench:
    """A DAC and all that it sounded."""

    def __init__(self, **fields: object) -> None:
        self.sounded: list[Samples] = []
        self.points: list[tuple[int, int, float]] = []
        model = DacModel(**({"rate": RATE, "channels": 1, "delay_ms": 150.0} | fields))  # type: ignore[arg-type]
        self.dac = Dac(model, 0, self.sounded.append, lambda *point: self.points.append(point))
        self.sent = 0

    def send(self, packets: int, late_ns: int = 0) -> None:
        """Packets at their instants, the samples of which count up."""
        for _ in range(packets):
            at = self.sent * 1_000_000_000 // RATE + 1_000_000_000 + late_ns
            frames = np.arange(self.sent + 1, self.sent + PACKET + 1, dtype=np.float32)[:, None]
            self.dac.arrive(at, frames)
            self.sent += PACKET

    def finish(self) -> Samples:
        self.dac.advance(self.sent * 1_000_000_000 // RATE + 2_000_000_000)
        return np.concatenate(self.sounded)[:, 0]

    def second_of(self, frame: int) -> float:
        """When a frame of the recording sounded."""
        at = max(n for n, point in enumerate(self.points) if point[0] <= frame)
        first, ns, hz = self.points[at]
        return ns / 1e9 + (frame - first) / hz


class TheDac(unittest.TestCase):
    def test_sounds_a_stream_its_delay_after_the_first_packet(self) -> None:
        bench = Bench()
        bench.send(100)
        heard = bench.finish()
        self.assertAlmostEqual(bench.second_of(int(np.argmax(heard == 1.0))), 1.150, places=4)

    def test_follows_the_rate_of_what_comes_whatever_its_crystal(self) -> None:
        for ppm in (-100.0, 100.0):
            bench = Bench(ppm=ppm)
            bench.send(60 * 50)
            heard = bench.finish()
            frame = int(np.argmax(heard == 55.0 * RATE))
            self.assertAlmostEqual(bench.second_of(frame), 1.150 + 55.0, delta=0.0005)
            self.assertEqual(bench.dac.counts.dropped_frames, 0)

    def test_drifts_where_it_cannot_follow(self) -> None:
        bench = Bench(ppm=100.0, follow_ppm=0.0)
        bench.send(60 * 50)
        heard = bench.finish()
        self.assertAlmostEqual(bench.second_of(int(np.argmax(heard == 55.0 * RATE))), 56.150 - 55e-4, delta=0.0002)

    def test_plays_early_by_what_is_missing(self) -> None:
        bench = Bench(follow_ppm=0.0)
        bench.send(100)
        bench.sent += PACKET
        bench.send(100)
        heard = bench.finish()
        after = int(np.argmax(heard == 150.0 * PACKET))
        self.assertAlmostEqual(bench.second_of(after), 1.150 + 150 * 0.02 - 0.02, delta=0.001)

    def test_goes_on_or_fills_its_buffer_again_after_an_underrun(self) -> None:
        for policy, silence_s in (("silence", 0.150), ("rebuffer", 0.300)):
            bench = Bench(underrun=policy, follow_ppm=0.0)
            bench.send(100)
            bench.send(100, late_ns=300_000_000)
            heard = bench.finish()
            first, last = int(np.argmax(heard == 100.0 * PACKET)), int(np.argmax(heard == 100.0 * PACKET + 1))
            self.assertAlmostEqual((last - first) / RATE, silence_s, delta=0.025, msg=policy)

    def test_drops_what_its_buffer_cannot_hold(self) -> None:
        bench = Bench(overrun_ms=200.0)
        bench.dac.arrive(1_000_000_000, np.ones((RATE, 1), np.float32))
        self.assertEqual(bench.dac.counts.dropped_frames, RATE - RATE // 5)


if __name__ == "__main__":
    unittest.main()
