"""Records set aside, one of them for a bug: looked at, and sent again, each once."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from click.testing import CliRunner, Result

from ebb.cli import main
from ebb.lookup import Lookup
from ebb.parity import wait_for_lag_zero
from offline.dead_letters import read_dead_letters
from offline.sending_again import Ready, _begin, _producer, _sent
from offline.verify import compare
from schemas.decode import DecodeRules
from schemas.partition import partition_of
from schemas.topics import INPUT_TOPICS, PURCHASES
from schemas.units import DAY_MS
from stream.redis_store.inspection import shop_totals
from tests.integration.live_events import customers_of, now_ms, purchase
from tests.integration.processes import PARTITIONS, Deployment, deployed, eventually
from tests.recomputed_logs import Place, recompute_logs

BROKEN = Path(__file__).with_name("broken_worker.py")
FIX = """
import json
from dataclasses import replace

def fix(record):
    if record.reason == "wrong_topic":
        return replace(record, topic="events.engagement")
    if record.reason != "wrong_currency":
        return None
    event = json.loads(record.value)
    return replace(record, value=json.dumps({**event, "currency": "GBP"}).encode())
"""


def ebb(shop: Deployment, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["dead-letters", *arguments], env=shop.environ())


def counts(result: Result, exit_code: int) -> dict[str, Any]:
    assert result.exit_code == exit_code, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def parity(shop: Deployment, set_aside: Sequence[Place] = ()) -> list[Any]:
    """What differs between Redis and the logs recomputed."""
    logs = [record for topic in INPUT_TOPICS for record in shop.messages(topic)]
    expected = recompute_logs(logs, PARTITIONS, DecodeRules(currency="GBP"), set_aside=frozenset(set_aside))
    return list(compare(expected, asyncio.run(shop._states())).mismatches)


def killed_while_sending(servers: str, letter_id: str) -> None:
    """What a run leaves behind that is killed before it commits: records in a transaction that is open."""
    letter = next(letter for letter in read_dead_letters([servers]) if letter.id == letter_id)
    assert letter.source is not None
    assert letter.key is not None
    assert letter.value is not None
    partition = partition_of(letter.key.decode(), PARTITIONS)
    producer = _producer([servers])
    _begin(producer, [servers])
    producer.begin_transaction()
    list(_sent(producer, Ready(letter.source, letter.id, PURCHASES, partition, letter.key, letter.value)))
    producer.flush()
    producer._sender.force_close()


def test_what_a_bug_or_a_fault_has_set_aside_is_sent_again_and_counts_once(
    empty_apache_kafka: str, redis_url: str, tmp_path: Path
) -> None:
    before, neighbour, trigger, after = customers_of(0, 4, "customer")
    (script := tmp_path / "fix.py").write_text(FIX)
    with deployed(empty_apache_kafka, redis_url, tmp_path, clock="live") as shop:
        broken = shop.start("worker", script=BROKEN, EBB_ON_BUG="quarantine")
        shop.send(PURCHASES, purchase(before, now_ms(), "1"))
        shop.wait_until_applied()
        events: list[Any] = [purchase(neighbour, now_ms(), "2"), purchase(trigger, now_ms() - 400 * DAY_MS, "3")]
        events += [purchase(after, now_ms(), "4"), purchase(after, now_ms(), "5") | {"currency": "USD"}]
        events += [{"type": "page_view", "event_id": "6", "customer_id": after, "event_time_ms": now_ms()}]
        shop.send(PURCHASES, *events)
        shop.send(PURCHASES, b'{"\x1b[2J\xff', partition=1, key=b"\x1b]0;gone\x07")
        shop.wait_until_applied()
        eventually(lambda: len(list(read_dead_letters([shop.servers]))) == 4)
        letters = {letter.reason: letter for letter in read_dead_letters([shop.servers])}
        assert letters.keys() == {"bug", "wrong_currency", "wrong_topic", "malformed_json"}
        assert letters["bug"].detail.startswith("ZeroDivisionError: the bug (broken_worker.py line")
        assert broken.said("a bug: the record is set aside as a dead letter")[0]["level"] == "critical"
        source = letters["bug"].source
        assert source is not None
        assert parity(shop, [(source.topic, source.partition, source.offset)]) == []
        assert shop_totals(redis_url)["events"] == 3
        shop.kill(broken)
        shop.start("worker")

        listed = counts_by_reason(ebb(shop, "list", "--json"))
        assert listed == dict.fromkeys(letters, 1)
        shown = ebb(shop, "show", letters["malformed_json"].id)
        assert shown.exit_code == 0
        assert r'{"\x1b[2J\xff' in shown.output
        assert not [sign for sign in shown.output if not sign.isprintable() and sign != "\n"]
        assert ebb(shop, "show", "9:99").exit_code == 1

        killed_while_sending(shop.servers, letters["bug"].id)
        assert counts(ebb(shop, "replay", "--reason", "bug", "--dry-run", "--json"), 0)["sent"] == 1
        assert counts(ebb(shop, "replay", "--reason", "bug", "--json"), 0) == {"sent": 1, "before": 0, "left": {}}
        assert counts(ebb(shop, "replay", letters["bug"].id, "--json"), 0) == {"sent": 0, "before": 1, "left": {}}
        as_it_was = counts(ebb(shop, "replay", "--json"), 3)
        assert as_it_was["left"] == {"wrong_currency": 1, "wrong_topic": 1, "malformed_json": 1}
        fixed = counts(ebb(shop, "replay", "--fix", str(script), "--json"), 3)
        assert fixed == {"sent": 2, "before": 1, "left": {"left_by_fix": 1}}
        wait_for_lag_zero([shop.servers], redis_url, 60)
        names = (before, neighbour, trigger, after)
        purchases = lambda: [Lookup(redis_url).get(name).features["purchases"] for name in names]  # noqa: E731
        eventually(lambda: purchases() == [1, 1, 1, 2], what="views follow")
        assert (shop_totals(redis_url)["events"], shop_totals(redis_url)["dead_letters"]) == (6, 4)
        assert parity(shop, [(source.topic, source.partition, source.offset)]) == []


def counts_by_reason(result: Result) -> dict[str, int]:
    assert result.exit_code == 0, result.output
    return {group["reason"]: group["count"] for group in msgspec.json.decode(result.stdout)}
