"""What the events of `schemas` look like, as arrays for a compiled loop; made from the event types themselves.

A field that means more than this file knows makes its kind unknown here, and so one to be decoded.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple, get_args

import numpy as np
from msgspec import NODEFAULT, Struct, inspect, structs
from numpy.typing import NDArray

from schemas.envelope import Amount
from schemas.events import Event, OrderLine, RefundLine
from schemas.topics import KINDS_OF
from stream.columns.words import words_of
from stream.features.facts import KIND_CODES
from stream.features.vocabulary import CHANNELS, codes_of

UNDECLARED, TEXT, AMOUNT, WHOLE, CHANNEL, BOOLEAN, CURRENCY, LINES, TAG = range(9)
"""What a field holds: a string of some length, money, a whole number, …; `UNDECLARED`: nobody has such a field."""

HOLDS, LEAST, MOST = range(3)
"""What a rule says: what the field holds, and bounds of a number or of a string's length."""

DECLARED, REQUIRED, NULLABLE = range(3)
"""Rows of `Grammar.sets`."""

OF_LINE, OF_EVENT = range(2)
"""Where a field stands: in a line of an order or refund, or in the event itself."""

NO_BOUND = 2**62
KINDS = max(KIND_CODES.values()) + 1
LINE = 0
"""The place of lines among the kinds."""


class Grammar(NamedTuple):
    """What is known of events. Sets of fields are bits, by their places in `SLOT`.

    Attributes:
        fields: `words_of` the names of fields -> their place.
        kinds: the `type` of an event -> its code.
        channels: names of channels -> their code.
        rules: shape (2, fields, 3), of the fields of lines and of events, whatever their kind.
        sets: shape (3, KINDS), the fields that a kind has, must have, may have as null.
    """

    fields: NDArray[np.int64]
    kinds: NDArray[np.int64]
    channels: NDArray[np.int64]
    rules: NDArray[np.int64]
    sets: NDArray[np.int64]


_TYPES: Sequence[type[Struct]] = get_args(Event)
_READ: Sequence[type[Struct]] = (*_TYPES, RefundLine)
_NAMES = dict.fromkeys(field for kind in _READ for field in ("type", *kind.__struct_fields__))
SLOT = {name: number for number, name in enumerate(_NAMES)}
"""The name of a field -> its place; fewer than a number has bits."""

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
    rules = np.zeros((2, len(SLOT), 3), np.int64)
    sets = np.zeros((3, KINDS), np.int64)
    understood = [kind for kind in _READ if _is_understood(kind, rules)]
    for kind in understood if RefundLine in understood else []:
        code = LINE if kind is RefundLine else _code(kind)
        for field in _fields(kind):
            sets[:, code] |= np.array([True, field.is_required, field.is_nullable]) << SLOT[field.name]
    tags = {str(kind.__struct_config__.tag): _code(kind) for kind in _TYPES if sets[DECLARED, _code(kind)]}
    channels = {str(name): code for name, code in codes_of(CHANNELS).items() if name}
    return Grammar(words_of(SLOT), words_of(tags), words_of(channels), rules, sets)


def _is_understood(kind: type[Struct], rules: NDArray[np.int64]) -> bool:
    """Write down the rules of a kind's fields, unless one is not known here, or says something else in another kind."""
    place, declared = OF_LINE if kind is RefundLine else OF_EVENT, _fields(kind)
    written = [rules[place, SLOT[field.name]] for field in declared]
    if any(
        field.rule[HOLDS] == UNDECLARED or (rule[HOLDS] != UNDECLARED and rule.tolist() != list(field.rule))
        for field, rule in zip(declared, written, strict=True)
    ):
        return False
    for field, rule in zip(declared, written, strict=True):
        rule[:] = field.rule
    return True


class _Field(NamedTuple):
    name: str
    rule: tuple[int, int, int]
    is_required: bool
    is_nullable: bool


def _fields(kind: type[Struct]) -> list[_Field]:
    """What its declaration says of each field."""
    found = [] if kind is RefundLine else [_Field("type", (TAG, 0, 0), True, False)]
    for field in structs.fields(kind):
        types = [_bare(each) for each in _choices(inspect.type_info(field.type))]
        is_nullable = any(isinstance(each, inspect.NoneType) for each in types)
        (of, *others) = [each for each in types if not isinstance(each, inspect.NoneType)]
        is_amount = Amount in (field.type, *get_args(field.type))
        rule = (UNDECLARED, 0, 0) if others else _held(field.name, of, is_amount)
        found.append(_Field(field.name, rule, field.default is NODEFAULT, is_nullable))
    return found


def _held(name: str, of: inspect.Type, is_amount: bool) -> tuple[int, int, int]:
    """What a field holds, and its bounds."""
    match of:
        case inspect.StrType(pattern=None):
            holds = AMOUNT if is_amount else CURRENCY if name == "currency" else TEXT
            return holds, of.min_length or 0, NO_BOUND if of.max_length is None else of.max_length
        case inspect.IntType(multiple_of=None):
            least = max(-NO_BOUND if of.ge is None else of.ge, -NO_BOUND if of.gt is None else of.gt + 1)
            most = min(NO_BOUND if of.le is None else of.le, NO_BOUND if of.lt is None else of.lt - 1)
            return WHOLE, least, most
        case inspect.BoolType():
            return BOOLEAN, 0, 0
        case inspect.LiteralType() if set(of.values) == set(CHANNELS):
            return CHANNEL, 0, 0
        case inspect.ListType(item_type=inspect.StructType(cls=cls), max_length=None) if cls in (OrderLine, RefundLine):
            return LINES, 0, 0
    return UNDECLARED, 0, 0


def _choices(of: inspect.Type) -> Sequence[inspect.Type]:
    of = _bare(of)
    return of.types if isinstance(of, inspect.UnionType) else [of]


def _bare(of: Any) -> inspect.Type:
    """A type without what its JSON Schema says beside it."""
    return _bare(of.type) if isinstance(of, inspect.Metadata) else of
