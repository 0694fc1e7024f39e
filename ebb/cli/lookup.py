"""`ebb lookup`, `ebb segments`, `ebb at-risk`: what Ebb knows, on a screen or as JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal

import click

from ebb.cli.errors import told
from ebb.cli.why_screen import why_screen
from ebb.lookup import Lookup, Page, SegmentSize, View, utc
from ebb.text import aligned, fitted, lookup_of, money, percent, printable, terminal_columns
from schemas.money import exponent_of
from stream.outcomes.declaration import Outcome
from stream.settings.load import load_common_settings

ALERTED = "(the one alerts go by)"
MOMENT = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"])

json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a screen.")


@click.command()
@click.argument("customer_id")
@click.option(
    "--why",
    "why_of",
    is_flag=False,
    flag_value=ALERTED,
    metavar="[OUTCOME]",
    help="What makes the probability of an outcome what it is; by default that of alerts. Needs model keys.",
)
@click.option(
    "--at",
    type=MOMENT,
    metavar="YYYY-MM-DD[THH:MM]",
    help="With --why: when, UTC, if nothing arrives until then; by default as shown.",
)
@json_option
@told
def lookup(customer_id: str, why_of: str | None, at: datetime | None, as_json: bool) -> None:
    """Show one customer: segment, scores, value at risk, and why."""
    if why_of is not None:
        _show_why(customer_id, why_of, at, as_json)
        return
    if at is not None:
        raise click.UsageError("--at goes with --why: without it a customer is shown as last decided.")
    with Lookup() as views:
        view, asked = views.get(customer_id), views.outcomes()
    if as_json:
        click.echo(view.to_json())
        return
    declared, columns = load_common_settings().predicted.outcomes, terminal_columns()
    screen = customer_screen(view, asked, columns)
    click.echo("\n".join([*screen[:-1], *_declared_otherwise(asked, declared, columns), screen[-1]]))


def _declared_otherwise(asked: Sequence[Outcome], declared: Sequence[Outcome], columns: int | None) -> list[str]:
    """A sentence on outcomes that workers do not ask as they are declared here; none where they do."""
    by_name = {outcome.name: outcome for outcome in asked}
    names = [outcome.name for outcome in declared if by_name.get(outcome.name) != outcome]
    names += sorted(by_name.keys() - {outcome.name for outcome in declared})
    if not names:
        return []
    said = f"  declared otherwise here: {', '.join(names)}; workers ask what is said above until they start with that"
    return [fitted(printable(said), columns)]


def _show_why(customer_id: str, outcome: str, at: datetime | None, as_json: bool) -> None:
    settings = load_common_settings()
    with Lookup() as views:
        why = views.why(customer_id, settings.alert_outcome if outcome == ALERTED else outcome, at)
        words = {each.name: each.in_words(settings.currency) for each in views.outcomes()}
    columns, in_words = terminal_columns(), words.get(why.outcome, why.outcome)
    click.echo(why.to_json() if as_json else fitted("\n".join(why_screen(why, in_words, columns)), columns))


@click.command()
@json_option
@told
def segments(as_json: bool) -> None:
    """Show the size of every segment and the mean value at risk in it."""
    with Lookup() as views:
        sizes = views.segments()
    if as_json:
        click.echo(json.dumps({"as_of_ms": _ms(sizes.as_of), "segments": [asdict(size) for size in sizes]}))
        return
    click.echo("\n".join(segments_screen(sizes, load_common_settings().currency)))


@click.command("at-risk")
@click.option("-n", "n", type=click.IntRange(min=1), default=10, show_default=True, help="How many customers.")
@json_option
@told
def at_risk(n: int, as_json: bool) -> None:
    """Show the customers with the most value at risk, most first."""
    with Lookup() as views:
        page, asked = views.at_risk(n), views.outcomes()
    if as_json:
        click.echo(
            json.dumps({"as_of_ms": _ms(page.as_of), "customers": [json.loads(view.to_json()) for view in page]})
        )
        return
    alerted = load_common_settings().alerted
    by = next((outcome for outcome in asked if outcome.name == alerted.name), alerted)
    click.echo("\n".join(at_risk_screen(page, by, terminal_columns())))


def customer_screen(view: View, outcomes: Sequence[Outcome], columns: int | None = None) -> list[str]:
    """One customer in about a dozen lines; `outcomes` say in words what is predicted.

    Where a terminal of so many `columns` is too narrow, sentences go on in the next line; commands stay whole.
    """
    since = f" since {_day(view.segment_since_ms)}" if view.segment_since_ms else ""
    scores, besides = _score_rows(view, outcomes), _besides(view)
    lines = [
        f"{view.customer_id} · {view.segment}{since} · {_as_of(view.as_of)}",
        *_rows_within(scores, besides, columns),
        f"  why: {' · '.join(view.reasons) or 'no model yet, it needs 200 labels'}",
    ]
    said = [fitted(printable(line), columns) for line in lines]
    return [*said, f"  next: {lookup_of(view.customer_id, '--json')}"]


def _rows_within(
    scores: Sequence[tuple[str, str, str]], besides: Sequence[tuple[str, str, str]], columns: int | None
) -> list[str]:
    """Both as one table; where it is too wide, as two, and the models of scores below them."""
    lines = aligned([*scores, *besides], "<><", indent="  ")
    if columns is None or max(map(len, lines)) <= columns:
        return lines
    above = aligned([row[:2] for row in scores], "<>", indent="  ")
    below = [f"      {model}" for *_, model in scores]
    return [*(line for pair in zip(above, below, strict=True) for line in pair), *aligned(besides, "<><", indent="  ")]


def _score_rows(view: View, outcomes: Sequence[Outcome]) -> list[tuple[str, str, str]]:
    rows, words = [], {outcome.name: outcome.in_words(view.currency) for outcome in outcomes}
    for name, score in view.scores.items():
        if score.probability is None:
            rows.append((words.get(name, name), "–", "no model yet"))
        else:
            rows.append((words.get(name, name), percent(score.probability), f"{score.model}, version {score.version}"))
    return rows


def _besides(view: View) -> list[tuple[str, str, str]]:
    """Value at risk, and what it rests on."""
    opened = (
        f"open, silent since {_day(view.alert.episode_ms)}"
        if view.alert.open and view.alert.episode_ms
        else "none open"
    )
    seen = view.features.get
    bought = f"first {_day(seen('first_purchase_ms'))}, last {_day(seen('last_purchase_ms'))}"
    of_refunds = "refund" if seen("refunds") == 1 else "refunds"
    refunded = f"{_count(seen('refunds'))} {of_refunds}, {money(seen('refunded'), view.currency)}"
    usual = f"usual gap {_days(seen('mean_gap_days'))}" if seen("mean_gap_days") is not None else "no usual gap yet"
    return [
        ("value at risk", money(view.value_at_risk, view.currency), f"churn alert: {opened}"),
        ("purchases", _count(seen("purchases")), bought),
        ("silent for", _days(seen("since_last_purchase_days")), usual),
        ("net spend of a year", money(seen("net_spend_365d"), view.currency), refunded),
    ]


def segments_screen(sizes: Page[SegmentSize], currency: str) -> list[str]:
    """A line a segment, then everybody."""
    customers = sum(size.customers for size in sizes)
    rows = [("segment", "customers", "share", "mean value at risk")]
    rows += [(size.name, f"{size.customers:,}", percent(size.share), _mean(size, currency)) for size in sizes]
    rows.append(("everybody", f"{customers:,}", "", ""))
    return [*aligned(rows, "<>>>"), f"{_as_of(sizes.as_of)} · next: ebb at-risk"]


def _mean(size: SegmentSize, currency: str) -> str:
    if not size.customers:
        return "–"
    mean = money(str(round(Decimal(size.mean_value_at_risk), exponent_of(currency))), currency)
    return mean if size.sampled == size.customers else f"≈ {mean}"


def at_risk_screen(page: Page[View], by: Outcome, columns: int | None = None) -> list[str]:
    """A line a customer, with the probability of the outcome that value at risk goes by.

    Segment and why have a line of their own where a terminal of so many `columns` is too narrow.
    """
    if not page:
        return ["Nobody has value at risk: there is no churn model before 200 labels."]
    rows = [("customer", "value at risk", by.in_words(page[0].currency), "segment", "why")]
    rows += [
        (
            printable(view.customer_id),
            money(view.value_at_risk, view.currency),
            percent(score.probability) if (score := view.scores.get(by.name)) else "–",
            printable(view.segment),
            printable(view.reasons[0]) if view.reasons else "",
        )
        for view in page
    ]
    lines = aligned(rows, "<>><<")
    if columns is not None and max(map(len, lines)) > columns:
        lines = _in_two_lines(rows)
    return [*lines, f"{_as_of(page.as_of)} · next: {lookup_of(page[0].customer_id)}"]


def _in_two_lines(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Rows with their last two cells, segment and why, below the others; the heading says of these what it can."""
    heading, *lines = aligned([row[:3] for row in rows], "<>>")
    below = [f"    {' · '.join(filter(None, row[3:]))}" for row in rows[1:]]
    return [heading, *(line for pair in zip(lines, below, strict=True) for line in pair)]


def _ms(time: datetime | None) -> int | None:
    return None if time is None else round(time.timestamp() * 1000)


def _as_of(time: datetime | None) -> str:
    return "no event has been applied yet" if time is None else f"as of {time:%Y-%m-%d %H:%M} UTC"


def _day(time_ms: int | None) -> str:
    return "–" if time_ms is None else f"{utc(time_ms):%Y-%m-%d}"


def _count(number: float | None) -> str:
    return "–" if number is None else f"{number:,.0f}"


def _days(days: float | None) -> str:
    return "–" if days is None else f"{days:,.0f} {'day' if round(days) == 1 else 'days'}"
