"""Ctrl-C between two events and not within one: what is sent is counted, too."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Unbroken:
    """Ctrl-C that comes within its `with` waits for the end of that; a second one does not."""

    def __init__(self) -> None:
        self._is_within = self._is_asked = False

    def __enter__(self) -> None:
        """From here on nothing is interrupted."""
        self._is_within = True

    def __exit__(self, failed: type[BaseException] | None, *_: object) -> None:
        """What has waited happens now, unless something else has ended it."""
        self._is_within = False
        if self._is_asked and failed is None:
            raise KeyboardInterrupt

    def asked(self, *_: object) -> None:
        """Somebody has pressed Ctrl-C."""
        if self._is_asked or not self._is_within:
            raise KeyboardInterrupt
        self._is_asked = True


@contextmanager
def unbroken() -> Iterator[Unbroken]:
    """Where Ctrl-C interrupts, let it do so outside of what is yielded alone."""
    parts, before = Unbroken(), signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler or threading.current_thread() is not threading.main_thread():
        yield parts
        return
    signal.signal(signal.SIGINT, parts.asked)
    try:
        yield parts
    finally:
        signal.signal(signal.SIGINT, before)
