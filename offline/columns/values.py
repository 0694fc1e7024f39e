"""The values of records as one piece of memory, as Arrow has them."""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


class Values:
    """Values of records, each bytes or null.

    Attributes:
        data: the bytes of all.
        starts, ends: shape (values,), where each lies; a null has no bytes.

    >>> values = Values(pa.array([b"{}", None, b""]))
    >>> [values.at(place) for place in range(len(values))], values.ends.tolist()
    ([b'{}', None, b''], [2, 2, 2])
    """

    def __init__(self, values: Any) -> None:
        self._values = values.cast(pa.binary())
        _, offsets, data = self._values.buffers()
        first, past = self._values.offset, self._values.offset + len(self._values)
        places = np.frombuffer(offsets, np.int32)[first : past + 1].astype(np.int64)
        self.data: NDArray[np.uint8] = np.frombuffer(data or b"", np.uint8)
        self.starts, self.ends = places[:-1], places[1:]

    def __len__(self) -> int:
        """How many."""
        return len(self._values)

    def at(self, place: int) -> bytes | None:
        """The value of one record."""
        value: bytes | None = self._values[place].as_py()
        return value
