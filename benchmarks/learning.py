"""How many labels a learner takes, with all candidates of all outcomes: CPU alone, without Kafka and Redis.

    python -m benchmarks.learning

The labels are those of the demo's year of Online Retail II, day by day as in lockstep: each day is learned, each
document encoded and signed, each learner packed. Then the same days with ten times the labels, each of ten customers.
"""

import argparse
import asyncio
import time
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import msgspec

from benchmarks.labelled import lived
from offline.sources import read_history
from schemas.messages import Label
from schemas.units import DAY_MS
from stream.features.layout import LAYOUT
from stream.learner.teaching import Teacher
from stream.memory_store import MemoryModelStore
from stream.outcomes.declaration import BUILT_IN
from stream.scoring.documents import OutcomeDocument, decode
from stream.signing import Keyring, open_sealed

EXAMPLE = sorted(Path("examples/online_retail").glob("*.parquet"))
TIMES = 10
KEYRING = Keyring.from_text("benchmark:" + "5e" * 32)


class Spent(NamedTuple):
    """What a run took: labels and days learned, s of CPU, bytes that a day saves at the end."""

    labels: int
    days: int
    learning_s: float
    publishing_s: float
    saved_bytes: int
    candidates: int


def main() -> None:
    """Measure, and print."""
    arguments = _arguments()
    history = read_history(arguments.files or EXAMPLE, arguments.source, arguments.currency, {})
    labels = sorted(
        lived(history, arguments.currency, received_ms=history.events[-1].event_time_ms + DAY_MS).labels,
        key=lambda label: (label.matured_ms, label.customer_id, label.outcome),
    )
    taught(_days(labels)[:60])  # what is compiled is loaded
    for times in (1, TIMES):
        spent = taught(_days([each for label in labels for each in _copies(label, times)]))
        print(_line(times, spent), flush=True)


def taught(days: Sequence[Sequence[Label]]) -> Spent:
    """Learn days one after another, as the learner's process does in lockstep."""
    store = MemoryModelStore()
    teacher = Teacher(store, KEYRING, BUILT_IN)
    learning_s = publishing_s = 0.0
    for labels in days:
        began_s = time.process_time()
        teacher.learn(labels, labels[0].matured_ms // DAY_MS)
        between_s = time.process_time()
        asyncio.run(teacher.publish(0))
        teacher.take_noticed()
        learning_s += between_s - began_s
        publishing_s += time.process_time() - between_s
    saved = sum(len(state) for _, state, _ in store.learners.values())
    return Spent(sum(map(len, days)), len(days), learning_s, publishing_s, saved, _candidates(store))


def _candidates(store: MemoryModelStore) -> int:
    documents = [
        decode(open_sealed(store.documents[name, version], KEYRING), LAYOUT)
        for name, (version, _) in store.champion.items()
    ]
    return sum(len(each.candidates) for each in documents if isinstance(each, OutcomeDocument))


def _days(labels: Sequence[Label]) -> list[list[Label]]:
    return [list(each) for _, each in groupby(labels, key=lambda label: label.matured_ms // DAY_MS)]


def _copies(label: Label, times: int) -> list[Label]:
    """The label, and the same of others."""
    others = [
        msgspec.structs.replace(label, message_id=f"{label.message_id}:{at}", customer_id=f"{label.customer_id}:{at}")
        for at in range(1, times)
    ]
    return [label, *others]


def _line(times: int, spent: Spent) -> str:
    a_day, whole_s = spent.labels / spent.days, spent.learning_s + spent.publishing_s
    learning_ms, publishing_ms = (1000 * each / spent.days for each in (spent.learning_s, spent.publishing_s))
    return (
        f"{times:>3} times: {spent.labels:,} labels of {spent.days} days ({a_day:,.0f} a day), {spent.candidates} "
        f"candidates: {spent.labels / whole_s:,.0f} labels/s of one core; a day {learning_ms:.1f} ms to learn, "
        f"{publishing_ms:.1f} to publish {spent.saved_bytes / 1e6:.1f} MB"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("files", type=Path, nargs="*", help="default: the example history")
    parser.add_argument("--source", default="online_retail")
    parser.add_argument("--currency", default="GBP")
    return parser.parse_args()


if __name__ == "__main__":
    main()
