"""The measured figures of docs/performance.md, written from the results."""

import json
from pathlib import Path
from typing import Any

from benchmarks.loads import LOADS
from benchmarks.results import OFFLINE, RESULTS

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
BEGIN, END = "<!-- measured: written by `make bench` -->", "<!-- end of measured -->"
WHO = {
    "ebb": "Ebb, complete path",
    "quix": "Quix Streams",
    "obvious": "the obvious way",
    "decode_limit": "decoding alone",
}


def with_figures(page: str, result: dict[str, Any]) -> str:
    """The page with the figures of a result between its two marks.

    Raises:
        ValueError: a mark is missing.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{PAGE.name} lacks {BEGIN!r} or {END!r}")
    return f"{before}{BEGIN}\n\n{figures(result)}\n\n{END}{after}"


def figures(result: dict[str, Any]) -> str:
    """A result in Markdown."""
    loads = [load for load in LOADS if result.get(load)]
    parts = [_machine(result), _rates(result, loads), _small(result, loads), _costs(result, loads), _others(result)]
    return "\n\n".join(part for part in parts if part)


def _machine(result: dict[str, Any]) -> str:
    machine = result["machine"]
    return (
        f"{result['date']}, {machine['cores']} cores ({machine['cpu']}), {machine['memory_gb']} GB, "
        f"Python {machine['python']}, Redis {machine['redis']}, seed {result['seed']}, {result['events']:,} events."
    )


def _rates(result: dict[str, Any], loads: list[str]) -> str:
    def cell(load: str, name: str) -> str:
        rate, ratio = result[load][name], result[load]["ratios"].get(name)
        return "" if rate is None else f"{rate:,}" + (f" (Ebb ×{ratio:.2f})" if ratio else "")

    rows = [[words, *(cell(load, name) for load in loads)] for name, words in WHO.items()]
    return _table(["events/s", *loads], rows) if loads else ""


def _small(result: dict[str, Any], loads: list[str]) -> str:
    small = {load: result["small"][load] for load in loads if result["small"].get(load)}
    said = [
        f"{load} {told['ebb']:,} events/s, " + ", ".join(f"×{r:.2f} {WHO[name]}" for name, r in told["ratios"].items())
        for load, told in small.items()
    ]
    return f"Like for like, Ebb's transport and commits with the small feature set: {'; '.join(said)}." if said else ""


def _costs(result: dict[str, Any], loads: list[str]) -> str:
    costs = {load: result[load]["cpu_us"] for load in loads if result[load]["cpu_us"]}
    lines = [
        f"CPU us an event of Ebb, {load}: "
        + ", ".join(f"{process} {us:.1f}" for process, us in cpu.items() if process != "stages")
        + ". Stages: "
        + ", ".join(f"{stage} {us:.1f}" for stage, us in cpu.get("stages", {}).items())
        + "."
        for load, cpu in costs.items()
    ]
    weighed: dict[str, float] = next(
        (result[load]["bytes_per_customer"] for load in loads if result[load]["bytes_per_customer"]), {}
    )
    if weighed:
        families = ", ".join(f"{family} {size:,.0f}" for family, size in weighed.items())
        lines.append(f"Redis bytes a customer ({loads[0]}): {families}.")
    return "\n\n".join(lines)


def _others(result: dict[str, Any]) -> str:
    rows = []
    for workers, alerts in (result.get("alert_latency_ms") or {}).get("by_processes", {}).items():
        said = f"p50 {alerts['p50']}, p99 {alerts['p99']}, p99.9 {alerts['p999']} ms, {alerts['alerts']:,} alerts"
        rows.append([f"event to alert at 2,000 events/s, workers: {workers}", said])
    if lookups := result.get("lookup_ms"):
        for state in ("idle", "busy"):
            rows.append([f"lookup, {state}", f"p50 {lookups[f'{state}_p50']}, p99 {lookups[f'{state}_p99']} ms"])
    if silence := result.get("silence"):
        said = f"{silence['recheck_s']} s of one core for {silence['deadlines']:,} deadlines; live events wait "
        said += f"{silence['live_event_p99_ms']} ms at p99, {silence['live_event_idle_p99_ms']} otherwise"
        rows.append([f"a day of silence of {silence['customers']:,} customers", said])
        rows.append(["everybody decided anew", f"{silence['sweep_s']} s of one core"])
    rows += [[words, f"{result[key]:,} events/s of one core"] for key, words in OFFLINE.items() if result.get(key)]
    return _table(["", "measured"], rows) if rows else ""


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def write_page(result: dict[str, Any]) -> None:
    """Bring docs/performance.md in step with a result."""
    PAGE.write_text(with_figures(PAGE.read_text(), result))


if __name__ == "__main__":
    write_page(json.loads(RESULTS.read_text()))
