"""What `Lookup.why` and `ebb lookup --why` answer about customers in a Redis, and what they refuse to answer."""

import asyncio
import json
import math
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis
from click.testing import CliRunner

from ebb import Lookup
from ebb.cli import main
from ebb.lookup import Why
from stream.chunk import Models, Rules
from stream.errors import EbbError, ModelRefusedError
from stream.features.layout import LAYOUT
from stream.outcomes.declaration import CHURN_30D, LAPSED, PURCHASE_7D
from stream.outcomes.declared import DeclaredOutcomes
from stream.ports import Commit, Deployment
from stream.redis_store import keys
from stream.redis_store.client import SlotOnItsWayError
from stream.redis_store.deployment import check_deployment
from stream.redis_store.lookup import StoredViews
from stream.redis_store.partition import RedisPartitionStore
from stream.redis_store.registry import RedisModelStore
from stream.scoring.documents import OutcomeDocument, encode
from stream.signing import Keyring, seal
from tests.world import CENTRES, SILENCE_MODEL, World, silence_document

KEYS = "test:" + "5e" * 32
RULES = Rules(outcomes=DeclaredOutcomes((CHURN_30D, PURCHASE_7D, LAPSED)), alert_outcome=CHURN_30D.name)
CHURN, LAPSING = silence_document(), silence_document("lapsed")


async def _stored(url: str, world: World) -> None:
    check_deployment(url, Deployment(1, "live", LAYOUT))
    store = RedisPartitionStore(url, 0)
    head, _ = await store.begin(0, 0)
    stored = world.stored
    assert await store.commit(
        head, Commit(positions={}, stream_time_ms=0, sequence=0, views=stored.views, states=stored.states)
    )
    await store.close()


async def _published(url: str, *documents: OutcomeDocument) -> None:
    store = RedisModelStore(url)
    for document in documents:
        sealed = seal(encode(document), Keyring.from_text(KEYS))
        await store.publish(document.name, document.version, sealed, document.epoch_day)
    await store.close()


def shop_of(url: str, world: World, *documents: OutcomeDocument) -> str:
    asyncio.run(_stored(url, world))
    asyncio.run(_published(url, *documents))
    return url


@pytest.fixture
def shop(redis_url: str) -> str:
    """Ada has bought on days 0 and 10 and is decided on day 20, by silence alone; Zoe has bought once, Bob never."""
    world = World(models=Models({"churn_30d": CHURN, "lapsed": LAPSING}, CENTRES), rules=RULES)
    world.purchase("zoe", day=0).purchase("ada", day=0).purchase("ada", day=10)
    return shop_of(redis_url, world.page_view("ada", day=20).page_view("bob", day=20), CHURN, LAPSING)


def probability_after(days: float) -> float:
    """What the model says of a silence: see `tests.world.SILENCE_MODEL`."""
    return 1 / (1 + math.exp(-1.5 * (math.log1p(days) - 2)))


def ask(url: str, customer: str = "ada", outcome: str = "churn_30d", at: datetime | None = None) -> Why:
    with Lookup(url, model_keys=KEYS) as lookup:
        return lookup.why(customer, outcome, at)


def run(url: str, *arguments: str, **environ: str) -> Any:
    settings = {"EBB_REDIS_URL": url, "EBB_MODEL_KEYS": KEYS, "EBB_ALERT_OUTCOME": "churn_30d"} | environ
    return CliRunner().invoke(main, ["lookup", *arguments], env=settings)


def test_a_customer_is_explained_on_a_screen(shop: str) -> None:
    lines = run(shop, "ada", "--why").output.splitlines()
    often = "bought on 2 days, 1.8 orders in recent months"
    assert [re.split(r" {3,}", line.strip()) for line in lines] == [
        ["ada · no purchase within 30 days, 64.5 % · as of 2010-01-11 00:00 UTC"],
        ["this customer", "reference customer", "logit", "probability"],
        ["reference customer", "0.00", "50.0 %"],
        ["silence", "no purchase for 10 days, usual gap 10", "no purchase for 6 days, usual gap 0", "+0.60", "+14.5"],
        ["frequency", often, "bought on 0 days, 0.0 orders in recent months", "+0.00", "+0.0"],
        ["spend", "net spend of the last year £ 48.60", "net spend of the last year £ 0.00", "+0.00", "+0.0"],
        ["age", "first bought 20 days ago", "first bought less than a day ago", "+0.00", "+0.0"],
        ["refunds", "0 % of spend refunded", "0 % of spend refunded", "+0.00", "+0.0"],
        ["engagement", "1 page or search", "no engagement known", "+0.00", "+0.0"],
        ["this customer", "0.60", "64.5 %"],
        [
            "by since_last_purchase, version v1 · reference: the mean of 300 sampled customers that churn_30d has been "
            "learned from"
        ],
        ["next: ebb lookup ada --why churn_30d --json"],
    ]


def test_the_same_as_json(shop: str) -> None:
    told = json.loads(run(shop, "ada", "--why", "churn_30d", "--json").output)
    assert (told["outcome"], told["model"], told["version"]) == ("churn_30d", "since_last_purchase", "v1")
    assert told["probability"] == pytest.approx(probability_after(10), abs=1e-12)
    assert told["reference"] == {
        "who": "the mean of 300 sampled customers that churn_30d has been learned from",
        "logit": pytest.approx(0.0, abs=1e-12),
        "probability": pytest.approx(0.5, abs=1e-12),
    }
    silence, *others = told["shares"]
    assert (silence["concept"], silence["customer"]) == ("silence", "no purchase for 10 days, usual gap 10")
    assert silence["logit"] == pytest.approx(1.5 * (math.log1p(10) - 2), abs=1e-9)
    assert {(share["logit"], share["probability"]) for share in others} == {(0.0, 0.0)}
    days = {"feature": "since_last_purchase_days", "unit": "days", "customer": 10.0}
    assert silence["figures"][0] == days | {"reference": pytest.approx(math.expm1(2.0))}
    (spend,) = (share for share in others if share["concept"] == "spend")
    assert {"feature": "mean_basket", "unit": "GBP", "customer": 25.0, "reference": 0.0} in spend["figures"]


def test_of_a_time_ahead_it_says_what_silence_until_then_makes_of_it(shop: str) -> None:
    why = ask(shop, at=datetime(2010, 1, 31))  # UTC, since it has no zone
    assert (why.as_of, why.shares[0].customer) == (
        datetime(2010, 1, 31, tzinfo=UTC),
        "no purchase for 30 days, usual gap 10",
    )
    assert why.probability == pytest.approx(probability_after(30), abs=1e-12)
    assert why.shown_probability == pytest.approx(probability_after(10), abs=1e-6)
    assert ask(shop, at=datetime(2010, 1, 31, 2, tzinfo=timezone(timedelta(hours=2)))) == why
    shown = run(shop, "ada", "--why", "--at", "2010-01-31").output
    assert "the view shows 64.5 %: of another time, version or event" in shown
    assert "the view shows" not in run(shop, "ada", "--why").output


def test_what_was_known_before_the_last_event_is_not_made_up(shop: str) -> None:
    with pytest.raises(EbbError, match=r"of customer 'ada' at 2010-01-10 .* is not kept: an event of 2010-01-11"):
        ask(shop, at=datetime(2010, 1, 10, tzinfo=UTC))
    refused = run(shop, "ada", "--at", "2010-01-31")
    assert (refused.exit_code, "--at goes with --why" in refused.stderr) == (2, True)


def test_an_unknown_gap_is_said_to_be_unknown(shop: str) -> None:
    assert ask(shop, "zoe").shares[0].customer.endswith("usual gap unknown")


@pytest.mark.parametrize(
    ("customer", "outcome", "refusal"),
    [
        ("nobody", "churn_30d", "Customer 'nobody' is unknown"),
        ("\udcff", "churn_30d", "is unknown"),
        ("ada", "churn_31d", "no outcome 'churn_31d'; it has churn_30d, purchase_7d, lapsed"),
        ("ada", "purchase_7d", "no probability of purchase_7d yet: a model needs 200 labels with both values"),
        ("zoe", "lapsed", "'zoe' has no probability of lapsed: the outcome asks who has bought on more days"),
        ("bob", "churn_30d", "'bob' has never bought: there is no probability of churn_30d"),
    ],
)
def test_where_there_is_nothing_to_explain_it_says_so(shop: str, customer: str, outcome: str, refusal: str) -> None:
    with pytest.raises(EbbError, match=refusal):
        ask(shop, customer, outcome)


def test_without_the_version_of_the_view_the_one_in_force_explains(shop: str) -> None:
    steeper = msgspec.structs.replace(SILENCE_MODEL, weights=(3.0,))
    later = msgspec.structs.replace(CHURN, version="v2", candidates={"since_last_purchase": steeper})
    asyncio.run(_published(shop, later))
    assert ask(shop).version == "v1"
    with redis.Redis.from_url(shop) as client:
        client.delete(keys.model("churn_30d", "v1"))
        assert (ask(shop).version, round(ask(shop).logit, 3)) == ("v2", round(3.0 * (math.log1p(10) - 2), 3))
        client.delete(keys.model("churn_30d", "v2"))
        with pytest.raises(EbbError, match="Redis has no model of churn_30d"):
            ask(shop)


def test_a_model_that_cannot_be_verified_explains_nothing(shop: str, tmp_path: Path) -> None:
    refusal = "signed with key 'test'; known are another"
    with Lookup(shop, model_keys="another:" + "ab" * 32) as lookup, pytest.raises(ModelRefusedError, match=refusal):
        lookup.why("ada", "churn_30d")
    missing = run(shop, "ada", "--why", EBB_MODEL_KEYS="", EBB_MODEL_KEYS_FILE=str(tmp_path / "none"))
    assert (missing.exit_code, missing.stderr.count("\n")) == (1, 1)
    assert "Why is told by a model whose signature is verified. EBB_MODEL_KEYS is not set" in missing.stderr
    with redis.Redis.from_url(shop) as client:
        client.set(keys.model("churn_30d", "v1"), client.get(keys.model("lapsed", "v1")))
    with pytest.raises(ModelRefusedError, match="Model churn_30d v1 holds lapsed v1"):
        ask(shop)


def test_money_is_said_in_the_currency_of_the_shop(redis_url: str) -> None:
    """A yen has no smaller part."""
    rules = replace(RULES, currency="JPY", exponent=0)
    world = World(models=Models({"churn_30d": CHURN}, CENTRES), rules=rules).purchase("ada", day=0, price="1250")
    why = ask(shop_of(redis_url, world, CHURN))
    (spend,) = (share for share in why.shares if share.concept == "spend")
    assert spend.customer == "net spend of the last year 2,500 JPY"
    assert [figure.unit for figure in spend.figures][:4] == ["JPY"] * 4


def test_view_and_record_are_asked_for_one_by_one_while_their_slot_is_on_its_way() -> None:
    asked = StoredViews(1, ()).with_state("ada")
    assert len(next(asked).commands) == 1
    names = [command[1] for command in asked.throw(SlotOnItsWayError("on its way")).commands]
    assert names == [b"customer:{0}:ada", b"state:{0}:ada"]
    with pytest.raises(StopIteration) as ended:
        asked.send([b"view", b"state"])
    assert ended.value.value == (b"view", b"state")
