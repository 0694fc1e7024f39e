"""The result as a file and as a table."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.loads import LOADS

RESULTS = Path(__file__).parent / "results" / "latest.json"
NAMES = {"ebb": "Ebb", "obvious": "the obvious way", "quix": "Quix Streams", "decode_limit": "decoding alone"}

OFFLINE = {"offline_events_per_s": "offline fold", "offline_read_events_per_s": "offline, files read and folded"}
LATENCIES = {
    "alert_latency_ms": "event to alert at 2,000 events/s, ms",
    "lookup_ms": "lookup, ms",
    "silence": "a day of silence of a million customers",
}


def write(result: dict[str, Any], profiles: Mapping[str, str], path: Path) -> None:
    """Put a result down, and profiles beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for name, shown in profiles.items():
        (path.parent / f"profile-{name}.txt").write_text(shown + "\n")
    path.write_text(json.dumps(result, indent=2) + "\n")


def table(result: dict[str, Any]) -> str:
    """A result for people."""
    lines: list[str] = []
    for load in (name for name in LOADS if result.get(name)):
        lines += [*_load(load, result[load]), *_small((result.get("small") or {}).get(load))]
    lines += [_named(words, result[key]) for key, words in LATENCIES.items() if result.get(key)]
    lines += [f"{words}: {result[key]:,} events/s of one core" for key, words in OFFLINE.items() if result.get(key)]
    return "\n".join(lines)


def _named(words: str, figures: dict[str, Any]) -> str:
    told = {name: value for name, value in figures.items() if not isinstance(value, dict)}
    return f"{words}: " + ", ".join(f"{name} {value}" for name, value in told.items())


def _load(load: str, figures: dict[str, Any]) -> list[str]:
    lines = [f"{load} ({figures['customers']:,} customers)"]
    for name, words in NAMES.items():
        if figures[name] is not None:
            times = figures["ratios"].get(name)
            ratio = f"   Ebb is {times:.2f} times as fast" if times else ""
            lines.append(f"  {words:<16} {figures[name]:>9,} events/s   ×{figures['processes'][name]}{ratio}")
    for name, cpu in (("ebb", figures["cpu_us"]), *figures["cpu_us_peers"].items()):
        if cpu:
            by_process = ", ".join(f"{process} {us:.2f}" for process, us in cpu.items() if process != "stages")
            lines.append(f"  CPU us an event, {name}: {by_process}")
    if figures["cpu_us"] and "stages" in figures["cpu_us"]:
        stages = ", ".join(f"{stage} {us:.2f}" for stage, us in figures["cpu_us"]["stages"].items())
        lines.append(f"  events a commit: {figures['events_per_commit']}")
        lines.append(f"  stages of a chunk, us of wall an event, lanes overlap: {stages}")
    if figures["bytes_per_customer"]:
        families = ", ".join(f"{family} {size:,.0f}" for family, size in figures["bytes_per_customer"].items())
        lines.append(f"  Redis bytes a customer: {families}")
    return lines


def _small(figures: dict[str, Any] | None) -> list[str]:
    if not figures:
        return []
    ratios = ", ".join(f"{times:.2f} × {NAMES[name]}" for name, times in figures["ratios"].items())
    return [f"  like for like: Ebb's transport and commits, small feature set {figures['ebb']:,} events/s; {ratios}"]
