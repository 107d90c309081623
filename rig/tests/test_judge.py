import tempfile
import unittest
from pathlib import Path

import numpy as np

from lab import judge, music
from lab.recording import Recording

RATE = 48_000
BEGIN_S = 1_000.0


class TheJudge(unittest.TestCase):
    def setUp(self) -> None:
        self.directory = tempfile.TemporaryDirectory()
        self.out = Path(self.directory.name)
        self.source = music.write(self.out / "source.wav", 8.0)
        self.samples, _ = judge.check_spread.read_wav(self.source)

    def tearDown(self) -> None:
        self.directory.cleanup()

    def record(self, name: str, channel: int, delay_s: float, ppm: float, leak: float = 0.0) -> Path:
        """A speaker that sounds one channel late, and some of the other."""
        path = self.out / f"{name}.wav"
        recording = Recording(path, RATE, 1)
        heard = self.samples[:, channel] + leak * self.samples[:, 1 - channel]
        # A converter that is `ppm` fast sounds what a follower feeds it: more frames in the same time.
        at = np.arange(int(len(heard) * (1.0 + ppm * 1e-6))) / (1.0 + ppm * 1e-6)
        recording.samples(np.interp(at, np.arange(len(heard)), heard).astype(np.float32)[:, None])
        recording.point(0, round((BEGIN_S + delay_s) * 1e9), RATE * (1.0 + ppm * 1e-6))
        recording.close()
        return path

    def test_finds_how_far_apart_two_speakers_are(self) -> None:
        left, right = self.record("left", 0, 0.3, 0.0), self.record("right", 1, 0.3 + 123.4e-6, 0.0)
        found = judge.spread(self.source, left, right, BEGIN_S)
        self.assertAlmostEqual(found.median_us(), 123.4, delta=0.2)
        self.assertEqual(found.share(), 1.0)

    def test_a_converter_that_is_fast_is_no_difference(self) -> None:
        left, right = self.record("left", 0, 0.1, 80.0), self.record("right", 1, 0.1, -80.0)
        self.assertLess(judge.spread(self.source, left, right, BEGIN_S).p95_us(), 2.0)

    def test_tells_a_channel_alone_from_one_with_some_of_the_other(self) -> None:
        self.assertGreater(judge.separation_db(self.source, self.record("left", 0, 0.1, 0.0), 0, BEGIN_S), 50.0)
        mixed = judge.separation_db(self.source, self.record("right", 1, 0.1, 0.0, leak=0.1), 1, BEGIN_S)
        self.assertAlmostEqual(mixed, 20.0, delta=1.5)

    def test_an_exchanged_channel_is_not_found(self) -> None:
        self.assertLess(judge.separation_db(self.source, self.record("left", 1, 0.1, 0.0), 0, BEGIN_S), 0.0)

    def test_counts_that_part_are_told(self) -> None:
        def link(skips: int) -> judge.Packets:
            sequence = np.arange(1_000)
            sequence[500:] += skips
            at = np.arange(1_000) * 0.02
            return judge.Packets(at, sequence, sequence * 960, np.full(1_000, 960), np.full(1_000, 600))

        self.assertEqual(judge.count_difference(link(0), link(0)), 0)
        self.assertEqual(judge.count_difference(link(0), link(3)), 2 * 960)

    def test_packets_that_only_one_link_was_sent_are_told(self) -> None:
        def link(first: int, left_out: set[int]) -> judge.Packets:
            number = np.array([n for n in range(first, 500) if n not in left_out])
            count = len(number)
            # A link that returned numbers its packets anew; their samples go on.
            return judge.Packets(number * 0.02, number - first, number * 960, np.full(count, 960), np.full(count, 600))

        whole = link(0, set())
        self.assertEqual(judge.unlike(whole, link(100, set()), 3.0, 9.0), 0)
        self.assertEqual(judge.unlike(whole, link(100, {300, 301}), 3.0, 9.0), 2)
        self.assertIsNone(judge.unlike(whole, link(490, set()), 3.0, 9.0))


if __name__ == "__main__":
    unittest.main()
