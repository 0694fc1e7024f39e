"""Decision trees as plain numbers, scored row by row: boosted ones, whose logits add up, and forests, which vote.

All nodes of all trees lie in one list, a tree's root before what is below it. A walk always goes on to a later node,
and each node has one way to it, so that a row visits a node at most once whatever numbers a document holds; a document
that points anywhere else is refused.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream.compiled import compiled
from stream.features.columns import MODEL_COLUMNS
from stream.scoring.linear import sigmoid

FloatArray = NDArray[np.float64]

LEAF = -1
LARGEST = float(np.finfo(np.float64).max)
"""A threshold that everything but a missing value is at most, infinity too, which JSON does not have."""

ROWS_TOGETHER = 512  # 140 kB of columns
_LINKS = ("logit", "mean", "sum")
_LOGIT, _MEAN, _SUM = range(len(_LINKS))


class TreeModel(msgspec.Struct, frozen=True, cache_hash=True, tag="trees"):
    """Everything to score a row by trees.

    Args:
        columns: names of the matrix columns it reads.
        roots: the first node of each tree, in the order in which trees are added.
        reads: of each node, the column it asks, as a place in `columns`; -1 is a leaf.
        thresholds: a row goes left whose column is at most this; `LARGEST` stands for infinity.
        lefts, rights: the nodes that follow; of a leaf 0.
        missing_left: 1 where a row goes left whose column is nan, else 0.
        values: what a leaf says; of other nodes 0.
        base: is added to what the leaves of a row say.
        link: "logit" for the probability whose logit they add up to, "mean" for their mean, "sum" as they add up.
        single: columns are rounded to float32 before they are compared.
        reference: columns of the customer with whom others are compared to say why; all 0 where it is not given.

    Raises:
        ValueError: the numbers do not belong together.
    """

    columns: tuple[str, ...]
    roots: tuple[int, ...]
    reads: tuple[int, ...]
    thresholds: tuple[float, ...]
    lefts: tuple[int, ...]
    rights: tuple[int, ...]
    missing_left: tuple[int, ...]
    values: tuple[float, ...]
    base: float = 0.0
    link: Literal["logit", "mean", "sum"] = "logit"
    single: bool = False
    reference: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Refuse numbers that do not belong together: compiled code looks at no bounds."""
        nodes = len(self.reads)
        lengths = {len(self.thresholds), len(self.lefts), len(self.rights), len(self.missing_left), len(self.values)}
        if lengths != {nodes}:
            raise ValueError(f"{nodes} nodes, but their numbers come in lengths {sorted(lengths)}")
        if self.link == "mean" and not self.roots:
            raise ValueError("the mean of no tree")
        if len(self.reference) not in (0, len(self.columns)):
            raise ValueError(f"{len(self.columns)} columns, but the reference has {len(self.reference)}")
        if not np.isfinite([self.base, *self.thresholds, *self.values, *self.reference]).all():
            raise ValueError("a threshold or a value is not finite")
        self._refuse_astray(nodes)

    def _refuse_astray(self, nodes: int) -> None:
        reads, roots = _whole(self.reads), _whole(self.roots)
        if not _within(roots, 0, nodes) or not _within(reads, LEAF, len(self.columns)):
            raise ValueError(f"a root or a column is not among {nodes} nodes and {len(self.columns)} columns")
        asking = np.flatnonzero(reads != LEAF)
        follow = np.stack([_whole(self.lefts), _whole(self.rights)])[:, asking]
        if (follow <= asking).any() or (follow >= nodes).any():
            raise ValueError("a node is not followed by later ones")
        ways = np.bincount(np.concatenate([roots, follow.ravel()]), minlength=nodes)
        if (ways != 1).any():
            raise ValueError(f"there is not one way to node {int(np.argmax(ways != 1))}")


def _whole(numbers: Sequence[int]) -> NDArray[np.int64]:
    try:
        return np.array(numbers, np.int64)
    except OverflowError as error:
        raise ValueError("a number of a node or column is beyond all of them") from error


def _within(numbers: NDArray[np.int64], first: int, end: int) -> bool:
    return bool(((numbers >= first) & (numbers < end)).all())


NODE = np.dtype(
    [
        ("threshold", "<f8"),
        ("value", "<f8"),
        ("left", "<i4"),
        ("right", "<i4"),
        ("reads", "<i4"),
        ("missing_left", "<i4"),
    ]
)
"""A node for compiled code, as in the model; `reads` is the column's place in a row, or `LEAF`."""

Nodes = NDArray[np.void]
"""Shape (nodes,), dtype `NODE`; of each model the roots first, in their order."""

GROVE = np.dtype([("first", "<i8"), ("trees", "<i8"), ("base", "<f8"), ("link", "<i8"), ("single", "<i8")])
"""What a model is besides its nodes: the first root, how many there are, and as in the model; `link` is its place."""


def answers(model: TreeModel, matrix: FloatArray, columns: Sequence[str] = MODEL_COLUMNS) -> FloatArray:
    """What a model says of each row.

    Args:
        model: what to score with.
        matrix: shape (rows, len(columns)); nan is missing.
        columns: the names of the matrix's columns.

    Returns:
        Shape (rows,): probabilities, or with the link "sum" numbers of any size.

    Raises:
        ValueError: the model reads a column that the matrix does not have.

    >>> model = TreeModel(("silence",), roots=(0,), reads=(0, -1, -1), thresholds=(30.0, 0.0, 0.0), lefts=(1, 0, 0),
    ...     rights=(2, 0, 0), missing_left=(0, 0, 0), values=(0.0, -1.0, 2.0), link="sum")
    >>> answers(model, np.array([[30.0], [31.0], [np.nan]]), ("silence",))
    array([-1.,  2.,  2.])
    """
    said, nodes = np.empty(len(matrix)), nodes_of(model, tuple(columns))
    _fill_answers(said, np.ascontiguousarray(matrix, np.float64), grove_of(model), nodes)
    return said


@lru_cache(maxsize=32)  # as many as there are models in force
def nodes_of(model: TreeModel, columns: tuple[str, ...] = MODEL_COLUMNS) -> Nodes:
    """The nodes for rows with these columns, the roots moved to the front.

    Raises:
        ValueError: the model reads a column that the rows do not have.
    """
    missing = [name for name in model.columns if name not in columns]
    if missing:
        raise ValueError(f"the matrix has no column {missing[0]!r}; it has {', '.join(columns)}")
    is_root = np.zeros(len(model.reads), np.bool_)
    is_root[list(model.roots)] = True
    order = np.array([*model.roots, *np.flatnonzero(~is_root)], np.int64)
    moved_to = np.argsort(order)
    places = np.array([*(columns.index(name) for name in model.columns), LEAF], np.int64)
    nodes = np.zeros(len(order), NODE)
    nodes["reads"] = places[np.array(model.reads, np.int64)][order]
    thresholds = np.array(model.thresholds)[order]
    nodes["threshold"] = np.where(thresholds == LARGEST, np.inf, thresholds)
    nodes["value"] = np.array(model.values)[order]
    nodes["missing_left"] = np.array(model.missing_left, np.bool_)[order]
    asks = nodes["reads"] != LEAF
    for side, follow in (("left", model.lefts), ("right", model.rights)):
        nodes[side][asks] = moved_to[np.array(follow, np.int64)[order][asks]]
    return nodes


def grove_of(model: TreeModel, first: int = 0) -> NDArray[np.void]:
    """Shape (1,), dtype `GROVE`: a model whose nodes begin at `first`."""
    return np.array([(first, len(model.roots), model.base, _LINKS.index(model.link), model.single)], GROVE)


@compiled
def follows(node: Any, row: FloatArray, single: int) -> int:
    """The node to which a row goes on from one that is no leaf.

    Args:
        node: a record of `NODE`.
        row: shape (columns,); an unknown figure is nan.
        single: whether figures are rounded to 32 bits first, as those were that the trees have learned from.
    """
    figure = row[node.reads]
    if single:
        figure = np.float64(np.float32(figure))
    goes_left = node.missing_left != 0 if np.isnan(figure) else figure <= node.threshold
    return int(node.left) if goes_left else int(node.right)


@compiled
def _leaf_of(nodes: Nodes, root: int, row: FloatArray, single: int) -> int:
    """The leaf that a row comes to from a root."""
    node = root
    while nodes[node].reads != LEAF:
        node = follows(nodes[node], row, single)
    return node


@compiled
def answer_of(grove: Any, nodes: Nodes, row: FloatArray) -> float:
    """What the trees say of one row, added in their order."""
    total = grove.base
    for root in range(grove.first, grove.first + grove.trees):
        total += nodes[_leaf_of(nodes, root, row, grove.single)].value
    return _linked(grove, total)


@compiled
def _linked(grove: Any, total: float) -> float:
    """What the base and the leaves of all trees come to."""
    if grove.link == _LOGIT:
        return sigmoid(total)
    if grove.link == _MEAN:
        return float(total / grove.trees)
    return float(total)


@compiled
def _fill_answers(said: FloatArray, matrix: FloatArray, groves: NDArray[np.void], nodes: Nodes) -> None:
    """`answer_of` each row, bit for bit: some rows tree after tree, so that both stay in the processor's cache."""
    grove = groves[0]
    said[:] = grove.base
    for begin in range(0, len(matrix), ROWS_TOGETHER):
        end = min(begin + ROWS_TOGETHER, len(matrix))
        for root in range(grove.first, grove.first + grove.trees):
            for i in range(begin, end):
                said[i] += nodes[_leaf_of(nodes, root, matrix[i], grove.single)].value
    for i in range(len(matrix)):
        said[i] = _linked(grove, said[i])
