"""In lockstep a model is a function of the labels log: SIGKILLs change neither the log's content nor the models."""

import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import redis

from ebb.backtest.machine import Lived, Look, Moment, live_through
from ebb.compose.offline import shop_of
from schemas.topics import CHURN_ALERTS, SEGMENT_CHANGES
from stream.chunk import Models
from stream.features.layout import LAYOUT
from stream.redis_store import keys
from stream.scoring.documents import decode
from stream.scoring.serving import score_outcome
from stream.settings.worker import WorkerSettings
from stream.signing import Keyring, open_sealed
from stream.worker.model_watch import model_names
from tests.integration.processes import MODEL_KEYS, Deployment, deployed, eventually
from tests.integration.retail import first_events

SEED = 5
EVENTS = 3_000  # a month: labels of purchase_7d enough for a model to serve


def champions(redis_url: str) -> dict[str, Any]:
    """The documents in force, opened."""
    documents = {}
    with redis.Redis.from_url(redis_url) as client:
        for name in model_names():
            version, day = client.hmget(keys.model_champion(name), ["version", "epoch_day"])
            sealed = client.get(keys.model(name, version.decode()))
            document = (
                msgspec.to_builtins(decode(open_sealed(sealed, Keyring.from_text(MODEL_KEYS)), LAYOUT))
                if sealed
                else None
            )
            documents[name] = (version, int(day), document)
    return documents


def said(shop: Deployment, topic: str) -> list[dict[str, Any]]:
    """Each message of a topic once, whenever it was sent."""
    messages = {m["message_id"]: m for m in (msgspec.json.decode(record.value) for record in shop.messages(topic))}
    return [messages[name] for name in sorted(messages)]


def outcome(shop: Deployment) -> dict[str, Any]:
    """Everything that must not depend on who died when."""
    topics = {topic: said(shop, topic) for topic in (CHURN_ALERTS, SEGMENT_CHANGES)}
    return {"labels": shop.labels(), "models": champions(shop.redis_url), **topics}


def in_process(lived: Callable[[Look], Lived]) -> dict[str, Any]:
    """The labels and models of a run without services; what a moment shows is what its snapshots hold."""
    labels: dict[str, Any] = {}
    in_force: dict[int, Models] = {}

    def look(moment: Moment) -> None:
        in_force[moment.time_ms] = moment.models
        for label in moment.labels:
            labels[label.message_id] = msgspec.to_builtins(label)
            document = in_force[label.snapshot_ms].outcomes.get(label.outcome)
            said = score_outcome(document, np.array([label.columns])).candidates
            assert label.scores == pytest.approx({name: each[0] for name, each in said.items()}, abs=1e-6)

    models = lived(look).models
    return {"labels": labels, "models": {**models.outcomes, "segments": models.segments}}


def assert_close(found: Any, expected: Any, where: str = "") -> None:
    """See that what is nested has the same numbers to 1e-9 and is equal otherwise."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys(), where
        for name, value in expected.items():
            assert_close(found[name], value, f"{where}.{name}")
    elif isinstance(expected, list | tuple):
        assert len(found) == len(expected), where
        for place, (one, other) in enumerate(zip(found, expected, strict=True)):
            assert_close(one, other, f"{where}[{place}]")
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-9), where
    else:
        assert found == expected, where


def assert_lived_through(lived: Callable[[Look], Lived], undisturbed: dict[str, Any]) -> None:
    """See that a run in one process has the scores and the models of a lockstep replay with services."""
    alone = in_process(lived)
    sent = {label["message_id"]: label for label in undisturbed["labels"] if label["type"] == "label"}
    assert any(label["scores"] for label in sent.values())
    numbers = {"partition": 0, "sequence": 0}  # of the outbox: they differ by how customers are spread
    assert_close(
        {name: label | numbers for name, label in alone["labels"].items() if name in sent},
        {name: label | numbers for name, label in sent.items()},
    )
    assert len(alone["labels"]) == len(sent)
    documents = {name: document for name, (_, _, document) in undisturbed["models"].items() if document}
    assert_close({name: msgspec.to_builtins(alone["models"][name]) for name in documents}, documents)


def test_models_and_labels_after_kills_in_lockstep_are_those_of_an_undisturbed_run_and_of_one_in_process(
    empty_apache_kafka: str, embedded_kafka: str, redis_url: str, tmp_path: Path
) -> None:
    history = first_events(EVENTS)
    with deployed(embedded_kafka, redis_url, tmp_path / "undisturbed", broker="embedded", lockstep=True) as shop:
        shop.publish(history)
        shop.start("worker")
        shop.start("learner")
        shop.wait_until_applied()
        undisturbed = outcome(shop)
    alone = shop_of(WorkerSettings(), received_ms=time.time_ns() // 1_000_000)
    assert_lived_through(lambda look: live_through(history, alone, look), undisturbed)
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    with deployed(empty_apache_kafka, redis_url, tmp_path / "disturbed", lockstep=True) as shop:
        shop.publish(history)
        worker, learner = shop.start("worker"), shop.start("learner")
        draw = random.Random(SEED)
        for part, victim in enumerate(["learner", "worker"]):
            applied = round((part + draw.random()) * EVENTS / 3)
            eventually(lambda applied=applied: shop.applied() >= applied)
            shop.kill(worker if victim == "worker" else learner)
            started = shop.start(victim)
            worker, learner = (started, learner) if victim == "worker" else (worker, started)
        shop.wait_until_applied()
        disturbed = outcome(shop)
        parity = shop.parity(history)
        assert (parity.customers, list(parity.mismatches)) == (history.summary.customers, [])
        learner.send(signal.SIGTERM)
        assert learner.exit_code() == 0
    assert disturbed == undisturbed
    assert disturbed["models"]["purchase_7d"][2]["serving"], "the history is too short to have taught anything"
