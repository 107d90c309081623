"""What the lab shows, in the order in which it is played."""

from lab.world import Scenario
from scenarios import faults, formats, groups, pairing, stereo

ALL: list[Scenario] = [
    *stereo.SCENARIOS,
    *faults.SCENARIOS,
    *formats.SCENARIOS,
    *pairing.SCENARIOS,
    *groups.SCENARIOS,
]
