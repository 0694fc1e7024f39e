"""One event table at work: from a record's value to events that are not yet judged."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from hashlib import sha256

from schemas.envelope import ID_BYTES_MAX
from schemas.rejection import Rejection, reject
from stream.ingest.mapping.conversions import text
from stream.ingest.mapping.declaration import EventSpec
from stream.ingest.mapping.fields import FieldSpec
from stream.ingest.mapping.paths import Frame, Getter, reach
from stream.ingest.mapping.records import SourceRecord

Draft = dict[str, object]
"""An event as it will be written, with its `type`."""

Read = Callable[[Frame], object]
"""The value of a field; None when it is absent."""

Conditions = Sequence[tuple[Getter, Callable[[object], bool]]]
"""What finds a value, and whether it is as it has to be."""


class FieldFaultError(ValueError):
    """A value of a record that cannot become a field."""

    def __init__(self, rejection: Rejection) -> None:
        super().__init__(rejection.detail)
        self.rejection = rejection


class EventMaker:
    """What one `[[event]]` table makes of records."""

    def __init__(self, spec: EventSpec) -> None:
        self.kind = spec.kind
        self._of_record = [(path.getter(), holds) for path, holds in spec.conditions if not path.lists]
        self._of_element = [(path.getter(), holds) for path, holds in spec.conditions if path.lists]
        self._each, self._line_list = spec.each, spec.line_list
        self._fields = [(field.name, reader(field)) for field in spec.fields]
        self._lines = [(field.name, reader(field)) for field in spec.lines]
        self._extra = [(name, path.getter()) for name, path in spec.extra]
        self._derives_id = all(field.name != "event_id" for field in spec.fields)

    def drafts(self, frame: Frame, record: SourceRecord) -> list[Draft | Rejection] | None:
        """The events of a record, or why one is none; None where the table does not apply to it.

        Args:
            frame: what Kafka knows of the record, and its value.
            record: names what has no event id.
        """
        if not _all_hold(self._of_record, frame):
            return None
        if not self._each:
            return [self._made(frame, record, "")]
        elements = reach(frame[1], self._each[0])
        if not isinstance(elements, list):
            if self._of_element and not self._of_record:
                return None  # nothing there can be as the conditions say
            return [reject("missing_field", f"{self.kind}: each: {_named(self._each[0])}[] is no list", "each")]
        frames = ((place, (*frame, element)) for place, element in enumerate(elements))
        made = [self._made(inner, record, f":{place}") for place, inner in frames if _all_hold(self._of_element, inner)]
        return made if made or not elements else None

    def _made(self, frame: Frame, record: SourceRecord, suffix: str) -> Draft | Rejection:
        try:
            draft: Draft = {"type": self.kind}
            if self._derives_id:
                draft["event_id"] = _derived_id(record, self.kind, suffix)
            for name, read in self._fields:
                value = read(frame)
                if value is not None:
                    draft[name] = value
            if self._lines:
                draft["lines"] = self._lines_of(frame)
            for name, get in self._extra:
                draft[name] = get(frame)
        except FieldFaultError as fault:
            return fault.rejection
        return draft

    def _lines_of(self, frame: Frame) -> list[Draft]:
        if not self._line_list:
            return [self._line(frame, 0)]
        steps = self._line_list[-1]
        elements = reach(frame[-1], steps)
        if not isinstance(elements, list):
            raise FieldFaultError(reject("missing_field", f"lines: {_named(steps)}[] is no list", "lines"))
        return [self._line((*frame, element), place) for place, element in enumerate(elements)]

    def _line(self, frame: Frame, place: int) -> Draft:
        line: Draft = {}
        try:
            for name, read in self._lines:
                value = read(frame)
                if value is not None:
                    line[name] = value
        except FieldFaultError as fault:
            raise FieldFaultError(_of_line(place, fault.rejection)) from fault
        return line


def _all_hold(conditions: Conditions, frame: Frame) -> bool:
    return all(holds(get(frame)) for get, holds in conditions)


def _of_line(place: int, rejection: Rejection) -> Rejection:
    where = f"lines[{place}]."
    return reject(rejection.reason, f"{where}{rejection.detail}", f"{where}{rejection.field}")


def _named(steps: tuple[str | int, ...]) -> str:
    return ".".join(map(str, steps))


def _derived_id(record: SourceRecord, kind: str, suffix: str) -> str:
    """The id of an event whose source gives it none: where its record lies, so that it is the same when read again.

    The timestamp is there for a topic that is deleted and made anew.

    >>> _derived_id(SourceRecord("clicks", 2, 17, 1709276400000, None, None), "page_view", "")
    'clicks:2:17:1709276400000:page_view'
    """
    where = f":{record.partition}:{record.offset}:{record.timestamp_ms}:{kind}{suffix}"
    if len(record.topic) + len(where) <= ID_BYTES_MAX:  # a topic's name is ASCII
        return record.topic + where
    return sha256(record.topic.encode()).hexdigest()[:32] + where


def reader(field: FieldSpec) -> Read:
    """What reads one field from a frame.

    Raises (the reader):
        FieldFaultError: it is needed and absent, or is not what it should be.
    """
    getters = [path.getter() for path in field.paths]
    if not getters:
        return lambda _: field.default
    find = getters[0] if len(getters) == 1 and field.separator is None else _several(field, getters)
    convert, default, keeps_empty, name = field.convert, field.default, field.keeps_empty, field.name

    def read(frame: Frame) -> object:
        try:
            value = find(frame)
            if value is not None and (value != "" or keeps_empty):
                return convert(value)
        except (ValueError, ArithmeticError) as error:
            why = f"{name}: {_paths(field)}: {error}"
            raise FieldFaultError(reject("invalid_field", why, name)) from error
        if default is None and field.is_required:
            raise FieldFaultError(reject("missing_field", f"{name}: nothing at {_paths(field)}", name))
        return default

    return read


def _paths(field: FieldSpec) -> str:
    return ", ".join(path.text for path in field.paths)


def _several(field: FieldSpec, getters: list[Getter]) -> Getter:
    """The first of several paths that leads to something, or all of them joined if none is missing."""
    separator = field.separator
    if separator is None:
        return lambda frame: next((value for get in getters if (value := get(frame)) not in (None, "")), None)

    def join(frame: Frame) -> object:
        values = [get(frame) for get in getters]
        if any(value is None or value == "" for value in values):
            return None
        return separator.join(str(value) if isinstance(value, Decimal) else text(value) for value in values)

    return join
