"""What a step changed, as the store takes it: bytes and numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from stream.drafts import Draft


@dataclass
class Changes:
    """States, views, deadlines, indexes, labels and messages of one step.

    The fields are those of `stream.ports.Commit`, save that messages are not numbered yet.
    """

    states: Mapping[str, bytes] = field(default_factory=dict)
    views: Mapping[str, bytes] = field(default_factory=dict)
    deadlines: dict[str, int] = field(default_factory=dict)
    segment_moves: list[tuple[str, str | None, str]] = field(default_factory=list)
    risks: dict[str, float] = field(default_factory=dict)
    labels: dict[str, bytes] = field(default_factory=dict)
    snapshots: dict[tuple[str, int], bytes] = field(default_factory=dict)
    closed_snapshots: list[tuple[str, int]] = field(default_factory=list)
    drafts: list[Draft] = field(default_factory=list)
    totals: dict[str, int] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)
    identities: dict[str, bytes] = field(default_factory=dict)

    def count(self, name: str, by: int = 1) -> None:
        """Add to a total of the shop.

        >>> changes = Changes()
        >>> changes.count("labels"); changes.count("labels", 2); changes.count("duplicates", 0)
        >>> changes.totals
        {'labels': 3}
        """
        if by:
            self.totals[name] = self.totals.get(name, 0) + by
