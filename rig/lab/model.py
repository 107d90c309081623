"""What a speaker is asked to be. Every field can be set by name from JSON."""

import dataclasses
import json
from dataclasses import dataclass
from typing import Any


@dataclass
class SpeakerModel:
    name: str
    # What it decodes.
    rates: tuple[int, ...] = (44_100, 48_000)
    modes: tuple[str, ...] = ("mono", "dual", "stereo", "joint")
    max_bitpool: int = 53
    # The largest L2CAP packet that it takes; a 3-DH5 packet holds 1021 bytes, many speakers take less.
    mtu: int = 895

    # From a packet's arrival to its sound, truly; on each connection something within +- `hidden_ms`, drawn
    # anew, comes on top.
    delay_ms: float = 150.0
    hidden_ms: float = 0.0
    # What it reports; None: it does not report at all.
    report_ms: float | None = None
    ppm: float = 0.0
    follow_ppm: float = 300.0
    underrun: str = "silence"
    overrun_ms: float = 600.0
    # Packets missing in the numbering: "ignore" plays the next at once, "conceal" plays silence in their place.
    on_gap: str = "ignore"
    # One packet in so many seconds is lost on its way.
    lose_every_s: float = 0.0

    # "just-works", "pin:DIGITS" for the old way, or "reject".
    pairing: str = "just-works"
    # Takes its volume from the player (AVRCP).
    absolute_volume: bool = True
    seed: int = 1

    @classmethod
    def read(cls, text: str) -> "SpeakerModel":
        return cls(**json.loads(text))

    def text(self) -> str:
        return json.dumps(dataclasses.asdict(self))

    def changed(self, **fields: Any) -> "SpeakerModel":
        return dataclasses.replace(self, **fields)
