"""Input topics that grow, go, or are only out of sight for a moment."""

import pytest

from stream.errors import TopicChangedError
from stream.worker import topic_watch
from stream.worker.topic_watch import TopicWatch


@pytest.fixture
def counts() -> dict[str, int | None]:
    """What the client knows of the topics."""
    return {"purchases": 4, "profiles": 4}


@pytest.fixture
def watch(counts: dict[str, int | None]) -> TopicWatch:
    return TopicWatch(list(counts), 4, counts.get)


async def test_topics_that_are_as_they_were_let_a_lane_start(watch) -> None:
    await watch.settled()


@pytest.mark.parametrize("count", [3, 5])
def test_another_number_of_partitions_is_refused_at_once(watch, counts, count: int) -> None:
    counts["profiles"] = count
    with pytest.raises(TopicChangedError, match=f"Topic profiles has {count} partitions now.*under one of 4"):
        watch.look()


def test_a_topic_that_is_out_of_sight_is_waited_for_and_one_that_is_gone_is_refused(watch, counts, monkeypatch) -> None:
    counts["purchases"] = None
    assert watch.look()
    counts["purchases"] = 4
    assert not watch.look()
    monkeypatch.setattr(topic_watch, "MISSING_FOR_S", -1.0)
    counts["purchases"] = None
    with pytest.raises(TopicChangedError, match="Topic purchases is not there any more"):
        watch.look()
