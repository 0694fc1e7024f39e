"""Erasures and merges taking effect on one customer: state in, changes out, no I/O.

Merging takes two records. The owner of the one who goes takes it out and sends it, as an `Arrival`, to the partition of
the other; its id is an alias from then on. Its owner joins the two states. Whatever meets an alias or an erasure on its
way follows it: docs/architecture.md, "Who a customer is".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np

from schemas.identities import Arrival, Erasure, IdentityRecord, Merge, Release
from schemas.messages import ChurnAlertClosed
from schemas.origin import Origin, Path
from schemas.rejection import Rejection, quoted, reject
from schemas.topics import CHURN_ALERTS
from stream.actions.churn_alerts import opened_id
from stream.changes import Changes
from stream.drafts import MessageDraft, message_id
from stream.errors import LayoutError
from stream.features.layout import LAYOUT, StateArray, empty
from stream.features.merge import merge
from stream.features.stored import pack, unpack
from stream.identities.known import Identity, latest, name_of, pack_identity
from stream.identities.sending import send_arrival, send_on, send_release
from stream.outcomes.maturity import OpenArray
from stream.outcomes.sampling import customer_hashes, next_sample_ms


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
        record: an erasure, a merge, or what they send to other customers.
        present: what there is of its customer.
        origin: where the record was written, and by which merges it came here.
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
        case Release():
            return _release(record, present, origin, changes)


def _erase(record: Erasure, present: Present, origin: Origin, changes: Changes) -> Changes:
    """Whoever a person's events count for erases it, and tells the others."""
    before, path = present.identity, origin.path
    if before.drops(record.event_time_ms, path):
        return changes  # an old record, read again: what it asks for is done
    if (onward := before.onward(present.customer, path)) is not None:
        send_on(record, onward, before, origin, changes)
        return changes
    last_event_ms = int(present.state["features"]["last_event_ms"][0])
    merges_ms = (before.merged_ms, *before.others.values(), *(merged_ms for _, merged_ms in path))
    erased_ms = max(record.event_time_ms, last_event_ms, before.went_ms, *merges_ms)
    for other, merged_ms in before.others.items():
        send_release(record, other, merged_ms, erased_ms, origin, changes)
    removed = _remove(present, changes, "erased", record.event_time_ms)
    identity = Identity(erased_ms, topic=origin.topic, offset=origin.offset, removed=removed)
    changes.identities[name_of(present.customer)] = pack_identity(identity)
    changes.count("erasures")
    return changes


def _release(record: Release, present: Present, origin: Origin, changes: Changes) -> Changes:
    before = present.identity
    if not before.into or before.merged_ms != record.merged_ms:
        return changes  # it has been told by another before
    erased_ms = max(before.erased_ms, record.erased_ms, before.went_ms)
    identity = Identity(erased_ms, topic=origin.topic, offset=origin.offset)
    if before.again_ms > erased_ms:
        identity = msgspec.structs.replace(identity, into=before.into, merged_ms=before.again_ms)
        send_arrival(message_id("again", record.event_id), present.customer, identity, b"", origin, changes)
    changes.identities[name_of(present.customer)] = pack_identity(identity)
    changes.count("erasures")
    return changes


def _move_out(record: Merge, present: Present, origin: Origin, changes: Changes) -> Changes | Rejection:
    before = present.identity
    if record.event_time_ms <= before.erased_ms:
        return changes
    if record.into == before.into:  # what ends the merge may be on its way, and older than this
        again = msgspec.structs.replace(before, again_ms=max(before.again_ms, record.event_time_ms))
        changes.identities[name_of(present.customer)] = pack_identity(again)
        return changes
    if before.into:
        return reject("merged_already", f"into {quoted(before.into)}; merge that customer instead", "customer_id")
    if record.into in before.others:
        return reject("merged_already", f"into is an alias of {quoted(record.customer_id)} since it was merged", "into")
    identity = Identity(
        erased_ms=before.erased_ms,
        into=record.into,
        merged_ms=record.event_time_ms,
        went_ms=max(before.went_ms, int(present.state["features"]["last_event_ms"][0]), *before.others.values()),
        others=before.others,
        topic=origin.topic,
        offset=origin.offset,
        removed=_remove(present, changes, "merged", record.event_time_ms),
    )
    changes.identities[name_of(present.customer)] = pack_identity(identity)
    state = pack(present.state)[0] if present.known else b""
    send_arrival(record.event_id, present.customer, identity, state, origin, changes)
    changes.count("merges")
    return changes


def _move_in(
    record: Arrival, present: Present, origin: Origin, changes: Changes, stream_time_ms: int
) -> Changes | Rejection:
    """Who has been merged joins the customer; or goes on to another one, or back where its merge has ended.

    Of a merge before the customer's erasure nothing is left: those it brought are told so.
    """
    known, path = present.identity, origin.path
    merged = dict(zip(record.merged, record.merged_ms, strict=False))
    if not path or len(merged) != len(record.merged_ms):
        return reject("invalid_field", "merged_ms: an arrival says when and by which merges it came", "merged_ms")
    try:
        arrived = _unpacked(record)
    except LayoutError as error:
        return reject("invalid_field", f"state: {error}", "state")
    onward = known.onward(present.customer, path)
    if onward is not None and not onward.path:  # what was merged before the erasure was erased with it
        _erase_arrived(record, merged, known, arrived, origin, changes)
        return changes
    if onward is not None and (known.has_ended(path) or not _ends_circle(path, present)):
        send_on(record, onward, known, origin, changes)
        return changes
    others = latest(merged, dict(path), present.customer)
    changes.identities[name_of(present.customer)] = pack_identity(_with_others(present, others, origin))
    if record.state:
        _join(present, arrived, stream_time_ms)
        changes.count("customers", int(not present.known))
    changes.count("arrivals")
    return changes


def _with_others(present: Present, others: Mapping[str, int], origin: Origin) -> Identity:
    """What is kept of a customer that these ids count for from now on, too: it is no alias, or no more."""
    known = present.identity
    return msgspec.structs.replace(
        known,
        into="",
        again_ms=0,
        others=latest(known.others, others, present.customer),
        topic=origin.topic,
        offset=origin.offset,
        removed={},
    )


def _erase_arrived(
    record: Arrival, merged: Mapping[str, int], known: Identity, arrived: StateArray, origin: Origin, changes: Changes
) -> None:
    last_event_ms = int(arrived["features"]["last_event_ms"][0])
    erased_ms = max(known.erased_ms, last_event_ms, *merged.values())
    for other, merged_ms in merged.items():
        send_release(record, other, merged_ms, erased_ms, origin, changes)


def _ends_circle(path: Path, present: Present) -> bool:
    """Whether an arrival at an alias has gone round, and the last merge of the circle, which does not hold, is its own.

    Of two at the same time the first by name.
    """
    into, own = present.identity.into, (present.customer, present.identity.merged_ms)
    names = [name for name, _ in path]
    return into in names and own == min([*path[names.index(into) :], own], key=lambda link: (-link[1], link[0]))


def _unpacked(record: Arrival) -> StateArray:
    """The state that has arrived, all zero where nothing was known.

    Raises:
        LayoutError: another layout of Ebb wrote it.
    """
    if record.layout != LAYOUT:
        raise LayoutError(f"it has layout {quoted(record.layout)}, this Ebb has {LAYOUT}")
    return unpack([record.state]) if record.state else empty(1)


def _join(present: Present, arrived: StateArray, stream_time_ms: int) -> None:
    """Both histories in one state. Segment, alert and open outcomes stay those of the customer that stays."""
    joined = merge(arrived, present.state)
    decision = joined["decision"]
    decision[:] = present.state["decision"]
    decision["decide_at_ms"] = decision["due_ms"] = max(stream_time_ms, 1)
    if decision["snapshot_at_ms"][0] == 0 and joined["features"]["last_purchase_ms"][0] > 0:
        hashes = customer_hashes([present.customer])
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
