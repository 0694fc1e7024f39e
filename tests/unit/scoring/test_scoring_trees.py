"""Trees as data: what no walk may be led to."""

import msgspec
import numpy as np
import pytest

from stream.errors import ModelRefusedError
from stream.features.model_columns import MODEL_COLUMNS
from stream.scoring.budget import SCORE_BUDGET_US
from stream.scoring.costs import score_us
from stream.scoring.documents import decode, encode
from stream.scoring.hazard import HazardModel
from stream.scoring.kinds import MeanLogit
from stream.scoring.linear import LinearModel
from stream.scoring.trained import TrainedTrees, decode_trained
from stream.scoring.trees import TreeModel, answers
from tests.world import silence_document

STUMP = TreeModel(
    ("silence", "spend"),
    roots=(0, 3),
    reads=(0, -1, -1, -1),
    thresholds=(30.0, 0.0, 0.0, 0.0),
    lefts=(1, 0, 0, 0),
    rights=(2, 0, 0, 0),
    missing_left=(1, 0, 0, 0),
    values=(0.0, -1.0, 2.0, 0.5),
    base=0.25,
    link="sum",
)


def test_trees_add_up_whatever_the_order_of_columns_and_whoever_else_is_scored():
    matrix = np.array([[5.0, 30.0], [5.0, 30.5], [5.0, np.nan]])
    assert answers(STUMP, matrix, ("spend", "silence")).tolist() == [-0.25, 2.75, -0.25]
    assert answers(STUMP, matrix[1:2], ("spend", "silence")).tolist() == [2.75]
    assert answers(msgspec.structs.replace(STUMP, link="mean"), matrix[1:2], ("spend", "silence")).tolist() == [1.375]


def test_a_column_is_rounded_before_it_is_compared_where_it_was_in_training():
    between = np.array([[np.nextafter(30.0, 31.0)]])
    one = msgspec.structs.replace(STUMP, columns=("silence",))
    assert answers(one, between, ("silence",)).tolist() == [2.75]
    assert answers(msgspec.structs.replace(one, single=True), between, ("silence",)).tolist() == [-0.25]


@pytest.mark.parametrize(
    "wrong",
    [
        {"lefts": (0, 0, 0, 0)},  # a circle
        {"rights": (9, 0, 0, 0)},  # behind the end
        {"reads": (2, -1, -1, -1)},  # no such column
        {"reads": (-2, -1, -1, -1)},
        {"roots": (0, 4)},
        {"values": (0.0,)},
        {"roots": (), "link": "mean"},
        {"roots": (0, 3, 3)},  # a tree twice
        {"roots": (0,)},  # a node that nobody comes to
        {"rights": (1, 0, 0, 0)},  # two ways to a node
        {"lefts": (2**70, 0, 0, 0)},
        {"thresholds": (None, 0.0, 0.0, 0.0)},
        {"reference": (1.0,)},
    ],
)
def test_a_document_that_would_lead_a_walk_astray_is_refused(wrong):
    known = {"name": "a", "version": "1", "layout": "l", "trained_until_ms": 0, "rows": 1, "data_hash": ""}
    plain = msgspec.to_builtins(TrainedTrees(**known, model=STUMP))
    assert decode_trained(msgspec.json.encode(plain), "l").model == STUMP
    with pytest.raises(ModelRefusedError, match="not a model document"):
        decode_trained(msgspec.json.encode(plain | {"model": plain["model"] | wrong}), "l")
    with pytest.raises(ModelRefusedError, match="layout"):
        decode_trained(encode(TrainedTrees(**known, model=STUMP)), "another")


@pytest.mark.parametrize(
    "wrong", [{"thresholds": (np.nan,) * 4}, {"values": (0.0, np.inf, 0.0, 0.0)}, {"base": np.nan}]
)
def test_numbers_that_are_none_are_refused_whatever_they_are_written_in(wrong):
    packed = msgspec.msgpack.encode(msgspec.to_builtins(STUMP) | wrong)
    with pytest.raises(msgspec.ValidationError, match="not finite"):
        msgspec.msgpack.decode(packed, type=TreeModel)


def test_json_has_no_word_for_what_is_no_number():
    text = msgspec.json.encode(STUMP).replace(b"30.0", b"NaN")
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(text, type=TreeModel)


def full_tree(levels: int) -> TreeModel:
    """Every node above the last level asks."""
    nodes = 2**levels - 1
    asks = [node < nodes // 2 for node in range(nodes)]
    return TreeModel(
        MODEL_COLUMNS,
        roots=(0,),
        reads=tuple(0 if each else -1 for each in asks),
        thresholds=(0.0,) * nodes,
        lefts=tuple(2 * node + 1 if each else 0 for node, each in enumerate(asks)),
        rights=tuple(2 * node + 2 if each else 0 for node, each in enumerate(asks)),
        missing_left=(0,) * nodes,
        values=(0.0,) * nodes,
    )


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (full_tree(15), "has 32,767 nodes, 25,600 are allowed"),
        (msgspec.structs.replace(full_tree(2), link="sum"), "a probability is asked"),
        (msgspec.structs.replace(full_tree(2), columns=("shoe_size", *MODEL_COLUMNS[1:])), "does not exist"),
        (msgspec.structs.replace(full_tree(2), columns=MODEL_COLUMNS[:1] * len(MODEL_COLUMNS)), "a column twice"),
    ],
)
def test_a_candidate_that_cannot_score_customers_is_refused_when_a_worker_reads_it(model, said):
    document = msgspec.structs.replace(silence_document(), candidates={"outsider": model}, serving="outsider")
    with pytest.raises(ModelRefusedError, match=said):
        decode(encode(document), document.layout)
    fitting = msgspec.structs.replace(document, candidates={"outsider": full_tree(14)})
    assert decode(encode(fitting), document.layout) == fitting


def test_what_a_score_costs_grows_with_what_it_takes():
    weekly = LinearModel(MODEL_COLUMNS, *((1.0,) * len(MODEL_COLUMNS),) * 3, bias=0.0)
    assert (
        score_us(weekly)
        < score_us(HazardModel(weekly, 30))
        < score_us(MeanLogit(weekly, HazardModel(weekly, 180)))
        < 2.0
    )
    assert score_us(full_tree(2)) == pytest.approx(0.004 + 3 * 0.000_08, abs=0.001)
    assert score_us(full_tree(4)) < score_us(full_tree(14)) < SCORE_BUDGET_US
