"""Models of batch training as data: numbers and names, as those of the learner are.

Each carries the layout of its columns, until when it has learned, and a hash of what it has learned from.
"""

from typing import Any

import msgspec

from stream.scoring.documents import decode_as
from stream.scoring.linear import LinearModel
from stream.scoring.trees import TreeModel


class Trained(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a trained model.

    Attributes:
        name: what is predicted, an outcome's name or `spend_<days>d`.
        version: names it among the models of that name.
        layout: of the columns.
        trained_until_ms: nothing later has been learned, ms since 1970.
        rows: it was fitted on.
        data_hash: SHA-256 of what it was trained and judged on.
    """

    name: str
    version: str
    layout: str
    trained_until_ms: int
    rows: int
    data_hash: str


class TrainedLinear(Trained, frozen=True, kw_only=True, tag="trained_linear"):
    """A probability by a logistic regression."""

    model: LinearModel


class TrainedTrees(Trained, frozen=True, kw_only=True, tag="trained_trees"):
    """A probability by trees."""

    model: TreeModel


class SpendLinear(Trained, frozen=True, kw_only=True, tag="spend_linear"):
    """The probability of any spend, times what is spent then: exp of the logit of `log_amount`, times `smearing`."""

    reached: LinearModel
    log_amount: LinearModel
    smearing: float


class SpendTrees(Trained, frozen=True, kw_only=True, tag="spend_trees"):
    """The same by trees; `log_amount` has the link "sum" or "mean"."""

    reached: TreeModel
    log_amount: TreeModel
    smearing: float


TrainedDocument = TrainedLinear | TrainedTrees | SpendLinear | SpendTrees

_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(TrainedDocument)


def decode_trained(payload: bytes, layout: str) -> TrainedDocument:
    """The trained model in `payload`, as `stream.scoring.documents.encode` wrote it.

    Raises:
        ModelRefusedError: it is none, its numbers do not belong together, or it is of another layout.
    """
    document: TrainedDocument = decode_as(_decoder, payload, layout)
    return document
