"""Many byte strings in one piece of memory, and such a string for each of some customers.

A chunk stores a state and a view of hundreds of customers. As bytes objects, each would be made, named, counted and
copied one by one; here they stay what compiled code wrote, and go to the store as they lie.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]


class ByteRows(NamedTuple):
    """Byte strings, one behind the other.

    Attributes:
        data: all of them.
        ends: shape (strings,), where in `data` each ends.

    >>> rows = ByteRows(b"adabo", np.array([3, 5]))
    >>> rows.listed(), byte_rows([b"ada", b"bo"]).ends.tolist()
    ([b'ada', b'bo'], [3, 5])
    """

    data: bytes
    ends: IntArray

    @property
    def spans(self) -> tuple[NDArray[np.uint8], IntArray, IntArray]:
        """The bytes, and where in them each string begins and ends, for compiled code."""
        starts = np.zeros(len(self.ends), np.int64)
        starts[1:] = self.ends[:-1]
        return np.frombuffer(self.data, np.uint8), starts, self.ends

    def listed(self) -> list[bytes]:
        """Each as an object of its own."""
        ends = self.ends.tolist()
        return [self.data[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]


def byte_rows(strings: Sequence[bytes]) -> ByteRows:
    """Byte strings put together."""
    return ByteRows(b"".join(strings), np.fromiter(accumulate(map(len, strings)), np.int64, len(strings)))


def encoded(texts: Sequence[str]) -> ByteRows:
    """Texts in UTF-8.

    >>> encoded(["ada", "zoë"])
    ByteRows(data=b'adazo\\xc3\\xab', ends=array([3, 7]))
    """
    together = "".join(texts)
    if not together.isascii():
        return byte_rows([text.encode() for text in texts])
    return ByteRows(together.encode(), np.fromiter(accumulate(map(len, texts)), np.int64, len(texts)))


class CustomerBytes(Mapping[str, bytes]):
    """A byte string for each of some customers, none twice.

    >>> views = CustomerBytes(["ada", "bo"], byte_rows([b"{}", b"[]"]))
    >>> views["bo"], list(views), dict(views.items())
    (b'[]', ['ada', 'bo'], {'ada': b'{}', 'bo': b'[]'})
    """

    def __init__(self, customers: Sequence[str] = (), rows: ByteRows | None = None) -> None:
        self.customers, self.rows = customers, byte_rows([]) if rows is None else rows

    def __getitem__(self, customer: str) -> bytes:
        """The string of one."""
        return self._known[customer]

    def __iter__(self) -> Iterator[str]:
        """The customers."""
        return iter(self.customers)

    def __len__(self) -> int:
        """How many there are."""
        return len(self.customers)

    @cached_property
    def _known(self) -> dict[str, bytes]:
        return dict(zip(self.customers, self.rows.listed(), strict=True))


def joined(parts: Sequence[CustomerBytes]) -> CustomerBytes:
    """All of them; no customer is in two parts.

    >>> both = joined([CustomerBytes(["ada"], byte_rows([b"1"])), CustomerBytes(["bo"], byte_rows([b"22"]))])
    >>> dict(both), both.rows.ends.tolist()
    ({'ada': b'1', 'bo': b'22'}, [1, 3])
    """
    if len(parts) == 1:
        return parts[0]
    before = accumulate((len(part.rows.data) for part in parts), initial=0)
    ends = [part.rows.ends + shift for part, shift in zip(parts, before, strict=False)]
    customers = [customer for part in parts for customer in part.customers]
    data = b"".join(part.rows.data for part in parts)
    return CustomerBytes(customers, ByteRows(data, np.concatenate([np.zeros(0, np.int64), *ends])))
