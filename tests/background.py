"""Something that goes on in a thread while a test does something else."""

import threading
from abc import ABC, abstractmethod
from typing import Self


class InBackground(ABC):
    """Runs `_run` from `with` to its end; `_run` looks at `_closing` whether to stop."""

    def __init__(self) -> None:
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Ask it to end, and wait until it has."""
        self._closing.set()
        self._thread.join()

    @abstractmethod
    def _run(self) -> None:
        """What goes on."""
