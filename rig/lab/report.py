"""The summary: JSON for programs, a table for people."""

import json
from pathlib import Path
from typing import Any


def write(work: Path, results: list[dict[str, Any]], seconds: float) -> None:
    summary = {"seconds": round(seconds, 1), "scenarios": results}
    (work / "summary.json").write_text(json.dumps(summary, indent=1) + "\n")
    (work / "summary.md").write_text(table(results, seconds))


def table(results: list[dict[str, Any]], seconds: float) -> str:
    lines = ["| scenario | verdict | figures | s |", "|---|---|---|---|"]
    for result in results:
        figures = "; ".join(f"{name} {_plain(value)}" for name, value in result["figures"].items())
        wrong = [f"**{check['what']}: {check['found']}**" for check in result["checks"] if not check["ok"]]
        told = "; ".join([figures, *wrong]).replace("|", "/").replace("\n", " ")
        lines.append(f"| {result['scenario']} | {result['verdict']} | {told} | {result['seconds']} |")
    return "\n".join(lines) + f"\n\nAll in {seconds:.0f} s.\n"


def _plain(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
