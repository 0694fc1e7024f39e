"""A shop to which nobody has come back on another day: of customers' own windows there is nothing to say."""

from pathlib import Path

import click
import pandas as pd
import pytest
from click.testing import CliRunner

from ebb.cli.backtest import backtest
from ebb.cli.train import train


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path, first = tmp_path_factory.mktemp("history") / "once.csv", pd.Timestamp("2024-01-01")
    lines = ["order_id,customer_id,event_time,product_id,quantity,unit_price"]
    lines += [f"{n},c{n},{first + pd.Timedelta(hours=n)},tea,1,5" for n in range(2_400)]
    path.write_text("\n".join(lines))
    return path


@pytest.mark.parametrize(("command", "option"), [(train, "--out"), (backtest, "--from")])
def test_an_outcome_that_asks_nobody_of_a_history_is_refused_without_naming_a_day(
    command: click.Command, option: str, once: Path, tmp_path: Path
) -> None:
    given = str(tmp_path / "run") if option == "--out" else "2024-03-01"
    finished = CliRunner().invoke(command, [str(once), "--source", "generic", "--outcome", "lapsed", option, given])
    assert finished.exit_code == 1, finished.output
    assert (
        "Nobody is asked about lapsed: on no day of a row had a customer bought on 2 days or more, the last time "
        "within 180 days. Choose another --outcome, or give a history in which one had."
    ) in finished.output
