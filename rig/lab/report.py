"""The summary: JSON for programs, a table for people."""

import hashlib
import json
from pathlib import Path
from typing import Any


def write(work: Path, program: Path, order: list[str], results: list[dict[str, Any]], seconds: float) -> None:
    """Of scenarios that were not played now, what the same program showed before stays."""
    told = {result["scenario"]: result for result in [*_before(work, program), *results]}
    scenarios = [told[name] for name in order if name in told]
    summary = {"program": _digest(program), "seconds": round(seconds, 1), "scenarios": scenarios}
    (work / "summary.json").write_text(json.dumps(summary, indent=1) + "\n")
    (work / "summary.md").write_text(table(scenarios, seconds))


def _before(work: Path, program: Path) -> list[dict[str, Any]]:
    try:
        summary = json.loads((work / "summary.json").read_text())
    except (OSError, ValueError):
        return []
    return summary["scenarios"] if summary.get("program") == _digest(program) else []


def _digest(program: Path) -> str:
    return hashlib.sha256(program.read_bytes()).hexdigest()


def table(results: list[dict[str, Any]], seconds: float) -> str:
    lines = ["| scenario | verdict | figures | s |", "|---|---|---|---|"]
    for result in results:
        figures = "; ".join(f"{name} {_plain(value)}" for name, value in result["figures"].items())
        wrong = [f"**{check['what']}: {check['found']}**" for check in result["checks"] if not check["ok"]]
        told = "; ".join([figures, *wrong]).replace("|", "/").replace("\n", " ")
        lines.append(f"| {result['scenario']} | {result['verdict']} | {told} | {result['seconds']} |")
    return "\n".join(lines) + f"\n\nThe last run took {seconds:.0f} s.\n"


def _plain(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
