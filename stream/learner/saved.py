"""What a learner leaves in Redis. Apart from those that learn: who reads it need not wait for River to load."""

import msgspec


class Saved(msgspec.Struct, frozen=True):
    """A learner as saved, with the document it published last: a crash between saving and publishing loses nothing.

    `question` is the checksum of the declaration of what it has learned, 0 where that is not known.
    """

    epoch_day: int
    labels: int
    version: str
    sealed: bytes
    learner: bytes
    question: int = 0
