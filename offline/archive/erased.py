"""Where the records lay that an erasure has taken out of an archive: the journal tells of places among records.

Of each there is its offset and the time by which the live clock had put it in order among the topics, and nothing of
whose it was or what it said.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import msgspec

from offline.archive.files import ArchiveError, log_folder, write_durably

ERASED = "erased.json"


class ErasedPlace(NamedTuple):
    """The place of a record that is gone."""

    offset: int
    order_ms: int


_decode = msgspec.json.Decoder(list[ErasedPlace]).decode


def erased_places(folder: Path, topic: str, partition: int) -> list[ErasedPlace]:
    """The places in one log, in their order. A process that ended while it erased may have left the records of some.

    Raises:
        ArchiveError: the file cannot be read.
    """
    path = log_folder(folder, topic, partition) / ERASED
    try:
        return _decode(path.read_bytes())
    except FileNotFoundError:
        return []
    except (OSError, msgspec.DecodeError) as error:
        raise ArchiveError(f"{path} cannot be read: {error}. Bring it back from a copy of the archive.") from error


def note_erased(folder: Path, topic: str, partition: int, places: Iterable[ErasedPlace]) -> None:
    """Add places, before their records go."""
    known = {place.offset: place for place in (*places, *erased_places(folder, topic, partition))}
    noted = [known[offset] for offset in sorted(known)]
    write_durably(log_folder(folder, topic, partition) / ERASED, msgspec.json.encode(noted))
