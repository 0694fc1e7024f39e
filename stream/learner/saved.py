"""What a learner leaves in Redis. Apart from those that learn: who reads it need not wait for River to load."""

import msgspec


class Saved(msgspec.Struct, frozen=True):
    """A learner as saved, with the document it published last: a crash between saving and publishing loses nothing."""

    epoch_day: int
    labels: int
    version: str
    sealed: bytes
    learner: bytes
