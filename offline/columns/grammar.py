"""What the events of `schemas` look like, as arrays for a compiled loop; made from the event types themselves.

A field that means more than this file knows makes its kind unknown here, and so one to be decoded.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple, get_args

import numpy as np
from msgspec import NODEFAULT, Struct, inspect, structs
from numpy.typing import NDArray

from offline.columns.words import words_of
from schemas.envelope import Amount
from schemas.events import Event, OrderLine, RefundLine
from schemas.topics import KINDS_OF
from stream.features.facts import KIND_CODES
from stream.features.vocabulary import CHANNELS, codes_of

UNDECLARED, TEXT, AMOUNT, WHOLE, CHANNEL, BOOLEAN, CURRENCY, LINES, TAG = range(9)
"""What a field holds: a string of some length, money, a whole number, … ; `UNDECLARED` where the kind has no such field."""

NO_BOUND = 2**62
KINDS = max(KIND_CODES.values()) + 1
LINE = 0
"""A row of `Grammar.rules` that is no kind of event: the lines of orders and refunds."""


HOLDS, LEAST, MOST, REQUIRED, NULLABLE = range(5)
"""The last axis of `Grammar.rules`: what the field holds, bounds of a number or of a string's length, and yes or no."""


class Grammar(NamedTuple):
    """What is known of events.

    Attributes:
        fields: `words_of` the names of fields -> their place in `FIELDS`.
        kinds: the `type` of an event -> its code.
        channels: names of channels -> their code.
        rules: shape (KINDS, fields, 5), for each kind by its code and for `LINE`.
        required: shape (KINDS,), how many fields are.
    """

    fields: NDArray[np.int64]
    kinds: NDArray[np.int64]
    channels: NDArray[np.int64]
    rules: NDArray[np.int64]
    required: NDArray[np.int64]


_TYPES: Sequence[type[Struct]] = get_args(Event)
FIELDS = tuple(dict.fromkeys(field for kind in (*_TYPES, RefundLine) for field in ("type", *kind.__struct_fields__)))
"""Names of all fields."""

SLOT = {name: number for number, name in enumerate(FIELDS)}
LEAST_BOUGHT = 1
"""Lines are read as those of refunds, which may count backwards; those of purchases may not."""


def _code(kind: type[Struct]) -> int:
    return KIND_CODES[str(kind.__struct_config__.tag)]


def carried(topic: str) -> NDArray[np.bool_]:
    """Shape (KINDS,): which kinds of events a topic carries, by their codes."""
    kinds = np.zeros(KINDS, np.bool_)
    kinds[[_code(kind) for kind in KINDS_OF[topic] if kind in _TYPES]] = True
    return kinds


@cache
def grammar() -> Grammar:
    """The grammar of this release."""
    rules = np.zeros((KINDS, len(FIELDS), 5), np.int64)
    understood = {kind: list(_rules(kind)) for kind in (*_TYPES, RefundLine)}
    for kind, declared in understood.items():
        for name, *rule in declared:
            rules[LINE if kind is RefundLine else _code(kind), SLOT[name]] = rule
    tags = [kind for kind in _TYPES if all(holds != UNDECLARED for _, holds, *_ in understood[kind])]
    return Grammar(
        fields=words_of(SLOT),
        kinds=words_of({str(kind.__struct_config__.tag): _code(kind) for kind in tags}),
        channels=words_of({str(name): code for name, code in codes_of(CHANNELS).items() if name}),
        rules=rules,
        required=rules[:, :, REQUIRED].sum(axis=1),
    )


def _rules(kind: type[Struct]) -> Iterator[tuple[str, int, int, int, bool, bool]]:
    """Of each field: name, what it holds, least, most, whether it is required, whether it may be null."""
    if kind is not RefundLine:
        yield "type", TAG, 0, 0, True, False
    for field in structs.fields(kind):
        types = [_bare(each) for each in _choices(inspect.type_info(field.type))]
        nullable = any(isinstance(each, inspect.NoneType) for each in types)
        (of, *others) = [each for each in types if not isinstance(each, inspect.NoneType)]
        is_amount = Amount in (field.type, *get_args(field.type))
        holds, least, most = (UNDECLARED, 0, 0) if others else _held(field.name, of, is_amount)
        yield field.name, holds, least, most, field.default is NODEFAULT, nullable


def _held(name: str, of: inspect.Type, is_amount: bool) -> tuple[int, int, int]:
    """What a field holds, and its bounds."""
    match of:
        case inspect.StrType(pattern=None) if is_amount:
            return AMOUNT, 0, 0
        case inspect.StrType(pattern=None) if name == "currency":
            return CURRENCY, 0, 0
        case inspect.StrType(pattern=None):
            return TEXT, of.min_length or 0, NO_BOUND if of.max_length is None else of.max_length
        case inspect.IntType(multiple_of=None):
            least = max(-NO_BOUND if of.ge is None else of.ge, -NO_BOUND if of.gt is None else of.gt + 1)
            most = min(NO_BOUND if of.le is None else of.le, NO_BOUND if of.lt is None else of.lt - 1)
            return WHOLE, least, most
        case inspect.BoolType():
            return BOOLEAN, 0, 0
        case inspect.LiteralType() if sorted(of.values) == sorted(CHANNELS):
            return CHANNEL, 0, 0
        case inspect.ListType(item_type=inspect.StructType(cls=cls), min_length=least, max_length=None):
            return (LINES, least or 0, NO_BOUND) if cls in (OrderLine, RefundLine) else (UNDECLARED, 0, 0)
    return UNDECLARED, 0, 0


def _choices(of: inspect.Type) -> Sequence[inspect.Type]:
    of = _bare(of)
    return of.types if isinstance(of, inspect.UnionType) else [of]


def _bare(of: Any) -> inspect.Type:
    """A type without what its JSON Schema says beside it."""
    return _bare(of.type) if isinstance(of, inspect.Metadata) else of
