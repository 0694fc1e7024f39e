"""Plots of report pages: what their SVG says."""

import re

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from offline.report import plots
from offline.report.small_curves import Panel, small_curves

DAYS = [0.0, 1.0, 2.0]


def texts(svg: str) -> list[str]:
    return re.findall(r">([^<>\n]+)</text>", svg)


def height(svg: str, said: str) -> float:
    """How far below the upper edge a text stands."""
    (found,) = re.findall(rf'<text[^>]* y="([\d.]+)"[^>]*>{said}</text>', svg)
    return float(found)


def figures(svg: str) -> list[float]:
    return [float(said.replace(",", "")) for said in texts(svg) if re.fullmatch(r"[\d,.]+", said)]


@pytest.mark.parametrize("largest", [0.0193, 17.2, 149.0, 12_900.0])
def test_bars_have_at_most_four_ticks_and_separate_thousands(largest: float) -> None:
    names = [f"log_since_last_purchase_days_above_{number}" for number in range(12)]
    svg = plots.bars({name: largest / (1 + n) for n, name in enumerate(names)}, title="forest: columns", x="growth")
    assert 2 <= svg.count('id="xtick_') <= 4
    assert ("10,000" in texts(svg)) == (largest > 10_000)


def test_a_legend_does_not_lie_over_the_bars_of_a_histogram() -> None:
    spread = np.linspace(0, 1, 500)
    svg = plots.histogram({"came true": spread, "did not": spread}, title="What it says", x="probability")
    assert height(svg, "came true") > height(svg, "probability")


@pytest.mark.filterwarnings("error:constrained_layout not applied")
@pytest.mark.parametrize("groups", [3, 50])
def test_the_names_of_many_groups_leave_their_points_room(groups: int) -> None:
    spread = np.linspace(0, 1, 30)
    named = {f"{number}: Potential Loyalists": (spread, spread) for number in range(groups)}
    svg = plots.scatter(named, title="Silence and spend", x="silent, days", y="spend, GBP")
    assert height(svg, "silent, days") - height(svg, "Silence and spend") > 150
    assert height(svg, f"{groups - 1}: Potential Loyalists") > height(svg, "silent, days")


def test_a_curve_that_runs_away_is_said_to_and_leaves_the_axis_to_the_chosen_one() -> None:
    first = Panel(
        "mean_basket", "GBP", {"boosting": (DAYS, [210.0, 260.0, 310.0]), "linear": (DAYS, [90.0, 9e2, 13e3])}
    )
    second = Panel(
        "purchase_days", "days", {"boosting": (DAYS, [240.0, 250.0, 255.0]), "linear": (DAYS, [230.0, 240.0, 250.0])}
    )
    one, two = small_curves([first, second], chosen="boosting", y="mean prediction, GBP", amounts=True)
    assert "linear: 90 to 13,000" in texts(one)
    assert not [said for said in texts(two) if said.startswith("linear")]
    assert 300 <= max(figures(one)) <= 500
    assert [f for f in figures(one) if f > 50] == [f for f in figures(two) if f > 50]  # one y axis


def test_amounts_that_differ_by_orders_of_magnitude_are_on_a_logarithmic_axis() -> None:
    steep = Panel(
        "decayed_count_90d", "purchases", {"linear": (DAYS, [5.0, 300.0, 25e3]), "forest": (DAYS, [0.0, 280.0, 300.0])}
    )
    (svg,) = small_curves([steep], chosen="linear", y="mean prediction, GBP", amounts=True)
    assert {"10", "100", "1,000", "10,000"} <= set(texts(svg))
    (svg,) = small_curves([steep], chosen="linear", y="mean prediction, GBP", amounts=False)
    assert {"0", "10,000", "20,000"} <= set(texts(svg))
    assert "100" not in texts(svg)


@pytest.mark.parametrize("most", [24_000, 990_000.0, 1_100_000.0])
def test_long_numbers_below_a_small_figure_stand_apart(most: float) -> None:
    along = np.linspace(0, most, 5).tolist()
    panel = Panel("decayed_spend_90d", "JPY", {"linear": (along, [1.0, 2.0, 3.0, 4.0, 5.0])})
    (svg,) = small_curves([panel], chosen="linear", y="mean prediction, JPY", amounts=True)
    assert 2 <= svg.count('id="xtick_') <= 3


def test_curves_that_do_not_move_have_an_axis() -> None:
    still = Panel("refunds", "events", {"linear": (DAYS, [0.4, 0.4, 0.4])})
    (svg,) = small_curves([still], chosen="linear", y="mean probability", amounts=False)
    assert "0.4" in texts(svg)
