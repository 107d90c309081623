"""From a speaker's packets to its recording: order, decode, sound."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from bumble.avdtp import MediaPacket

from lab import sbc
from lab.dac import Dac, DacModel
from lab.model import SpeakerModel
from lab.recording import Recording

# The converter's thread looks so often: well within the buffers of all models.
LOOK_S = 0.02


def raw_ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)


class Player:
    def __init__(self, model: SpeakerModel, out: Path, event: Callable[..., None]) -> None:
        self.model, self.out, self.event = model, out, event
        self.delay_ms = model.delay_ms
        self.packets = (out / f"{model.name}.packets.csv").open("w", buffering=1)
        self.packets.write("raw_ns,sequence,timestamp,frames,samples,bytes\n")
        self.decoder = sbc.Decoder()
        self.dac: Dac | None = None
        self.recording: Recording | None = None
        self.recordings = 0
        self.next: int | None = None
        # Samples of a packet, for those that are concealed.
        self.last = 0
        self.lose_s = model.lose_every_s
        self.lose_at = time.monotonic() + self.lose_s

    def lose_every(self, seconds: float) -> None:
        self.lose_s, self.lose_at = seconds, time.monotonic() + seconds

    def packet(self, packet: MediaPacket) -> None:
        at = raw_ns()
        if self.lose_s and time.monotonic() >= self.lose_at:
            self.lose_at += self.lose_s
            self.event("lost", sequence=packet.sequence_number)
            return
        frames = packet.payload[1:]
        try:
            samples, count = self.decoder.decode(frames)
            rate = sbc.frame_rate(frames)
        except sbc.BadFrame as bad:
            self.event("bad packet", sequence=packet.sequence_number, why=str(bad))
            return
        self.packets.write(
            f"{at},{packet.sequence_number},{packet.timestamp},{count},{len(samples)},{len(packet.payload)}\n"
        )
        if count != packet.payload[0] & 15:
            self.event("bad packet", sequence=packet.sequence_number, why="tells another number of frames")
        dac = self._dac(at, rate, samples.shape[1])
        self._conceal(dac, at, packet.sequence_number)
        self.next, self.last = (packet.sequence_number + 1) & 0xFFFF, len(samples)
        dac.arrive(at, samples)

    def _conceal(self, dac: Dac, at: int, sequence: int) -> None:
        if self.next is None or sequence == self.next:
            return
        missing = (sequence - self.next) & 0xFFFF
        self.event("gap", missing=missing)
        if self.model.on_gap == "conceal" and missing < 50:
            dac.arrive(at, np.zeros((missing * self.last, dac.model.channels), np.float32))

    def _dac(self, at: int, rate: int, channels: int) -> Dac:
        if self.dac is not None and (self.dac.model.rate, self.dac.model.channels) == (rate, channels):
            self.dac.model.delay_ms = self.delay_ms
            return self.dac
        if self.recording is not None:
            self.recording.close()
        # A stream of another kind begins another file.
        self.recordings += 1
        suffix = "" if self.recordings == 1 else f"-{self.recordings}"
        self.recording = Recording(self.out / f"{self.model.name}{suffix}.wav", rate, channels)
        model = DacModel(
            rate, channels, self.delay_ms, self.model.ppm, self.model.follow_ppm, self.model.underrun, self.model.overrun_ms
        )
        self.event("stream", rate=rate, channels=channels)
        self.dac = Dac(model, at, self.recording.samples, self.recording.point)
        return self.dac

    def stop(self) -> None:
        if self.dac is not None:
            self.dac.advance(raw_ns())
            self.dac.stop()
            self.event("stopped", **vars(self.dac.counts))
        self.next = None

    async def run(self) -> None:
        """Sounds for ever; what a converter does between packets."""
        while True:
            await asyncio.sleep(LOOK_S)
            if self.dac is not None:
                self.dac.advance(raw_ns())

    def close(self) -> None:
        self.stop()
        if self.recording is not None:
            self.recording.close()
