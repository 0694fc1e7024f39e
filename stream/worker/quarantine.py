"""What becomes of a chunk that a bug of our own keeps from being applied.

Chunks of any cut have the same meaning, so a chunk may be applied up to the record at which it fails. Deadlines before
that record fire without it; customers for whom one fails are put off for a while. A record that fails then, too, is set
aside as a dead letter, and what follows it goes on.
"""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol, TypeVar

import numpy as np
import structlog

from schemas.rejection import quoted
from stream.bugs import ATTEMPTS, Bug, alike, bug_of, told
from stream.chunk import StreamTimes
from stream.errors import EbbError
from stream.metrics import worker as metrics
from stream.ports import Head
from stream.worker.applying import Fenced
from stream.worker.blaming import SET_ASIDE_AT_MOST, DecisionError
from stream.worker.inbox import Batch
from stream.worker.log_records import CLOCK_KIND, REJECTED, LogRecord, standing_in
from stream.worker.postponing import POSTPONED_MS

Result = TypeVar("Result")

log = structlog.get_logger()


@dataclass(frozen=True)
class Attempt:
    """What may be tried of a chunk; each gives the head of a store that is behind, None when it is done.

    Attributes:
        apply: what is left of a batch.
        postpone: the deadlines of customers, each until a time in ms.
    """

    apply: Callable[[Batch, StreamTimes], Awaitable[Head | None]]
    postpone: Callable[[dict[str, int]], Awaitable[Head | None]]


Renew = Callable[[Collection[str]], Awaitable[bool]]
"""Decide some customers of a sweep anew, without these; whether there was something to do."""


class OnBug(Protocol):
    """What a lane does when a bug meets it."""

    async def apply(self, batch: Batch, times: StreamTimes, attempt: Attempt) -> Head | None:
        """Apply a batch; the head of a store that is behind."""

    async def renew(self, attempt: Renew) -> bool:
        """Go on with a sweep; whether there was something to do."""


class StopAtBug:
    """Any exception ends the process."""

    async def apply(self, batch: Batch, times: StreamTimes, attempt: Attempt) -> Head | None:
        """Try once."""
        return await attempt.apply(batch, times)

    async def renew(self, attempt: Renew) -> bool:
        """Try once."""
        return await attempt(())


class Quarantine:
    """Sets aside records for which a chunk fails, one after another, as long as others are applied between them, and
    customers whose decisions fail when nothing but time has come."""

    def __init__(self, partition: int) -> None:
        self._partition = partition
        self._records = 0
        self._has_gone_on = True  # since the last record that was set aside
        self._customers: set[str] = set()

    async def apply(self, batch: Batch, times: StreamTimes, attempt: Attempt) -> Head | None:
        """Apply a batch, if need be without some of its records and customers; an `OnBug`.

        Raises:
            Exception: the bug is tied to none of them, or meets too many; a note on it says so.
        """
        self._set_aside_undecodable(batch)
        done = 0  # records that are applied or set aside
        while True:
            outcome = await _outcome(partial(attempt.apply, batch, times))
            if not isinstance(outcome, Exception):
                self._has_gone_on |= _has_others(batch, done, len(batch.records))
                return outcome
            found = await _first_failing(batch, times, attempt, done, outcome)
            if isinstance(found, Head):
                return found
            self._has_gone_on |= _has_others(batch, done, found)
            fired = await self._fire(_until(times, found), attempt)
            if isinstance(fired, Head):
                return fired
            done = found
            if found < len(batch.records):
                passed = await self._pass(batch, times, attempt, found, outcome)
                if isinstance(passed, Head):
                    return passed
                batch, done = passed, found + 1
            elif not fired:
                raise _untied(outcome, "It fails where no event is applied and no deadline fires.")

    async def _pass(
        self, batch: Batch, times: StreamTimes, attempt: Attempt, place: int, like: Exception
    ) -> Batch | Head:
        """Apply the record at a place, now that the deadlines before it have fired, or set it aside; the batch then.

        Raises:
            Exception: it is not the record.
        """
        outcome = await _outcome(partial(attempt.apply, *_part(batch, times, place + 1)), attempts=1, like=like)
        if isinstance(outcome, Exception):
            batch = _without(batch, place, self._set_aside(batch, place, like))
            outcome = await _outcome(partial(attempt.apply, *_part(batch, times, place + 1)), attempts=1)
        if isinstance(outcome, Exception):
            raise _untied(outcome, "It fails with the record set aside, too.")
        return batch if outcome is None else outcome

    async def renew(self, attempt: Renew) -> bool:
        """Go on with a sweep, if need be without some customers; an `OnBug`.

        Raises:
            Exception: the bug is tied to no customer, or meets too many.
        """
        without: set[str] = set()
        while True:
            outcome = await _outcome(partial(attempt, without))
            if not isinstance(outcome, Exception):
                return outcome
            without.update(self._blamed(outcome))

    def _set_aside_undecodable(self, batch: Batch) -> None:
        """Take note of records that could not be decoded: they come as dead letters."""
        before = -1
        for place in (batch.records.kind == REJECTED).nonzero()[0].tolist():
            bug = batch.records.decoded[place]
            if isinstance(bug, Bug):
                self._has_gone_on |= place > before + 1
                self._note_record(batch.records[place], bug.error)
                before = place

    async def _fire(self, times: StreamTimes, attempt: Attempt) -> Head | bool:
        """Fire the deadlines up to a time, without customers for whom one fails; whether there are any.

        Raises:
            Exception: it is no customer's bug.
        """
        fired = False
        while True:
            outcome = await _outcome(partial(attempt.apply, Batch(), times))
            if not isinstance(outcome, Exception):
                return fired if outcome is None else outcome
            until_ms = dict.fromkeys(self._blamed(outcome), times.end_ms + POSTPONED_MS)
            behind = await attempt.postpone(until_ms)
            if behind is not None:
                return behind
            fired = True

    def _blamed(self, error: Exception) -> list[str]:
        """The customers who are to be set aside for a failure, once it is sure that they are.

        Raises:
            Exception: none is, or too many are.
        """
        if not isinstance(error, DecisionError):
            raise _untied(error, "It fails where no event is applied, for no customer alone.")
        self._customers.update(error.customers)
        if len(self._customers) > SET_ASIDE_AT_MOST:
            raise _untied(error, f"It meets more than {SET_ASIDE_AT_MOST} customers of partition {self._partition}.")
        for customer, bug in error.customers.items():
            metrics.CUSTOMERS_SET_ASIDE.labels(self._partition).inc()
            log.critical(
                "a bug: the customer is decided later",
                customer=quoted(customer),
                partition=self._partition,
                error=bug_of(bug).detail,
                exc_info=bug,
            )
        return list(error.customers)

    def _set_aside(self, batch: Batch, place: int, error: Exception) -> Bug:
        """Why the record at `place` becomes a dead letter.

        Raises:
            Exception: it is no event, or one too many.
        """
        if batch.records.kind[place] in (CLOCK_KIND, REJECTED):
            raise _untied(error, "It fails where no event is applied: at what every chunk does.")
        return self._note_record(batch.records[place], error)

    def _note_record(self, record: LogRecord, error: Exception) -> Bug:
        """Count and tell a record that is set aside.

        Raises:
            Exception: it is one too many.
        """
        where = f"{record.topic} partition {self._partition} offset {record.offset:,}"
        if not self._has_gone_on:
            raise _untied(error, f"The record before {where} was set aside for it already.")
        if self._records == SET_ASIDE_AT_MOST:
            raise _untied(error, f"{SET_ASIDE_AT_MOST} records of partition {self._partition} were set aside for bugs.")
        self._records, self._has_gone_on = self._records + 1, False
        bug = bug_of(error)
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
    """Apply what goes before the first record that fails; its place, the number of records if it is none."""
    goes, fails = done, len(batch.records) + 1
    while fails - goes > 1:
        middle = (goes + fails) // 2
        outcome = await _outcome(partial(attempt.apply, *_part(batch, times, middle)), attempts=1, like=like)
        if isinstance(outcome, Head):
            return outcome
        goes, fails = (goes, middle) if isinstance(outcome, Exception) else (middle, fails)
    return goes


def _part(batch: Batch, times: StreamTimes, count: int) -> tuple[Batch, StreamTimes]:
    """The first records; what of them is applied already, `Applying` leaves out."""
    part = batch if count == len(batch.records) else batch.first(count)
    return part, StreamTimes(times.of_record[:count], int(times.of_record[count - 1]))


def _has_others(batch: Batch, begin: int, end: int) -> bool:
    """Whether there are records that were not set aside."""
    return not all(isinstance(record, Bug) for record in batch.records.decoded[begin:end])


def _until(times: StreamTimes, place: int) -> StreamTimes:
    """Nothing but time, up to that of the record at a place, or to the end."""
    at_ms = int(times.of_record[place]) if place < len(times.of_record) else times.end_ms
    return StreamTimes(np.zeros(0, np.int64), at_ms)


async def _outcome(
    attempt: Callable[[], Awaitable[Result]], attempts: int = ATTEMPTS, like: Exception | None = None
) -> Result | Exception:
    """What attempts come to: the exception when all fail alike.

    Raises:
        Exception: two fail in different ways, or it is no bug but a refusal.
    """
    for _ in range(attempts):
        try:
            return await attempt()
        except (EbbError, Fenced):
            raise
        except Exception as error:
            metrics.CHUNK_FAILURES.inc()
            if like is None:
                log.exception("a bug kept a chunk from being applied, trying it again")
            if like is not None and not alike(_cause(like), _cause(error)):
                raise _untied(error, "The chunk failed in another way before.") from like
            like = error
    assert like is not None
    return like


def _cause(error: Exception) -> BaseException:
    """The bug behind customers that cannot be decided."""
    return error.__cause__ or error if isinstance(error, DecisionError) else error


def _untied(error: Exception, why: str) -> Exception:
    """The error with a note on why nothing was set aside for it."""
    error.add_note(f"EBB_ON_BUG=quarantine does not help here. {why} Nothing of it is committed.")
    log.critical("a bug that is not one record's or customer's", why=why, error=told(error))
    return error


def _without(batch: Batch, place: int, bug: Bug) -> Batch:
    """The batch with one record that is a dead letter now."""
    return replace(batch, records=standing_in(bug, batch.records, [place]))
