"""Trees as data: what no walk may be led to."""

import msgspec
import numpy as np
import pytest

from stream.errors import ModelRefusedError
from stream.scoring.documents import encode
from stream.scoring.trained import TrainedTrees, decode_trained
from stream.scoring.trees import TreeModel, answers

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
