"""The tables of docs/operations.md, written from the declarations of metrics, panels and alerts."""

import re
from pathlib import Path

import yaml
from prometheus_client import CollectorRegistry

from deploy.dashboards.boards import BOARDS
from deploy.dashboards.panels import Board
from stream.metrics import ingest, learner, worker

PAGE = "docs/operations.md"
RULES = Path(__file__).parents[1] / "prometheus" / "rules.yml"
REGISTRIES = {"worker": worker.REGISTRY, "learner": learner.REGISTRY, "ingest process": ingest.REGISTRY}


def written(page: str) -> str:
    """The page with its tables as the code has them; what stands between two markers is replaced."""
    for name, registry in REGISTRIES.items():
        page = _replaced(page, f"metrics of the {name}", _metrics(registry))
    for board in BOARDS:
        page = _replaced(page, f"panels of {board.title}", _panels(board))
    return _replaced(page, "alerts", _alerts())


def _alerts() -> str:
    rows = ["| alert | severity | after | what to do |", "|---|---|---|---|"]
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        for rule in group["rules"]:
            severity, do = rule["labels"]["severity"], rule["annotations"]["do"]
            rows.append(f"| {rule['alert']} | {severity} | {rule.get('for', 'at once')} | {do} |")
    return "\n".join(rows) + "\n"


def _replaced(page: str, marker: str, table: str) -> str:
    begin, end = f"<!-- {marker} -->", f"<!-- end of {marker} -->"
    if begin not in page or end not in page:
        raise ValueError(f"{PAGE} has no {begin} … {end}. Put both lines where the table should stand.")
    pattern = f"{re.escape(begin)}.*?{re.escape(end)}"
    return re.sub(pattern, lambda _: f"{begin}\n\n{table}\n{end}", page, flags=re.DOTALL)


def _metrics(registry: CollectorRegistry) -> str:
    """A row for each metric of Ebb's own, under the name that a query uses."""
    rows = ["| metric | type | labels | meaning |", "|---|---|---|---|"]
    for collector in list(registry._collector_to_names):  # the public side shows labels only once they have values
        for family in collector.collect():
            if family.name.startswith("ebb_"):
                name = f"{family.name}_total" if family.type == "counter" else family.name
                labels = ", ".join(getattr(collector, "_labelnames", ())) or "—"
                rows.append(f"| `{name}` | {family.type} | {labels} | {family.documentation} |")
    return "\n".join(rows) + "\n"


def _panels(board: Board) -> str:
    rows = ["| panel | what it tells |", "|---|---|"]
    for row in board.rows:
        rows.append(f"| **{row.title}** | |")
        rows += [f"| {panel.title} | {panel.meaning} |" for panel in row.panels]
    return "\n".join(rows) + "\n"
