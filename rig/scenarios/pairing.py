"""Pairings that fail, and what the program says then."""

from lab.scene import Scene
from lab.world import Scenario
from scenarios import steps


def rejected(scene: Scene) -> None:
    speaker = scene.speaker("refuser", pairing="reject")
    steps.found(scene, speaker)
    done = scene.run("bluetooth", "pair", speaker.address, patience=90.0)
    scene.check("pairing fails", done.code not in (0, None), f"exit {done.code}")
    scene.check("in words that help", steps.plain_words(done.text), done.text.strip()[-300:])


def wrong_pin(scene: Scene) -> None:
    speaker = scene.speaker("old", pairing="pin:4711")
    steps.found(scene, speaker)
    done = scene.typed("0000", "bluetooth", "pair", speaker.address)
    scene.check("a wrong PIN fails", done.code not in (0, None), f"exit {done.code}")
    scene.check("in words that help", "PIN" in done.text and steps.plain_words(done.text), done.text.strip()[-300:])
    again = scene.typed("4711", "bluetooth", "pair", speaker.address)
    scene.check("the right one pairs", again.code == 0, again.text.strip()[-300:] or "exit 0")


SCENARIOS = [
    Scenario("rejected", "a speaker that refuses to pair", rejected),
    Scenario("wrong-pin", "a speaker of the old kind, with a wrong PIN and the right one", wrong_pin),
]
