"""What each concept adds to what trees say of a customer, beside what they say of the reference customer.

Shapley values with the concepts as players: a concept's share is what it adds when its columns change from those of the
reference to the customer's, in the mean over all orders in which concepts may change. A leaf that a mixture of the two
customers comes to needs some concepts of the one and some of the other; how many of the orders have it so is a quotient
of factorials, so each tree is walked once (Lundberg et al., Nature Machine Intelligence 2020, "interventional").
"""

from functools import lru_cache
from math import factorial

import numpy as np
from numpy.typing import NDArray

from stream.compiled import compiled
from stream.scoring.linear import FloatArray
from stream.scoring.trees import LEAF, Nodes, TreeModel, follows, grove_of, nodes_of

IntArray = NDArray[np.int64]


def shares(
    model: TreeModel, matrix: FloatArray, columns: tuple[str, ...], concepts: IntArray, count: int
) -> FloatArray:
    """Shares that add up to what the trees say of a row before the link, less what they say of the reference.

    Args:
        model: what scored the rows.
        matrix: shape (rows, len(columns)).
        columns: the names of the matrix's columns.
        concepts: shape (len(columns),), that of each, below `count`.
        count: how many concepts there are.

    Returns:
        Shape (rows, count); of a forest shares of the mean, of others in logits.

    >>> model = TreeModel(("silence", "spend"), roots=(0,), reads=(0, -1, 1, -1, -1), thresholds=(30.0, 0, 5.0, 0, 0),
    ...     lefts=(1, 0, 3, 0, 0), rights=(2, 0, 4, 0, 0), missing_left=(0,) * 5, values=(0.0, -1.0, 0.0, 2.0, 1.0))
    >>> shares(model, np.array([[40.0, 9.0], [20.0, 9.0]]), ("silence", "spend"), np.array([0, 1]), 2)
    array([[ 2.5, -0.5],
           [ 0. ,  0. ]])
    """
    found, waiting = np.zeros((len(matrix), count)), np.empty((len(model.reads), 3), np.int64)
    nodes, grove = nodes_of(model, columns), grove_of(model)
    known = dict(zip(model.columns, model.reference or (0.0,) * len(model.columns), strict=True))
    reference = np.array([known.get(name, 0.0) for name in columns])
    rows = np.ascontiguousarray(matrix, np.float64)
    _add_shares(found, rows, reference, grove, nodes, concepts, orders(count), waiting)
    return found / max(len(model.roots), 1) if model.link == "mean" else found


@lru_cache(maxsize=4)
def orders(players: int) -> FloatArray:
    """Of how many orders, as a share, `i` given players come first and then the one asked, before `j` other given ones.

    Returns:
        Shape (players + 1, players + 1): i! j! / (i + j + 1)!.
    """
    numbers = range(players + 1)
    return np.array([[factorial(i) * factorial(j) / factorial(i + j + 1) for j in numbers] for i in numbers])


@compiled
def _add_shares(
    found: FloatArray, rows: FloatArray, reference: FloatArray, groves: NDArray[np.void], nodes: Nodes,
    concepts: IntArray, orders: FloatArray, waiting: IntArray,
) -> None:  # fmt: skip
    """Walk each tree with each row and the reference; `waiting`, shape (nodes, 3), is overwritten."""
    grove = groves[0]
    for i in range(len(rows)):
        for root in range(grove.first, grove.first + grove.trees):
            _walk(found[i], root, rows[i], reference, grove.single, nodes, concepts, orders, waiting)


@compiled
def _walk(
    found: FloatArray, root: int, row: FloatArray, reference: FloatArray, single: int, nodes: Nodes,
    concepts: IntArray, orders: FloatArray, waiting: IntArray,
) -> None:  # fmt: skip
    """Add a tree's leaves. Waits: a node, the players that have to be the row's to come to it, and the reference's."""
    waiting[0, 0], waiting[0, 1], waiting[0, 2] = root, 0, 0
    left = 1
    while left:
        left -= 1
        node, own, others = waiting[left, 0], waiting[left, 1], waiting[left, 2]
        if nodes[node].reads == LEAF:
            _add_leaf(found, nodes[node].value, own, others, orders)
            continue
        player = 1 << concepts[nodes[node].reads]
        to, to_of_reference = follows(nodes[node], row, single), follows(nodes[node], reference, single)
        if to == to_of_reference or not others & player:
            waiting[left, 0], waiting[left, 1] = to, own if to == to_of_reference else own | player
            waiting[left, 2] = others
            left += 1
        if to != to_of_reference and not own & player:
            waiting[left, 0], waiting[left, 1], waiting[left, 2] = to_of_reference, own, others | player
            left += 1


@compiled
def _add_leaf(found: FloatArray, value: float, own: int, others: int, orders: FloatArray) -> None:
    owned = other = 0
    for player in range(len(found)):
        owned += own >> player & 1
        other += others >> player & 1
    for player in range(len(found)):
        if own >> player & 1:
            found[player] += value * orders[owned - 1, other]
        elif others >> player & 1:
            found[player] -= value * orders[owned, other - 1]
