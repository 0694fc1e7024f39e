"""The ids of a partition that were erased or merged, in memory: what comes under one of them counts for nobody here."""

from collections.abc import Iterator, Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas.origin import Origin, headers_of
from schemas.topics import REROUTED
from stream.drafts import CopyDraft, Draft
from stream.identities.known import UNKNOWN, Identity, latest, name_of, pack_identity, unpack_identity
from stream.identities.sending import release_of
from stream.worker.homes import hashes_of
from stream.worker.log_records import LogRecords
from stream.worker.sorting import Redirected, Sorted


class KnownIdentities:
    """What became of ids, as committed. Nobody else writes it while the partition is at the lane's version.

    Whether an id is among them is first asked of 32 bits of its hash, for all customers of a chunk at once: 0.1 us a
    customer, and nothing where no id of the partition was ever erased or merged.
    """

    def __init__(self, stored: Mapping[str, bytes] | None = None) -> None:
        self._known = {name: unpack_identity(packed) for name, packed in (stored or {}).items()}
        self._suspected = np.unique(_hashes_of(self._known))

    def of(self, customer: str) -> Identity:
        """What became of an id."""
        return self._known.get(name_of(customer), UNKNOWN)

    def committed(self, identities: Mapping[str, bytes]) -> None:
        """These have changed."""
        if identities:
            changed = {name: unpack_identity(packed) for name, packed in identities.items()}
            self._known |= changed
            hashes = np.sort(_hashes_of(changed))
            self._suspected = np.insert(self._suspected, np.searchsorted(self._suspected, hashes), hashes)

    def take_out(self, found: Sorted) -> None:
        """Take out the events of customers who were erased since, or whose events count for others."""
        if not len(self._suspected) or not found.customers:
            return
        gone = self._gone_among(list(dict.fromkeys(found.customers)))
        if not gone:
            return
        kept = np.ones(len(found.customers), np.bool_)
        for at, (place, customer) in enumerate(zip(found.places.tolist(), found.customers, strict=True)):
            if customer not in gone:
                continue
            identity = gone[customer]
            path = found.records[place].path if found.records.hops[place] else ()
            if identity.drops(int(found.records.event_time_ms[place]), path):
                found.erased.append(place)
            elif (onward := identity.onward(customer, path)) is not None:
                found.redirected.append(Redirected(place, onward, identity.erased_ms))
            else:
                continue
            kept[at] = False
        found.customers = [customer for customer, stays in zip(found.customers, kept.tolist(), strict=True) if stays]
        found.places = found.places[kept]

    def joined_by(self, found: Sorted) -> dict[str, bytes]:
        """The identities that change since events count for customers here whose merge, by which they came, is not
        known here yet: it may be on a longer way. Who is erased meanwhile has to tell those it was merged from.
        """
        changed: dict[str, Identity] = {}
        hops = found.records.hops[found.places]
        for at in hops.nonzero()[0].tolist():
            customer, record = found.customers[at], found.records[int(found.places[at])]
            name = name_of(customer)
            known = changed.get(name, self._known.get(name, UNKNOWN))
            others = latest(known.others, dict(record.path), customer)
            if others != known.others:
                changed[name] = msgspec.structs.replace(known, others=others)
        return {name: pack_identity(identity) for name, identity in changed.items()}

    def _gone_among(self, customers: list[str]) -> dict[str, Identity]:
        hashes = hashes_of(customers)
        nearest = np.minimum(np.searchsorted(self._suspected, hashes), len(self._suspected) - 1)
        suspects = [customers[at] for at in (self._suspected[nearest] == hashes).nonzero()[0].tolist()]
        found = {customer: self.of(customer) for customer in suspects}
        return {customer: identity for customer, identity in found.items() if identity.is_gone}


def _hashes_of(identities: Mapping[str, Identity]) -> NDArray[np.uint32]:
    """The hashes of the ids of which some events count no more, or for another."""
    return np.array([int(name[:8], 16) for name, identity in identities.items() if identity.is_gone], np.uint32)


def redirected(events: Sequence[Redirected], records: LogRecords, partition: int) -> Iterator[Draft]:
    """The drafts of events on their way to the customers they count for.

    Who gets some back is released before, once a chunk: each such record goes alone where it arrives.
    """
    released: set[tuple[str, int]] = set()
    for place, onward, erased_ms in events:
        record = records[place]
        origin, decoded = record.origin_on(partition), record.decoded
        if onward.ended_ms and (onward.to, onward.ended_ms) not in released:
            released.add((onward.to, onward.ended_ms))
            release = release_of(onward.to, onward.ended_ms, erased_ms, decoded.event_time_ms)
            yield _draft(place, "ended", onward.to, release, msgspec.structs.replace(origin, hops=0, path=()))
        sent = msgspec.structs.replace(decoded, customer_id=onward.to)
        yield _draft(place, "redirected", onward.to, sent, origin.sent_on(onward.path))


def _draft(place: int, kind: str, to: str, record: msgspec.Struct, origin: Origin) -> Draft:
    order, key, value = (place, 1, 0, "", kind), to.encode(), msgspec.json.encode(record)
    return CopyDraft(order, REROUTED, key, value, headers_of(origin), holds_with_commit=True)
