"""The demo on a terminal: a bar while it runs, and what it found at its end."""

import sys
from collections.abc import Iterable
from datetime import UTC, datetime

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from ebb.cli.lookup import at_risk_screen, segments_screen
from ebb.demo.results import Results
from ebb.demo.watching import Look
from ebb.text import percent
from offline.history import History
from stream.scoring.documents import HAZARD, HAZARD_MIX, MIX, NEWTON, RIVER_LOGISTIC

CANDIDATES_IN_WORDS = {
    HAZARD_MIX: "mean with the hazard",
    HAZARD: "7 days, rolled forward",
    MIX: "mean of the two",
    RIVER_LOGISTIC: "logistic, AdaGrad",
    NEWTON: "logistic, Newton",
    "count_90d": "floor: 90-day count",
    "since_last_purchase": "floor: days silent",
    "base_rate": "floor: base rate",
}


def follow(watched: Iterable[Look], history: History) -> Look | None:
    """Show the looks on a bar if standard error is a terminal; return the last one."""
    console = Console(stderr=True)
    first_ms, last_ms = history.summary.first_ms, history.summary.last_ms
    look: Look | None = None
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[figures]}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("starting", total=max(last_ms - first_ms, 1), figures="")
        for look in watched:
            reached_ms = max(look.stream_time_ms, first_ms)
            day = datetime.fromtimestamp(reached_ms / 1000, UTC).date().isoformat()
            bar.update(task, description=day, completed=reached_ms - first_ms, figures=_figures(look))
    return look


def _figures(look: Look) -> str:
    if not look.is_warm:
        return "the worker warms up, a minute or more after an update"
    behind = "publishing" if look.lag is None else f"lag {look.lag:,}"
    return f"{look.events_per_s:,.0f} events/s  {behind}  {look.customers:,} customers  {look.alerts:,} alerts"


def summary(results: Results, currency: str, columns: int | None = None) -> str:
    """Everything the demo has found, for a reader, whose terminal may have so many columns."""
    totals = results.totals
    lines = [
        f"{totals.get('events', 0):,} events applied in {results.elapsed_s:.0f} s ({results.events_per_s:,.0f}/s), "
        f"{totals.get('guest_events', 0):,} of guests · {totals.get('customers', 0):,} customers",
        f"  dead letters {totals.get('dead_letters', 0):,} · duplicates {totals.get('duplicates', 0):,}",
        "",
        *segments_screen(results.segments, currency),
        f"  {totals.get('segment_changes', 0):,} segment changes, "
        f"{results.changes_per_customer_year:.1f} per customer and year",
        "",
        *at_risk_screen(results.at_risk, results.at_risk_by, columns),
        "",
        *_alerts(results),
        "",
        *_model(results),
        "",
        _parity(results),
    ]
    return "\n".join(lines)


def _alerts(results: Results) -> list[str]:
    alerts = results.alerts
    lines = [f"Churn alerts · {alerts.sent:,} sent, {alerts.per_week:.1f} a week"]
    if alerts.did_not_buy is not None:
        lines.append(
            f"  {percent(alerts.did_not_buy)} of {alerts.judged:,} alerted customers did not buy in the next 30 days"
        )
    return lines


def _model(results: Results) -> list[str]:
    document = results.model
    if document is None or not document.metrics:
        return ["Churn model · has not scored a snapshot yet, it needs 200 labels"]
    judged = document.metrics[MIX].rows
    lines = [
        f"Churn model · {document.labels:,} labels learned, judged on the scores stored with {judged:,} snapshots",
        f"  {'':<22}{'AUC':>6}{'log loss':>10}",
    ]
    for name, words in CANDIDATES_IN_WORDS.items():
        scored = document.metrics.get(name)
        if scored is not None:
            auc = "–" if scored.auc is None else f"{scored.auc:.3f}"
            serves = "  serves" if name == document.serving else ""
            lines.append(f"  {words:<22}{auc:>6}{scored.log_loss:>10.3f}{serves}")
    return lines


def _parity(results: Results) -> str:
    parity = results.parity
    if not parity.mismatches:
        return f"Parity · {parity.customers:,} customers recomputed from the history: Redis holds the same"
    first = parity.mismatches[0]
    return (
        f"Parity · {len(parity.mismatches):,} differences over {parity.customers:,} customers, the first: customer "
        f"{first.customer} {first.field}: history {first.expected}, Redis {first.actual}"
    )
