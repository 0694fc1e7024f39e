import msgspec
import pytest

from stream.errors import ModelRefusedError
from stream.scoring.documents import Judged, OutcomeDocument, SegmentDocument, decode, encode
from stream.scoring.linear import LinearModel
from stream.scoring.trees import TreeModel

MODEL = LinearModel(("log_purchase_days",), means=(0.1,), scales=(1 / 3,), weights=(-2.5e-17,), bias=1e300)


def outcome(**changes):
    fields = {
        "name": "churn_30d",
        "version": "v7",
        "epoch_day": 14_700,
        "layout": "l1",
        "trained_until_ms": 1_270_000_000_000,
        "labels": 300,
        "positives": 200,
        "candidates": {"river_logistic": MODEL, "base_rate": MODEL},
        "serving": "river_logistic",
        "metrics": {"river_logistic": Judged(rows=20, log_loss=0.5, auc=None)},
    }
    return OutcomeDocument(**(fields | changes))


def segments(**changes):
    fields = {
        "version": "v1",
        "epoch_day": 14_700,
        "layout": "l1",
        "means": (0.1, 0.2, 0.3, 0.4),
        "scales": (1.0, 2.0, 3.0, 4.0),
        "centres": ((0.0, 1.0, 2.0, 3.0), (2.0, 1 / 7, 3.0, 4.0)),
        "names": ("Champions", "At Risk"),
        "samples": 500,
    }
    return SegmentDocument(**(fields | changes))


@pytest.mark.parametrize("document", [outcome(), segments(), outcome(candidates={}, serving=None, metrics={})])
def test_a_document_comes_back_exactly_as_it_was(document):
    assert decode(encode(document), "l1") == document


def test_equal_documents_have_equal_bytes_whatever_the_order_of_their_keys():
    turned = outcome(candidates={"base_rate": MODEL, "river_logistic": MODEL})
    assert encode(turned) == encode(outcome())


def test_a_document_is_json_that_says_what_it_is():
    assert msgspec.json.decode(encode(outcome()))["type"] == "outcome"
    assert msgspec.json.decode(encode(segments()))["type"] == "segments"


def test_a_document_of_another_layout_is_refused():
    with pytest.raises(ModelRefusedError, match="churn_30d v7 was trained on layout 'l1', this worker has 'l2'"):
        decode(encode(outcome()), "l2")


DEEP = b"[" * 100_000


@pytest.mark.parametrize(
    "payload",
    [b"", b"{}", b"\xff\xfe", b'{"type":"outcome"}', b'{"type":"code"}', b"[1,2", b'{"type":"outcome","more":' + DEEP],
    ids=lambda payload: payload[:30],
)
def test_what_is_no_document_is_refused(payload):
    with pytest.raises(ModelRefusedError, match="not a model document"):
        decode(payload, "l1")


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        (b'"serving":"river_logistic"', b'"serving":"absent"'),
        (b'"weights":[-2.5e-17]', b'"weights":[1,2]'),
        (b'"weights":[-2.5e-17]', b'"weights":[null]'),
    ],
)
def test_numbers_that_do_not_belong_together_are_refused(good, bad):
    payload = encode(outcome())
    assert good in payload
    with pytest.raises(ModelRefusedError):
        decode(payload.replace(good, bad), "l1")


@pytest.mark.parametrize(
    "changes",
    [
        {"scales": (1.0, 0.0, 1.0, 1.0)},
        {"centres": ()},
        {"names": ("Champions",)},
        {"means": (1.0,)},
        {"centres": ((1.0,),) * 2},
    ],
)
def test_centres_that_cannot_be_scored_are_refused(changes):
    with pytest.raises(ValueError, match=r"disagree|scale 0"):
        segments(**changes)


def test_a_number_that_json_cannot_say_is_not_published():
    with pytest.raises(ValueError, match=r"means\[1\] is nan"):
        encode(segments(means=(0.0, float("nan"), 0.0, 0.0)))


@pytest.mark.parametrize(
    "changes",
    [
        {"columns": ("silence", "frequency", "tenure", "spend")},
        {"names": ("Champions", "Nobody's")},
        {"names": ("Champions", "Unsegmented")},
        {"scales": (1.0, 2.0, 3.0, -4.0)},
        {"scales": (1.0, 2.0, 3.0, 5e-324)},
    ],
)
def test_centres_with_which_customers_cannot_be_compared_are_refused_when_they_are_read(changes):
    with pytest.raises(ModelRefusedError, match="model segments v1"):
        decode(encode(segments(**changes)), "l1")


@pytest.mark.parametrize(
    "model",
    [
        LinearModel(("log_purchase_days",), means=(0.0,), scales=(5e-324,), weights=(1.0,), bias=0.0),
        LinearModel(("log_purchase_days",), means=(0.0,), scales=(1.0,), weights=(1e308,), bias=0.0),
        LinearModel(("log_purchase_days",), means=(0.0,), scales=(1.0,), weights=(-1e308,), bias=1e308, clip=1.0),
        TreeModel(
            (), roots=(0, 1), reads=(-1, -1), thresholds=(0.0, 0.0), lefts=(0, 0), rights=(0, 0), missing_left=(0, 0),
            values=(1e308, 1e308), base=-1e308,
        ),
    ],
)  # fmt: skip
def test_a_model_whose_sums_may_be_no_number_is_refused(model):
    with pytest.raises(ModelRefusedError, match=r"candidate outsider .* a sum is infinite"):
        decode(encode(outcome(candidates={"outsider": model}, serving="outsider")), "l1")
