"""What goes wrong while music plays: speakers, links and BlueZ that go and return."""

import time

from lab import judge
from lab.scene import Scene, Speaker, raw_s
from lab.world import Scenario
from scenarios import steps


# Half a packet: the program has put every sample where it belongs. What is left is the speaker's own, which starts
# by the moment at which its first packet arrives: behind the other speaker's on the air or before it (4 ms), and behind
# the signalling of its own return. Only a microphone takes that away (`realigned`).
IN_PLACE_US = 12_000.0


def _pair(scene: Scene, ms: float = 180, **fields: object) -> tuple[Speaker, Speaker] | None:
    left = scene.speaker("left", delay_ms=ms, report_ms=ms, seed=31, **fields)
    right = scene.speaker("right", delay_ms=ms, report_ms=ms, seed=32, **fields)
    if not steps.pair(scene, left, right):
        return None
    steps.start_hub(scene, {"left": left, "right": right})
    return left, right


def switched_off(scene: Scene) -> None:
    """Off for five seconds, then on; it does not page the host itself."""
    speakers = _pair(scene)
    if speakers is None:
        return
    left, right = speakers
    source = steps.music(scene, "first.wav", 45.0, 4)
    playing = steps.Playing(scene, source)
    time.sleep(12.0)
    right.tell(do="off")
    off_at = raw_s()
    time.sleep(5.0)
    right.tell(do="on")
    on_at = raw_s()
    begin = playing.end()
    steps.no_stutter(scene, left, begin + steps.SETTLE_S, begin + 44.0)
    back_at = _came_back(scene, right, on_at)
    if back_at is None:
        return
    steps.same_samples(scene, left, right, back_at + 1.0, begin + 44.0)
    spread = steps.measured(scene, source, left, right, begin)
    back = back_at - begin + 4.0
    moved = spread.median_us(back, 44.0) - spread.median_us(3.0, off_at - begin - 1.0)
    scene.figure("its place after the return, against before, ms", round(moved / 1e3, 2))
    scene.check("in place, to the packet", abs(moved) < IN_PLACE_US, f"{moved:.0f} us from where it was", timing=True)


# After so long a link whose other end is silent is found lost: the supervision timeout.
FOUND_LOST_S = 2.0


def link_lost(scene: Scene) -> None:
    """As when the battery is taken out: nothing arrives, nobody says so, the link times out later.

    Until then its packets fill the controller's buffers, which are one for all links: the other speaker hears
    it, whoever sends. What is asked is that it goes on when the loss is found.
    """
    speakers = _pair(scene)
    if speakers is None:
        return
    left, right = speakers
    source = steps.music(scene, "first.wav", 40.0, 5)
    playing = steps.Playing(scene, source)
    time.sleep(10.0)
    right.tell(do="unreachable")
    scene.on_air(do="vanish", address=right.address, after_s=FOUND_LOST_S)
    lost_at = raw_s() + FOUND_LOST_S
    time.sleep(6.0)
    right.tell(do="on")
    on_at = raw_s()
    begin = playing.end()
    steps.no_stutter(scene, left, begin + steps.SETTLE_S, lost_at - FOUND_LOST_S)
    silent = judge.silence_ms(left.wav, lost_at - FOUND_LOST_S, begin + 39.0)
    scene.figure("the other one silent until the loss is found, ms", round(silent, 1))
    scene.check("the left speaker goes on when the loss is found", silent < FOUND_LOST_S * 1e3 + 250.0, f"{silent:.0f} ms", timing=True)
    back_at = _came_back(scene, right, on_at)
    if back_at is not None:
        steps.same_samples(scene, left, right, back_at + 1.0, begin + 39.0)


def _came_back(scene: Scene, speaker: Speaker, since_s: float) -> float | None:
    """When its first packet came after that."""
    heard = speaker.packets.between(since_s, since_s + 60.0).at_s
    name = speaker.model.name
    scene.figure(f"{name} back after, s", round(float(heard[0] - since_s), 1) if len(heard) else "never")
    scene.check(f"the {name} speaker returns by itself", len(heard) > 0, f"{len(heard)} packets")
    return float(heard[0]) if len(heard) else None


def bluez_restarts(scene: Scene) -> None:
    """bluetoothd is stopped and started in mid-song."""
    speakers = _pair(scene)
    if speakers is None:
        return
    left, right = speakers
    source = steps.music(scene, "first.wav", 45.0, 6)
    playing = steps.Playing(scene, source)
    time.sleep(10.0)
    scene.guest.stop("bluetoothd")
    time.sleep(1.0)
    scene.guest.start_bluetoothd()
    up_at = raw_s()
    begin = playing.end()
    back = [_came_back(scene, speaker, up_at) for speaker in (left, right)]
    if None not in back:
        steps.same_samples(scene, left, right, max(back) + 1.0, begin + 44.0)


def bad_links(scene: Scene) -> None:
    """100 ms stalls, stalls long enough that the host's writes are refused, a lost packet every 10 s.

    The speakers hold more than the longest stall: one that runs dry is late by what it lacked, which no sender
    can see or help.
    """
    speakers = _pair(scene, ms=300, on_gap="conceal")
    if speakers is None:
        return
    left, right = speakers
    seconds = 35.0 if scene.short else 65.0
    source = steps.music(scene, "first.wav", seconds, 7)
    right.tell(do="lose_every", s=10.0)
    playing = steps.Playing(scene, source)
    time.sleep(8.0)
    for turn in range(int((seconds - 15.0) / 5.0)):
        # Every third is long enough for the queue behind it to fill: EAGAIN.
        scene.on_air(do="stall", address=(left, right)[turn % 2].address, ms=240 if turn % 3 == 2 else 100)
        time.sleep(5.0)
    begin = playing.end()
    steps.equal_counts(scene, left, right)
    spread = steps.measured(scene, source, left, right, begin)
    scene.figure("apart meanwhile, p95 us about the median", round(steps.p95_about_median(spread), 1))
    scene.check("the pair stays together", steps.p95_about_median(spread) < 2_000.0, f"{steps.p95_about_median(spread):.0f} us", timing=True)
    lost = len(right.events("lost"))
    scene.figure("lost on their way", lost)
    scene.check("packets were lost", lost > 0, lost)
    refused = sum(link.get("late", 0) + link.get("dropped", 0) for link in steps.sender_counters(scene))
    scene.check("writes were refused", refused > 0, refused)


SCENARIOS = [
    Scenario("switched-off", "a speaker is switched off and on in mid-song", switched_off),
    Scenario("link-lost", "a speaker falls silent without a word and returns", link_lost),
    Scenario("bluez-restarts", "bluetoothd restarts in mid-song", bluez_restarts),
    Scenario("bad-links", "link stalls, refused writes and lost packets", bad_links, True),
]
