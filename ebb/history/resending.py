"""Which messages of a past are sent once more, and which are forgotten."""

from collections.abc import Iterable
from enum import Enum

import msgspec

from offline.archive.standing import Waiting
from schemas.identities import Arrival
from schemas.topics import CHURN_ALERTS, INVALID, LABELS, REROUTED, SEGMENT_CHANGES
from stream.drafts import unpack_outgoing

READ_BY_OTHERS = (CHURN_ALERTS, SEGMENT_CHANGES, INVALID)


class Again(Enum):
    """Which messages of the past are to be sent once more."""

    UNSENT = "those of which nobody knows that they were sent"
    WHAT_OTHERS_READ = "all that are not for Ebb itself, which knows a repeat only for a while"
    WHAT_HAS_A_LAYOUT = "labels, and customers on their way to another partition: those sent had another layout"


class _Typed(msgspec.Struct):
    type: str = ""


_ARRIVAL = str(Arrival.__struct_config__.tag)
_type_decoder = msgspec.json.Decoder(_Typed)


def _has_layout(packed: bytes) -> bool:
    message = unpack_outgoing(packed)
    if message.topic == REROUTED:
        return _type_decoder.decode(message.value or b"").type == _ARRIVAL
    return message.topic == LABELS


class SentInThePast:
    """Stands where the publisher does: nothing is sent; what was sent already, as far as is known, is forgotten."""

    def __init__(self, waiting: Waiting, again: Again) -> None:
        self._waiting, self._again = waiting, again
        self._acknowledged: list[int] = []

    def add(self, messages: Iterable[tuple[int, bytes]], _caused: object = None, /) -> None:
        """Take note of messages."""
        self._acknowledged += [number for number, packed in messages if not self._is_kept(number, packed)]

    def _is_kept(self, number: int, packed: bytes) -> bool:
        if self._again is Again.WHAT_HAS_A_LAYOUT:
            return _has_layout(packed)
        is_unsent = self._waiting.may_be_unsent(number)
        return is_unsent or (self._again is Again.WHAT_OTHERS_READ and unpack_outgoing(packed).topic in READ_BY_OTHERS)

    def take_acknowledged(self) -> list[int]:
        """Those to be forgotten."""
        taken, self._acknowledged = self._acknowledged, []
        return taken

    def give_back(self, sequences: list[int]) -> None:
        """They were not forgotten."""
        self._acknowledged += sequences
