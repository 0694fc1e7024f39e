"""What a commit leaves in the journal: beside the logs, all that is needed to do the same again."""

from collections.abc import Mapping, Sequence

import msgspec

from stream.worker.noted_rules import NotedRules


class JournalEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One commit.

    Attributes:
        version: of the partition after it.
        offsets: topic -> its records, from the first offset until before the other.
        stream_time_ms: at its end.
        stream_time_runs: (place of a record, stream time from there on, ms).
        models: name -> version in force.
        tick: whether it had no records because time alone had gone on.
        renewed: customers that a sweep decided anew.
        set_aside: (topic, offset) of records that a bug made dead letters: what is in the log does not say so.
        set_aside_heard: of each of these when it was, ms, and the CRC-32 of its customer, as the live clock has heard
            it; 0 and 0 of what could not be decoded.
        postponed: customers whose decision failed for a bug, and until when it was put off, ms.
        in_turn: topics whose records took effect one topic after the other; empty where they went by time.
        fired: how many deadlines fired before its records, where more were due and time lags; else 0.
        timeline: of the messages it has sent from customer to customer; empty where there are none.
        lost: offsets of records on `events.rerouted` that count for nothing: the commits that sent them were lost.
        swept: models and rules that everybody is decided under, where a sweep has ended with it; else empty.
        rules: by which it and those after it were decided; only in the first after a worker has read the partition.
    """

    version: int
    offsets: Mapping[str, tuple[int, int]]
    stream_time_ms: int
    stream_time_runs: Sequence[tuple[int, int]]
    models: Mapping[str, str]
    tick: bool
    renewed: list[str] = []
    set_aside: list[tuple[str, int]] = []
    set_aside_heard: list[tuple[int, int]] = []
    in_turn: list[str] = []
    postponed: dict[str, int] = {}
    fired: int = 0
    swept: str = ""
    timeline: str = ""
    lost: list[int] = []
    rules: NotedRules | None = None


_encoder = msgspec.json.Encoder(order="sorted")
_decoder = msgspec.json.Decoder(JournalEntry)


def encode_entry(entry: JournalEntry) -> bytes:
    """The stored form.

    >>> encode_entry(JournalEntry(7, {"events.purchases": (0, 2)}, 9, [(0, 9)], {}, tick=False))
    b'{"models":{},"offsets":{"events.purchases":[0,2]},"stream_time_ms":9,"stream_time_runs":[[0,9]],"tick":false,"version":7}'
    """
    return _encoder.encode(entry)


def decode_entry(stored: bytes) -> JournalEntry:
    """The entry of a stored form."""
    return _decoder.decode(stored)
