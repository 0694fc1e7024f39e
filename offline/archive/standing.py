"""What an archive keeps beside logs: models, learners, how Redis stood, and which partition counts there have been."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

import msgspec

from offline.archive.files import ArchiveError, write_durably

STANDING = "standing.json"
MODELS = "models"


class Era(msgspec.Struct, frozen=True):
    """A time with one partition count and one layout.

    `last_versions` says with which journal entry of each partition it ended, `last_sequences` with which message; both
    are empty while it lasts. `layout` is that of its models where another one came after it. `ends` says of each input
    topic where its partitions ended, where another count came after it.
    """

    partitions: int
    last_versions: Mapping[int, int] = {}
    last_sequences: Mapping[int, int] = {}
    layout: str = ""
    ends: Mapping[str, Sequence[int]] = {}


class KnownTopic(msgspec.Struct, frozen=True):
    """A topic as Kafka had it: its id, how often it is replicated, and the settings it had of its own."""

    topic_id: str
    replicas: int
    config: Mapping[str, str]


class Move(msgspec.Struct, frozen=True):
    """On the way to another number of partitions: what was settled before the first topic was touched.

    Attributes:
        ended: the era before it.
        partitions: how many there are to be.
        starts: input topic -> the offset at which each of its new partitions begins: where the archive ends.
        topics: the input topics as they were.
        made: those that were made again so far, and their ids.
    """

    ended: Era
    partitions: int
    starts: Mapping[str, Sequence[int]]
    topics: Mapping[str, KnownTopic]
    made: Mapping[str, str] = {}

    @property
    def is_to_fewer(self) -> bool:
        """Whether topics are made again, since Kafka takes no partitions away."""
        return self.partitions < self.ended.partitions


class Waiting(msgspec.Struct, frozen=True):
    """The outbox of a partition: the last sequence given out, and which had not been acknowledged by then."""

    sequence: int = 0
    sequences: Sequence[int] = ()

    def may_be_unsent(self, sequence: int) -> bool:
        """Whether nobody knows that a message was sent.

        >>> [sequence for sequence in range(1, 8) if Waiting(5, [3]).may_be_unsent(sequence)]
        [3, 6, 7]
        """
        return sequence > self.sequence or sequence in self.sequences


class SavedLearner(msgspec.Struct, frozen=True):
    """A learner as it was saved: next offset of the labels log, state, metrics."""

    next_offset: int
    state: bytes
    metrics: bytes


class Standing(msgspec.Struct, frozen=True):
    """How a deployment stood when it was archived last.

    Attributes:
        clock: its mode.
        layout: of its records and models.
        eras: its partition counts and layouts, the one that lasts at the end.
        outboxes: of each partition.
        champions: model -> (version in force, its epoch day).
        learners: by name.
        remade: topic -> its id, of those that `ebb repartition` has made again: the archive goes on with them.
        move: while it does so.
    """

    clock: str
    layout: str
    eras: Sequence[Era]
    outboxes: Mapping[int, Waiting] = {}
    champions: Mapping[str, tuple[str, int]] = {}
    learners: Mapping[str, SavedLearner] = {}
    remade: Mapping[str, str] = {}
    move: Move | None = None

    @property
    def partitions(self) -> int:
        """The partition count of now."""
        return self.eras[-1].partitions


def load_standing(folder: Path) -> Standing | None:
    """What was saved last; None in an archive of topics alone.

    Raises:
        ArchiveError: the file is damaged.
    """
    path = folder / STANDING
    try:
        return msgspec.json.decode(path.read_bytes(), type=Standing)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        raise ArchiveError(
            f"{path} cannot be read: {error}. Bring it back from a copy of the archive, or delete it and run `ebb "
            "archive` while Redis is there."
        ) from error


def save_standing(folder: Path, standing: Standing) -> None:
    """Replace what was saved."""
    write_durably(folder / STANDING, msgspec.json.format(msgspec.json.encode(standing)))


def model_path(folder: Path, layout: str, name: str, version: str, question: int = 0) -> Path:
    """Where a model's sealed document lies, whatever its version is called: learned anew, versions begin again.

    `question` is the checksum of what its outcome asked: declared anew under its name, versions begin again, too. It is
    0 of segments, and in archives of before.

    >>> model_path(Path("a"), "3f", "churn_30d", "../x").as_posix()
    'a/models/3f/churn_30d/v..%2Fx'
    >>> model_path(Path("a"), "3f", "churn_30d", "250", 0xBEE).as_posix()
    'a/models/3f/churn_30d+00000bee/v250'
    """
    asked = f"+{question:08x}" if question else ""
    return folder / MODELS / quote(layout, safe="") / f"{quote(name, safe='')}{asked}" / f"v{quote(version, safe='')}"


def archived_model(folder: Path, layout: str, name: str, version: str, question: int) -> bytes | None:
    """A sealed document that answers a question; None if it is not there.

    An archive of before does not tell what its documents answer, other than in themselves.
    """
    paths = (model_path(folder, layout, name, version, asked) for asked in dict.fromkeys((question, 0)))
    return next((path.read_bytes() for path in paths if path.exists()), None)
