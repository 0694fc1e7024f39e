"""Dead letters as text, for people and for scripts: whatever they hold, nothing of it reaches a terminal as it is."""

import base64
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from ebb.text import printable
from ebb.views import utc
from offline.dead_letters import DeadLetter
from offline.sending_again import CLOCK_RECORD, INTERNAL, LEFT_BY_FIX, NO_ORIGIN, OF_INGEST, SentAgain

_OTHER_REASONS = {
    NO_ORIGIN: "do not say where they came from",
    OF_INGEST: "are records of other topics: mend the map of `ebb ingest`, and write them to these topics again",
    CLOCK_RECORD: "are clock records: replay the history instead",
    INTERNAL: "were sent by Ebb itself for a merge or an erasure, which nobody else can do: report why they are here",
    LEFT_BY_FIX: "were left by the script",
}


@dataclass
class Group:
    """The dead letters of one reason and topic."""

    reason: str
    topic: str
    count: int
    first_ms: int
    last_ms: int
    newest: str


def grouped(letters: Iterable[DeadLetter]) -> list[Group]:
    """Counts by reason and topic, the most first."""
    groups: dict[tuple[str, str], Group] = {}
    for letter in letters:
        at_ms = letter.written_ms
        key = letter.reason, letter.topic
        group = groups.setdefault(key, Group(*key, count=0, first_ms=at_ms, last_ms=at_ms, newest=letter.id))
        group.count += 1
        group.first_ms = min(group.first_ms, at_ms)
        if at_ms >= group.last_ms:
            group.last_ms, group.newest = at_ms, letter.id
    return sorted(groups.values(), key=lambda group: -group.count)


def screen(groups: Sequence[Group]) -> str:
    """The groups for a reader."""
    if not groups:
        return "no dead letters"
    rows = [
        (printable(group.reason), printable(group.topic), f"{group.count:,}", f"{_span(group)}  newest {group.newest}")
        for group in groups
    ]
    reason, topic, count = (max(len(row[at]) for row in rows) for at in range(3))
    lines = [f"  {row[0]:<{reason}}  {row[1]:<{topic}}  {row[2]:>{count}}  {row[3]}" for row in rows]
    total = sum(group.count for group in groups)
    return "\n".join([f"{total:,} dead letters", *lines, f"  next: ebb dead-letters show {groups[0].newest}"])


def _span(group: Group) -> str:
    return f"{_minute(group.first_ms)} to {_minute(group.last_ms)} UTC"


def _minute(time_ms: int) -> str:
    """A time to the minute; one that no calendar has, which a producer may write, in ms.

    >>> _minute(0), _minute(10**18)
    ('1970-01-01 00:00', '1000000000000000000 ms')
    """
    try:
        return f"{utc(time_ms):%Y-%m-%d %H:%M}"
    except (ValueError, OverflowError, OSError):
        return f"{time_ms} ms"


def line_of(letter: DeadLetter) -> str:
    """A letter as one line that cannot touch the terminal."""
    where = f"{letter.topic}-{letter.source.partition}@{letter.source.offset}" if letter.source else "?"
    return printable(f"{letter.id:<8}  {_minute(letter.written_ms)}  {letter.reason}  {where}  {letter.detail}")


def as_json_text(value: object) -> str:
    r"""One line of JSON without a sign that a terminal could obey.

    >>> print(as_json_text(["2J Zoë"]))
    ["\u009b2J\u007f Zo\u00eb"]
    """
    return json.dumps(msgspec.to_builtins(value)).replace("\x7f", "\\u007f")


def as_object(letter: DeadLetter) -> dict[str, Any]:
    """A letter for a script; bytes are Base64, and text beside it where they are UTF-8."""
    return {
        "id": letter.id,
        "reason": letter.reason,
        "field": letter.field,
        "detail": letter.detail,
        "written_ms": letter.written_ms,
        "source": letter.source,
        "key": _encoded(letter.key),
        "value": _encoded(letter.value),
        "text": _text(letter.value),
        "headers": [[name, (value or b"").decode(errors="backslashreplace")] for name, value in letter.headers],
    }


def _encoded(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()


def _text(value: bytes | None) -> str | None:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return None


def page_of(letter: DeadLetter, shown_bytes: int | None) -> str:
    r"""A letter for a reader.

    >>> letter = DeadLetter("0:7", "", b"k", b"{\x1b[2J\xff\n", "malformed_json", "", "no JSON", None, 0)
    >>> print(page_of(letter, 4))
    0:7 · malformed_json · 1970-01-01 00:00 UTC
      no JSON
      key    k
      value  7 bytes, the first 4:
      {\x1b[2
      next: ebb dead-letters replay 0:7
    """
    lines = [f"{letter.id} · {letter.reason} · {_minute(letter.written_ms)} UTC", f"  {letter.detail}"]
    lines += [f"  {name:<20} {(value or b'').decode(errors='backslashreplace')}" for name, value in letter.headers]
    lines.append(f"  key    {_readable(letter.key)}")
    size = len(letter.value or b"")
    if letter.value is None:
        lines.append("  value  none, a tombstone")
    else:
        cut = shown_bytes is not None and size > shown_bytes
        lines.append(f"  value  {size:,} bytes{f', the first {shown_bytes:,}' if cut else ''}:")
        lines.append(f"  {_readable(letter.value[:shown_bytes])}")
    lines.append(f"  next: ebb dead-letters replay {letter.id}")
    return "\n".join(printable(line) for line in lines)


def _readable(value: bytes | None) -> str:
    return "none" if value is None else value.decode(errors="backslashreplace")


def describe(result: SentAgain, *, dry_run: bool) -> str:
    """The result for a reader.

    >>> from collections import Counter
    >>> print(describe(SentAgain(2, 1, Counter(malformed_json=3)), dry_run=False))
    2 dead letters sent again, 1 sent before
      3 left: would be malformed_json again
      next: ebb dead-letters replay --fix script.py
    """
    lines = [f"{result.sent:,} dead letters {'to send' if dry_run else 'sent'} again, {result.before:,} sent before"]
    for reason, count in result.left.most_common():
        lines.append(f"  {count:,} left: {_OTHER_REASONS.get(reason, f'would be {reason} again')}")
    if result.left.keys() - {NO_ORIGIN, OF_INGEST, CLOCK_RECORD, INTERNAL}:
        lines.append("  next: ebb dead-letters replay --fix script.py")
    return "\n".join(lines)
