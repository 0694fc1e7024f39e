"""The demo as a new user runs it, on the first weeks of the example history."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pandas as pd
import pytest
from kafka import KafkaProducer

from ebb import Lookup
from ebb.cli.demo import example_history
from ebb.services.ports import free_port
from schemas.partition import partition_of
from schemas.topics import PURCHASES
from stream.errors import UnknownCustomerError
from tests.integration.processes import eventually

DAYS = 45
FEW_DAYS = 10  # where the history is only what comes before


@pytest.fixture(scope="module")
def weeks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return first_days(DAYS, tmp_path_factory.mktemp("history") / "weeks.csv")


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return first_days(FEW_DAYS, tmp_path_factory.mktemp("history") / "days.csv")


def first_days(count: int, path: Path) -> Path:
    """The beginning of the example history, with the columns of its first release."""
    lines = pd.read_parquet(example_history())
    lines = lines[lines["InvoiceDate"] < lines["InvoiceDate"].min().normalize() + pd.Timedelta(days=count)]
    other_spelling = {"Invoice": "InvoiceNo", "Price": "UnitPrice", "Customer ID": "CustomerID"}
    lines.rename(columns=other_spelling).to_csv(path, index=False)
    return path


class Demo:
    """`ebb` in a folder and on ports of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.kafka_port, self.redis_port = folder, free_port(), free_port()
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("EBB_")}
        self.redis_url = f"redis://127.0.0.1:{self.redis_port}/0"
        self.environ = inherited | {
            "EBB_KAFKA_SERVERS": f"127.0.0.1:{self.kafka_port}",
            "EBB_REDIS_URL": self.redis_url,
        }

    def command(self, *arguments: str | Path) -> list[str]:
        return [sys.executable, "-m", "ebb", *map(str, arguments)]

    def demo(self, *arguments: str | Path) -> list[str]:
        return self.command(
            "demo", "--kafka-port", str(self.kafka_port), "--redis-port", str(self.redis_port), *arguments
        )

    def run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=self.folder, env=self.environ, capture_output=True, text=True, timeout=200, check=False
        )

    def start(self, command: list[str]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command, cwd=self.folder, env=self.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def processes(self) -> list[str]:
        """Command lines of processes that belong to this folder."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                try:
                    if str(self.folder) in (entry / "environ").read_text(errors="replace") + str(
                        (entry / "cwd").readlink()
                    ):
                        found.append((entry / "cmdline").read_text().replace("\0", " "))
                except OSError:
                    continue
        return found


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    ours = Demo(tmp_path)
    yield ours
    ours.run(ours.command("down"))


def test_the_demo_shows_a_history_of_the_other_spelling_and_leaves_nothing_running(demo: Demo, weeks: Path):
    finished = demo.run(demo.demo("--json", "--no-simulated", "--history", weeks, "--source", "online_retail"))
    assert finished.returncode == 0, finished.stderr
    result = json.loads(finished.stdout.splitlines()[-1])
    lines = pd.read_csv(weeks, dtype={"InvoiceNo": str})
    kept = lines[lines["InvoiceNo"].str.startswith("C") | ((lines["Quantity"] >= 0) & (lines["UnitPrice"] >= 0))]
    assert result["events"] == kept["InvoiceNo"].nunique()
    assert result["customers"] == kept["CustomerID"].nunique()
    assert (result["dead_letters"], result["duplicates"]) == (0, 0)
    assert result["parity"] == {"customers": result["customers"], "mismatches": 0}
    assert result["simulated"] is None
    assert sum(result["segments"].values()) == result["customers"]
    assert len(result["segments"]) == 7
    assert set(result["churn_model"]["floors"]) <= {"base_rate", "since_last_purchase", "count_90d"}
    assert demo.processes() == []


def test_the_demo_ends_with_a_simulated_shop_whose_alerts_arrive_as_one_watches(demo: Demo, tmp_path: Path):
    lines = "order_id,customer_id,event_time,product_id,quantity,unit_price\n1,ada,2024-03-01 08:00,tea,2,4.90\n"
    (tmp_path / "orders.csv").write_text(lines)
    running = demo.start(demo.demo("--history", tmp_path / "orders.csv", "--source", "generic"))
    said, errors = running.communicate(timeout=280)
    assert running.returncode == 0, errors
    before, _, live = said.partition("Simulated shop, live")
    assert "churn alert  " not in before
    alerts = [line.split() for line in live.splitlines() if " churn alert  " in line]
    assert alerts
    summed = re.search(r"(\d+) churn alerts, (\d+) of them by silence alone", live)
    assert summed is not None
    assert int(summed[1]) == len(alerts) >= int(summed[2]) > 0
    assert re.search(r"20 days in 20 s · [\d,]+ purchases and refunds, [\d,]+ other events", live)
    assert demo.processes() == []


def test_kept_running_a_live_purchase_is_in_its_view_at_once(demo: Demo, days: Path):
    finished = demo.run(demo.demo("--keep", "--no-simulated", "--history", days))
    assert finished.returncode == 0, finished.stderr
    assert "on the live clock now" in finished.stdout
    refused = demo.run(demo.demo())
    assert (refused.returncode, "ebb down" in refused.stderr) == (1, True)
    now_ms = int(time.time() * 1000)
    line = {"product_id": "85048", "quantity": 1, "unit_price": "9.99"}
    event = {"type": "purchase", "event_id": "live-1", "customer_id": "new", "event_time_ms": now_ms, "currency": "GBP"}
    producer = KafkaProducer(bootstrap_servers=demo.environ["EBB_KAFKA_SERVERS"])
    producer.send(
        PURCHASES, msgspec.json.encode(event | {"lines": [line]}), key=b"new", partition=partition_of("new", 4)
    ).get(timeout=10)
    sent_s = time.monotonic()
    with Lookup(demo.redis_url) as lookup:
        eventually(lambda: _known(lookup, "new"), 30.0)
        print(f"view {1000 * (time.monotonic() - sent_s):.0f} ms after the acknowledgement")
        assert lookup.get("new").features["spend"] == "9.99"
    producer.close()
    shown = demo.run(demo.command("lookup", "new"))
    assert (shown.returncode, shown.stdout.startswith("new · ")) == (0, True)
    assert demo.run(demo.command("down")).returncode == 0
    eventually(lambda: demo.processes() == [])


def _known(lookup: Lookup, customer: str) -> bool:
    try:
        lookup.get(customer)
    except UnknownCustomerError:
        return False
    return True


def test_ctrl_c_says_so_and_leaves_nothing_running(demo: Demo, weeks: Path):
    running = demo.start(demo.demo("--history", weeks))
    eventually(lambda: any("ebb worker" in command for command in demo.processes()))
    second = demo.run(demo.demo("--history", weeks))
    assert (second.returncode, "Another demo runs" in second.stderr) == (1, True)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=60)
    assert (running.returncode, "interrupted" in said) == (130, True)
    assert demo.processes() == []


def test_a_history_that_is_none_says_which_file_and_why(demo: Demo, tmp_path: Path):
    (tmp_path / "notes.csv").write_text("a,b\n1,2\n")
    finished = demo.run(demo.demo("--history", tmp_path / "notes.csv"))
    assert (finished.returncode, "notes.csv" in finished.stderr, "Traceback" in finished.stderr) == (1, True, False)
