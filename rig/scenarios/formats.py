"""Speakers that take only some of what SBC can be."""

from lab.scene import Scene
from lab.world import Scenario
from scenarios import steps


def _one_of_a_kind(scene: Scene, expected: dict[str, int], **fields: object) -> None:
    """A right speaker that takes only that, beside one that takes all."""
    left = scene.speaker("left", delay_ms=150, report_ms=150, seed=41)
    right = scene.speaker("right", delay_ms=150, report_ms=150, seed=42, **fields)
    if not steps.pair(scene, left, right):
        return
    steps.start_hub(scene, {"left": left, "right": right})
    source = steps.music(scene, "first.wav", 16.0, 8)
    begin = steps.play(scene, source)
    stream = right.events("stream")
    for what, value in expected.items():
        found = stream[-1][what] if stream else None
        scene.check(f"its stream has {what} {value}", found == value, found)
    steps.own_channels_only(scene, source, {"left": left, "right": right}, begin)
    spread = steps.measured(scene, source, left, right, begin)
    scene.figure("apart by true reports, p95 about the median, us", round(steps.p95_about_median(spread), 1))
    scene.check("they keep together", steps.p95_about_median(spread) < 1_500.0, f"{steps.p95_about_median(spread):.0f} us", timing=True)
    largest = right.packets.largest
    scene.figure("its largest packet, bytes", largest)
    scene.check("no packet longer than it takes", 0 < largest <= right.model.mtu, largest)
    scene.check("no packet that it cannot decode", not right.events("bad packet"), len(right.events("bad packet")))


def joint_only(scene: Scene) -> None:
    _one_of_a_kind(scene, {"channels": 2}, modes=("joint",))


def small_packets(scene: Scene) -> None:
    _one_of_a_kind(scene, {"channels": 1}, mtu=335)


def only_44100(scene: Scene) -> None:
    _one_of_a_kind(scene, {"rate": 44_100}, rates=(44_100,))


def only_48000(scene: Scene) -> None:
    _one_of_a_kind(scene, {"rate": 48_000}, rates=(48_000,))


SCENARIOS = [
    Scenario("joint-only", "a speaker that takes joint stereo only", joint_only),
    Scenario("mtu-335", "a speaker that takes packets of 335 bytes", small_packets),
    Scenario("only-44100", "a speaker that takes 44.1 kHz only", only_44100),
    Scenario("only-48000", "a speaker that takes 48 kHz only", only_48000),
]
