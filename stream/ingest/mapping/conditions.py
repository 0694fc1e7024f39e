"""When an event table applies: `when = { status = ["paid", "shipped"], test = { not = true } }`."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from stream.ingest.mapping.paths import Path, parse_path
from stream.ingest.mapping.toml import Table, shown

Scalar = str | int | bool | Decimal


def read_conditions(table: Table) -> list[tuple[Path, Callable[[object], bool]]]:
    """The paths of a `when` table, and what each has to be; all must hold.

    Raises:
        MapError: a path or a value that cannot be.
    """
    return [(_path(table, key), _test(table, key, value)) for key, value in table.entries.items()]


def _path(table: Table, key: str) -> Path:
    try:
        return parse_path(key)
    except ValueError as error:
        raise table.error(str(error), key) from error


def _test(table: Table, key: str, value: object) -> Callable[[object], bool]:
    if isinstance(value, dict):
        inner = Table(f"{table.where}, {key}", value)
        inner.allow(("not", "exists"))
        if set(value) == {"exists"}:
            wanted = inner.flag("exists")
            return lambda found: (found is not None) == wanted
        if set(value) == {"not"}:
            among = _one_of(_scalars(inner, "not", value["not"]))
            return lambda found: not among(found)
        raise table.error("write a value, a list of values, { not = … } or { exists = true }", key)
    return _one_of(_scalars(table, key, value))


def _scalars(table: Table, key: str, value: object) -> list[Scalar]:
    values: list[Any] = value if isinstance(value, list) else [value]
    for each in values:
        if not isinstance(each, (str, int, bool, Decimal)):
            raise table.error(f"{shown(each)} is no string, number or flag", key)
    return values


def _one_of(values: Sequence[Scalar]) -> Callable[[object], bool]:
    """Whether something is among the values; true is not 1, and "1" is not 1 either."""
    among = {(isinstance(value, bool), value) for value in values}

    def holds(found: object) -> bool:
        return isinstance(found, (str, int, Decimal, float)) and (isinstance(found, bool), found) in among

    return holds
