"""Why a customer has its probability, asked of a real worker's Redis: it is that of the view, and adds up."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import redis
from click.testing import CliRunner

from ebb import AsyncLookup, Lookup
from ebb.cli import main
from ebb.lookup import View, Why
from ebb.why import Share
from schemas.topics import ENGAGEMENT, PURCHASES
from schemas.units import DAY_MS
from stream.outcomes.declaration import BUILT_IN
from stream.redis_store import keys
from stream.scoring.explain import CONCEPT_NAMES
from tests.integration.live_events import now_ms, purchase
from tests.integration.live_shop import page_view, teach
from tests.integration.processes import MODEL_KEYS, Deployment, deployed, eventually

ROUNDED = 5.1e-7  # a view has six decimals


def send_history(shop: Deployment) -> dict[str, int]:
    """Twelve customers, from often and lately to rarely and long ago; every third looks around besides.

    Returns:
        Customer -> the time of its last event, in ms.
    """
    began_ms, last_ms = now_ms() - 60 * DAY_MS, {}
    for at in range(12):
        name, days = f"customer-{at}", range(0, 60 - 4 * at, 4 + at)
        shop.send(PURCHASES, *(purchase(name, began_ms + day * DAY_MS, f"{name}-{day}") for day in days))
        last_ms[name] = began_ms + days[-1] * DAY_MS
        if at % 3 == 0:
            last_ms[name] += DAY_MS
            shop.send(ENGAGEMENT, page_view(name, last_ms[name], f"view-{name}"))
    return last_ms


def check_sums(why: Why) -> None:
    shares = why.shares
    assert {share.concept for share in shares} == set(CONCEPT_NAMES)
    assert sum(share.logit for share in shares) == pytest.approx(why.logit - why.reference.logit, abs=1e-9)
    total = sum(share.probability for share in shares)
    assert total == pytest.approx(why.probability - why.reference.probability, abs=1e-9)
    assert [abs(share.logit) for share in shares] == sorted((abs(share.logit) for share in shares), reverse=True)


def test_what_the_view_shows_is_explained_concept_by_concept_for_every_outcome(
    embedded_kafka: str, redis_url: str, tmp_path: Path
) -> None:
    settings = {"EBB_PUBLISH_EVERY_MS": "100"}
    with deployed(embedded_kafka, redis_url, tmp_path, broker="embedded", clock="live", settings=settings) as shop:
        learner = shop.start("learner")
        teach(shop)
        eventually(lambda: _versions(redis_url) == {b"800"}, what="all labels are learned")
        shop.kill(learner)
        last_ms = send_history(shop)
        worker = shop.start("worker")
        with Lookup(redis_url, model_keys=MODEL_KEYS) as lookup:
            shop.wait_until_applied()
            eventually(lambda: _decided(lookup.get_many(last_ms)) == last_ms, what="decisions after the last events")
            shop.kill(worker)  # nothing changes from here on
            explained = _explained(lookup, list(last_ms))
            assert {why.model for why in explained} >= {"mean_logit_hazard", "mean_logit"}
            assert {why.outcome for why in explained} == {outcome.name for outcome in BUILT_IN}
            silent, often = (lookup.why(customer, "churn_30d") for customer in ("customer-11", "customer-0"))
            assert _share(silent, "silence").logit > _share(often, "silence").logit
            assert _share(often, "engagement").customer == "1 page or search"
        assert asyncio.run(_asked_in_a_loop(redis_url, "customer-0")) == often
        _check_command(shop, "customer-0", often)


def _versions(redis_url: str) -> set[bytes]:
    with redis.Redis.from_url(redis_url) as client:
        return {client.hget(keys.model_champion(outcome.name), "version") for outcome in BUILT_IN}


def _decided(views: dict[str, View]) -> dict[str, int]:
    """Customer -> the last event that its view knows of."""
    return {customer: view.features["last_event_ms"] for customer, view in views.items()}


def _explained(lookup: Lookup, customers: list[str]) -> list[Why]:
    """Every probability that is shown, explained; each is checked."""
    explained = []
    for customer, view in lookup.get_many(customers).items():
        for outcome, score in view.scores.items():
            if score.probability is None:
                continue
            why = lookup.why(customer, outcome)
            check_sums(why)
            assert (why.as_of_ms, why.model, why.version) == (view.as_of_ms, score.model, score.version)
            assert why.probability == pytest.approx(score.probability, abs=ROUNDED)
            assert why.shown_probability == score.probability
            explained.append(why)
    return explained


def _share(why: Why, concept: str) -> Share:
    return next(share for share in why.shares if share.concept == concept)


async def _asked_in_a_loop(url: str, customer: str) -> Why:
    async with AsyncLookup(url, model_keys=MODEL_KEYS) as lookup:
        return await lookup.why(customer, "churn_30d")


def _check_command(shop: Deployment, customer: str, expected: Why) -> None:
    """The command says the same, and refuses a model that has been changed."""
    environ = shop.environ()

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(main, ["lookup", customer, "--why", *arguments], env=environ)

    told = json.loads(run("churn_30d", "--json").stdout)
    assert (told["probability"], told["version"]) == (expected.probability, expected.version)
    assert told["shares"][0]["concept"] == expected.shares[0].concept
    assert run("--json").stdout == run("churn_30d", "--json").stdout  # the outcome that alerts go by
    key = keys.model("churn_30d", expected.version)
    with redis.Redis.from_url(shop.redis_url) as client:
        sealed = client.get(key)
        client.set(key, sealed[:-1] + b" ")
        refused = run("churn_30d")
        client.set(key, sealed)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "signature does not match" in refused.stderr
