"""What a backtest counts of a simulated shop's folder is what a lockstep replay of that shop counts."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ebb.backtest.machine import live
from ebb.backtest.past import past_of
from ebb.cli.backtest import backtest
from ebb.cli.features import features
from ebb.compose.offline import shop_of
from ebb.simulate import Shop, ShopSettings
from ebb.simulate.history import publish_history
from ebb.simulate.parquet import saved
from offline.features.batches import Reading
from offline.features.simulated import of_simulation
from schemas.topics import ENGAGEMENT, PROFILES
from schemas.units import DAY_MS
from stream.settings.worker import WorkerSettings
from tests.integration.processes import PARTITIONS, deployed
from tests.integration.test_learner_restarts import assert_lived_through, outcome

SETTINGS = ShopSettings(customers=600, days=75, seed=7, late=0.05, browsing_per_need=0.5)
"""Labels of purchase_7d enough for a model to serve."""


def test_a_simulated_folder_has_the_labels_scores_and_models_of_its_replay(
    embedded_kafka: str, redis_url: str, tmp_path: Path
) -> None:
    pytest.importorskip("sklearn")
    with deployed(embedded_kafka, redis_url, tmp_path / "replay", broker="embedded", lockstep=True) as deployment:
        publish_history(Shop(SETTINGS).slices(), [embedded_kafka], PARTITIONS)
        deployment.start("worker")
        deployment.start("learner")
        deployment.wait_until_applied(within_s=300)
        replayed = outcome(deployment)
        of_kafka = judged(tmp_path / "kafka.parquet", "--kafka", env=deployment.environ())
        assert deployment.messages(ENGAGEMENT)
        assert deployment.messages(PROFILES)
    shop, folder = Shop(SETTINGS), tmp_path / "shop"
    sent = list(saved(shop.slices(), shop, folder))
    assert any((each.sent_ms // DAY_MS > each.event_time_ms // DAY_MS).any() for each in sent), "nothing was late"
    alone = shop_of(WorkerSettings(), received_ms=time.time_ns() // 1_000_000)
    reading = Reading(alone.decoding, PARTITIONS, alone.received_ms, alone.rules.vocabulary)
    past = past_of(of_simulation(folder, reading), reading, tmp_path, 10**9)
    assert_lived_through(lambda look: live(past, alone.rules, look), replayed)
    assert of_kafka == judged(tmp_path / "shop.parquet", str(folder), env=deployment.environ())
    assert (tmp_path / "kafka.parquet").read_bytes() == (tmp_path / "shop.parquet").read_bytes()


def judged(out: Path, history: str, env: dict[str, str]) -> list[dict[str, Any]]:
    """What `ebb offline` makes of a history."""
    columns = ["--at", "2024-02-01", "--every", "1d", "--until", "2024-03-01", "--out", str(out)]
    asked = [(features, columns), (backtest, ["--outcome", "purchase_7d", "--from", "2024-02-25"])]
    found = [CliRunner().invoke(command, [history, *more, "--json"], env=env) for command, more in asked]
    assert [each.exit_code for each in found] == [0, 0], [each.output for each in found]
    return [json.loads(each.stdout) | {"events_per_s": 0} for each in found]
