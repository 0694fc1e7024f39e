"""Files of shops, read as histories: `read_history` and one module per kind of file."""

from offline.sources.registry import SOURCES, read_history, read_lines

__all__ = ["SOURCES", "read_history", "read_lines"]
