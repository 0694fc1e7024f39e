"""Reading a map's TOML with errors that say which table, key and value, and what to write instead."""

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from stream.errors import EbbError

PAGE = "docs/your-own-data.md"


class MapError(EbbError):
    """A map says something that cannot be followed."""


@dataclass(frozen=True)
class Table:
    """A table of the file, and where it stands."""

    where: str
    entries: Mapping[str, Any]

    def error(self, why: str, key: str = "") -> MapError:
        """The error for the table, or for one key of it."""
        return MapError(f"{self.where}{f', {key}' if key else ''}: {why} ({PAGE}).")

    def allow(self, keys: Collection[str]) -> None:
        """Refuse keys that mean nothing."""
        for key in self.entries:
            if key not in keys:
                nearest = get_close_matches(key, keys, n=1, cutoff=0.0)
                raise self.error(f"there is no such key; the nearest is {nearest[0]}", key)

    def text(self, key: str, default: str | None = None, options: Collection[str] = ()) -> str:
        """A string, one of `options` where there are any; without a default it is required."""
        value = self.entries.get(key, default)
        if value is None:
            raise self.error(f"is missing{_one_of(options)}", key)
        if not isinstance(value, str) or (options and value not in options):
            raise self.error(f"{shown(value)} is no {'choice' if options else 'string'}{_one_of(options)}", key)
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of strings, or one string."""
        value = self.entries.get(key)
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list) or not values or not all(isinstance(each, str) for each in values):
            raise self.error(f"{shown(value)} is no string and no list of strings", key)
        return tuple(values)

    def flag(self, key: str) -> bool:
        """True or false; false when absent."""
        value = self.entries.get(key, False)
        if not isinstance(value, bool):
            raise self.error(f"{shown(value)} is not true or false", key)
        return value

    def whole(self, key: str, most: int) -> int | None:
        """A whole number from 0 to `most`; None when absent."""
        value = self.entries.get(key)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most):
            raise self.error(f"{shown(value)} is not a whole number from 0 to {most}", key)
        return value

    def table(self, key: str) -> "Table":
        """A table inside; empty when absent."""
        value = self.entries.get(key, {})
        if not isinstance(value, dict):
            raise self.error(f"{shown(value)} is no table", key)
        return Table(f"{self.where}, {key}", value)

    def tables(self, key: str) -> list["Table"]:
        """An array of tables, written `[[key]]`."""
        value = self.entries.get(key, [])
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            raise self.error(f"write [[{key}]] for each", key)
        return [Table(f"{self.where}, [[{key}]] {number}", each) for number, each in enumerate(value, start=1)]


def read_toml(file: Path) -> Table:
    """The outermost table of a file; fractions are decimals.

    Raises:
        MapError: it cannot be read, or is not TOML.
    """
    try:
        return Table(str(file), tomllib.loads(file.read_text(encoding="utf-8"), parse_float=Decimal))
    except OSError as error:
        raise MapError(f"{file} cannot be read: {error.strerror}. Name a map with --map ({PAGE}).") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise MapError(f"{file} is not TOML: {error} ({PAGE}).") from error


def shown(value: object) -> str:
    """A value of the file as one would write it.

    >>> shown("x"), shown(True), shown(None)
    ("'x'", 'true', 'nothing')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    return "nothing" if value is None else str(value) if isinstance(value, Decimal) else repr(value)


def _one_of(options: Collection[str]) -> str:
    return f"; write one of {', '.join(options)}" if options else ""
