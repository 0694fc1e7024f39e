"""`ebb offline backtest` on six weeks of a real shop, and what it says where there is nothing to judge."""

import json
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from ebb.backtest.screen import screen
from ebb.cli.backtest import backtest
from offline import scikit_learn
from offline.backtest.labels import Happened, known
from offline.backtest.report import BATCH, Report, Span, report
from offline.backtest.rows import Rows
from schemas.events import OrderLine, Purchase
from schemas.units import DAY_MS
from stream.chunk import Rules
from stream.errors import OfflineError
from stream.features.columns import MODEL_COLUMNS
from stream.features.facts_of_events import facts_of
from stream.outcomes.declaration import CHURN_30D, PURCHASE_7D, Outcome
from tests.integration.retail import file_until

pytest.importorskip("sklearn")
DAY = 14_600
SPAN = Span(DAY * DAY_MS, (DAY + 100) * DAY_MS, (DAY + 50) * DAY_MS)


@pytest.fixture(scope="module")
def weeks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return file_until("2010-01-22", tmp_path_factory.mktemp("history"))


def run(path: Path, split: str, *options: str, outcome: str = "purchase_7d") -> Result:
    given = [str(path), "--source", "online_retail", "--outcome", outcome, "--from", split]
    return CliRunner().invoke(backtest, [*given, *options])


def test_a_backtest_judges_the_online_model_beside_batch_ones_on_the_same_rows(
    weeks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    finished = run(weeks, "2010-01-06", "--json")
    assert finished.exit_code == 0, finished.output
    found = json.loads(finished.stdout)
    assert list(found) == list(Report.__struct_fields__)
    assert (found["outcome"], found["split"], found["unscored"]) == ("purchase_7d", "2010-01-06", 0)
    assert found["rows"] > found["customers"] > 500
    for name in ("online", "online_frozen_at_split", *BATCH):
        assert 0.4 < found[name]["auc"] <= 1
    assert found["floors"]["base_rate"]["auc"] == 0.5
    assert found["differences"]["batch_refit_4w"]["log_loss"]["difference"] == pytest.approx(
        found["online"]["log_loss"] - found["batch_refit_4w"]["log_loss"]
    )


@pytest.mark.parametrize(
    ("row", "why"),
    [("2010-03-20 10:00:00,,EUR", "wrong_currency"), ("2040-01-01 10:00:00,,", "event_time_too_late")],
)
def test_an_order_that_no_worker_would_take_does_not_lengthen_a_history(tmp_path: Path, row: str, why: str) -> None:
    lines = ["order_id,customer_id,event_time,product_id,quantity,unit_price,discount,currency"]
    first, draw = pd.Timestamp("2009-12-01"), np.random.default_rng(1)
    for number, who in enumerate((400 * draw.random(2_000) ** 2).astype(int).tolist()):
        at = first + pd.Timedelta(minutes=40 * number)
        lines.append(f"{number},c{who},{at},tea,1,5,,")
    plain, odd = tmp_path / "plain.csv", tmp_path / "odd.csv"
    plain.write_text("\n".join(lines))
    odd.write_text("\n".join([*lines, f"x,c1,{row.replace(',', ',tea,1,5,', 1)}"]))
    options = ["--source", "generic", "--outcome", "purchase_7d", "--from", "2009-12-25", "--json"]
    told = [CliRunner().invoke(backtest, [str(path), *options]) for path in (plain, odd)]
    assert [each.exit_code for each in told] == [0, 0], told[1].output
    one, other = (json.loads(each.stdout) | {"events_per_s": 0} for each in told)
    assert (one["left_out"], why in other["left_out"]) == ("", True)
    assert one == other | {"left_out": ""}


@pytest.mark.parametrize(
    ("split", "outcome", "said"),
    [
        ("2012-01-01", "purchase_7d", "outside of the history, which goes from 2009-12-01 to 2010-01-21"),
        ("2009-12-03", "purchase_7d", "No customer-week before --from 2009-12-03 has a known purchase_7d"),
        ("2010-01-20", "purchase_7d", "Choose 2010-01-13 or earlier"),
        ("2010-01-05", "churn_30d", "It ends on 2010-01-21: give a longer one, or an --outcome of fewer days."),
    ],
)
def test_a_split_that_leaves_nothing_on_one_side_is_refused_with_what_would_do(
    weeks: Path, split: str, outcome: str, said: str
) -> None:
    finished = run(weeks, split, outcome=outcome)
    assert (finished.exit_code, "Traceback" in finished.output) == (1, False)
    assert said in finished.output


def test_a_history_of_one_day_has_no_day_to_split_it_on() -> None:
    with pytest.raises(OfflineError, match=r"from 2009-12-22 to 2009-12-22. Give a longer history\."):
        Span(DAY * DAY_MS + 1, DAY * DAY_MS + 9, DAY * DAY_MS)


def test_without_scikit_learn_a_sentence_says_how_to_get_it(weeks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scikit_learn, "LogisticRegression", None)
    finished = run(weeks, "2010-01-06")
    assert (finished.exit_code, "pip install 'ebb[offline]'" in finished.output) == (1, True)


def rows_of(days: list[int], customers: int = 20) -> Rows:
    """Every customer on each of these days after the beginning."""
    count, draw = len(days) * customers, np.random.default_rng(1)
    scores = {"purchase_7d": np.full(count, 0.5)}
    windows_days = {"purchase_7d": np.full(count, 7), "churn_30d": np.full(count, 30)}
    return Rows(
        customers=[f"customer-{number}" for number in range(customers)],
        customer=np.tile(np.arange(customers), len(days)),
        day=DAY + np.repeat(days, customers),
        columns=draw.random((count, len(MODEL_COLUMNS))).astype(np.float32),
        windows_days=windows_days,
        online=scores,
        frozen=scores,
    )


def purchase(customer: int, day: float) -> Purchase:
    lines = [OrderLine(product_id="85048", quantity=1, unit_price="1.00")]
    time_ms = round((DAY + day) * DAY_MS)
    name = f"customer-{customer}"
    return Purchase(event_id=f"{name}-{day}", customer_id=name, event_time_ms=time_ms, currency="GBP", lines=lines)


def values_of(rows: Rows, outcome: Outcome, events: list[Purchase]) -> np.ndarray:
    """What became of rows after these events of their customers."""
    happened = Happened(outcome, Rules())
    who = [rows.customers.index(event.customer_id or "") for event in events]
    happened.add(facts_of(events, who, Rules().vocabulary, Rules().exponent))
    return happened.values(rows)


def test_one_class_and_no_model_are_refused() -> None:
    rows, half = rows_of([10, 60]), [purchase(number, day) for number in range(10) for day in (12, 62)]

    def came_true(events: list[Purchase]) -> np.ndarray:
        return values_of(rows, PURCHASE_7D, events)

    with pytest.raises(
        OfflineError, match=r"All 20 customer-weeks known before .* have purchase_7d = 0: with one class"
    ):
        report(rows, PURCHASE_7D, came_true([]), SPAN)
    with pytest.raises(OfflineError, match=r"All 20 customer-weeks from .* on have purchase_7d = 1"):
        report(rows, PURCHASE_7D, came_true([*half, *(purchase(number, 62) for number in range(20))]), SPAN)
    silent = {"purchase_7d": np.full(len(rows), np.nan)}
    with pytest.raises(OfflineError, match="No online model of purchase_7d served"):
        report(replace(rows, online=silent), PURCHASE_7D, came_true(half), SPAN)
    assert report(rows, PURCHASE_7D, came_true(half), SPAN).base_rate == 0.5


def test_one_class_is_named_before_the_missing_model_that_it_is_the_cause_of() -> None:
    rows = replace(rows_of([10, 60]), online={"purchase_7d": np.full(40, np.nan)})
    with pytest.raises(OfflineError, match="with one class there is nothing to tell apart"):
        report(rows, PURCHASE_7D, np.zeros(40), SPAN)


def test_a_history_of_guests_alone_is_said_to_have_no_customer() -> None:
    with pytest.raises(OfflineError, match=r"had a customer bought within 180 days: .* --columns customer_id=MyColumn"):
        report(rows_of([10, 60], customers=0), PURCHASE_7D, np.zeros(0), SPAN)


def test_where_no_model_served_at_the_split_nothing_frozen_is_judged() -> None:
    rows = replace(rows_of([10, 60]), frozen={"purchase_7d": np.full(40, np.nan)})
    value = np.tile([0.0, 1.0], 20)
    found = report(rows, PURCHASE_7D, value, SPAN)
    assert set(msgspec.json.decode(msgspec.json.encode(found.online_frozen_at_split)).values()) == {None}
    shown = screen(found).splitlines()
    assert next(line for line in shown if line.startswith("online, frozen")).split()[5:] == ["–"] * 5
    assert "No online model served on 2010-02-10 yet: there is none to be frozen." in shown


def test_labels_count_what_comes_after_the_midnight_until_the_horizon_and_are_known_a_day_later() -> None:
    rows = rows_of([10], customers=5)
    events = [purchase(0, 10), purchase(1, 10.001), purchase(2, 17), purchase(3, 17.001)]
    assert values_of(rows, PURCHASE_7D, events).tolist() == [0, 1, 1, 0, 0]
    assert values_of(rows, CHURN_30D, events).tolist() == [1, 0, 0, 0, 1]
    assert known(rows, PURCHASE_7D, (DAY + 18) * DAY_MS).all()
    assert not known(rows, PURCHASE_7D, (DAY + 18) * DAY_MS - 1).any()
