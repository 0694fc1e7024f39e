"""Ebb scores customer behaviour while it happens.

>>> from ebb import Lookup
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ebb.lookup import Lookup

__all__ = ["Lookup"]


def __getattr__(name: str) -> Any:
    """Load `Lookup` when it is asked for: commands that do not need it start faster."""
    if name == "Lookup":
        from ebb.lookup import Lookup  # noqa: PLC0415

        return Lookup
    raise AttributeError(f"module 'ebb' has no attribute {name!r}")
