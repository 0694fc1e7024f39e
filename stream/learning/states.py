"""Reading a learner's state back: numbers and names in msgpack, of the layout at hand or not at all."""

from typing import TypeVar

import msgspec

from schemas.misfits import MALFORMED
from stream.errors import LayoutError

State = TypeVar("State", bound=msgspec.Struct)
Layout = tuple[str, tuple[str, ...]]
"""A layout's name and its columns."""


def decode_state(packed: bytes, kind: type[State]) -> State:
    """The state in `packed`.

    Raises:
        LayoutError: the bytes are something else.
    """
    try:
        return msgspec.msgpack.decode(packed, type=kind)
    except MALFORMED as error:
        raise LayoutError(
            f"The stored learner of {len(packed)} bytes is no {kind.__name__}: {error}. "
            "Delete it: a new one learns from the labels that come then."
        ) from error


def refuse_other_layout(name: str, learned: Layout, current: Layout) -> None:
    """Raise unless a learner has learned the columns that labels carry now.

    Raises:
        LayoutError: it has learned others.

    >>> refuse_other_layout("churn_30d", ("a1", ("x",)), ("b2", ("x",)))
    Traceback (most recent call last):
    stream.errors.LayoutError: The learner of churn_30d has learned layout 'a1', labels now have 'b2'. ...
    """
    if learned != current:
        raise LayoutError(
            f"The learner of {name} has learned layout {learned[0]!r}, labels now have {current[0]!r}. "
            "Delete it: a new one learns from the labels that come then."
        )
