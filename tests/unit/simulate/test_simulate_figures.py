"""The simulated shop beside a real one: Online Retail II, over the same span of time, by one function."""

import re
from datetime import date
from pathlib import Path

import pytest

from ebb.cli.demo import example_history
from ebb.simulate import Shop, ShopSettings
from ebb.simulate.figures import PurchaseLog, ShopFigures
from offline.sources import read_history
from schemas.events import Purchase

DOCUMENT = Path(__file__).parents[3] / "docs" / "simulated-shop.md"
DAYS = 374  # 2009-12-01 to 2010-12-09


@pytest.fixture(scope="module")
def real() -> ShopFigures:
    log = PurchaseLog()
    history = read_history([example_history()], "online_retail", "GBP", {})
    log.add(event for event in history.events if isinstance(event, Purchase))
    return log.figures()


@pytest.fixture(scope="module")
def simulated() -> ShopFigures:
    log = PurchaseLog()
    for sent in Shop(ShopSettings(customers=4_500, days=DAYS, start=date(2009, 12, 1))).slices():
        log.add_slice(sent)
    return log.figures()


@pytest.mark.parametrize("name", ["median_gap_days", "mean_basket", "repeat_rate", "one_time_share"])
def test_a_figure_is_within_15_per_cent_of_the_real_shops_and_the_document_says_both(name, real, simulated):
    ours, theirs = getattr(simulated, name), getattr(real, name)
    print(f"{name}: simulated {ours}, Online Retail II {theirs}")
    assert ours == pytest.approx(theirs, rel=0.15)
    row = re.search(rf"^\| `{name}` \|.*\| ([\d.]+) \| ([\d.]+) \|", DOCUMENT.read_text(), re.MULTILINE)
    assert row is not None
    assert [float(cell) for cell in row.groups()] == [ours, theirs]
