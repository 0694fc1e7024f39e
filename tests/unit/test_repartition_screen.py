"""What `ebb repartition --dry-run` says."""

from pathlib import Path

from ebb.cli.recover import describe_plan
from ebb.history.repartitioning import Repartitioning
from schemas.topics import CHURN_ALERTS, INPUT_TOPICS, INVALID, SEGMENT_CHANGES

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"


def test_what_is_deleted_and_what_is_kept_is_said_as_documented() -> None:
    kept = dict.fromkeys((CHURN_ALERTS, SEGMENT_CHANGES, INVALID), 6)
    said = describe_plan(Repartitioning(6, 2, 1_204_511, INPUT_TOPICS, kept))
    assert f"```\n{said}\n```" in OPERATIONS.read_text()


def test_for_more_partitions_nothing_is_deleted() -> None:
    assert describe_plan(Repartitioning(2, 6, 10)).splitlines() == [
        "2 partitions would become 6; 10 records would be applied anew",
        "  next: the same without --dry-run",
    ]


def test_what_was_interrupted_would_go_on() -> None:
    first, *_ = describe_plan(Repartitioning(6, 2, 10, INPUT_TOPICS, goes_on=True)).splitlines()
    assert first == "going from 6 partitions to 2 was interrupted, and would go on"
