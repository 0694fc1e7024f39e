"""`ebb offline train`: models as data, splits that know nothing of the future; what is said where much is missing."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from ebb.cli.features import features
from ebb.cli.train import train
from offline.backtest import batch
from offline.backtest.rows import Rows
from offline.training import chances, spend
from offline.training.as_data import boosted, forest, linear
from offline.training.recipes import RECIPES
from offline.training.search import Budget
from offline.training.splits import blocks, refuse, split_at
from offline.training.table import Table
from offline.training.target import Target, target_of
from offline.training.train import Plan
from offline.training.train import train as fit_and_judge
from schemas.units import DAY_MS
from stream.errors import OfflineError, SettingError
from stream.features.columns import MODEL_COLUMNS
from stream.features.layout import LAYOUT
from stream.outcomes.declaration import BUILT_IN, PURCHASE_7D
from stream.scoring.explain import CONCEPT_NAMES
from stream.scoring.kinds import probability
from stream.scoring.linear import LinearModel
from stream.scoring.trained import TrainedLinear, TrainedTrees, decode_trained
from stream.scoring.trees import answers
from tests.integration.retail import file_until

ensemble = pytest.importorskip("sklearn.ensemble")
DAY = 14_600
TARGET = Target(PURCHASE_7D)


@pytest.fixture(scope="module")
def weeks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return file_until("2010-02-05", tmp_path_factory.mktemp("history"))


def run(path: Path, out: Path, *options: str) -> Result:
    given = [str(path), "--source", "online_retail", "--out", str(out), "--json", *options]
    return CliRunner().invoke(train, given)


@pytest.fixture(scope="module")
def trained(weeks: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("runs") / "purchase"
    finished = run(weeks, out, "--outcome", "purchase_7d", "--search-tries", "1")
    assert finished.exit_code == 0, finished.output
    return out, json.loads(finished.stdout)


def test_a_run_is_a_folder_of_data_and_a_page(trained: tuple[Path, dict[str, Any]]) -> None:
    out, metrics = trained
    assert json.loads((out / "metrics.json").read_bytes()) == metrics
    configuration = json.loads((out / "run.json").read_bytes())
    assert configuration["outcome"]["horizon_days"] == 7
    assert sorted(path.name for path in out.iterdir()) == ["metrics.json", "models", "report.html", "run.json"]
    documents = {path.stem: decode_trained(path.read_bytes(), LAYOUT) for path in (out / "models").iterdir()}
    kinds = {"logistic": TrainedLinear, "forest": TrainedTrees, "boosting": TrainedTrees}
    assert {name: type(document) for name, document in documents.items()} == kinds
    assert {document.data_hash for document in documents.values()} == {configuration["data_hash"]}
    page = (out / "report.html").read_text("utf-8")
    assert page.count("<svg") >= 10
    assert not re.search(r'<svg[^>]*"[\d.]+pt"', page)  # of a fixed size they are wider than a phone
    assert "<script" not in page
    assert "src=" not in page


def test_models_are_judged_on_what_came_after_what_they_have_learned(trained: tuple[Path, dict[str, Any]]) -> None:
    _, metrics = trained
    assert metrics["gap_days"] == [8, 8]
    assert pd.Timestamp(metrics["learned"]["last"]) + pd.Timedelta(days=8) <= pd.Timestamp(metrics["split"])
    assert metrics["judged"]["first"] >= metrics["split"]
    assert metrics["chosen"] == min(metrics["models"], key=lambda name: metrics["models"][name]["search"]["loss"])
    floor = metrics["floors"]["base_rate"]["auc"]
    for model in metrics["models"].values():
        judgement = model["judgement"]
        assert judgement["figures"]["auc"] > floor + 0.1
        for name, bounds in judgement["intervals"].items():
            figure = {**judgement["figures"], **judgement["decided"]}[name]
            assert bounds["low"] <= figure <= bounds["high"]
        assert judgement["gain"][0]["lift"] > 1.2
        assert judgement["gain"][-1]["gain"] == 1.0
        assert max(model["importance"]["by_concept"].values()) > 0.002
        assert model["shares"].keys() == set(CONCEPT_NAMES)
        assert (max(model["shares"].values()) > 0.1, model["shares"]["engagement"]) == (True, 0.0)  # which it has not
    assert "fresh_browsing" in metrics["constant_columns"]


def test_the_same_rows_and_tries_give_the_same_run_and_none_is_written_over(weeks: Path, tmp_path: Path) -> None:
    options = ("--outcome", "spend_10d", "--model", "logistic", "--search-tries", "2", "--from", "2010-01-14")
    for name in ("one", "two"):
        finished = run(weeks, tmp_path / name, *options)
        assert finished.exit_code == 0, finished.output
    one, two = ({path.name: path.read_bytes() for path in (tmp_path / n).rglob("*.*")} for n in ("one", "two"))
    assert one == two
    again = run(weeks, tmp_path / "one", *options)
    assert (again.exit_code, "never written over" in again.output) == (1, True)
    whole = run(weeks, tmp_path / "three", *options, "--refit")
    assert (tmp_path / "three" / "metrics.json").read_bytes() == one["metrics.json"], whole.output
    refitted = decode_trained((tmp_path / "three" / "models" / "logistic.json").read_bytes(), LAYOUT)
    first = decode_trained(one["logistic.json"], LAYOUT)
    assert (refitted.rows > first.rows, refitted.trained_until_ms > first.trained_until_ms) == (True, True)
    (judged,) = json.loads(one["metrics.json"])["models"].values()
    figures, floor = judged["judgement"]["figures"], json.loads(one["metrics.json"])["floors"]["mean"]
    assert figures["rmse"] < floor["rmse"]
    assert figures["gini"] > 0.3 > abs(floor["gini"])


def test_page_and_screen_of_amounts_name_the_currency_and_say_bias_as_a_percentage(weeks: Path, tmp_path: Path) -> None:
    given = [str(weeks), "--source", "online_retail", "--out", str(tmp_path / "run"), "--outcome", "spend_10d"]
    options = ["--model", "logistic", "--search-tries", "1", "--from", "2010-01-14"]
    finished = CliRunner().invoke(train, [*given, *options])
    assert finished.exit_code == 0, finished.output
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_bytes())
    page = (tmp_path / "run" / "report.html").read_text("utf-8")
    assert metrics["currency"] == "GBP"
    for shown in (page, finished.stdout):
        assert f"mean {metrics['judged']['mean']:,.2f} GBP" in shown
        assert f"{metrics['models']['logistic']['judgement']['figures']['bias']:+.1%}" in shown
    assert "MAE and RMSE are in GBP" in page
    assert "<th>mean prediction, GBP</th><th>mean amount, GBP</th>" in page
    for axis, plots in {"mean prediction, GBP": 7, "mean amount, GBP": 1, "mean size, GBP": 1}.items():
        assert page.count(f">{axis}</text>") == plots
    assert "Columns of money, log_…_minor, are logarithms of 1 + the amount in minor units / 100" in page


def test_amounts_of_millions_keep_their_distance_and_have_no_decimals_where_their_currency_has_none(
    weeks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EBB_CURRENCY", "VND")
    lines = pd.read_parquet(weeks)
    lines.assign(Price=lines["Price"] * 30_000_000).to_parquet(tmp_path / "dong.parquet")
    columns = "order_id=Invoice,customer_id=Customer ID,event_time=InvoiceDate,product_id=StockCode,unit_price=Price"
    given = [
        str(tmp_path / "dong.parquet"),
        "--source",
        "generic",
        "--columns",
        columns,
        "--out",
        str(tmp_path / "run"),
    ]
    options = ["--outcome", "spend_10d", "--model", "logistic", "--search-tries", "1", "--from", "2010-01-14"]
    finished = CliRunner().invoke(train, [*given, *options])
    assert finished.exit_code == 0, finished.output
    head, *rows = (line for line in finished.stdout.splitlines() if line.startswith(("  ", "logistic", "rule")))
    assert re.search(r"mean [\d,]{11,} VND", finished.stdout)
    assert all(re.fullmatch(r"\S.*?  +[\d,]{13,}  +[\d,]{13,}  +\S+  +\S+  +\S+", row) for row in rows), finished.stdout
    assert {len(row) for row in rows} == {len(head)}
    page = (tmp_path / "run" / "report.html").read_text("utf-8")
    amounts = re.findall(r"<td>([\d,]{11,}(?:\.\d+)?)", page.replace("</td>", ""))
    assert len(amounts) > 20
    assert not [amount for amount in amounts if "." in amount]


def test_one_column_with_one_value_has_it() -> None:
    table = table_of_days(60)
    table.rows.columns[:, 3] = 1.0
    plan = Plan(["logistic"], Budget(1, None), "GBP")
    split = split_at(table.rows, PURCHASE_7D, DAY + 40, table.last_ms)
    metrics = fit_and_judge(table, TARGET, split, plan, lambda: None).metrics
    assert metrics.notes[0].startswith(f"1 of {len(MODEL_COLUMNS)} columns has one value in all learned rows (")


def test_models_as_data_say_what_scikit_learn_says_missing_values_included(weeks: Path, tmp_path: Path) -> None:
    asked = ["--at", "2010-01-15", "--out", str(tmp_path / "f.parquet"), "--source", "online_retail"]
    assert CliRunner().invoke(features, [str(weeks), *asked]).exit_code == 0
    matrix = pd.read_parquet(tmp_path / "f.parquet")[list(MODEL_COLUMNS)].to_numpy(np.float64).copy()
    drawn = np.random.default_rng(1)
    value = (matrix[:, 0] + drawn.normal(size=len(matrix)) > matrix[:, 0].mean()).astype(np.float64)
    asked_of = matrix + drawn.normal(0, 0.1, matrix.shape)  # not only values that were learned
    logistic = batch.logistic(matrix, value)
    found = probability(linear(logistic, MODEL_COLUMNS), asked_of)
    assert found == pytest.approx(logistic.predict_proba(asked_of)[:, 1], abs=1e-9)
    for columns in (matrix, asked_of):
        columns[drawn.random(matrix.shape) < 0.1] = np.nan
    boosting = batch.gradient_boosting(matrix, value, max_iter=30)
    found = answers(boosted(boosting, MODEL_COLUMNS), asked_of)
    assert found == pytest.approx(boosting.predict_proba(asked_of)[:, 1], abs=1e-9)
    voting = ensemble.RandomForestClassifier(20, min_samples_leaf=5, random_state=0).fit(matrix, value)
    found = answers(forest(voting, MODEL_COLUMNS), asked_of)
    assert found == pytest.approx(voting.predict_proba(asked_of)[:, 1], abs=1e-9)
    numbers = ensemble.RandomForestRegressor(10, min_samples_leaf=5, random_state=0).fit(matrix, 100 * value)
    assert answers(forest(numbers, MODEL_COLUMNS), asked_of) == pytest.approx(numbers.predict(asked_of), abs=1e-9)


def test_a_regression_is_at_its_optimum_in_whatever_order_rows_come(weeks: Path, tmp_path: Path) -> None:
    asked = ["--at", "2010-01-15", "--out", str(tmp_path / "f.parquet"), "--source", "online_retail"]
    assert CliRunner().invoke(features, [str(weeks), *asked]).exit_code == 0
    columns = pd.read_parquet(tmp_path / "f.parquet")[list(MODEL_COLUMNS)].to_numpy(np.float32)
    value = (columns[:, 0] > np.random.default_rng(1).normal(columns[:, 0].mean(), 0.5, len(columns))).astype(float)
    fit = RECIPES["logistic"].classify
    found = fit(columns, value, {"C": 1.0})
    assert isinstance(found, LinearModel)
    said, scales = probability(found, columns.astype(np.float64)), np.array(found.scales)
    z = np.divide(columns - np.array(found.means), scales, out=np.zeros(columns.shape), where=scales > 0)
    slope = np.clip(z, -found.clip, found.clip).T @ (said - value) + np.array(found.weights)
    assert np.abs(slope).max() / len(value) < 1e-6
    backwards = fit(columns[::-1], value[::-1], {"C": 1.0})
    assert probability(backwards, columns.astype(np.float64)) == pytest.approx(said, abs=1e-5)


def test_where_only_missing_values_go_right_infinity_goes_left_as_in_scikit_learn() -> None:
    matrix = np.linspace(0, 1, 400)[:, None]
    matrix[::2] = np.nan
    boosting = batch.gradient_boosting(matrix, np.isnan(matrix[:, 0]).astype(np.float64), max_iter=1)
    asked = np.array([[0.5], [np.nan], [np.inf], [-np.inf], [np.finfo(np.float64).max]])
    found = answers(boosted(boosting, ("silence",)), asked, ("silence",))
    assert found == pytest.approx(boosting.predict_proba(asked)[:, 1], abs=1e-9)


def table_of_days(days: int, customers: int = 30, seed: int = 1) -> Table:
    count, drawn = days * customers, np.random.default_rng(seed)
    columns = drawn.random((count, len(MODEL_COLUMNS))).astype(np.float32)
    rows = Rows(
        customers=[f"customer-{number}" for number in range(customers)],
        customer=np.tile(np.arange(customers), days),
        day=DAY + np.repeat(np.arange(days), customers),
        columns=columns,
        windows_days={"purchase_7d": np.full(count, 7)},
    )
    value = (columns[:, 0] > drawn.random(count)).astype(np.float64)
    return Table(rows, value, DAY * DAY_MS, (DAY + days + 8) * DAY_MS, one_in=1, late_rows=0, asked=len(value))


def test_no_block_is_judged_by_a_model_that_knows_what_became_known_later() -> None:
    table = table_of_days(60)
    found = blocks(table.rows, table.value, PURCHASE_7D)
    assert len(found) == 3
    for block in found:
        assert table.rows.day[block.learned].max() + 8 <= table.rows.day[block.judged].min() == block.day
    judged = np.sum([block.judged for block in found], axis=0)
    assert judged.max() == 1


@pytest.mark.parametrize(
    ("change", "day", "said"),
    [
        ({}, 3, "No row before 2009-12-25 has a known purchase_7d: .* Choose --from 20"),
        ({}, 90, "No row from 2010-03-22 on has a known purchase_7d: .* Choose --from 20"),
        ({"value": 0}, 40, "have purchase_7d = 0: there is nothing to tell apart. Choose"),
        ({}, 12, "150 rows are known before .*: a model takes 200 rows and 10 of each kind. Give more"),
        ({"columns": 0}, 40, "Every column has one value in all .* Check that times and amounts"),
    ],
)
def test_what_is_missing_is_said_with_what_to_do(change: dict[str, float], day: int, said: str) -> None:
    table = table_of_days(60)
    if "value" in change:
        table = replace(table, value=np.zeros(len(table.value)))
    if "columns" in change:
        table = replace(table, rows=replace(table.rows, columns=np.zeros_like(table.rows.columns)))
    with pytest.raises(OfflineError, match=said):
        refuse(table, TARGET, split_at(table.rows, PURCHASE_7D, DAY + day, table.last_ms))


def test_amounts_of_rows_that_all_have_some_are_asked_of_fewer_days() -> None:
    table = table_of_days(60)
    table = replace(table, value=1.0 + table.value)
    with pytest.raises(OfflineError, match=r"some spend within 7 days: whether they spend, .* Ask of fewer days"):
        refuse(table, replace(TARGET, is_amount=True), split_at(table.rows, PURCHASE_7D, DAY + 40, table.last_ms))


def test_a_history_too_short_for_an_outcome_ends_with_a_sentence_and_no_folder(weeks: Path, tmp_path: Path) -> None:
    finished = run(weeks, tmp_path / "run", "--outcome", "churn_90d")
    assert (finished.exit_code, "Traceback" in finished.output) == (1, False)
    assert "No row has a known churn_90d: what becomes of a day is known 91 days later" in finished.output
    assert "Give a longer history" in finished.output
    assert not list(tmp_path.iterdir())
    with pytest.raises(SettingError, match="spend_44d"):
        target_of("churn_31d", BUILT_IN)
    with pytest.raises(SettingError, match="up to 365 days"):
        target_of("spend_900d", BUILT_IN)


def test_a_model_that_no_cross_validation_has_chosen_is_not_said_to_be(weeks: Path, tmp_path: Path) -> None:
    def chosen(name: str, *options: str) -> tuple[list[str], str]:
        given = [str(weeks), "--source", "online_retail", "--out", str(tmp_path / name), "--outcome", "purchase_7d"]
        done = CliRunner().invoke(train, [*given, "--search-tries", "1", *options])
        lines = [line for line in done.stdout.splitlines() if line.startswith("chosen")]
        return lines, (tmp_path / name / "report.html").read_text()

    lines, page = chosen("only", "--model", "logistic")
    assert lines == ["chosen: logistic regression, the only one that was asked for"]
    assert "The chosen model is logistic regression, the only one" in page
    lines, page = chosen("first", "--model", "logistic", "--from", "2009-12-20")
    assert lines == ["chosen: logistic regression, the first one: there is too little time for cross-validation"]
    assert "How they were found" not in page


def test_the_two_stages_come_to_what_customers_spend_on_average() -> None:
    drawn, rows = np.random.default_rng(3), 2_000
    columns = drawn.normal(size=(rows, len(MODEL_COLUMNS))).astype(np.float32)
    some = drawn.random(rows) < 1 / (1 + np.exp(-columns[:, 0]))
    amounts = np.where(some, np.exp(3 + 0.5 * columns[:, 1] + drawn.normal(0, 1, rows)), 0.0)
    for recipe in (RECIPES["logistic"], RECIPES["boosting"]):
        few = {"max_iter": 40} if "max_iter" in recipe.usual else {}
        model = spend.fit(recipe, columns, amounts, np.arange(rows), {**recipe.usual, **few})
        assert 1.4 < model.smearing < 2.0  # exp(1 / 2) = 1.65 for errors of standard deviation 1
        judged = spend.judged(spend.says(model, columns), amounts, np.arange(rows)).figures
        assert abs(judged.bias) < 0.1
        assert judged.gini > 0.3
    assert spend.figures(amounts, amounts).gini == pytest.approx(1.0)


def test_a_resampled_shop_in_which_nobody_spends_is_passed_over() -> None:
    customer, spent = np.repeat(np.arange(30), 10), np.zeros(300)
    spent[15] = 20.0  # of one customer, who is drawn for two of three shops
    judged = spend.judged(np.random.default_rng(1).gamma(2.0, 1.0, 300), spent, customer)
    bounds = [(each.low, each.high) for each in judged.intervals.values()]
    assert judged.intervals.keys() == {"mae", "rmse", "deviance", "gini", "bias"}
    assert np.isfinite(bounds).all()
    nobody = spend.figures(np.ones(4), np.zeros(4))
    assert (nobody.mae, np.isnan([nobody.gini, nobody.bias, nobody.decile_error]).all()) == (1.0, True)


def test_figures_at_the_threshold_count_yes_and_no() -> None:
    said, value = np.array([0.9, 0.8, 0.5, 0.4, 0.1]), np.array([1.0, 0.0, 1.0, 1.0, 0.0])
    at = chances.decided(said, value, np.ones(5))
    assert (at.accuracy, at.precision, at.recall, at.f1) == pytest.approx((3 / 5, 2 / 3, 2 / 3, 2 / 3))
    assert chances.gains(said, value)[3].lift == pytest.approx(0.5 / 0.6)


def test_one_probability_for_everybody_has_a_lift_of_one_also_where_an_outcome_becomes_rarer() -> None:
    value = np.append(np.ones(300), np.zeros(700))
    found = chances.gains(np.full(1_000, 0.3), value)
    assert [each.lift for each in found] == pytest.approx([1.0] * 10)
    assert [each.gain for each in found] == pytest.approx([each.share for each in found])
