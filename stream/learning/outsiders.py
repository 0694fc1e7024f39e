"""Who takes part from outside, and a person's decisions about all who take part."""

from collections.abc import Callable, Iterable, Mapping
from typing import Generic, Protocol, TypeVar

from schemas.messages import ModelDecision
from stream.learning.championship import Championship
from stream.ports import CHALLENGERS_AT_MOST


class Trained(Protocol):
    """What was published."""

    @property
    def trained_until_ms(self) -> int:
        """What its training has seen."""


Published = TypeVar("Published", bound=Trained)


class Outsiders(Generic[Published]):
    """The challengers of a championship, as they were published.

    Args:
        championship: of those the learner makes and of these.
        forget: is told of a challenger that is one no more, or another one.
        published, admitted_ms: as below, to go on from.

    Attributes:
        published: name -> what was published.
        admitted_ms: name -> maturity of the last label before it took part.
    """

    def __init__(
        self,
        championship: Championship,
        forget: Callable[[str], None],
        published: Mapping[str, Published],
        admitted_ms: Mapping[str, int],
    ) -> None:
        self._championship, self._forget = championship, forget
        self.published, self.admitted_ms = dict(published), dict(admitted_ms)

    @property
    def judged_after_ms(self) -> dict[str, int]:
        """Name -> the snapshots later than this are those it is judged on: after its training and its admission."""
        return {
            name: max(each.trained_until_ms, self.admitted_ms.get(name, -1)) for name, each in self.published.items()
        }

    def decide(
        self,
        decision: ModelDecision,
        challenger: Published | None,
        own: Iterable[str],
        now_ms: int,
        barred: Mapping[str, str],
    ) -> str:
        """Do what a person has decided; what was decided already is passed over.

        Args:
            decision: what.
            challenger: what is admitted, verified.
            own: the candidates that the learner makes.
            now_ms: maturity of the last label.
            barred: who may not be promoted -> why.

        Returns:
            Why it was not done; "" if it was.
        """
        if not self._championship.is_new(decision):
            return ""
        if decision.action == "admit":
            self._admit(decision, challenger, now_ms)
        elif decision.action == "withdraw":
            self._withdraw(decision, now_ms)
        else:
            self._championship.decide(decision, (*own, *self.published), now_ms, barred)
        return self._championship.refused.get(decision.message_id, "")

    def _admit(self, decision: ModelDecision, challenger: Published | None, now_ms: int) -> None:
        name = decision.candidate
        if challenger is None:
            self._championship.refuse(decision, f"challenger {name!r} is not there, or was refused")
        elif name == self._championship.champion:
            self._championship.refuse(decision, f"{name!r} is champion: publish under another name")
        elif name not in self.published and len(self.published) >= CHALLENGERS_AT_MOST:
            there = ", ".join(sorted(self.published))
            self._championship.refuse(decision, f"there are {CHALLENGERS_AT_MOST} already: withdraw one of {there}")
        else:
            self._drop(name)
            self.published[name], self.admitted_ms[name] = challenger, now_ms

    def _withdraw(self, decision: ModelDecision, now_ms: int) -> None:
        name = decision.candidate
        if name not in self.published:
            known = ", ".join(sorted(self.published)) or "none"
            self._championship.refuse(decision, f"{name!r} is no challenger from outside; there are: {known}")
            return
        self._drop(name)
        self._championship.withdrawn(name, now_ms, f"{name} was withdrawn")

    def _drop(self, name: str) -> None:
        self.published.pop(name, None)
        self.admitted_ms.pop(name, None)
        self._forget(name)
