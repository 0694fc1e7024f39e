"""A history in another currency than the deployment's is said to be that, whatever its lack of purchases leads to."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from ebb.cli.offline import offline
from ebb.cli.simulate import simulate
from offline.rejections import Rejections
from schemas.rejection import Rejection

pytest.importorskip("sklearn")
EUROS = {"EBB_CURRENCY": "EUR", "EBB_PARTITIONS": "2"}
IN_POUNDS = "wrong_currency: currency is 'GBP', the reporting currency EUR. Set EBB_CURRENCY=GBP if that is the shop's."
COMMANDS = {
    "train": ["--outcome", "churn_30d"],
    "features": ["--at", "2024-03-01"],
    "segments": [],
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    finished = CliRunner().invoke(simulate, ["--customers", "300", "--days", "90", "--parquet", str(folder)])
    assert finished.exit_code == 0, finished.output
    return folder


@pytest.mark.parametrize("command", COMMANDS)
def test_a_wrong_currency_is_said_before_what_is_missing_for_it(command: str, shop: Path, tmp_path: Path) -> None:
    given = [command, str(shop), *COMMANDS[command], "--out", str(tmp_path / "out")]
    finished = CliRunner().invoke(offline, given, env=EUROS)
    assert (finished.exit_code, "Traceback" in finished.output) == (1, False)
    said, _, missing = finished.stderr.partition(" Without that: ")
    assert said.startswith("ebb: ")
    assert " records were rejected" in said
    assert said.endswith(IN_POUNDS)
    assert missing


def test_a_backtest_says_so_too(tmp_path: Path) -> None:
    orders = tmp_path / "orders.csv"
    rows = [f"{day},ada,2010-01-{day:02},tea,1,4.90,GBP" for day in range(1, 31)]
    orders.write_text("\n".join(["order_id,customer_id,event_time,product_id,quantity,unit_price,currency", *rows]))
    asked = ["--source", "generic", "--outcome", "purchase_7d", "--from", "2010-01-15"]
    finished = CliRunner().invoke(offline, ["backtest", str(orders), *asked], env=EUROS)
    assert finished.exit_code == 1, finished.output
    assert finished.stderr.startswith(
        f"ebb: 30 records were rejected as {IN_POUNDS} Without that: The history holds no event"
    )


@pytest.mark.parametrize("command", ["train", "segments", "features"])
def test_orders_that_are_none_are_counted_where_they_are_left_out(command: str, tmp_path: Path) -> None:
    orders = tmp_path / "orders.csv"
    rows = [f"{day % 3},c{day},2010-01-{day:02},tea,1,4.90" for day in range(1, 31)]
    orders.write_text("\n".join(["order_id,customer_id,event_time,product_id,quantity,unit_price", *rows]))
    asked = [*COMMANDS[command], "--source", "generic", "--out", str(tmp_path / "out")]
    finished = CliRunner().invoke(offline, [command, str(orders), *asked])
    assert finished.exit_code == 1
    assert "Left out of the files: 3 several customers" in finished.stderr


def test_what_is_left_out_of_features_is_counted_by_reason(tmp_path: Path) -> None:
    orders = tmp_path / "orders.csv"
    rows = ["1,ada,2010-01-05,tea,1,4.90,EUR", "2,ada,2010-01-06,tea,1,4.90,GBP", "3,ada,1980-01-06,tea,1,4.90,EUR"]
    orders.write_text("\n".join(["order_id,customer_id,event_time,product_id,quantity,unit_price,currency", *rows]))
    given = [
        "features",
        str(orders),
        "--source",
        "generic",
        "--at",
        "2010-01-31",
        "--out",
        str(tmp_path / "out.parquet"),
    ]
    finished = CliRunner().invoke(offline, given, env=EUROS)
    assert finished.exit_code == 0, finished.output
    assert "left out: 2 rejected (1 event_time_too_early, 1 wrong_currency), 0 repeats" in finished.output


def test_of_several_reasons_the_commonest_is_said_with_its_share() -> None:
    rejected = Rejections()
    rejected.add(
        [Rejection("missing_field", "currency"), *[Rejection("malformed_json", f"no {n}") for n in range(1_200)]]
    )
    assert rejected.said() == (
        "1,201 records were rejected, 1,200 of them as malformed_json: no 0. What to do is in docs/events.md, under "
        "Records that cannot be applied."
    )
