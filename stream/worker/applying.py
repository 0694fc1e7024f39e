"""A batch applied to a partition: read, step, commit, and what to do when the store is not where we thought."""

import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import cast

import numpy as np
import structlog
from msgspec.structs import replace

from schemas.topics import CLOCK, INPUT_TOPICS
from stream.chunk import Models, StreamTimes
from stream.identities.known import UNKNOWN, Identity
from stream.metrics import worker as metrics
from stream.ports import Commit, Head, LogPosition, PartitionStore, SeenBlock
from stream.worker.assembly import Applied, Assembly
from stream.worker.blaming import SET_ASIDE_AT_MOST, DecisionError, failing
from stream.worker.counting import count_commit, timed
from stream.worker.cutting import at_most, before_identity, left, portion
from stream.worker.emptied import refuse_emptied
from stream.worker.inbox import Batch
from stream.worker.known_identities import KnownIdentities
from stream.worker.loading import Loaded, Loading
from stream.worker.lost_commits import lost_in, without
from stream.worker.publisher import Publishing
from stream.worker.resident import RESIDENT_BYTES, ResidentCustomers
from stream.worker.retrying import retrying
from stream.worker.seen import SeenWindow, loaded_window
from stream.worker.sorting import NOTHING_SORTED, Sorted, sort_out
from stream.worker.sweeping import NO_RENEWAL, Renewal, after, in_force, is_wanted, share_done
from stream.worker.turns import ALONE, Computing

log = structlog.get_logger()


class Fenced(Exception):  # noqa: N818 - it is a state of affairs, not an error of anyone
    """Another worker owns the partition now."""


def _new_timeline() -> str:
    return secrets.token_hex(8)


class Applying:
    """Keeps the partition's event-id windows and version, and turns batches into commits.

    `applied` is how far each topic has been applied by us, whatever Redis says, and `reached` the version with which it
    was; 0 while nothing has been. `lags_at_ms` is the stream time at which the last batch left deadlines waiting, None
    if it left none. `effort` is how many customers the last commit without records had and for how many ms of CPU it
    computed them.

    Args:
        may_lag: when more deadlines are due than one commit fires, let records through and stream time lag until the
            rest has fired, so that a long silence delays no live event. The lane says so anew for each batch: in a
            replay, and while an old log is read, records wait.
        resident_bytes: what may be kept in memory of the partition's customers.
        new_timeline: a name for what is sent from customer to customer after each reading of the store; never the same.
        due_at_once: most deadlines in one commit. Where time may lag, `beside_at_once` of the lane bounds them too.
    """

    def __init__(
        self,
        partition: int,
        owner: str,
        store: PartitionStore,
        publisher: Publishing,
        assembly: Assembly,
        due_at_once: int,
        log_starts: Mapping[str, int],
        *,
        may_lag: bool = False,
        resident_bytes: int = RESIDENT_BYTES,
        new_timeline: Callable[[], str] = _new_timeline,
    ) -> None:
        self.may_lag, self.lags_at_ms = may_lag, cast(int | None, None)
        self.beside_at_once = due_at_once
        self.effort = (0, 0.0)
        self._partition, self._owner, self._store = partition, owner, store
        self._log_starts = log_starts  # what retention took before we applied it is not waited for
        self._publisher, self._assembly, self._due_at_once = publisher, assembly, due_at_once
        self._loading = Loading(partition, store, ResidentCustomers(resident_bytes))
        self._new_timeline = new_timeline
        self._windows: dict[str, SeenWindow] = {}
        self._identities = KnownIdentities()
        self._version = -1
        self._renewed_under = ""  # models and rules that everybody is decided under, as far as we know
        self._asked_of, self._under = cast(Models | None, None), ""  # what was last asked about, and its name
        self.applied: dict[str, int] = {}
        self.reached = 0
        self._turn: Computing = ALONE

    async def load(self, head: Head) -> None:
        """Read what outlives a process: event-id windows and the messages not yet acknowledged."""
        self._version = -1  # until all is read
        self._assembly.timeline, self._assembly.says_rules = self._new_timeline(), True
        self._loading.restart(head)
        for topic in INPUT_TOPICS:
            if topic != CLOCK:
                self._windows[topic] = await loaded_window(await self._store.seen_blocks(topic))
        self._identities = KnownIdentities(await self._store.identities())
        self._publisher.add(await self._store.outbox())
        self._version = head.version
        self._renewed_under = ""  # a Redis that came back older may not have been swept yet
        self._reach(head.version, head.positions)

    async def apply(self, batch: Batch, times: StreamTimes, models: Models, turn: Computing = ALONE) -> Head | None:
        """Apply `batch` once, in as many commits as its deadlines need; each is computed in `turn`.

        Returns:
            None when it is applied. Else the head of a partition that has applied less than we did.

        Raises:
            StoreUnavailableError: Redis is away; call again with the same batch.
            Fenced: another worker has claimed the partition.
            StoreEmptiedError: Redis has lost the partition.
            DecisionError: a bug keeps customers from being decided whose deadlines are due, not a record.
        """
        self._turn = turn
        while True:
            at_once = self._at_once()
            with metrics.STAGES["read"].time():
                head, due = await self._begin(batch, times, at_once)
            if not self._is_ours(head):
                if await self._resync(head):
                    return head
                continue
            if self._is_behind(head, batch.previous):
                await self._store.abandon()
                return head
            batch, times = left(head, batch, times)
            part, part_times, due = before_identity(batch, times, due)
            crowded = len(due) >= at_once
            self.lags_at_ms = max(due[-1][1], head.stream_time_ms) if crowded and self.may_lag else None
            if self.lags_at_ms is not None:
                done = await self._commit(head, part, at_most(part_times, self.lags_at_ms), due, models)
            elif crowded:
                # in a replay what these deadlines precede is what advances stream time
                await self._commit(head, *portion(part, part_times, due), models, holds_time=part.clock_ms is not None)
                continue
            elif not batch.records and not due:
                await self._store.abandon()
                return None
            else:
                done = await self._commit(head, part, part_times, due, models)
            if done and part_times is times:
                return None

    async def _begin(self, batch: Batch, times: StreamTimes, at_once: int) -> tuple[Head, list[tuple[str, int]]]:
        """Where the partition stands and what is due.

        For records that go on where the last commit has ended, what that has said is enough: they will be committed, or
        refused. Whatever may end without a commit asks: a tick, and records that are applied already or leave a gap.
        """
        following = self._store.follow(times.end_ms, at_once) if batch.records else None
        if following and self._is_ours(following[0]) and self._continues(following[0], batch.previous):
            return following
        return await self._store.begin(times.end_ms, at_once)

    def _continues(self, head: Head, previous: Mapping[str, int]) -> bool:
        """Whether a batch begins where each of its topics has been applied to."""
        return all(offset == self.resume_offset(head, topic) for topic, offset in previous.items())

    async def look(self) -> Head | None:
        """See where the store is when there is nothing to apply.

        Returns:
            The head of a partition that has applied less than we did, else None.

        Raises:
            StoreUnavailableError: Redis is away; call again.
            Fenced: another worker has claimed the partition.
            StoreEmptiedError: Redis has lost the partition.
        """
        head, _ = await self._store.begin(0, 0)
        if not self._is_ours(head):
            return head if await self._resync(head) else None
        await self._store.abandon()
        return None

    def _at_once(self) -> int:
        return min(self._due_at_once, max(self.beside_at_once, 1)) if self.may_lag else self._due_at_once

    async def renew(self, models: Models, at_once: int, now_ms: int, without: Collection[str] = ()) -> bool:
        """Decide some customers anew, if models or rules have changed since they were decided.

        Args:
            models: in force.
            at_once: about how many.
            now_ms: the stream time. All deadlines up to it have fired, and ticks that changed nothing are not stored.
            without: customers to leave as they are.

        Returns:
            Whether there was something to do. When the partition is not where we left it, that is for `apply` to find.

        Raises:
            StoreUnavailableError: Redis is away; call again.
            DecisionError: a bug keeps customers from being decided.
        """
        if self.is_renewed(models):
            return False
        under = self._under
        head, _ = self._store.follow(0, 0) or await self._store.begin(0, 0)
        ours = self._is_ours(head)
        if not ours or not is_wanted(head.sweep, under):
            await self._store.abandon()
            self._renewed_under = under if ours else ""
            return False
        page = await self._store.page(head.sweep.cursor, at_once)
        times = StreamTimes(np.zeros(0, np.int64), max(head.stream_time_ms, now_ms))
        progress = after(head.sweep, page, under)
        customers = [customer for customer in page.customers if customer not in without]
        done = await self._commit(head, Batch(), times, [], models, Renewal(customers, progress))
        if done:
            metrics.CUSTOMERS_RENEWED.labels(self._partition).inc(len(page.customers))
            metrics.SWEEP_PROGRESS.labels(self._partition).set(share_done(progress, page.of))
        return done

    async def decide_again(self, renewal: Renewal, times: StreamTimes, models: Models) -> None:
        """Decide customers anew, as a sweep has done that the journal tells of."""
        head, _ = await self._store.begin(0, 0)
        if not await self._commit(head, Batch(), times, [], models, renewal):
            raise Fenced(head.owner)

    async def postpone(self, until_ms: Mapping[str, int], models: Models) -> Head | None:
        """Let nothing of these customers be due before a time of their own, in ms.

        Returns:
            As `apply`.

        Raises:
            StoreUnavailableError: Redis is away; call again, once more does no harm.
            Fenced: another worker has claimed the partition.
            StoreEmptiedError: Redis has lost the partition.
        """
        while True:
            head, _ = await self._store.begin(0, 0)
            if not self._is_ours(head):
                if await self._resync(head):
                    return head
                continue
            loaded = await self._loading.load(sorted(until_ms), 0)
            commit = self._assembly.postponed(head, loaded, until_ms, models)
            if await self._store_changes(head, commit, {}):
                self._committed(head, loaded, Applied(commit, [], []), NOTHING_SORTED, {})
                return None
            metrics.COMMITS_REFUSED.labels(self._partition).inc()

    def is_renewed(self, models: Models) -> bool:
        """Whether everybody is decided under these models, as far as we know."""
        if models is not self._asked_of:
            self._asked_of, self._under = models, in_force(models, self._assembly.rules)
        return self._under == self._renewed_under

    def _is_ours(self, head: Head) -> bool:
        """Whether nobody has written since we did. After a loss of Redis others may count up to the same version."""
        return head.version == self._version and head.owner == self._owner

    async def _resync(self, head: Head) -> bool:
        """The partition moved without us: a commit of ours whose answer was lost, another worker's, or an older Redis.

        Returns:
            Whether it has applied less than we did.

        Raises:
            Fenced: it is another worker's.
            StoreEmptiedError: nothing of it is there any more.
        """
        await self._store.abandon()
        refuse_emptied(self._partition, head.version, self.reached)
        if head.owner != self._owner:
            raise Fenced(head.owner)
        log.info("partition is at another version, reading it again", partition=self._partition, version=head.version)
        behind = self._is_behind(head, self.applied)
        self._publisher.take_acknowledged()  # Redis may hold others under these numbers; its outbox says what waits
        await self.load(head)
        return behind

    def _is_behind(self, head: Head, expected: Mapping[str, int]) -> bool:
        """Whether Redis has applied less of a topic than expected."""
        return any(offset > self.resume_offset(head, topic) for topic, offset in expected.items())

    def resume_offset(self, head: Head, topic: str) -> int:
        """Where a topic goes on: where Redis is, or where the log begins."""
        known = head.positions.get(topic)
        return max(known.next_offset if known else 0, self._log_starts.get(topic, 0))

    async def _commit(
        self,
        head: Head,
        batch: Batch,
        times: StreamTimes,
        due: list[tuple[str, int]],
        models: Models,
        renewal: Renewal = NO_RENEWAL,
        *,
        holds_time: bool = False,
    ) -> bool:
        """One commit; False when somebody else was faster. With `holds_time` deadlines alone advance no stream time.

        Raises:
            DecisionError: there are no records, and a bug keeps customers from being decided.
        """
        if lost := await lost_in(batch.records, self._store):
            log.info("records of commits that redis has lost", partition=self._partition, records=len(lost))
            batch = Batch(without(batch.records, lost), batch.previous, batch.clock_ms)
        found = sort_out(batch.records, self._windows)
        self._identities.take_out(found)
        known = self._known_of(found)
        with metrics.STAGES["read"].time():
            loaded = await self._load(found, due, times, renewal)
        fired = len(due) if self.lags_at_ms is not None else 0
        step = partial(self._assembly.apply, head, batch, found, loaded, times, models, renewal, known, fired)
        try:
            applied, cpu_ms = await self._turn.together(partial(timed, step, cpu=not batch.records))
        except Exception as error:
            customers = {} if batch.records else await self._failing(head, found, due, times, models, renewal)
            if not customers:
                raise
            raise DecisionError(customers) from error
        if not batch.records:
            self.effort = len(loaded.customers), cpu_ms
        seen = {topic: self._windows[topic].block_of(hashes) for topic, hashes in found.hashes.items()}
        if joined := self._identities.joined_by(found):
            identities = {**applied.commit.identities, **joined}
            applied = Applied(replace(applied.commit, identities=identities), applied.rejections, applied.causes)
        commit = applied.commit
        if holds_time and not batch.records:
            commit = replace(commit, stream_time_ms=head.stream_time_ms)
        if not await self._store_changes(head, commit, seen):
            metrics.COMMITS_REFUSED.labels(self._partition).inc()
            return False
        self._committed(head, loaded, applied, found, seen)
        count_commit(self._partition, batch, found, applied, due, live=self.may_lag)
        return True

    async def _failing(
        self,
        head: Head,
        found: Sorted,
        due: list[tuple[str, int]],
        times: StreamTimes,
        models: Models,
        renewal: Renewal,
    ) -> dict[str, Exception]:
        """The customers of a commit without records who alone keep it from being computed."""
        loaded = await self._load(found, due, times, renewal)  # what has failed may have changed the other one

        def attempt(customers: Sequence[str]) -> None:
            renewed = [customer for customer in renewal.customers if customer in customers]
            part, again = loaded.of(set(customers)), renewal._replace(customers=renewed)
            self._assembly.apply(head, Batch(), found, part, times, models, again)

        return failing(loaded.customers, attempt, SET_ASIDE_AT_MOST)

    async def _store_changes(self, head: Head, commit: Commit, seen: Mapping[str, SeenBlock]) -> bool:
        """Commit, and let the store forget what the broker has."""
        forget = self._publisher.take_acknowledged()
        done = False
        self._turn.sent()  # others have their turn once the commands are made and sent
        try:
            with metrics.STAGES["commit"].time():
                done = await self._store.commit(head, replace(commit, seen=seen, forget_outbox=forget))
        finally:
            if not done:
                self._publisher.give_back(forget)
        return done

    async def forget_acknowledged(self) -> None:
        """Between two commits: let the store forget what the broker has."""
        forget = self._publisher.take_acknowledged()
        if forget:
            await retrying(lambda: self._store.forget_outbox(forget))

    async def _load(self, found: Sorted, due: list[tuple[str, int]], times: StreamTimes, renewal: Renewal) -> Loaded:
        wanted = {*found.customers, *renewal.customers, *(customer for customer, _ in due)}
        wanted.update(found.records.customer[found.identities])
        return await self._loading.load(sorted(wanted), times.end_ms)

    def _reach(self, version: int, positions: Mapping[str, LogPosition]) -> None:
        self.applied = {topic: position.next_offset for topic, position in positions.items()}
        self.reached = version if positions else 0

    def _known_of(self, found: Sorted) -> Identity:
        """What became of the id before, of the customer that a record is about."""
        return self._identities.of(found.records.customer[found.identities[0]]) if found.identities else UNKNOWN

    def _committed(
        self, head: Head, loaded: Loaded, applied: Applied, found: Sorted, seen: Mapping[str, SeenBlock]
    ) -> None:
        self._version = head.version + 1
        self._assembly.says_rules = False
        self._loading.remember(loaded, applied.commit)
        self._identities.committed(applied.commit.identities)
        self._reach(self._version, applied.commit.positions)
        for topic, hashes in found.hashes.items():
            self._windows[topic].advance(hashes, seen[topic])
        self._publisher.add(applied.commit.outbox, applied.caused(deadlines=self.may_lag))
