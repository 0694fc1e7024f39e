"""A person's word for learners that no key vouches for: left by a version of before signing, or their key is lost."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from ebb.models.stored import asking
from stream.learner.saved import decode_saved, needs_a_word, open_saved, seal_saved
from stream.redis_store.inspection import learner_metrics
from stream.redis_store.registry import RedisModelStore
from stream.settings.worker import WorkerSettings
from stream.signing import LEARNER, Keyring, payload_of
from stream.worker.model_watch import model_names


class Vouched(NamedTuple):
    """A learner in Redis: how many labels it has learned, up to where, and whether it had to be signed."""

    name: str
    labels: int
    next_offset: int
    is_signed_now: bool


def vouch(settings: WorkerSettings) -> list[Vouched]:
    """Sign, as they are, the learners that are unsigned or signed with a key not known; all learners there are.

    Raises:
        ModelRefusedError: one is signed with a key of ours and was changed; it and what follows stay as they are.
        EbbError: Redis is away, or what it has is no learner.
    """
    return asking(settings.redis_url, lambda store: _all(store, settings, model_names(settings.predicted.names)))


async def _all(store: RedisModelStore, settings: WorkerSettings, names: Sequence[str]) -> list[Vouched]:
    found = [await _vouched(store, settings, name) for name in names]
    return [each for each in found if each is not None]


async def _vouched(store: RedisModelStore, settings: WorkerSettings, name: str) -> Vouched | None:
    keyring, stored = Keyring.from_text(settings.model_keys), await store.load_learner(name)
    if stored is None:
        return None
    next_offset, packed = stored
    if not needs_a_word(packed, keyring):
        return Vouched(name, open_saved(packed, name, next_offset, keyring).labels, next_offset, is_signed_now=False)
    saved = decode_saved(payload_of(packed, LEARNER), name)
    ours = msgspec.structs.replace(saved, name=name, next_offset=next_offset)
    metrics = learner_metrics(settings.redis_url, name) or b"{}"
    await store.save_learner(name, next_offset, seal_saved(ours, keyring), metrics)
    return Vouched(name, saved.labels, next_offset, is_signed_now=True)
