"""Decision trees as plain numbers, scored row by row: boosted ones, whose logits add up, and forests, which vote.

All nodes of all trees lie in one list, a tree's root before what is below it. A walk always goes on to a later node,
so that it ends whatever numbers a document holds; a document that points anywhere else is refused.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream.compiled import compiled
from stream.features.columns import MODEL_COLUMNS
from stream.scoring.linear import sigmoid

FloatArray = NDArray[np.float64]

LEAF = -1
ROWS_TOGETHER = 512  # 140 kB of columns
_LINKS = ("logit", "mean", "sum")


class TreeModel(msgspec.Struct, frozen=True, cache_hash=True):
    """Everything to score a row by trees.

    Args:
        columns: names of the matrix columns it reads.
        roots: the first node of each tree, in the order in which trees are added.
        reads: of each node, the column it asks, as a place in `columns`; -1 is a leaf.
        thresholds: a row goes left whose column is at most this.
        lefts, rights: the nodes that follow; of a leaf 0.
        missing_left: 1 where a row goes left whose column is nan, else 0.
        values: what a leaf says; of other nodes 0.
        base: is added to what the leaves of a row say.
        link: "logit" for the probability whose logit they add up to, "mean" for their mean, "sum" as they add up.
        single: columns are rounded to float32 before they are compared.

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

    def __post_init__(self) -> None:
        """Refuse numbers that do not belong together: compiled code looks at no bounds."""
        nodes = len(self.reads)
        lengths = {len(self.thresholds), len(self.lefts), len(self.rights), len(self.missing_left), len(self.values)}
        if lengths != {nodes}:
            raise ValueError(f"{nodes} nodes, but their numbers come in lengths {sorted(lengths)}")
        if self.link == "mean" and not self.roots:
            raise ValueError("the mean of no tree")
        reads, here = np.array(self.reads, np.int64), np.arange(nodes)
        if not _within(np.array(self.roots, np.int64), 0, nodes) or not _within(reads, LEAF, len(self.columns)):
            raise ValueError(f"a root or a column is not among {nodes} nodes and {len(self.columns)} columns")
        follow = np.array([self.lefts, self.rights], np.int64)[:, reads != LEAF]
        if (follow <= here[reads != LEAF]).any() or (follow >= nodes).any():
            raise ValueError("a node is not followed by later ones")


def _within(numbers: NDArray[np.int64], first: int, end: int) -> bool:
    return bool(((numbers >= first) & (numbers < end)).all())


class Nodes(NamedTuple):
    """A model for compiled code.

    Attributes:
        roots: shape (trees,).
        reads: shape (nodes,), the column's place in a row, or `LEAF`.
        thresholds, lefts, rights, missing_left, values: shape (nodes,), as in the model.
        base: is added.
        link: place in `_LINKS`.
        single: whether columns are rounded first.
    """

    roots: NDArray[np.int64]
    reads: NDArray[np.int32]
    thresholds: FloatArray
    lefts: NDArray[np.int32]
    rights: NDArray[np.int32]
    missing_left: NDArray[np.bool_]
    values: FloatArray
    base: float
    link: int
    single: bool


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
    return _answers(np.ascontiguousarray(matrix, np.float64), nodes_of(model, tuple(columns)))


@lru_cache(maxsize=32)  # as many as there are models in force
def nodes_of(model: TreeModel, columns: tuple[str, ...] = MODEL_COLUMNS) -> Nodes:
    """The model for rows with these columns.

    Raises:
        ValueError: the model reads a column that the rows do not have.
    """
    missing = [name for name in model.columns if name not in columns]
    if missing:
        raise ValueError(f"the matrix has no column {missing[0]!r}; it has {', '.join(columns)}")
    places = np.array([*(columns.index(name) for name in model.columns), LEAF], np.int32)
    return Nodes(
        roots=np.array(model.roots, np.int64),
        reads=places[np.array(model.reads, np.int64)],
        thresholds=np.array(model.thresholds, np.float64),
        lefts=np.array(model.lefts, np.int32),
        rights=np.array(model.rights, np.int32),
        missing_left=np.array(model.missing_left, np.bool_),
        values=np.array(model.values, np.float64),
        base=float(model.base),
        link=_LINKS.index(model.link),
        single=model.single,
    )


@compiled
def leaf_of(nodes: Nodes, root: int, row: FloatArray) -> int:
    """The leaf that a row comes to from a root."""
    node = root
    while nodes.reads[node] != LEAF:
        figure = row[nodes.reads[node]]
        if nodes.single:
            figure = np.float64(np.float32(figure))
        goes_left = nodes.missing_left[node] if np.isnan(figure) else figure <= nodes.thresholds[node]
        node = nodes.lefts[node] if goes_left else nodes.rights[node]
    return int(node)


@compiled
def answer_of(nodes: Nodes, row: FloatArray) -> float:
    """What the trees say of one row, added in their order."""
    total = nodes.base
    for root in nodes.roots:
        total += nodes.values[leaf_of(nodes, root, row)]
    return linked(nodes, total)


@compiled
def linked(nodes: Nodes, total: float) -> float:
    """What the base and the leaves of all trees come to."""
    if nodes.link == 0:
        return sigmoid(total)
    return total / len(nodes.roots) if nodes.link == 1 else total


@compiled
def _answers(matrix: FloatArray, nodes: Nodes) -> FloatArray:
    """`answer_of` each row, bit for bit: some rows tree after tree, so that both stay in the processor's cache."""
    said = np.full(len(matrix), nodes.base)
    for begin in range(0, len(matrix), ROWS_TOGETHER):
        end = min(begin + ROWS_TOGETHER, len(matrix))
        for root in nodes.roots:
            for i in range(begin, end):
                said[i] += nodes.values[leaf_of(nodes, root, matrix[i])]
    for i in range(len(matrix)):
        said[i] = linked(nodes, said[i])
    return said
