"""A person's decisions about models: a record on the labels log, and a look whether the learner has taken it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from uuid import uuid4

import msgspec

from ebb.models.reading import AnyKnown, Known, ModelError
from ebb.models.reading import known as known_now
from ebb.models.stored import asking
from offline.one_record import write_one
from schemas.messages import ModelDecision
from schemas.topics import LABELS
from stream.errors import ModelRefusedError
from stream.redis_store.registry import RedisModelStore
from stream.settings.worker import WorkerSettings

LOOK_EVERY_S = 0.2

Action = Literal["promote", "pin", "unpin", "rollback", "admit", "withdraw"]


@dataclass(frozen=True)
class Written:
    """A decision, and where it is in the labels log."""

    decision: ModelDecision
    offset: int


def write_decision(
    settings: WorkerSettings, outcome: str, action: Action, candidate: str = "", *, by: str, digest: str = ""
) -> Written:
    """Write a decision.

    Raises:
        EbbError: Kafka is away or refuses.
    """
    decision = ModelDecision(
        message_id=uuid4().hex,
        outcome=outcome,
        action=action,
        candidate=candidate,
        digest=digest,
        decided_ms=time.time_ns() // 1_000_000,
        decided_by=by,
    )
    _, _, offset = write_one(settings.kafka_servers, LABELS, 0, outcome, msgspec.json.encode(decision))
    return Written(decision, offset)


def taken(
    settings: WorkerSettings, written: Written, timeout_s: float, tell: Callable[[str], None] = lambda _: None
) -> AnyKnown:
    """Wait until the learner has seen a decision and its word is in force; what is known of the models then.

    Raises:
        ModelError: the learner has refused it, or has not seen it in time.
    """
    decision = written.decision
    tell("the learner has taken it")
    until = time.monotonic() + timeout_s
    while True:
        known = known_now(settings, decision.outcome)
        if known.contest.championship.has_seen(decision) and known.is_in_force:
            break
        if time.monotonic() > until:
            raise ModelError(
                f"The decision is at offset {written.offset:,} of {LABELS}, but no learner has taken it within "
                f"{timeout_s:g} s. It will count as soon as one does: start it (`ebb learner`), or in lockstep let the "
                f"replay go on to the next day; then `ebb models show {decision.outcome}`."
            )
        time.sleep(LOOK_EVERY_S)
    refused = known.contest.championship.refused.get(decision.message_id)
    if refused:
        raise ModelError(f"The learner has refused it: {refused}.")
    return known


def check_candidate(known: AnyKnown, candidate: str) -> None:
    """Refuse a candidate that there is not, before anything is written.

    Raises:
        ModelError: so it is.
    """
    if candidate not in known.contest.candidates:
        there = ", ".join(known.contest.candidates)
        raise ModelError(f"{candidate!a} is no candidate of {known.name}; there are {there}.")


def take_away(settings: WorkerSettings, outcome: str, challenger: str) -> None:
    """Drop the document of a challenger; refuse who can take no leave, before anything is written.

    Raises:
        ModelError: nobody of this name takes part from outside or for a time, or waits to.
    """
    known = known_now(settings, outcome)
    begun = known.contest.begun if isinstance(known, Known) else {}
    there = sorted({*known.contest.challengers, *begun})

    async def dropped(store: RedisModelStore) -> None:
        if challenger not in there and not await _is_published(store, outcome, challenger):
            raise ModelError(
                f"{challenger!a} is no challenger from outside of {outcome}, nor began at a drift; there are: "
                f"{', '.join(there) or 'none'}."
            )
        await store.withdraw_challenger(outcome, challenger)

    asking(settings.redis_url, dropped)


async def _is_published(store: RedisModelStore, outcome: str, challenger: str) -> bool:
    """Whether there is a document of this name, which a learner may be about to admit."""
    try:
        await store.fetch_challenger(outcome, challenger)
    except ModelRefusedError:
        return False
    return True
