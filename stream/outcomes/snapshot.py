"""What was known of a customer at one midnight, and what each model said then. Written once, read at maturity."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream.errors import LayoutError


class Snapshot(msgspec.Struct, frozen=True):
    """What is stored of a customer's midnight.

    Attributes:
        layout: of the columns.
        columns: the model columns as little-endian float32, in the layout's order.
        scores: outcome -> candidate -> the probability it gave; no candidate before the first model.
    """

    layout: str
    columns: bytes
    scores: dict[str, dict[str, float]]

    def of_layout(self, layout: str) -> "Snapshot":
        """The snapshot, if it was taken with the columns of this layout.

        Raises:
            LayoutError: it was taken with other columns.
        """
        if layout != self.layout:
            raise LayoutError(
                f"A snapshot has layout {self.layout}, this version of Ebb reads {layout}. "
                "Rebuild the deployment from its history (docs/architecture.md)."
            )
        return self

    def listed(self) -> list[float]:
        """The model columns."""
        listed: list[float] = np.frombuffer(self.columns, "<f4").tolist()
        return listed

    def scores_of(self, outcome: str) -> dict[str, float]:
        """Candidate -> the probability it gave of this outcome; none before the first model."""
        return self.scores.get(outcome, {})


class Said(NamedTuple):
    """Which candidates of which outcomes scores are of: outcome -> the place of its first score, their names."""

    places: Mapping[str, tuple[int, Sequence[str]]]

    @classmethod
    def of(cls, candidates: Mapping[str, Iterable[str]]) -> "Said":
        """The candidates of each outcome, one outcome's after another's.

        >>> Said.of({"churn_30d": ("base_rate", "hazard"), "lapsed": ("hazard",)}).places["lapsed"]
        (2, ('hazard',))
        """
        return _said(tuple([(outcome, tuple(names)) for outcome, names in candidates.items()]))

    def of_outcome(self, outcome: str, scores: Sequence[float]) -> dict[str, float]:
        """Candidate -> its score of this outcome; none before the first model."""
        begin, names = self.places.get(outcome, (0, ()))
        return dict(zip(names, scores[begin : begin + len(names)], strict=True))


@lru_cache(maxsize=64)  # the same object for the same candidates: they change when a challenger comes or goes
def _said(candidates: tuple[tuple[str, tuple[str, ...]], ...]) -> Said:
    begins = np.cumsum([0, *(len(names) for _, names in candidates)]).tolist()
    places = {outcome: (begin, names) for begin, (outcome, names) in zip(begins[:-1], candidates, strict=True)}
    return Said(places)


class Taken(NamedTuple):
    """A snapshot as numbers.

    Attributes:
        columns: float32, the model columns in the layout's order.
        scores: float64, the probability that each candidate gave.
        said: which these are.
    """

    columns: NDArray[np.float32]
    scores: NDArray[np.float64]
    said: Said

    def listed(self) -> list[float]:
        """The model columns."""
        listed: list[float] = self.columns.tolist()
        return listed

    def scores_of(self, outcome: str) -> dict[str, float]:
        """Candidate -> the probability it gave of this outcome; none before the first model."""
        return self.said.of_outcome(outcome, self.scores.tolist())

    def packed(self, layout: str) -> bytes:
        """What is stored of it.

        >>> said = Said.of({"churn_30d": ("base_rate",)})
        >>> packed = Taken(np.array([0.5, 2.0], "<f4"), np.array([0.25]), said).packed("a1")
        >>> read = decode_snapshot(packed).of_layout("a1")
        >>> read.listed(), read.scores_of("churn_30d")
        ([0.5, 2.0], {'base_rate': 0.25})
        """
        listed = self.scores.tolist()
        scores = {outcome: self.said.of_outcome(outcome, listed) for outcome in self.said.places}
        return _encoder.encode(Snapshot(layout, self.columns.astype("<f4").tobytes(), scores))


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Snapshot)


def decode_snapshot(packed: bytes) -> Snapshot:
    """Unpack one snapshot."""
    return _decoder.decode(packed)
