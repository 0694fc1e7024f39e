"""Looks for good settings of a kind of model, within a budget of tries or seconds, by blocks of time."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

import msgspec
import numpy as np

from offline.backtest.batch import Columns
from offline.backtest.rows import FloatArray, IntArray
from offline.training.chances import Chances
from offline.training.recipes import Recipe, Settings
from offline.training.spend import Spending
from offline.training.splits import Split

SEED = 20


@dataclass(frozen=True)
class Task:
    """What models are fitted for: how they are, what they say, how wrong that is (less is better), and all figures."""

    fit: Callable[[Recipe, Columns, FloatArray, IntArray, Settings], Any]
    says: Callable[[Any, Columns], FloatArray]
    loss: Callable[[FloatArray, FloatArray], float]
    judged: Callable[[FloatArray, FloatArray, IntArray], Chances | Spending]


@dataclass(frozen=True)
class Learned:
    """Rows to learn from: columns, what became of them, and whose they are."""

    columns: Columns
    value: FloatArray
    customer: IntArray


@dataclass(frozen=True)
class Budget:
    """How long to look for settings: so many tries of each kind, the first with the usual ones, and so many seconds.

    By tries the outcome is a function of the rows; no try begins when the seconds are over.
    """

    tries: int
    seconds: float | None = None


class Try(msgspec.Struct, frozen=True, kw_only=True):
    """Settings, the loss in each block of time, and over all rows of them."""

    settings: dict[str, float]
    losses: list[float]
    loss: float


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """The settings with the least loss, and all that were tried. Without blocks of time the usual ones were taken."""

    settings: dict[str, float]
    loss: float | None
    tries: list[Try]


def search(
    task: Task, recipe: Recipe, learned: Learned, blocks: Sequence[Split], budget: Budget, told: Callable[[], None]
) -> Found:
    """Try settings, block by block.

    Args:
        task: what models are fitted for.
        recipe: the kind of model.
        learned: the rows.
        blocks: of time, which split `learned`; without one nothing is tried.
        budget: how many tries, and for how long. The first one is made whatever the seconds.
        told: hears when a block is judged.
    """
    if not blocks:
        return Found(settings=dict(recipe.usual), loss=None, tries=[])
    began_s, tries = monotonic(), list[Try]()
    for settings in _settings(recipe, budget.tries):
        if tries and budget.seconds is not None and monotonic() - began_s >= budget.seconds:
            break
        losses = [_loss(task, recipe, learned, block, settings, told) for block in blocks]
        weights = [int(block.judged.sum()) for block in blocks]
        tries.append(Try(settings=dict(settings), losses=losses, loss=float(np.average(losses, weights=weights))))
    best = min(tries, key=lambda each: each.loss)
    return Found(settings=best.settings, loss=best.loss, tries=tries)


def _settings(recipe: Recipe, tries: int) -> Iterator[Settings]:
    drawn = np.random.default_rng(SEED)
    yield recipe.usual
    for _ in range(tries - 1):
        yield recipe.draw(drawn)


def _loss(
    task: Task, recipe: Recipe, learned: Learned, block: Split, settings: Settings, told: Callable[[], None]
) -> float:
    known, judged = block.learned, block.judged
    model = task.fit(recipe, learned.columns[known], learned.value[known], learned.customer[known], settings)
    lost = task.loss(task.says(model, learned.columns[judged]), learned.value[judged])
    told()
    return lost
