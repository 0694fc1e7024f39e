"""A history that was archived under another layout of the records: what it still says, and what means nothing any more.

Events are what they were. Models, learners, labels and customers on their way to another partition carry columns or
records of the old layout: nobody reads them. So the past is gone through without models, its labels are said again, and
the learner begins anew with them.
"""

from pathlib import Path
from typing import Any

import msgspec

from ebb.history.archiving import journal_ends
from offline.archive.files import locked
from offline.archive.standing import Era, Standing, save_standing
from schemas.identities import Arrival
from schemas.rejection import reject
from stream.errors import SettingError
from stream.features.layout import LAYOUT
from stream.redis_store.registry import RedisModelStore
from stream.settings.worker import WorkerSettings


def ended_with_its_layout(settings: WorkerSettings, folder: Path, standing: Standing) -> Standing:
    """The standing with an era that ends with its layout: what comes after is numbered behind what was sent.

    Raises:
        SettingError: in lockstep, where the models of each day are part of the run.
    """
    if settings.lockstep:
        raise SettingError(
            f"EBB_LOCKSTEP=true, and the archive is of layout {standing.layout}, this version of Ebb has {LAYOUT}: in "
            "lockstep the models of each day are part of the run. Replay the history into an empty Redis."
        )
    ends = journal_ends(folder, standing.partitions)
    sequences = {partition: waiting.sequence for partition, waiting in standing.outboxes.items()}
    ended = Era(standing.partitions, ends, sequences, standing.layout)
    if ended in standing.eras:
        return standing  # interrupted after `begin_anew`
    return msgspec.structs.replace(standing, eras=[*standing.eras[:-1], ended, Era(standing.partitions)])


async def begin_anew(redis_url: str, folder: Path, standing: Standing) -> None:
    """Keep that an era has ended, and take out of Redis what means nothing any more; the learner begins anew."""
    with locked(folder):
        save_standing(folder, standing)
    store = RedisModelStore(redis_url)
    try:
        for name in sorted({*standing.champions, *standing.learners}):
            await store.forget(name)
    finally:
        await store.close()


def of_this_layout(decoded: Any) -> Any:
    """A record, or why it means nothing any more: what was on its way to another partition has another layout."""
    if isinstance(decoded, Arrival) and decoded.layout != LAYOUT:
        return reject("invalid_field", f"state: it has layout {decoded.layout}, this Ebb has {LAYOUT}", "state")
    return decoded
