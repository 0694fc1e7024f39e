"""Which faults come, in which order and for how long: all of it drawn from a seed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random

from tests.chaos.faults import Fault

TOGETHER = 0.3
"""How often a second fault, of another target, comes while the first lasts."""


@dataclass(frozen=True)
class Stroke:
    """One or two faults that come together, how long each holds, and how quiet it is before them."""

    faults: tuple[str, ...]
    holds_s: tuple[float, ...]
    quiet_s: float

    def __str__(self) -> str:
        """As it is told.

        >>> str(Stroke(("redis slow", "worker killed"), (1.25, 0.5), 0.3))
        'redis slow 1.2 s, within it worker killed 0.5 s'
        """
        return ", within it ".join(
            f"{fault} {held:.1f} s" for fault, held in zip(self.faults, self.holds_s, strict=True)
        )


def strokes(seed: int, faults: Mapping[str, Fault]) -> Iterator[Stroke]:
    """Without end. Every fault comes once before one comes twice."""
    dice = Random(seed)
    waiting: list[str] = []
    while True:
        waiting = waiting or dice.sample(sorted(faults), len(faults))
        chosen = [waiting.pop()]
        others = [name for name in sorted(faults) if faults[name].hits != faults[chosen[0]].hits]
        if dice.random() < TOGETHER and others:
            chosen.append(dice.choice(others))
        holds_s = [dice.uniform(*faults[name].holds_s) for name in chosen]
        yield Stroke(tuple(chosen), tuple(holds_s), dice.uniform(0.0, 1.5))
