"""How a setting is declared: once, as a field of the settings of the processes that read it.

The field's name gives the variable (`chunk_records` is EBB_CHUNK_RECORDS), its type and bounds the values, its default
the default. Checks, error messages and the table in docs/settings.md all come from there.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

import msgspec

from stream.errors import SettingError

PREFIX = "EBB_"
PAGE = "docs/settings.md"


@dataclass(frozen=True)
class Form:
    """How a value is written where a plain number, flag or choice does not say it.

    `written` completes "Write …". `read` makes the value from the text, or raises ValueError with what is wrong
    ("has no port"). `show` is as much of a text as a message may quote.
    """

    written: str
    read: Callable[[str], object]
    show: Callable[[str], str] = str


def setting(
    meaning: str, *, unit: str = "", form: Form | None = None, ge: float | None = None, le: float | None = None
) -> msgspec.Meta:
    """Declare the annotated field: `meaning` is a sentence for the table; values are in `unit`, from `ge` to `le`."""
    return msgspec.Meta(description=meaning, ge=ge, le=le, extra={"unit": unit, "form": form})


@dataclass(frozen=True)
class Declared:
    """One setting as its field declares it; `annotated` is the field's type with its bounds."""

    field: str
    default: object
    annotated: Any

    @property
    def name(self) -> str:
        """The variable."""
        return PREFIX + self.field.upper()

    @property
    def meaning(self) -> str:
        """What it does, a sentence."""
        return self._meta.description or ""

    @property
    def written(self) -> str:
        """What may be written, to complete "Write …"."""
        if self._form is not None:
            return self._form.written
        if get_origin(self._type) is Literal:
            return " or ".join(get_args(self._type))
        return "true or false" if self._type is bool else self._number()

    def shown(self, text: str) -> str:
        """As much of `text` as a message may quote: no secret."""
        return self._form.show(text) if self._form is not None else text

    def read(self, text: str) -> object:
        """The value that `text` stands for.

        Raises:
            SettingError: it stands for none.
        """
        try:
            if self._form is not None:
                return self._form.read(text)
            return msgspec.convert(_with_zero(text), self.annotated, strict=False)
        except msgspec.ValidationError as error:
            raise self.refused(text, f"is not {self.written}") from error
        except ValueError as error:
            raise self.refused(text, f"{error}. Write {self.written}") from error

    def refused(self, text: str, why: str) -> SettingError:
        """The error for a value: key, value, what is wrong, what to do."""
        return SettingError(f"{self.name}={self.shown(text)!r} {why} ({PAGE}).")

    @property
    def _type(self) -> Any:
        return get_args(self.annotated)[0]

    @property
    def _meta(self) -> msgspec.Meta:
        meta: msgspec.Meta = get_args(self.annotated)[1]
        return meta

    @property
    def _form(self) -> Form | None:
        form: Form | None = (self._meta.extra or {})["form"]
        return form

    def _number(self) -> str:
        meta, unit = self._meta, (self._meta.extra or {})["unit"]
        words = ["a whole number" if self._type is int else "a number"]
        words += [f"of {unit}"] if unit else []
        words += [f"from {meta.ge:,}"] if meta.ge is not None else []
        words += [f"to {meta.le:,}"] if meta.le is not None else []
        return " ".join(words)


def declared(settings: type[msgspec.Struct]) -> Iterator[Declared]:
    """The settings a struct declares, its parents' first."""
    for field in msgspec.structs.fields(settings):
        yield Declared(field.name, field.default, field.type)


def _with_zero(text: str) -> str:
    """`.8` is how people write 0.8; JSON's grammar, which msgspec follows, wants the zero."""
    return f"0{text}" if text.startswith(".") else text
