"""A replay ends with its last clock record; what lies beyond waits, until the deployment goes live on purpose."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ebb.cli import main
from ebb.compose.starting import agree
from schemas.topics import PURCHASES
from schemas.units import DAY_MS
from stream.redis_store.deployment import switch_clock
from stream.redis_store.inspection import applied_positions, stream_times
from stream.settings.load import load_worker_settings
from tests.integration.live_events import customers_of, now_ms, purchase
from tests.integration.processes import PARTITIONS, Deployment, deployed, eventually, without_topics
from tests.integration.retail import first_events


def ebb(shop: Deployment, *command: str) -> Result:
    """A command of this deployment, as one would type it."""
    return CliRunner(env=shop.environ(EBB_WORKER_GROUP="end-of-replay")).invoke(main, ["clock", *command])


def refused(result: Result) -> str:
    assert result.exit_code == 1, result.output
    return result.stderr


def test_from_the_end_of_a_replay_to_the_live_clock(apache_kafka: str, redis_url: str, tmp_path: Path) -> None:
    with deployed(without_topics(apache_kafka), redis_url, tmp_path, clock="replay") as shop:
        assert "holds no Ebb deployment" in refused(ebb(shop))
        agree(load_worker_settings(shop.environ()))
        history = first_events(400)
        shop.publish(history)
        assert "The replay has not ended: " in refused(ebb(shop, "live"))
        replaying = shop.start("worker", EBB_WORKER_GROUP="end-of-replay")
        shop.wait_until_applied()

        ended_ms = max(stream_times(redis_url).values())
        assert set(stream_times(redis_url).values()) == {ended_ms}
        assert history.events[-1].event_time_ms <= ended_ms
        here, beyond = customers_of(0, 2, "afterwards")
        done = applied_positions(redis_url)[PURCHASES, 0]
        shop.send(PURCHASES, purchase(here, ended_ms, "of the last day"))
        shop.send(PURCHASES, purchase(beyond, ended_ms + 10 * DAY_MS, "of a day that has not begun"))
        eventually(lambda: applied_positions(redis_url)[PURCHASES, 0] == done + 1)
        assert shop.lag() == 1, "the other one waits for a clock record, or for the live clock"
        assert "1 workers of group end-of-replay are running on the replay clock" in refused(ebb(shop, "live"))

        replaying.stop()
        shop.processes.clear()
        eventually(lambda: ebb(shop, "live").exit_code == 0, what="the group has missed the worker")
        assert json.loads(ebb(shop, "live", "--json").output)["switched"] is False
        assert ebb(shop).output.startswith("live clock · stream time 20")
        assert "does not go back" in refused(ebb(shop, "replay"))

        began_ms = now_ms()
        shop.start("worker", EBB_CLOCK="live", EBB_WORKER_GROUP="live")
        shop.wait_until_applied()
        assert shop.lag() == 0
        eventually(lambda: max(stream_times(redis_url).values()) > ended_ms, what="time goes on with the wall")
        assert max(stream_times(redis_url).values()) < began_ms + 10 * DAY_MS


def test_a_worker_that_was_not_stopped_finds_out_and_ends(embedded_kafka: str, redis_url: str, tmp_path: Path) -> None:
    with deployed(embedded_kafka, redis_url, tmp_path, broker="embedded", clock="replay") as shop:
        forgotten = shop.start("worker")
        eventually(lambda: len(forgotten.said("lane started")) == PARTITIONS)
        switch_clock(redis_url, "live")
        shop.send(PURCHASES, b"{", partition=0)
        assert forgotten.exit_code() == 1
        assert "EBB_CLOCK=replay, but" in forgotten.output()
        assert "runs on the live clock" in forgotten.output()
        assert shop.applied() == 0


def test_a_deployment_that_has_applied_nothing_may_still_become_a_replay(
    embedded_kafka: str, redis_url: str, tmp_path: Path
) -> None:
    """The clock is live unless somebody says otherwise, and a first start without a thought is no reason to wipe."""
    with deployed(embedded_kafka, redis_url, tmp_path, broker="embedded", clock="live") as shop:
        agree(load_worker_settings(shop.environ()))
        assert ebb(shop, "replay").output.startswith("replay clock, switched now")


@pytest.fixture(autouse=True)
def no_dotenv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
