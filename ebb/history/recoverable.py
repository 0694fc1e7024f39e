"""What must hold before Redis is made again: an archive that fits the settings, and no worker that runs."""

from pathlib import Path

from ebb.clock_mode import members
from ebb.history.archiving import refuse_moving
from ebb.history.stretches import NO_LIMIT
from offline.archive.files import JOURNAL, ArchiveError, partitions
from offline.archive.log_states import log_states
from offline.archive.standing import MODELS, STANDING, Era, Standing, Waiting, load_standing
from schemas.topics import INPUT_TOPICS
from stream.errors import SettingError
from stream.features.layout import LAYOUT
from stream.settings.worker import WorkerSettings


def standing_of(folder: Path, settings: WorkerSettings) -> Standing:
    """How the archived deployment stood; of an archive of topics alone, what the settings say.

    Raises:
        SettingError: the settings are those of another deployment, or `ebb repartition` was interrupted.
        ArchiveError: there is no archive, or how the deployment stood is missing.
    """
    if not any(state.files for state in log_states(folder)):
        raise ArchiveError(f"{folder} holds no archive. `ebb archive --to {folder}` makes one.")
    standing = load_standing(folder) or _unknown(folder, settings)
    refuse_moving(folder, standing)
    if standing.partitions != settings.partitions:
        raise SettingError(
            f"EBB_PARTITIONS={settings.partitions}, but {folder} is of a deployment with {standing.partitions}. Set "
            f"EBB_PARTITIONS={standing.partitions}; `ebb repartition` changes the number."
        )
    if standing.clock != settings.clock:
        raise SettingError(
            f"EBB_CLOCK={settings.clock}, but {folder} is of a deployment on the {standing.clock} clock. "
            f"Set EBB_CLOCK={standing.clock}."
        )
    return standing


def _unknown(folder: Path, settings: WorkerSettings) -> Standing:
    """Of a deployment that nobody has looked at: its past is not sent to anybody who may have got it.

    Raises:
        ArchiveError: somebody has looked, and what was saved is missing.
        SettingError: its topics have more partitions.
    """
    if any((folder / beside).is_dir() for beside in (JOURNAL, MODELS)):
        raise ArchiveError(
            f"{folder / STANDING} is missing: without it nobody knows the clock, the partitions and the models of what "
            f"{JOURNAL} and {MODELS} beside it are of. Bring it back from a copy of the archive, or run `ebb archive` "
            "while Redis is there."
        )
    count = max((number + 1 for topic in INPUT_TOPICS for number in partitions(folder, topic)), default=0)
    if count > settings.partitions:
        raise SettingError(
            f"EBB_PARTITIONS={settings.partitions}, but topics in {folder} have {count} partitions. Set EBB_PARTITIONS "
            f"to what they had, {count} or more."
        )
    outboxes = dict.fromkeys(range(settings.partitions), Waiting(NO_LIMIT))
    return Standing(settings.clock, LAYOUT, [Era(settings.partitions)], outboxes)


def refuse_running(settings: WorkerSettings) -> None:
    """See that no worker is in the consumer group.

    Raises:
        SettingError: there is one.
    """
    running = members(settings.kafka_servers, settings.worker_group)
    if running:
        raise SettingError(
            f"{running} workers of group {settings.worker_group} are running. Stop them and the learner, then try "
            "again."
        )
