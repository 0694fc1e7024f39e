"""Ebb scores customer behaviour while it happens.

>>> from ebb import Lookup, AsyncLookup
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ebb.lookup import AsyncLookup, Lookup

__all__ = ["AsyncLookup", "Lookup"]


def __getattr__(name: str) -> Any:
    """Load a name when it is asked for: commands that do not need it start faster."""
    if name in __all__:
        return getattr(import_module("ebb.lookup"), name)
    raise AttributeError(f"module 'ebb' has no attribute {name!r}")
