"""What Redis holds as bytes and the core knows as types."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

import msgspec

from stream.ports import NOT_SWEPT, Head, LogPosition, SweepProgress

POSITION = b"position:"

SWEEP = b"sweep"

HEARD = b"heard:"

_position_encoder = msgspec.json.Encoder()
_sweep_decoder = msgspec.json.Decoder(SweepProgress)
_position_decoder = msgspec.json.Decoder(LogPosition)
_Item = TypeVar("_Item")


def position_field(topic: str, position: LogPosition) -> tuple[bytes, bytes]:
    """Field and value of a topic's position in `partition:{p}`.

    >>> position_field("events.purchases", LogPosition(12))
    (b'position:events.purchases', b'{"next_offset":12,"last_timestamp_ms":0,"last_crc32":0,"topic_id":""}')
    """
    return POSITION + topic.encode(), _position_encoder.encode(position)


def positions_of(fields: dict[bytes, bytes]) -> dict[str, LogPosition]:
    """The positions among the fields of `partition:{p}`."""
    return {
        field.removeprefix(POSITION).decode(): _position_decoder.decode(value)
        for field, value in fields.items()
        if field.startswith(POSITION)
    }


def head_of(fields: dict[bytes, bytes]) -> Head:
    """The head in the fields of `partition:{p}`; a partition never claimed is at version 0.

    >>> head_of({b"version": b"3", b"owner": b"ada"}) == Head(version=3, owner="ada")
    True
    """
    return Head(
        version=int(fields.get(b"version", 0)),
        owner=fields.get(b"owner", b"").decode(),
        positions=positions_of(fields),
        stream_time_ms=int(fields.get(b"stream_time_ms", 0)),
        sequence=int(fields.get(b"sequence", 0)),
        sweep=_sweep_decoder.decode(fields[SWEEP]) if SWEEP in fields else NOT_SWEPT,
        heard={name.removeprefix(HEARD).decode(): said for name, said in fields.items() if name.startswith(HEARD)},
    )


def heard_field(topic: str) -> bytes:
    """Field of what the clock has heard of a topic in `partition:{p}`.

    >>> heard_field("events.purchases")
    b'heard:events.purchases'
    """
    return HEARD + topic.encode()


def sweep_field(sweep: SweepProgress) -> tuple[bytes, bytes]:
    """Field and value of a sweep's progress in `partition:{p}`.

    >>> sweep_field(SweepProgress("3f", "12", 500))
    (b'sweep', b'["3f","12",500]')
    """
    return SWEEP, _position_encoder.encode(sweep)


def pairs(flat: Sequence[_Item]) -> Iterable[tuple[_Item, _Item]]:
    """Neighbours two by two, as RESP2 answers maps and scores.

    >>> list(pairs([b"ada", b"1", b"bob", b"2"]))
    [(b'ada', b'1'), (b'bob', b'2')]
    """
    return zip(flat[::2], flat[1::2], strict=True)


def numbers(values: Iterable[float]) -> list[bytes]:
    """Numbers as Redis reads them back without loss.

    >>> numbers([1291852800000, 0.1])
    [b'1291852800000', b'0.1']
    """
    return " ".join(map(repr, values)).encode().split()
