"""Trees at random, as a document may hold them: of any shape, their nodes among each other."""

import numpy as np

from stream.features.model_columns import MODEL_COLUMNS
from stream.scoring.trees import LEAF, TreeModel


def grown(random: np.random.Generator, trees: int = 5, leaves: int = 12, link: str = "logit", **numbers) -> TreeModel:
    """Trees of so many leaves each, on all columns; a leaf of an older tree may stand behind a younger tree's root."""
    reads, lefts, rights, roots, open_leaves = [], [], [], [], []
    for _ in range(trees):
        roots.append(len(reads))
        open_leaves.append(len(reads))
        _add_node(reads, lefts, rights)
    for _ in range(trees * (leaves - 1)):
        node = open_leaves.pop(random.integers(len(open_leaves)))
        reads[node] = int(random.integers(len(MODEL_COLUMNS)))
        lefts[node], rights[node] = len(reads), len(reads) + 1
        open_leaves += [len(reads), len(reads) + 1]
        _add_node(reads, lefts, rights)
        _add_node(reads, lefts, rights)
    count, asks = len(reads), np.array(reads) != LEAF
    values = random.uniform(0, 1, count) if link == "mean" else random.normal(0, 0.5, count)
    return TreeModel(
        MODEL_COLUMNS,
        roots=tuple(roots),
        reads=tuple(reads),
        thresholds=tuple(np.where(asks, random.normal(1.5, 1.0, count), 0.0).tolist()),
        lefts=tuple(lefts),
        rights=tuple(rights),
        missing_left=(0,) * count,
        values=tuple(np.where(asks, 0.0, values).tolist()),
        base=0.0 if link == "mean" else float(random.normal()),
        link=link,
        reference=tuple(random.normal(1.5, 1.0, len(MODEL_COLUMNS)).tolist()),
        **numbers,
    )


def _add_node(reads: list[int], lefts: list[int], rights: list[int]) -> None:
    reads.append(LEAF)
    lefts.append(0)
    rights.append(0)


def walked(model: TreeModel, row: np.ndarray) -> float:
    """What the trees add up to, said slowly."""
    total = model.base
    for root in model.roots:
        node = root
        while model.reads[node] != LEAF:
            goes_left = row[model.reads[node]] <= model.thresholds[node]
            node = model.lefts[node] if goes_left else model.rights[node]
        total += model.values[node]
    return total / len(model.roots) if model.link == "mean" else total
