"""What becomes of a chunk that a bug of our own keeps from being applied.

Chunks of any cut have the same meaning, so a chunk may be applied up to the record at which it fails. That record can
be set aside as a dead letter, if it is the record: deadlines before it fire without it, and what follows it goes on.
"""

import traceback
from collections.abc import Awaitable, Callable
from dataclasses import replace

import numpy as np
import structlog

from schemas.rejection import Rejection, reject
from schemas.topics import INPUT_TOPICS
from stream.chunk import StreamTimes
from stream.errors import EbbError
from stream.metrics import worker as metrics
from stream.ports import Head
from stream.worker.applying import Fenced
from stream.worker.inbox import Batch
from stream.worker.log_records import CLOCK_KIND, REJECTED, LogRecord, joined, of_topic

ATTEMPTS = 3  # a failure that does not come back alike is no property of the chunk
SET_ASIDE_AT_MOST = 100  # of a partition, by one process: a bug that meets more is no odd record's

Attempt = Callable[[Batch, StreamTimes], Awaitable[Head | None]]
"""Apply what is left of a batch; the head of a store that is behind, None when it is applied."""

OnBug = Callable[[Batch, StreamTimes, Attempt], Awaitable[Head | None]]

log = structlog.get_logger()


async def stop_at_bug(batch: Batch, times: StreamTimes, attempt: Attempt) -> Head | None:
    """Any exception ends the process."""
    return await attempt(batch, times)


class Quarantine:
    """Sets records aside for which a chunk fails, one after another, as long as others are applied between them."""

    def __init__(self, partition: int) -> None:
        self._partition = partition
        self._set_aside = 0
        self._has_gone_on = True  # since the last record that was set aside

    async def apply(self, batch: Batch, times: StreamTimes, attempt: Attempt) -> Head | None:
        """Apply a batch, if need be without some of its records; an `OnBug`.

        Raises:
            Exception: the bug is not tied to a record, or meets too many; a note on it says so.
        """
        done = 0  # records that are applied or set aside
        while True:
            outcome = await _outcome(batch, times, attempt)
            if not isinstance(outcome, Exception):
                self._has_gone_on |= done < len(batch.records)
                return outcome
            found = await _first_failing(batch, times, attempt, done, outcome)
            if isinstance(found, Head):
                return found
            self._has_gone_on |= found > done
            bug = await self._bug_of(batch, times, attempt, found, outcome)
            if isinstance(bug, Head):
                return bug
            batch, done = _without(batch, found, bug), found + 1
            rest = await _outcome(*_part(batch, times, done), attempt, attempts=1)
            if isinstance(rest, Exception):
                raise _untied(rest, "It fails with the record set aside, too.")
            if rest is not None:
                return rest

    async def _bug_of(
        self, batch: Batch, times: StreamTimes, attempt: Attempt, place: int, error: Exception
    ) -> Rejection | Head:
        """Why the record at `place` is to be set aside, once it is sure that it is the record.

        Raises:
            Exception: it is not.
        """
        if place == len(batch.records) or batch.records.kind[place] in (CLOCK_KIND, REJECTED):
            raise _untied(error, "It fails where no event is applied: at a deadline, or at what every chunk does.")
        record, at_ms = batch.records[place], int(times.of_record[place])
        alone = await _outcome(Batch(), StreamTimes(np.zeros(0, np.int64), at_ms), attempt, attempts=1)
        if isinstance(alone, Exception):
            raise _untied(error, f"It fails at a deadline before {_place(record, self._partition)}, without it too.")
        if alone is not None:
            return alone
        if not self._has_gone_on:
            raise _untied(error, f"The record before {_place(record, self._partition)} was set aside for it already.")
        if self._set_aside == SET_ASIDE_AT_MOST:
            raise _untied(error, f"{SET_ASIDE_AT_MOST} records of partition {self._partition} were set aside for bugs.")
        self._set_aside, self._has_gone_on = self._set_aside + 1, False
        bug = reject("bug", told(error))
        log.critical(
            "a bug: the record is set aside as a dead letter",
            topic=record.topic,
            partition=self._partition,
            offset=record.offset,
            error=bug.detail,
            exc_info=error,
        )
        return bug


async def _first_failing(batch: Batch, times: StreamTimes, attempt: Attempt, done: int, like: Exception) -> int | Head:
    """Apply what goes before the first record that fails; its place."""
    goes, fails = done, len(batch.records)
    while fails - goes > 1:
        middle = (goes + fails) // 2
        outcome = await _outcome(*_part(batch, times, middle), attempt, attempts=1, like=like)
        if isinstance(outcome, Head):
            return outcome
        goes, fails = (goes, middle) if isinstance(outcome, Exception) else (middle, fails)
    return goes


def _part(batch: Batch, times: StreamTimes, count: int) -> tuple[Batch, StreamTimes]:
    """The first records; what of them is applied already, `Applying` leaves out."""
    return batch.first(count), StreamTimes(times.of_record[:count], int(times.of_record[count - 1]))


async def _outcome(
    batch: Batch, times: StreamTimes, attempt: Attempt, attempts: int = ATTEMPTS, like: Exception | None = None
) -> Head | Exception | None:
    """What attempts come to: the exception when all fail alike.

    Raises:
        Exception: two fail in different ways, or it is no bug but a refusal.
    """
    for _ in range(attempts):
        try:
            return await attempt(batch, times)
        except (EbbError, Fenced):
            raise
        except Exception as error:
            metrics.CHUNK_FAILURES.inc()
            if like is None:
                log.exception("a bug kept a chunk from being applied, trying it again", records=len(batch.records))
            if like is not None and _where(like) != _where(error):
                raise _untied(error, "The chunk failed in another way before.") from like
            like = error
    return like


def _where(error: Exception) -> tuple[type, str, int | None]:
    """What two failures that are alike have in common: a text may name a row of the chunk."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return type(error), last.filename, last.lineno


def told(error: Exception) -> str:
    """The last lines of the traceback in one.

    >>> try:
    ...     {}["gone"]
    ... except KeyError as error:
    ...     told(error).partition(" (")[0]
    "KeyError: 'gone'"
    """
    last = traceback.extract_tb(error.__traceback__)[-1]
    what = traceback.format_exception_only(error)[0].strip()
    return f"{what} ({last.filename.rpartition('/')[2]} line {last.lineno}, {last.name})"


def _untied(error: Exception, why: str) -> Exception:
    """The error with a note on why no record was set aside for it."""
    error.add_note(f"EBB_ON_BUG=quarantine does not help here. {why} Nothing of it is committed.")
    log.critical("a bug that is not one record's", why=why, error=told(error))
    return error


def _place(record: LogRecord, partition: int) -> str:
    return f"{record.topic} partition {partition} offset {record.offset:,}"


def _without(batch: Batch, place: int, bug: Rejection) -> Batch:
    """The batch with one record that is a dead letter now."""
    records = batch.records
    rejected = of_topic(INPUT_TOPICS[records.topic[place]], [records.fetched[place]], [bug])
    return replace(batch, records=joined([records.part(0, place), rejected, records.part(place + 1)]))
