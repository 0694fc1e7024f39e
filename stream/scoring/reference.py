"""The reference customer of an outcome: the one that others are explained by the difference from.

It has the mean of each column over the labels that the outcome's learner has learned from. They are what its
regressions standardise by, so every document has them, whatever kind of model serves. Hinges are not means but follow
their logarithm: a silence above 90 days belongs to nobody who is silent for 20.
"""

from stream.features.columns import MODEL_COLUMNS
from stream.features.read_back import row_of
from stream.scoring.documents import NEWTON, OutcomeDocument
from stream.scoring.linear import FloatArray, LinearModel


def reference_row(document: OutcomeDocument) -> FloatArray:
    """The columns of the reference customer, shape (len(MODEL_COLUMNS),); 0 where no regression has a mean.

    >>> model = LinearModel(("refund_share",), means=(0.25,), scales=(1.0,), weights=(1.0,), bias=0.0)
    >>> document = OutcomeDocument(
    ...     name="lapsed", version="1", epoch_day=0, layout="", trained_until_ms=0, labels=300, positives=100,
    ...     candidates={NEWTON: model}, serving=NEWTON, metrics={})
    >>> float(reference_row(document).sum())
    0.25
    """
    means: dict[str, float] = {}
    for name in (NEWTON, *document.candidates):  # it reads all columns; of others only what it does not know
        model = document.candidates.get(name)
        if isinstance(model, LinearModel):
            means = dict(zip(model.columns, model.means, strict=True)) | means
    return row_of(means)


def mean_row(matrix: FloatArray) -> FloatArray:
    """The reference customer of what has been learned at once: the same of rows, shape (rows, len(MODEL_COLUMNS))."""
    return row_of(dict(zip(MODEL_COLUMNS, matrix.mean(axis=0).tolist(), strict=True)))
