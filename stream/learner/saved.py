"""What a learner leaves in Redis, signed. Apart from those that learn: who reads it need not wait for River to load."""

import msgspec

from schemas.misfits import MALFORMED
from stream.errors import LayoutError, ModelRefusedError
from stream.signing import LEARNER, Keyring, open_sealed, seal, signed_by


class Saved(msgspec.Struct, frozen=True):
    """A learner as saved, with the document it published last: a crash between saving and publishing loses nothing.

    `name` and `next_offset` are those it is stored under: it is not taken for another learner's, nor for what was
    learned up to another place of the labels log. Learners of before have neither, and are not signed.
    `question` is the checksum of the declaration of what it has learned, 0 where that is not known.
    """

    epoch_day: int
    labels: int
    version: str
    sealed: bytes
    learner: bytes
    name: str = ""
    next_offset: int = 0
    question: int = 0


def seal_saved(saved: Saved, keyring: Keyring) -> bytes:
    """A learner as Redis has it."""
    return seal(msgspec.msgpack.encode(saved), keyring, LEARNER)


def open_saved(packed: bytes, name: str, next_offset: int, keyring: Keyring) -> Saved:
    """The learner that Redis has under a name, with its offset, verified.

    Raises:
        ModelRefusedError: it is not signed by a key of the ring, was changed or cut, or is of another name or offset.
        LayoutError: it is signed, and no learner.
    """
    try:
        saved = decode_saved(open_sealed(packed, keyring, LEARNER), name)
    except ModelRefusedError as error:
        raise ModelRefusedError(
            f"What Redis has for learner {name} is refused: {error} {_remedy(packed, name, keyring)}"
        ) from error
    if (saved.name, saved.next_offset) != (name, next_offset):
        raise ModelRefusedError(
            f"What Redis has for learner {name} at offset {next_offset} is refused: it was signed as learner "
            f"{saved.name} at offset {saved.next_offset}. {_remedy(packed, name, keyring)}"
        )
    return saved


def decode_saved(packed: bytes, name: str) -> Saved:
    """The learner in a payload.

    Raises:
        LayoutError: the bytes are something else.
    """
    try:
        return msgspec.msgpack.decode(packed, type=Saved)
    except MALFORMED as error:
        raise LayoutError(
            f"What Redis has for learner {name} is no learner: {error}. Delete learner:{name}; it then learns anew "
            "from the labels that come."
        ) from error


def needs_a_word(packed: bytes, keyring: Keyring) -> bool:
    """Whether only a person can say that this is their learner: it is unsigned, or of a key not in the ring."""
    return signed_by(packed, LEARNER) not in keyring.keys


def _remedy(packed: bytes, name: str, keyring: Keyring) -> str:
    anew = f"delete learner:{name}; it then learns anew from the labels that come (docs/models.md, Keeping a model)."
    if not needs_a_word(packed, keyring):
        return f"Somebody else writes to this Redis. Bring the key back from a copy of Redis, or {anew}"
    return (
        "Take the learner's keys (EBB_MODEL_KEYS). If it was left by a learner of before signing, or the key is lost, "
        f"and nobody else could write to Redis, sign it once: `ebb models sign`. Else {anew}"
    )
