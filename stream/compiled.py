"""Loops compiled to machine code: for one record after another of one customer, which arrays do badly.

numba compiles a function when it is first called with arguments of some types, which takes some seconds, and keeps the
result beside the source. Floats are not reordered, so a customer's numbers have the same bits alone and among 5,000.
"""

import fcntl
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numba.core.caching import IndexDataCacheFile
from numba.core.dispatcher import Dispatcher


@contextmanager
def _hidden(module: str) -> Iterator[None]:
    """Let an import of a module that nobody has imported yet fail, as if it were not installed."""
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment]  # that is how Python takes it
    try:
        yield
    finally:
        del sys.modules[module]


with _hidden("scipy.linalg"):  # a fifth of a start, for matrix products, which no compiled loop has
    import numba.np.arraymath as _  # noqa: F401

_Function = TypeVar("_Function", bound=Callable[..., Any])
_stamps: dict[Callable[..., Any], tuple[Any, ...]] = {}
"""Function -> what its kept machine code is good for."""


def compiled(function: _Function) -> _Function:
    """The same function, compiled at its first call. Of Python it may use what numba knows: numbers, arrays, loops.

    It fills in arrays that it is given, and makes and returns none: numba counts who holds an array whenever a function
    gets one, by locked instructions that took a twentieth of a worker's time, and need not where nobody makes any.

    >>> @compiled
    ... def half(number: float) -> float:
    ...     return number / 2
    >>> half(3.0)
    1.5
    """
    return _compiled(function, _nrt=False)


def making_arrays(function: _Function) -> _Function:
    """`compiled`, for a function that makes arrays or returns one.

    >>> @making_arrays
    ... def zeros(count: int) -> Any:
    ...     return np.zeros(count)
    >>> zeros(2)
    array([0., 0.])
    """
    return _compiled(function, _nrt=True)  # said, since numba hands on what the caller has


def tight(function: _Function) -> _Function:
    """`compiled`, and into whatever calls it: for loops that call something for every few bytes.

    >>> @tight
    ... def half(number: float) -> float:
    ...     return number / 2
    >>> half(3.0)
    1.5
    """
    return _compiled(function, forceinline=True, _nrt=False)


def many_at_once(function: _Function) -> _Function:
    """`compiled`, for a loop over numbers that do not hang on each other: the processor does some of them at once.

    That a division is not looked at makes it possible: by 0 it is infinite, and no error.

    >>> @many_at_once
    ... def invert(numbers: Any) -> None:
    ...     for i in range(len(numbers)):
    ...         numbers[i] = 1.0 / numbers[i]
    >>> numbers = np.array([2.0, 0.0])
    >>> invert(numbers)
    >>> numbers
    array([0.5, inf])
    """
    return _compiled(function, _nrt=False, error_model="numpy")


def _compiled(function: _Function, **options: bool | str) -> _Function:
    try:
        dispatcher = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # neither the source's folder nor the user's cache can be written, or there is no source file
        return cast(_Function, numba.njit(function, **options))
    _stamps[function] = _stamp(dispatcher, options)
    kept = dispatcher._cache
    kept._cache_file = KeptCode(kept.cache_path, kept._impl.filename_base, _stamps[function])
    return cast(_Function, dispatcher)


class KeptCode(IndexDataCacheFile):  # type: ignore[misc]  # numba has no types for us
    """The machine code of a function in files, written by one process at a time.

    Numba names a file by its place in an index: two processes that start together and compile the function for other
    types each would both write the first file, and one would then run the code of the other's types.
    """

    def save(self, key: Any, data: Any) -> None:
        """Keep the machine code for some types."""
        with self._locked(fcntl.LOCK_EX):
            super().save(key, data)

    def load(self, key: Any) -> Any:
        """The machine code for some types; None when none is kept."""
        with self._locked(fcntl.LOCK_SH):
            return super().load(key)

    def _load_index(self) -> Any:
        """What is kept; nothing, if an earlier release kept it for a type that is not there any more."""
        try:
            return super()._load_index()
        except (AttributeError, ModuleNotFoundError):
            return {}

    @contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        folder = Path(self._cache_path)
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "numba.lock").open("a") as lock:
            fcntl.flock(lock, how)
            yield


def _stamp(dispatcher: Any, options: Mapping[str, bool | str]) -> tuple[Any, ...]:
    """Numba's own stamp, which is of the function's file, and of what that file has from others.

    The machine code of a function holds that of the functions it calls, and constants. Those of other files have to be
    imported by their own names to be seen here.
    """
    own = dispatcher.py_func.__globals__
    taken = blake2b(str(options).encode() if options else b"", digest_size=16)
    for name, value in sorted(own.items()):
        if isinstance(value, Dispatcher) and value.py_func.__globals__ is not own:
            taken.update(f"{name} {_stamps.get(value.py_func)}".encode())
        elif _is_constant(value) and not name.startswith("__"):
            taken.update(f"{name} {value!r}".encode())
    return dispatcher._cache._impl.locator.get_source_stamp(), taken.hexdigest()


def _is_constant(value: Any) -> bool:
    """Whether machine code may hold it. A tuple with a function says another address in each process."""
    return isinstance(value, int | float | str | np.generic | np.ndarray) or (
        isinstance(value, tuple) and all(_is_constant(part) for part in value)
    )
