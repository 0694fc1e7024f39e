"""What was known of a customer at one midnight, and what each model said then. Written once, read at maturity."""

from collections.abc import Mapping

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

    def column_values(self, layout: str) -> list[float]:
        """The columns as numbers.

        Raises:
            LayoutError: the snapshot was taken with other columns than `layout`.
        """
        if layout != self.layout:
            raise LayoutError(
                f"A snapshot has layout {self.layout}, this version of Ebb reads {layout}. "
                "Rebuild the deployment from its history (docs/architecture.md)."
            )
        values: list[float] = np.frombuffer(self.columns, "<f4").tolist()
        return values


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Snapshot)


def encode_snapshot(layout: str, columns: NDArray[np.float64], scores: Mapping[str, Mapping[str, float]]) -> bytes:
    """Pack one snapshot.

    >>> packed = encode_snapshot("a1", np.array([0.5, 2.0]), {"churn_30d": {"base_rate": 0.25}})
    >>> decode_snapshot(packed).column_values("a1")
    [0.5, 2.0]
    """
    return _encoder.encode(Snapshot(layout, columns.astype("<f4").tobytes(), {k: dict(v) for k, v in scores.items()}))


def decode_snapshot(packed: bytes) -> Snapshot:
    """Unpack one snapshot."""
    return _decoder.decode(packed)
