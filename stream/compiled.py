"""Loops compiled to machine code: for one record after another of one customer, which arrays do badly.

numba compiles a function when it is first called with arguments of some types, which takes some seconds, and keeps the
result beside the source. Floats are not reordered, so a customer's numbers have the same bits alone and among 5,000.
"""

from collections.abc import Callable
from hashlib import blake2b
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numba.core.dispatcher import Dispatcher

_Function = TypeVar("_Function", bound=Callable[..., Any])
_stamps: dict[Callable[..., Any], tuple[Any, ...]] = {}
"""Function -> what its kept machine code is good for."""


def compiled(function: _Function) -> _Function:
    """The same function, compiled at its first call. Of Python it may use what numba knows: numbers, arrays, loops.

    >>> @compiled
    ... def half(number: float) -> float:
    ...     return number / 2
    >>> half(3.0)
    1.5
    """
    try:
        dispatcher = numba.njit(cache=True)(function)
    except RuntimeError:  # neither the source's folder nor the user's cache can be written, or there is no source file
        return cast(_Function, numba.njit(function))
    _stamps[function] = dispatcher._cache._cache_file._source_stamp = _stamp(dispatcher)
    return cast(_Function, dispatcher)


def _stamp(dispatcher: Any) -> tuple[Any, ...]:
    """Numba's own stamp, which is of the function's file, and of what that file has from others.

    The machine code of a function holds that of the functions it calls, and constants.
    """
    own, taken = dispatcher.py_func.__globals__, blake2b(digest_size=16)
    for name, value in sorted(own.items()):
        if isinstance(value, Dispatcher) and value.py_func.__globals__ is not own:
            taken.update(f"{name} {_stamps.get(value.py_func)}".encode())
        elif isinstance(value, int | float | tuple | np.ndarray) and not name.startswith("__"):
            taken.update(f"{name} {value!r}".encode())
    return dispatcher._cache._impl.locator.get_source_stamp(), taken.hexdigest()
