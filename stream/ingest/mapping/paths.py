"""Paths into a source record: `customer.id`, `lines[].sku`, `emails[0]`, `"a.b".c`, `$key`.

A dot goes into an object, `[2]` to an element of a list, counted from 0, and `[]` to each of its elements. A name with
a dot, a bracket or a blank stands in quotes. What begins with `$` is not in the value but in what Kafka knows of the
record: `$key`, `$timestamp_ms`, `$headers.NAME`.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

ABOUT_THE_RECORD = ("$key", "$timestamp_ms", "$headers")

_TOKEN = re.compile(r'(?P<dot>\.)?(?:"(?P<quoted>[^"]+)"|(?P<name>[^.\[\]"\s]+))|\[(?P<index>\d{0,6})\]')

Step = str | int
"""A name to look up in an object, or a place in a list."""

Frame = Sequence[object]
"""What paths look into: what Kafka knows of the record, its value, then the elements of lists, one a depth."""

Getter = Callable[[Frame], object]
"""What lies at a path; None where there is nothing or null."""


@dataclass(frozen=True)
class Path:
    """A path, cut at its `[]`.

    Attributes:
        text: as it was written.
        lists: the steps to each list that is gone through, from the one before it.
        steps: from the element of the last list, or from the value, to what is meant.
    """

    text: str
    lists: tuple[tuple[Step, ...], ...]
    steps: tuple[Step, ...]

    @property
    def is_about_the_record(self) -> bool:
        """Whether it is what Kafka knows of the record."""
        return self.text.startswith("$")

    def getter(self) -> Getter:
        """What finds it in a frame that is as deep as the path."""
        at = 0 if self.is_about_the_record else len(self.lists) + 1
        steps = self.steps
        if len(steps) == 1 and isinstance(steps[0], str):
            name = steps[0]

            def get_one(frame: Frame) -> object:
                value = frame[at]
                return value.get(name) if isinstance(value, dict) else None

            return get_one
        return lambda frame: reach(frame[at], steps)


def parse_path(text: str) -> Path:
    """Read a path.

    Raises:
        ValueError: it is none; the message says where.

    >>> parse_path('orders[].items[].sku').lists
    (('orders',), ('items',))
    >>> parse_path('"odd.name"[0].id').steps
    ('odd.name', 0, 'id')
    """
    lists: list[tuple[Step, ...]] = []
    steps: list[Step] = []
    at = 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        name = token and (token["quoted"] or token["name"])
        if token is None or (name and bool(token["dot"]) != (at > 0)):
            raise ValueError(f"{text!r} is no path: {text[at:]!r} cannot follow {text[:at]!r}")
        if name:
            steps.append(name)
        elif token["index"]:
            steps.append(int(token["index"]))
        else:
            lists.append(tuple(steps))
            steps = []
        at = token.end()
    if not text:
        raise ValueError("a path is empty")
    _check_about_the_record(text, lists, steps)
    return Path(text, tuple(lists), tuple(steps))


def _check_about_the_record(text: str, lists: Sequence[Sequence[Step]], steps: Sequence[Step]) -> None:
    first = steps[0] if steps else ""
    if text.startswith("$"):
        known = len(steps) == (2 if first == "$headers" else 1) and first in ABOUT_THE_RECORD
        if lists or not known:
            raise ValueError(f"{text!r} is no path: write $key, $timestamp_ms or $headers.NAME")


def reach(value: object, steps: Sequence[Step]) -> object:
    """What lies that many steps inside a value; None where there is nothing.

    >>> reach({"a": [{"b": 7}]}, ("a", 0, "b")), reach({"a": 1}, ("a", "b"))
    (7, None)
    """
    for step in steps:
        if isinstance(step, str):
            value = value.get(step) if isinstance(value, dict) else None
        else:
            value = value[step] if isinstance(value, list) and step < len(value) else None
        if value is None:
            return None
    return value
