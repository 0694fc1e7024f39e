"""The candidates of an outcome against each other: who takes part, how each does, and who is champion."""

from collections.abc import Collection, Mapping, Sequence

import msgspec
import numpy as np

from schemas.messages import ModelDecision
from stream.learning.calibration import Calibration, CalibrationState
from stream.learning.champion import Standing
from stream.learning.championship import Championship, ChampionshipState
from stream.learning.evidence import Evidence, gains, weigh
from stream.learning.judge import JudgeState
from stream.learning.judgement import Judgement, JudgementState, scored
from stream.learning.label_rows import LabelRows
from stream.learning.outsiders import Outsiders
from stream.learning.recipes import RECIPES
from stream.scoring.budget import SCORE_BUDGET_US
from stream.scoring.challengers import ChallengerDocument
from stream.scoring.costs import score_us
from stream.scoring.documents import CALIBRATED, CANDIDATES, FLOORS, MIX, Judged, Lineage
from stream.scoring.kinds import Model
from stream.scoring.linear import LinearModel


class ContestState(msgspec.Struct, frozen=True, kw_only=True):
    """A contest as numbers and names."""

    newest_ms: int
    judgement: JudgementState
    championship: ChampionshipState
    calibration: CalibrationState
    challengers: dict[str, ChallengerDocument]
    begun: dict[str, str] = {}
    admitted_ms: dict[str, int] = {}


class Contest:
    """A function of the labels and decisions it is shown, in their order, however many come at once.

    Beside the candidates that the learner always makes there is `calibrated`, the mean logit recalibrated, what others
    have published, and what the learner has begun for a time. They are judged where they had given a score, and never
    serve by default.

    Args:
        horizon_days: of the outcome.
        own: the candidates that the learner makes.
        initial: which of them is the first champion.
        state: to go on from.
        budget_us: a challenger is not promoted if a score by it costs more.

    Attributes:
        judgement: how each candidate does.
        championship: who is champion.
        begun: name -> recipe of who takes part for a time; the learner makes it. Beside the champion there is one.
        newest_ms: the latest maturity of a label so far.
    """

    def __init__(
        self,
        horizon_days: int,
        own: Sequence[str] = CANDIDATES,
        initial: str = MIX,
        state: ContestState | None = None,
        budget_us: float = SCORE_BUDGET_US,
    ) -> None:
        self._horizon_days, self._own, self._initial = horizon_days, tuple(own), initial
        self._budget_us = budget_us
        self.newest_ms = state.newest_ms if state else 0
        self.judgement = Judgement(horizon_days, state.judgement if state else None)
        self.championship = Championship(initial, state.championship if state else None)
        if state is not None and state.judgement.block_days != self.judgement.block_days:
            self.championship.count_anew()
        self._calibration = Calibration(state.calibration if state else None)
        self.begun = dict(state.begun) if state else {}
        published, admitted_ms = (state.challengers, state.admitted_ms) if state else ({}, {})
        self._outsiders = Outsiders(self.championship, self.judgement.forget, published, admitted_ms)
        self._forget_the_gone()

    def restored(self, state: ContestState) -> "Contest":
        """One of the same kind that goes on where another was."""
        return Contest(self._horizon_days, self._own, self._initial, state, self._budget_us)

    def of_judges(self, judges: Mapping[str, JudgeState], newest_ms: int) -> "Contest":
        """One of the same kind that knows what a learner knew that was saved before there were blocks."""
        state = msgspec.structs.replace(self.state(), newest_ms=newest_ms)
        pooled = {name: judges[name] for name in self._own if name in judges and judges[name].rows}
        if len(pooled) == len(self._own):
            floors = {floor: pooled[floor].loss for floor in FLOORS}
            beside = {name: floors for name in self._own if name not in FLOORS}
            judgement = msgspec.structs.replace(state.judgement, pooled=pooled, beside=beside)
            state = msgspec.structs.replace(state, judgement=judgement)
        return self.restored(state)

    @property
    def challengers(self) -> dict[str, ChallengerDocument]:
        """Name -> what was published."""
        return self._outsiders.published

    @property
    def candidates(self) -> tuple[str, ...]:
        """Everybody who takes part."""
        return (*self._own, CALIBRATED, *self.begun, *self.challengers)

    @property
    def over_budget(self) -> dict[str, str]:
        """Challenger that costs too much to be promoted -> why, in words."""
        costs = {name: score_us(each.model) for name, each in self.challengers.items()}
        return {
            name: f"a score by {name!r} takes about {cost:.1f} us, and EBB_SCORE_BUDGET_US is {self._budget_us:g}"
            for name, cost in costs.items()
            if cost > self._budget_us
        }

    def judge(self, labels: LabelRows) -> None:
        """Count labels; whenever one shows that blocks are over, the rule looks at them before it is counted."""
        newest_ms = np.maximum.accumulate(np.maximum(labels.matured_ms, self.newest_ms))
        closed, begin = self.judgement.closed_before(newest_ms), 0
        for at in np.flatnonzero(np.diff(closed, prepend=-1)).tolist():
            if self.championship.closes(block := int(closed[at])):
                self._count(labels.part(begin, at))
                begin, self.newest_ms = at, int(newest_ms[at])
                self._let_go(self.championship.look(self.judgement, block, self.newest_ms, self.over_budget))
        self._count(labels.part(begin, len(labels)))
        self.newest_ms = int(newest_ms[-1])

    def begin(self, name: str, recipe: str, *, is_another: bool) -> bool:
        """Let somebody take part until it has lost a look; whether it does.

        Args:
            name: of no candidate so far.
            recipe: how it is made.
            is_another: it may take the place of one that was begun before and is not ahead; else there must be none.
        """
        before = [other for other in self.begun if other != self.championship.champion]
        evidence = self.evidence() if before else {}
        if before and not (is_another and all((_gain(evidence, other) or 0.0) <= 0.0 for other in before)):
            return False
        self._let_go(before)
        self.begun[name] = recipe
        return True

    def end_behind(self) -> None:
        """Let who was begun go where the closed blocks so far, one at least, say that it is not ahead."""
        if self.begun:
            evidence = self.evidence()
            by = {name: _gain(evidence, name) for name in self.begun}
            self._let_go([name for name, gain in by.items() if gain is not None and gain <= 0.0])

    def _let_go(self, names: Collection[str]) -> None:
        """Who was begun goes, unless it is champion."""
        for name in names:
            if name in self.begun and name != self.championship.champion:
                self._forget(name)
                self.championship.withdrawn(name, self.newest_ms, "")

    def _count(self, labels: LabelRows) -> None:
        others = dict.fromkeys((CALIBRATED, *self.begun), -1) | self._outsiders.judged_after_ms
        counted = scored(labels, self._own, others)
        if len(counted.happened):
            self.judgement.add(counted)
            self._calibration.learn(counted.said[MIX], counted.happened)

    def decide(self, decision: ModelDecision, challenger: ChallengerDocument | None = None) -> str:
        """Do what a person has decided; what was decided already is passed over.

        Args:
            decision: about this outcome.
            challenger: what is admitted, verified.

        Returns:
            Why it was not done; "" if it was.
        """
        if decision.action == "withdraw" and decision.candidate in self.begun:
            return self._withdraw_begun(decision)
        own = (*self._own, CALIBRATED, *self.begun)
        return self._outsiders.decide(decision, challenger, own, self.newest_ms, self.over_budget)

    def _withdraw_begun(self, decision: ModelDecision) -> str:
        name = decision.candidate
        if self.championship.is_new(decision):
            self._forget(name)
            self.championship.withdrawn(name, self.newest_ms, f"{name} was withdrawn")
        return ""

    def _forget_the_gone(self) -> None:
        """Who was a candidate when the state was saved and is none now: nobody makes it, so no rule may see it."""
        for name in {self.championship.champion, *self.judgement.candidates}.difference(self.candidates):
            self.judgement.forget(name)
            self.championship.withdrawn(name, self.newest_ms, f"{name} is no candidate any more")

    def _forget(self, name: str) -> None:
        """Who was begun takes part no more."""
        self.begun.pop(name, None)
        self.judgement.forget(name)

    def joined(self, models: Mapping[str, Model]) -> dict[str, Model]:
        """All candidates: those that the learner made, and those that take part besides."""
        besides = {name: each.model for name, each in self.challengers.items()}
        mix = models[MIX]
        calibrated = {CALIBRATED: self._calibration.applied(mix)} if isinstance(mix, LinearModel) else {}
        return {**models, **calibrated, **besides}

    def metrics(self) -> dict[str, Judged]:
        """Candidate -> its judgement over all labels."""
        judged = {name: judge.judged() for name, judge in self.judgement.pooled.items()}
        return {name: judgement for name, judgement in judged.items() if judgement is not None}

    def evidence(self) -> dict[str, Evidence]:
        """Candidate -> what the blocks say of it beside the champion."""
        return self.championship.evidence(self.judgement)

    def compared(self, one: str, other: str) -> Evidence:
        """What all closed blocks that are kept say of one candidate beside another, also those that a look has used."""
        of_blocks = gains(self.judgement.blocks, one, other)
        return weigh([of_blocks[block] for block in sorted(of_blocks) if not self.is_open(block)])

    def proposed(self) -> str | None:
        """The candidate that the blocks so far propose as champion."""
        return self.championship.proposed(self.judgement, self.over_budget)

    def is_open(self, block: int) -> bool:
        """Whether a block may still get labels."""
        return block >= int(self.judgement.closed_before(np.array([self.newest_ms]))[0])

    def standing(self, metrics: Mapping[str, Judged], made: Collection[str]) -> Standing:
        """How the champion stands beside the floors; until it is among those `made`, the mean logit stands in."""
        champion = self.championship.champion
        champion = MIX if champion in self._own and champion not in made else champion
        return Standing(
            champion=champion,
            is_chosen=self.championship.reigns[-1].by != "start",
            is_pinned=self.championship.is_pinned,
            judged=metrics.get(champion),
            floors=self.judgement.losses_of_floors(champion),
        )

    def lineage(self) -> Lineage:
        """Where the models come from."""
        published = {name: each.recipe or "published" for name, each in self.challengers.items()}
        return Lineage(
            champion=self.championship.reigns[-1],
            is_pinned=self.championship.is_pinned,
            recipes={name: RECIPES[name] for name in (*self._own, CALIBRATED)} | self.begun | published,
        )

    def state(self) -> ContestState:
        """Everything to go on from."""
        return ContestState(
            newest_ms=self.newest_ms,
            judgement=self.judgement.state(),
            championship=self.championship.state(),
            calibration=self._calibration.state(),
            challengers=dict(self.challengers),
            begun=dict(self.begun),
            admitted_ms=dict(self._outsiders.admitted_ms),
        )


def _gain(evidence: Mapping[str, Evidence], candidate: str) -> float | None:
    """By how much closed blocks say that it is better than the champion; None without any."""
    return evidence[candidate].gain if candidate in evidence else None
