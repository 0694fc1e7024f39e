"""Challengers from outside: admitted as what a person has named, refused as anything else."""

from hashlib import sha256
from typing import Any

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

from schemas.messages import ModelDecision
from stream.features.columns import MODEL_COLUMNS
from stream.features.layout import LAYOUT
from stream.learner.teaching import Teacher
from stream.metrics.learner import REGISTRY
from stream.scoring.challengers import ChallengerDocument, encode_challenger
from stream.scoring.documents import schema_of
from stream.scoring.linear import LinearModel
from stream.signing import Keyring, open_sealed, seal
from tests.property.grown_trees import grown
from tests.unit.learner.teachers import DAYS, FIRST_DAY, KEYS, Store, decision, in_force, labels, taught


def challenger(keys: Keyring = KEYS, **changes: Any) -> tuple[bytes, ModelDecision]:
    """A sealed challenger, and the decision that admits it."""
    document = ChallengerDocument(
        outcome="churn_30d",
        name="outsider",
        layout=LAYOUT,
        schema=schema_of(MODEL_COLUMNS),
        model=LinearModel((MODEL_COLUMNS[0],), (0.0,), (1.0,), (0.5,), bias=0.25),
        trained_until_ms=0,
        published_ms=0,
    )
    sealed = seal(encode_challenger(msgspec.structs.replace(document, **changes)), keys)
    return sealed, decision("admit", "outsider", sha256(sealed).hexdigest())


async def test_a_published_challenger_is_a_candidate_of_the_next_document() -> None:
    store = Store()
    teacher = await taught(store, range(FIRST_DAY, FIRST_DAY + 20))
    sealed, admitted = challenger()
    await store.publish_challenger("churn_30d", "outsider", sealed)
    teacher.learn([], FIRST_DAY + 20, [await teacher.ruling(admitted)])
    await teacher.publish(next_offset=90_099)
    assert in_force(store).candidates["outsider"].bias == 0.25
    await store.withdraw_challenger("churn_30d", "outsider")
    again = Teacher(store, KEYS)
    await again.restore()
    again.learn(labels(FIRST_DAY + 21), FIRST_DAY + 21)
    await again.publish(next_offset=90_100)
    assert "outsider" in in_force(store).candidates, "the learner has to keep what it was given"
    series = {"outcome": "churn_30d", "candidate": "outsider"}
    assert REGISTRY.get_sample_value("ebb_model_serving", series) == 0.0
    again.learn([], FIRST_DAY + 22, [await again.ruling(decision("withdraw", "outsider"))])
    await again.publish(next_offset=90_101)
    assert REGISTRY.get_sample_value("ebb_model_serving", series) is None


TREES = grown(np.random.default_rng(1))


def rewritten(**changes: Any) -> tuple[bytes, ModelDecision]:
    """A challenger with numbers in its trees that `TreeModel` would not take."""
    plain = msgspec.json.decode(open_sealed(challenger(model=TREES)[0], KEYS))
    sealed = seal(msgspec.json.encode(plain | {"model": plain["model"] | changes}), KEYS)
    return sealed, decision("admit", "outsider", sha256(sealed).hexdigest())


async def test_trees_from_outside_are_a_candidate_and_serve_when_a_person_says_so() -> None:
    store = Store()
    teacher = await taught(store, range(FIRST_DAY, FIRST_DAY + 20))
    sealed, admitted = challenger(model=TREES)
    await store.publish_challenger("churn_30d", "outsider", sealed)
    rulings = [await teacher.ruling(each) for each in (admitted, decision("promote", "outsider"))]
    teacher.learn([], FIRST_DAY + 20, rulings)
    await teacher.publish(next_offset=90_099)
    again = Teacher(store, KEYS)
    await again.restore()
    again.learn(labels(FIRST_DAY + 21), FIRST_DAY + 21)
    await again.publish(next_offset=90_100)
    document = in_force(store)
    assert (document.serving, document.candidates["outsider"]) == ("outsider", TREES)


def nested() -> tuple[bytes, ModelDecision]:
    """A challenger with something that nobody can read to its end."""
    payload = open_sealed(challenger()[0], KEYS)
    sealed = seal(payload[:-1] + b',"more":' + b"[" * 100_000, KEYS)
    return sealed, decision("admit", "outsider", sha256(sealed).hexdigest())


BAD = {
    "nested too deeply": nested(),
    "a number beyond 64 bits": rewritten(missing_left=[2**70] * len(TREES.lefts)),
    "a time beyond 64 bits": challenger(trained_until_ms=2**70),
    "a scale beyond numbers": challenger(model=LinearModel(MODEL_COLUMNS[:1], (0.0,), (5e-324,), (0.5,), bias=0.25)),
    "signature": challenger(keys=Keyring.from_text("k:" + "0f" * 32)),
    "unknown key": challenger(keys=Keyring.from_text("other:" + "5e" * 32)),
    "layout": challenger(layout="older"),
    "schema": challenger(schema="other columns"),
    "outcome": challenger(outcome="purchase_7d"),
    "name": challenger(name="mean_logit"),
    "unknown column": challenger(model=LinearModel(("shoe_size",), (0.0,), (1.0,), (1.0,), bias=0.0)),
    "unknown column of trees": challenger(model=replace(TREES, columns=("shoe_size", *MODEL_COLUMNS[1:]))),
    "a circle of nodes": rewritten(lefts=[0] * len(TREES.lefts)),
    "a node behind the end": rewritten(rights=[10**6] * len(TREES.rights)),
    "a column beyond the last": rewritten(reads=[99, *TREES.reads[1:]]),
    "a threshold that is none": rewritten(thresholds=[None, *TREES.thresholds[1:]]),
    "too many nodes": challenger(model=grown(np.random.default_rng(2), trees=1_000, leaves=14)),
    "trees of amounts": challenger(model=replace(TREES, link="sum")),
}


@pytest.mark.parametrize("sealed", [*BAD.values(), (BAD["layout"][0][:-3], BAD["layout"][1])], ids=[*BAD, "truncated"])
async def test_a_challenger_that_is_not_what_it_should_be_is_refused_and_counted(
    sealed: tuple[bytes, ModelDecision],
) -> None:
    store = Store()
    document, admitted = sealed
    await store.publish_challenger("churn_30d", "outsider", document)
    teacher = await taught(store, DAYS[:1])
    before = REGISTRY.get_sample_value("ebb_challengers_refused_total") or 0
    ruling = await teacher.ruling(admitted)
    assert ruling.challenger is None
    assert REGISTRY.get_sample_value("ebb_challengers_refused_total") == before + 1
    teacher.learn([], DAYS[1], [ruling])
    refused = REGISTRY.get_sample_value("ebb_model_decisions_total", {"outcome": "churn_30d", "result": "refused"})
    assert refused


async def test_a_challenger_that_was_exchanged_after_its_admission_is_refused() -> None:
    store = Store()
    _, admitted = challenger()
    await store.publish_challenger("churn_30d", "outsider", challenger(published_ms=1)[0])
    assert (await Teacher(store, KEYS).ruling(admitted)).challenger is None
