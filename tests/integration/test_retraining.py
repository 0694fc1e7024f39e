"""From the topics to a challenger that serves: retrained, admitted, scored with snapshots, judged, promoted, shown."""

import fcntl
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from ebb.cli import main
from ebb.lookup import Lookup
from offline.report.folder import CONFIGURATION
from schemas.topics import LABELS
from stream.features.layout import LAYOUT
from stream.scoring.kinds import probability
from stream.scoring.trained import TrainedTrees, decode_trained
from tests.integration.processes import Deployment, deployed, eventually
from tests.integration.retail import between

threadpoolctl = pytest.importorskip("threadpoolctl")  # it comes with scikit-learn
OUTCOME = "purchase_7d"
SETTINGS = {"EBB_OUTCOMES": OUTCOME, "EBB_ALERT_OUTCOME": OUTCOME}
NAME = f"retrained_{datetime.now(UTC):%Y_%m_%d}"


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Threads that wait for each other spin: on a machine with other work two take six times the CPU of one."""
    with threadpoolctl.threadpool_limits(1):
        yield


class Commands:
    """`ebb` with the settings of a deployment."""

    def __init__(self, shop: Deployment, runs: Path) -> None:
        self._environ, self._runs = shop.environ(), runs

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, [*arguments, "--json"], env=self._environ)

    def told(self, *arguments: str) -> Any:
        done = self.run(*arguments)
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    def retrain(self, outcome: str = OUTCOME, *more: str) -> Result:
        given = ("--kafka", "--runs", str(self._runs), "--search-tries", "1", "--by", "cron", "--no-wait")
        return self.run("offline", "retrain", "--outcome", outcome, *given, *more)


def labels_with(shop: Deployment, name: str) -> list[dict[str, Any]]:
    return [label for label in shop.labels() if label.get("outcome") == OUTCOME and name in label.get("scores", {})]


@pytest.mark.timeout(900)
def test_a_retrained_model_takes_part_is_judged_and_serves(embedded_kafka: str, redis_url: str, tmp_path: Path) -> None:
    with deployed(embedded_kafka, redis_url, tmp_path, broker="embedded", lockstep=True, settings=SETTINGS) as shop:
        ebb = Commands(shop, tmp_path / "runs")
        shop.publish(between("2009-12-01", "2010-03-20"))
        shop.start("worker")
        shop.start("learner")
        shop.wait_until_applied(within_s=180)

        made = ebb.retrain()
        assert made.exit_code == 0, made.output
        done = json.loads(made.stdout)
        assert (done["name"], done["model"], done["published"]) == (NAME, "boosting", True)
        assert {check["name"]: check["passed"] for check in done["checks"]} == {
            "better_than_the_floors": True,
            "tells_customers_apart": True,
            "calibrated": True,
        }
        trees = decode_trained((Path(done["run"]) / "models" / "boosting.json").read_bytes(), LAYOUT)
        assert isinstance(trees, TrainedTrees)

        shop.publish(between("2010-03-20", "2010-04-12"))
        shop.wait_until_applied()
        eventually(lambda: NAME in ebb.told("models", "show", OUTCOME)["metrics"], what="the challenger is judged")
        scored = labels_with(shop, NAME)
        assert min(label["snapshot_ms"] for label in scored) > trees.trained_until_ms
        columns = np.array([label["columns"] for label in scored])
        said = [label["scores"][NAME] for label in scored]
        alike = np.isclose(said, probability(trees.model, columns), rtol=0, atol=1e-9)
        assert alike.mean() > 0.9, "all but those whose column, kept as float32, went over a threshold by rounding"
        shown = ebb.told("models", "show", OUTCOME)
        assert shown["metrics"][NAME]["rows"] == len(scored)
        assert 0 < shown["costs_us"][NAME] < 10

        again = json.loads(ebb.retrain().stdout)
        assert (again["takes_part"], again["published"], again["checks"]) == (True, False, [])

        ebb.told("models", "pin", OUTCOME, NAME, "--no-wait")
        shop.publish(between("2010-04-12", "2010-04-16"))
        shop.wait_until_applied()
        eventually(lambda: ebb.told("models", "show", OUTCOME)["serving"] == NAME, what="it serves")
        with Lookup(redis_url) as lookup:
            buyers = [label["customer_id"] for label in scored][-60:]
            views = [view for view in lookup.get_many(buyers).values() if view.scores[OUTCOME].model == NAME]
        assert views, "nobody was decided since"
        assert all(0 < (view.scores[OUTCOME].probability or 0) < 1 and view.reasons for view in views)


def test_nothing_is_published_that_does_not_pass_its_checks_and_two_are_never_at_work(
    embedded_kafka: str, redis_url: str, tmp_path: Path
) -> None:
    with deployed(embedded_kafka, redis_url, tmp_path, broker="embedded") as shop:
        ebb = Commands(shop, tmp_path / "runs")
        shop.publish(between("2009-12-01", "2010-02-05"))
        failed = ebb.retrain()
        assert failed.exit_code == 3, failed.output
        done = json.loads(failed.stdout)
        assert (done["takes_part"], done["published"]) == (False, False)
        assert [check["name"] for check in done["checks"] if not check["passed"]] == [
            "better_than_the_floors",
            "calibrated",
        ]
        assert [record for record in shop.messages(LABELS) if b"model-decision" in record.value] == []
        written = (Path(done["run"]) / CONFIGURATION).stat().st_mtime_ns
        assert ebb.retrain().exit_code == 3
        assert (Path(done["run"]) / CONFIGURATION).stat().st_mtime_ns == written, "the same day was trained twice"

        lock = os.open(tmp_path / "runs" / ".retraining", os.O_RDWR)
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert ebb.retrain().exit_code == 4
        os.close(lock)

        assert "is no outcome" in ebb.retrain("spend_44d").stderr
        assert ebb.retrain(OUTCOME, "some.csv").exit_code == 2
