"""What the Kafka libraries may say: aiokafka its complaints, each only now and then; the others nothing."""

import logging
import time

from aiokafka.errors import KafkaError

REPEAT_AFTER_S = 30.0  # a client that cannot reach its broker says so ten times a second
LEVELS = {
    "aiokafka": logging.ERROR,
    "kafka": logging.CRITICAL,  # of these three whatever matters ends the process, which then says so itself
    "faust": logging.CRITICAL,
    "mode": logging.CRITICAL,
}


def quiet_libraries() -> None:
    """Raise the libraries' levels, and let no handler repeat itself for them."""
    for name, level in LEVELS.items():
        logging.getLogger(name).setLevel(level)
    for handler in logging.getLogger().handlers:
        if not any(isinstance(known, NowAndThen) for known in handler.filters):
            handler.addFilter(NowAndThen())


class NowAndThen(logging.Filter):
    """Passes what a library says in the same words again only after `REPEAT_AFTER_S`. Ebb's own lines always pass."""

    def __init__(self) -> None:
        super().__init__()
        self._said_s: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is new, or old enough to be said again."""
        if _is_of_a_request_given_up(record):
            return False
        if record.name.partition(".")[0] not in LEVELS:
            return True
        said, now_s = (record.name, str(record.msg)), time.monotonic()
        if now_s - self._said_s.get(said, -REPEAT_AFTER_S) < REPEAT_AFTER_S:
            return False
        self._said_s[said] = now_s
        return True


def _is_of_a_request_given_up(record: logging.LogRecord) -> bool:
    """asyncio's traceback of a request to Kafka that nobody waits for any more, as of a report when the process ends.

    aiokafka shields a commit of offsets, which so outlives whoever asked for it.
    """
    error = record.exc_info[1] if record.exc_info else None
    return record.name == "asyncio" and isinstance(error, KafkaError)
