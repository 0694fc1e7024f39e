"""The events of files of a known source, as batches of columns."""

from collections.abc import Iterator

from offline.features.batches import AT_ONCE, Batch, Reading, batch_of_events
from offline.history import History
from offline.verify import accepted, counting


def of_history(history: History, reading: Reading) -> Iterator[Batch]:
    """The events of files, without what a worker would reject or drop as a repeat."""
    taken = accepted(history, reading.partitions, reading.rules, reading.received_ms)
    reading.rejected += taken.rejected
    reading.duplicates += taken.duplicates
    named = counting(taken.events, {})
    for begin in range(0, len(named), AT_ONCE):
        some = named[begin : begin + AT_ONCE]
        yield batch_of_events("history", some, reading.vocabulary, reading.rules.currency)
