"""Erasing and merging customers from outside: write the record, wait until its owner has applied it, look again."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import msgspec

from ebb.receipts import Receipt
from offline.archive.erasing import take_out
from offline.archive.files import ArchiveError, locked
from offline.identity_records import write
from schemas.envelope import ID_BYTES_MAX
from schemas.identifiers import HOSTILE
from schemas.identities import Erasure, Merge
from schemas.partition import partition_of
from schemas.units import DAY_MS
from stream.errors import EbbError
from stream.redis_store.deployment import stored_deployment
from stream.redis_store.identities import identity_of, stored_of
from stream.redis_store.inspection import applied_positions, stream_times
from stream.settings.common import CommonSettings

LOOK_EVERY_S = 0.1
CHAIN_AT_MOST = 1_000  # aliases of aliases that are followed

Told = Callable[[str], None]
Answer = TypeVar("Answer")


class IdentityError(EbbError):
    """A customer cannot be erased or merged, or it is not done in time."""


@dataclass(frozen=True)
class Written:
    """A record, and where it was written."""

    record: Erasure | Merge
    topic: str
    partition: int
    offset: int


@dataclass(frozen=True)
class IdentityCommands:
    """What `ebb erase` and `ebb merge-customers` do, each step waited for.

    Attributes:
        settings: where Kafka and Redis are.
        timeout_s: how long to wait until a record is applied.
        tell: is told what is waited for.
    """

    settings: CommonSettings
    timeout_s: float
    tell: Told = lambda _: None

    def write_erasure(self, customer: str) -> Written:
        """Ask for an erasure.

        Raises:
            IdentityError: the id is none, or the replay has not begun.
        """
        _check_id(customer)
        return self._write(Erasure(event_id=uuid4().hex, event_time_ms=self._now_ms(customer, 2), customer_id=customer))

    def write_merge(self, customer: str, into: str) -> Written:
        """Ask for a merge.

        Raises:
            IdentityError: both are one already, or the one who goes is an alias of another.
        """
        for each in (customer, into):
            _check_id(each)
        if customer == into:
            raise IdentityError(f"{customer!r} cannot be merged into itself. Name two customers.")
        self._check_mergeable(customer, into)
        now_ms = self._now_ms(customer, 1)
        return self._write(Merge(event_id=uuid4().hex, event_time_ms=now_ms, customer_id=customer, into=into))

    def _check_mergeable(self, customer: str, into: str) -> None:
        alias = identity_of(self.settings.redis_url, customer).into
        if alias and alias != into:  # once more into the same one is done already, whatever became of the first answer
            home = self._chain(alias)[-1]
            if home == self._chain(into)[-1]:
                raise IdentityError(f"{customer!r} and {into!r} are one customer already, {home!r}.")
            raise IdentityError(
                f"{customer!r} was merged into {alias!r} already. Merge {home!r} instead, if you mean it."
            )
        if customer in self._chain(into):
            raise IdentityError(f"{into!r} was merged into {customer!r}: they are one customer already.")

    def _chain(self, customer: str) -> list[str]:
        """An id and the customers that its events count for, one after another."""
        chain = [customer]
        while (into := identity_of(self.settings.redis_url, chain[-1]).into) and into not in chain:
            chain.append(into)
            if len(chain) > CHAIN_AT_MOST:
                raise IdentityError(f"{customer!r} is an alias over more than {CHAIN_AT_MOST:,} others.")
        return chain

    def one_person(self, customer: str) -> list[str]:
        """All ids that are one customer with this one, this one first."""
        home = self._chain(customer)[-1]
        return list(dict.fromkeys([customer, home, *identity_of(self.settings.redis_url, home).others]))

    def erased(self, written: Written, everybody: list[str], now_ms: int) -> Receipt:
        """Wait until the erasure of all these is applied, and say what was erased.

        Raises:
            IdentityError: not in time; or something is left, which should not be.
        """
        record = written.record
        self._applied(written)
        for customer in everybody:
            self._until(partial(self._is_erased, customer, record.event_time_ms), f"{customer} is erased")
        identities = [identity_of(self.settings.redis_url, customer) for customer in everybody]
        left = [key for customer in everybody for key in self._left(customer)]
        if left:
            raise IdentityError(f"Redis still has {', '.join(map(repr, left))}. That is a bug: report it.")
        removed: dict[str, int] = {}
        for identity in identities:
            for name, count in identity.removed.items():
                removed[name] = removed.get(name, 0) + count
        return Receipt(
            customer_id=record.customer_id,
            also=everybody[1:],
            erased_ms=max(identity.erased_ms for identity in identities),
            issued_ms=now_ms,
            topic=written.topic,
            partition=written.partition,
            offset=written.offset,
            removed=removed,
        )

    def merged(self, written: Written, into: str) -> str:
        """Wait until a merge is applied; who has the customer's history now.

        Raises:
            IdentityError: not in time, or it was not applied.
        """
        customer = written.record.customer_id
        self._applied(written)
        identity = identity_of(self.settings.redis_url, customer)
        if identity.into != into and identity.erased_ms >= written.record.event_time_ms:
            raise IdentityError(
                f"{customer!r} is erased up to {identity.erased_ms} ms since 1970, which the merge is not later than: "
                "it was not done. Run the command again after that time, if you mean it."
            )
        if identity.into != into:
            raise IdentityError(f"The merge of {customer!r} into {into!r} is a dead letter. See `ebb dead-letters`.")

        def arrived() -> str:
            home = self._chain(into)[-1]
            return home if customer in identity_of(self.settings.redis_url, home).others else ""

        return self._until(arrived, f"the history of {customer} arrives at {into}")

    def _is_erased(self, customer: str, erased_ms: int) -> bool:
        return identity_of(self.settings.redis_url, customer).erased_ms >= erased_ms

    def _left(self, customer: str) -> Iterator[str]:
        """Keys that hold something of before. Who has begun anew since may have any."""
        url = self.settings.redis_url
        now_ms = max(stream_times(url).values(), default=0)
        keys = stored_of(url, customer, now_ms)
        if not any(key.startswith("state:") for key in keys):
            yield from keys

    def _write(self, record: Erasure | Merge) -> Written:
        partitions = stored_deployment(self.settings.redis_url).partitions
        return Written(record, *write(record, self.settings.kafka_servers, partitions))

    def _now_ms(self, customer: str, before_midnight_ms: int) -> int:
        """The time of the deployment's clock.

        A replay's topics have no common order within a day, so there it is the end of the day that has begun: what has
        happened until then is erased, whichever came first. A merge is a millisecond later than an erasure.
        """
        deployment = stored_deployment(self.settings.redis_url)
        if deployment.clock == "live":
            return time.time_ns() // 1_000_000
        reached_ms = stream_times(self.settings.redis_url)[partition_of(customer, deployment.partitions)]
        if not reached_ms:
            raise IdentityError("The replay has not begun: nobody is there yet. Run `ebb replay` and a worker first.")
        return (reached_ms // DAY_MS + 1) * DAY_MS - before_midnight_ms

    def _applied(self, written: Written) -> None:
        place = written.topic, written.partition

        def is_applied() -> bool:
            return applied_positions(self.settings.redis_url).get(place, 0) > written.offset

        self._until(is_applied, f"{written.topic} partition {written.partition} offset {written.offset:,} is applied")

    def _until(self, condition: Callable[[], Answer], what: str) -> Answer:
        self.tell(what)
        until_s = time.monotonic() + self.timeout_s
        while not (answer := condition()):
            if time.monotonic() > until_s:
                raise IdentityError(
                    f"Not within {self.timeout_s:g} s: {what}. It will be as soon as a worker does it: start one with "
                    "`ebb worker`, or raise --timeout and run the command again."
                )
            time.sleep(LOOK_EVERY_S)
        return answer


@contextmanager
def held(folder: Path | None, timeout_s: float) -> Iterator[None]:
    """Keep an archive for an erasure, from before it is asked for: afterwards nobody knows who was one with whom.

    Raises:
        ArchiveError: an `ebb archive` does not end, or it cannot be written to.
    """
    with ExitStack() as stack:
        if folder is not None:
            try:
                stack.enter_context(locked(folder, timeout_s))
            except ArchiveError as error:
                raise ArchiveError(f"{error} Nothing was erased.") from error
        yield


@contextmanager
def naming(everybody: Sequence[str]) -> Iterator[None]:
    """Name all ids of a customer where the erasure does not come to its end: the next run may not know them.

    Raises:
        IdentityError: in place of what was raised, where there are several.
    """
    try:
        yield
    except EbbError as error:
        if len(everybody) == 1:
            raise
        named = ", ".join(map(repr, everybody))
        raise IdentityError(
            f"{error} These were one customer, which is forgotten once they are erased. Run it for each: {named}."
        ) from error


def without_archived(receipt: Receipt, folder: Path) -> Receipt:
    """Erase from an archive that is `held`, too; the receipt that says so.

    Raises:
        ArchiveError: a file is damaged, or it cannot be written to.
    """
    try:
        records = take_out(folder, [receipt.customer_id, *receipt.also], receipt.erased_ms)
    except (EbbError, OSError) as error:
        raise ArchiveError(
            f"{receipt.customer_id!r} is erased from Redis, and not from {folder}: {error} Mend that and run the same "
            "command again."
        ) from error
    return msgspec.structs.replace(receipt, removed={**receipt.removed, "archived_records": records})


def _check_id(customer: str) -> None:
    """Refuse what no event can be of.

    Raises:
        IdentityError: empty, too long, or with control characters.
    """
    try:
        size = len(customer.encode())
    except UnicodeEncodeError:
        size = 0
    if not 1 <= size <= ID_BYTES_MAX or HOSTILE.search(customer):
        raise IdentityError(
            f"{customer!a} is no customer id: it has 1 to {ID_BYTES_MAX} bytes, none a control character."
        )
