"""The whole lab: guest, air, and a clean BlueZ for each scenario."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab.guest import AIR, CONTROLLERS, FIRST, HERE, Guest, GuestFailed
from lab.scene import Scene
from lab.stalls import MOST_EXCUSED

PASS, FAIL, INCONCLUSIVE = "pass", "fail", "inconclusive"


@dataclass
class Scenario:
    name: str
    # What it shows, in a sentence.
    shows: str
    act: Callable[[Scene], None]
    # Part of the short form.
    short: bool = False


class World:
    def __init__(self, work: Path, kernel: Path, antiphon: Path) -> None:
        self.work, self.antiphon = work, antiphon
        self.guest = Guest(work, kernel)
        # The paths of Unix sockets are short.
        self.air_at, self.control_at = work / "air", work / "control"
        self.air: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        shutil.rmtree(self.guest.job, ignore_errors=True)
        self.guest.job.mkdir(parents=True)
        shutil.copy(self.antiphon, self.guest.job / "antiphon")
        self._boot()

    def _boot(self) -> None:
        self.guest.boot()
        self._start_air()
        self.guest.start_adapter()

    def start_again(self, scene: Scene) -> None:
        """After the guest's kernel has died, whose last words are kept with the scenario."""
        shutil.copy(self.guest.job / "console.log", scene.out / "console.log")
        self.stop()
        self._boot()

    def _start_air(self) -> None:
        for path in (self.air_at, self.control_at):
            path.unlink(missing_ok=True)
        self.air = subprocess.Popen(
            [
                *FIRST, sys.executable, "-m", "lab.air",
                "--adapter", f"{self.guest.host}:{AIR}", "--brain", f"{self.guest.address}:{CONTROLLERS}",
                "--speakers", str(self.air_at), "--control", str(self.control_at),
            ],
            cwd=HERE, stdout=subprocess.PIPE, stderr=(self.guest.job / "air.log").open("wb"),
        )  # fmt: skip
        assert self.air.stdout is not None
        if not self.air.stdout.readline():
            raise GuestFailed(f"the air did not start; see {self.guest.job}/air.log")

    def play(self, scenario: Scenario, short: bool) -> tuple[str, Scene]:
        """One scenario, on a BlueZ that knows no device."""
        self._forget_everything()
        name = scenario.name
        attempt = 1
        while (self.guest.job / name).exists():
            attempt += 1
            name = f"{scenario.name}-{attempt}"
        scene = Scene(self.guest, name, self.antiphon, short, self.air_at, self.control_at)
        try:
            scenario.act(scene)
        except (GuestFailed, OSError, ValueError, KeyError, IndexError) as wrong:
            scene.check("the scenario ran to its end", False, f"{type(wrong).__name__}: {wrong}")
        finally:
            scene.close()
        if self.guest.has_died():
            print("rig: the guest's kernel died, which says nothing of the program", file=sys.stderr, flush=True)
            self.start_again(scene)
            return INCONCLUSIVE, scene
        return verdict(scene), scene

    def _forget_everything(self) -> None:
        self.guest.stop("bluetoothd")
        self.guest.run("sh", "-c", "rm -rf /var/lib/bluetooth/*")
        self.guest.start_bluetoothd()

    def stop(self) -> None:
        self.guest.off()
        if self.air is not None:
            self.air.terminate()
            self.air.wait()


def verdict(scene: Scene) -> str:
    """Fails on any check. What a machine that stood still may have spoiled is inconclusive where it did, and in the short
    form at all: CI's machines show whether the parts do what they shall, and when is shown by the whole lab."""
    failed = [check for check in scene.checks if not check.ok]
    if not failed:
        return INCONCLUSIVE if scene.figures.get("excused share", 0.0) > MOST_EXCUSED else PASS
    excused = scene.short or bool(scene.stalls)
    return INCONCLUSIVE if excused and all(check.timing for check in failed) else FAIL
