"""Erasures and merges taking effect on one customer: state in, changes out, no I/O.

Merging takes two records. The owner of the one who goes takes it out and sends it, as an `Arrival`, to the partition of
the other; its id is an alias from then on. Its owner joins the two states. Whatever meets an alias or an erasure on its
way follows it: docs/architecture.md, "Who a customer is".
"""

from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np

from schemas.identities import Arrival, Erasure, IdentityRecord, Merge
from schemas.messages import ChurnAlertClosed
from schemas.origin import Origin, headers_of
from schemas.rejection import Rejection, quoted, reject
from schemas.topics import CHURN_ALERTS, REROUTED
from stream.actions.churn_alerts import opened_id
from stream.changes import Changes
from stream.drafts import CopyDraft, MessageDraft, message_id
from stream.errors import LayoutError
from stream.features.layout import LAYOUT, StateArray, pack, unpack
from stream.features.merge import merge
from stream.identities.known import Identity, name_of, pack_identity
from stream.outcomes.maturity import OpenArray
from stream.outcomes.sampling import customer_hash, next_sample_ms

_json = msgspec.json.Encoder()


@dataclass(frozen=True)
class Present:
    """What there is of the customer that a record names.

    Attributes:
        customer: its id.
        known: whether it has a state.
        state: shape (1,); an arrival is joined to it in place.
        opened: its open accumulators.
        identity: what became of the id before.
        exponent: decimal places of the currency.
    """

    customer: str
    known: bool
    state: StateArray
    opened: OpenArray
    identity: Identity
    exponent: int


def take_effect(record: IdentityRecord, present: Present, origin: Origin, stream_time_ms: int) -> Changes | Rejection:
    """What a record changes, once all deadlines up to its stream time have fired.

    An arrival leaves the joined state in `present.state`, due at `stream_time_ms`: it is decided like any other.

    Args:
        record: an erasure, a merge or an arrival.
        present: what there is of its customer.
        origin: where the record was written.
        stream_time_ms: at the record.

    Returns:
        What to write and to send; or why the record cannot be applied.
    """
    changes = Changes()
    match record:
        case Erasure():
            return _erase(record, present, origin, changes)
        case Merge():
            return _move_out(record, present, origin, changes)
        case Arrival():
            return _move_in(record, present, origin, changes, stream_time_ms)


def _erase(record: Erasure, present: Present, origin: Origin, changes: Changes) -> Changes:
    before = present.identity
    if record.event_time_ms <= before.erased_ms:
        return changes  # an old record, read again: what it asks for is done
    erased_ms = max(record.event_time_ms, int(present.state["features"]["last_event_ms"][0]))
    removed = _remove(present, changes, "erased", record.event_time_ms)
    also = [*before.others, *filter(None, [before.into])]
    for other in also:
        _send_erasure(other, record.event_id, erased_ms, origin, changes)
    identity = Identity(erased_ms, topic=origin.topic, offset=origin.offset, removed=removed)
    changes.identities[name_of(present.customer)] = pack_identity(identity)
    changes.count("erasures")
    return changes


def _move_out(record: Merge, present: Present, origin: Origin, changes: Changes) -> Changes | Rejection:
    before = present.identity
    if record.event_time_ms < before.erased_ms or record.into == before.into:
        return changes
    if before.into:
        return reject("merged_already", f"into {quoted(before.into)}; merge that customer instead", "customer_id")
    if record.into in before.others:
        return reject("merged_already", f"into is an alias of {quoted(record.customer_id)} since it was merged", "into")
    arrival = Arrival(
        event_id=message_id("arrival", record.event_id, record.customer_id, record.into),
        event_time_ms=record.event_time_ms,
        customer_id=record.into,
        merged=[record.customer_id, *before.others],
        path=[record.customer_id],
        layout=LAYOUT,
        state=pack(present.state)[0] if present.known else b"",
    )
    identity = Identity(
        erased_ms=before.erased_ms,
        into=record.into,
        merged_ms=record.event_time_ms,
        topic=origin.topic,
        offset=origin.offset,
        removed=_remove(present, changes, "merged", record.event_time_ms),
    )
    changes.identities[name_of(present.customer)] = pack_identity(identity)
    _send(arrival, origin, changes)
    changes.count("merges")
    return changes


def _move_in(
    record: Arrival, present: Present, origin: Origin, changes: Changes, stream_time_ms: int
) -> Changes | Rejection:
    known = present.identity
    if known.into and not _stays_in(record, present):
        _forward(record, known, origin, changes)
        return changes
    if record.event_time_ms <= known.erased_ms:  # what was merged before the erasure was erased with it
        for other in record.merged:
            _send_erasure(other, record.event_id, known.erased_ms, origin, changes)
        return changes
    try:
        arrived = _unpacked(record)
    except LayoutError as error:
        return reject("invalid_field", f"state: {error}", "state")
    others = [name for name in dict.fromkeys([*known.others, *record.merged, *record.path]) if name != present.customer]
    identity = Identity(known.erased_ms, others=others, topic=origin.topic, offset=origin.offset)
    changes.identities[name_of(present.customer)] = pack_identity(identity)
    if record.state:
        _join(present, arrived, stream_time_ms)
        changes.count("customers", int(not present.known))
    changes.count("arrivals")
    return changes


def _stays_in(record: Arrival, present: Present) -> bool:
    """Whether an arrival at an alias has gone round: of customers merged in a circle, the first by name stays one."""
    into = present.identity.into
    if into not in record.path:
        return False
    circle = [*record.path[record.path.index(into) :], present.customer]
    return present.customer == min(circle)


def _forward(record: Arrival, known: Identity, origin: Origin, changes: Changes) -> None:
    forwarded = msgspec.structs.replace(
        record,
        event_id=message_id("arrival", record.event_id, known.into),
        event_time_ms=max(record.event_time_ms, known.merged_ms),
        customer_id=known.into,
        path=[*record.path, record.customer_id],
    )
    _send(forwarded, origin, changes)


def _unpacked(record: Arrival) -> StateArray:
    """The state that has arrived.

    Raises:
        LayoutError: another layout of Ebb wrote it.
    """
    if record.layout != LAYOUT:
        raise LayoutError(f"it has layout {quoted(record.layout)}, this Ebb has {LAYOUT}")
    return unpack([record.state])


def _join(present: Present, arrived: StateArray, stream_time_ms: int) -> None:
    """Both histories in one state. Segment, alert and open outcomes stay those of the customer that stays."""
    joined = merge(arrived, present.state)
    decision = joined["decision"]
    decision[:] = present.state["decision"]
    decision["decide_at_ms"] = decision["due_ms"] = max(stream_time_ms, 1)
    if decision["snapshot_at_ms"][0] == 0 and joined["features"]["last_purchase_ms"][0] > 0:
        hashes = np.array([customer_hash(present.customer)], np.uint64)
        decision["snapshot_at_ms"] = next_sample_ms(hashes, np.array([stream_time_ms]))
    present.state[:] = joined


def _remove(present: Present, changes: Changes, cause: Literal["erased", "merged"], now_ms: int) -> dict[str, int]:
    """Take a customer out: what was there, name -> how many. An open alert is closed, so that nobody acts on it."""
    if not present.known:
        return {}
    days = sorted(set(present.opened["day"].tolist()))
    changes.removed.append(present.customer)
    changes.closed_snapshots += [(present.customer, day) for day in days]
    changes.count("customers_removed")
    changes.count("labels_dropped", len(present.opened))
    decision = present.state["decision"][0]
    changes.count("value_at_risk_minor", -int(np.rint(np.float64(decision["risk_shown"]) * 10**present.exponent)))
    if decision["alert"]:
        _close_alert(present.customer, int(decision["episode_ms"]), cause, now_ms, changes)
    return {"states": 1, "views": 1, "snapshots": len(days), "open_labels": len(present.opened)}


def _close_alert(customer: str, episode_ms: int, cause: str, now_ms: int, changes: Changes) -> None:
    opened = opened_id(customer, episode_ms)
    fields = {
        "message_id": message_id("churn-alert.closed", opened),
        "customer_id": customer,
        "closed_ms": now_ms,
        "episode_ms": episode_ms,
        "opened_message_id": opened,
        "cause": cause,
    }
    order = (0, 1, 0, customer, "churn-alert.closed")
    changes.drafts.append(MessageDraft(order, CHURN_ALERTS, customer, ChurnAlertClosed, fields))
    changes.count("churn_alerts_closed")


def _send_erasure(customer: str, because_of: str, erased_ms: int, origin: Origin, changes: Changes) -> None:
    erasure = Erasure(
        event_id=message_id("erasure", because_of, customer), event_time_ms=erased_ms, customer_id=customer
    )
    _send(erasure, origin, changes)


def _send(record: Erasure | Arrival, origin: Origin, changes: Changes) -> None:
    """To the partition of the record's customer, by way of the outbox."""
    order = (0, 1, 0, record.customer_id, "identity")
    key, value = record.customer_id.encode(), _json.encode(record)
    changes.drafts.append(CopyDraft(order, REROUTED, key, value, headers_of(origin)))
