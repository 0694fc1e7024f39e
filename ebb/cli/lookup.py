"""`ebb lookup`, `ebb segments`, `ebb at-risk`: what Ebb knows, on a screen or as JSON."""

import json
import shlex
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal

import click

from ebb.cli.errors import told
from ebb.lookup import Lookup, Page, SegmentSize, View, utc
from stream.outcomes.declaration import Outcome
from stream.settings.load import load_common_settings

SYMBOLS = {"GBP": "£", "EUR": "€", "USD": "$"}
WHOLE_FROM = 100  # amounts from here on are shown without minor units

json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a screen.")


@click.command()
@click.argument("customer_id")
@json_option
@told
def lookup(customer_id: str, as_json: bool) -> None:
    """Show one customer: segment, scores, value at risk, and why."""
    with Lookup() as views:
        view = views.get(customer_id)
    click.echo(
        view.to_json() if as_json else "\n".join(customer_screen(view, load_common_settings().predicted.outcomes))
    )


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
        page = views.at_risk(n)
    if as_json:
        click.echo(
            json.dumps({"as_of_ms": _ms(page.as_of), "customers": [json.loads(view.to_json()) for view in page]})
        )
        return
    click.echo("\n".join(at_risk_screen(page, load_common_settings().alerted)))


def customer_screen(view: View, outcomes: Sequence[Outcome]) -> list[str]:
    """One customer in about a dozen lines; `outcomes` say in words what is predicted."""
    since = f" since {_day(view.segment_since_ms)}" if view.segment_since_ms else ""
    rows = [*_score_rows(view, outcomes), *_history_rows(view)]
    return [
        f"{printable(view.customer_id)} · {view.segment}{since} · {_as_of(view.as_of)}",
        *aligned(rows, "<><", indent="  "),
        f"  why: {' · '.join(view.reasons) or 'no model yet, it needs 200 labels'}",
        f"  next: ebb lookup {_typed(view.customer_id)} --json",
    ]


def _score_rows(view: View, outcomes: Sequence[Outcome]) -> list[tuple[str, str, str]]:
    rows, words = [], {outcome.name: outcome.in_words for outcome in outcomes}
    for name, score in view.scores.items():
        if score.probability is None:
            rows.append((words.get(name, name), "–", "no model yet"))
        else:
            rows.append((words.get(name, name), percent(score.probability), f"{score.model}, version {score.version}"))
    opened = (
        f"open, silent since {_day(view.alert.episode_ms)}"
        if view.alert.open and view.alert.episode_ms
        else "none open"
    )
    rows.append(("value at risk", money(view.value_at_risk, view.currency), f"churn alert: {opened}"))
    return rows


def _history_rows(view: View) -> list[tuple[str, str, str]]:
    seen = view.features.get
    bought = f"first {_day(seen('first_purchase_ms'))}, last {_day(seen('last_purchase_ms'))}"
    refunded = f"{_count(seen('refunds'))} refunds, {money(seen('refunded'), view.currency)}"
    usual = f"usual gap {_days(seen('mean_gap_days'))}" if seen("mean_gap_days") is not None else "no usual gap yet"
    return [
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
    mean = money(str(round(Decimal(size.mean_value_at_risk), 2)), currency)
    return mean if size.sampled == size.customers else f"≈ {mean}"


def at_risk_screen(page: Page[View], by: Outcome) -> list[str]:
    """A line a customer, with the probability of the outcome that value at risk goes by."""
    if not page:
        return ["Nobody has value at risk: there is no churn model before 200 labels."]
    rows = [("customer", "value at risk", by.in_words, "segment", "why")]
    rows += [
        (
            printable(view.customer_id),
            money(view.value_at_risk, view.currency),
            percent(score.probability) if (score := view.scores.get(by.name)) else "–",
            view.segment,
            view.reasons[0] if view.reasons else "",
        )
        for view in page
    ]
    return [*aligned(rows, "<>><<"), f"{_as_of(page.as_of)} · next: ebb lookup {_typed(page[0].customer_id)}"]


def percent(share: float | None) -> str:
    """A share in per cent; below one, with a digit.

    >>> percent(0.183), percent(0.004), percent(0.0), percent(None)
    ('18 %', '0.4 %', '0 %', '–')
    """
    if share is None:
        return "–"
    return f"{share:.1%}".replace("%", " %") if 0 < share < 0.01 else f"{share * 100:.0f} %"


def money(amount: str | None, currency: str) -> str:
    """An amount in major units with its currency.

    >>> money("1214.50", "GBP"), money("12.50", "CHF"), money(None, "GBP")
    ('£ 1,214', '12.50 CHF', '–')
    """
    if amount is None:
        return "–"
    value = Decimal(amount)
    text = f"{value:,.0f}" if abs(value) >= WHOLE_FROM else f"{value:,f}"
    return f"{SYMBOLS[currency]} {text}" if currency in SYMBOLS else f"{text} {currency}"


def printable(text: str) -> str:
    r"""Text that cannot move the cursor or pretend to be another line.

    >>> print(printable("two\nlines \x1b[2J Zoë"))
    two\nlines \x1b[2J Zoë
    """
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def _typed(customer_id: str) -> str:
    """A customer id as one types it in a shell."""
    quoted = shlex.quote(customer_id)
    return quoted if customer_id.isprintable() else printable(f"${quoted}")


def aligned(rows: Sequence[Sequence[str]], sides: str, indent: str = "") -> list[str]:
    """Rows as lines with columns of equal width, each to the left (<) or to the right (>)."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(sides))]
    lines = (
        "   ".join(f"{cell:{side}{width}}" for cell, side, width in zip(row, sides, widths, strict=True))
        for row in rows
    )
    return [f"{indent}{line}".rstrip() for line in lines]


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
