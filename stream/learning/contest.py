"""The candidates of an outcome against each other: who takes part, how each does, and who is champion."""

from collections.abc import Collection, Mapping, Sequence

import msgspec
import numpy as np

from schemas.messages import ModelDecision
from stream.learning.calibration import Calibration, CalibrationState
from stream.learning.champion import Standing
from stream.learning.championship import Championship, ChampionshipState
from stream.learning.evidence import Evidence
from stream.learning.judge import JudgeState
from stream.learning.judgement import Judgement, JudgementState, scored
from stream.learning.label_rows import LabelRows
from stream.learning.recipes import RECIPES
from stream.ports import CHALLENGERS_AT_MOST
from stream.scoring.challengers import ChallengerDocument
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


class Contest:
    """A function of the labels and decisions it is shown, in their order, however many come at once.

    Beside the candidates that the learner makes there is `calibrated`, the mean logit recalibrated, and what
    others have published. They are judged where they had given a score, and never serve by default.

    Args:
        horizon_days: of the outcome.
        own: the candidates that the learner makes.
        initial: which of them is the first champion.
        state: to go on from.

    Attributes:
        judgement: how each candidate does.
        championship: who is champion.
        challengers: name -> what was published.
        newest_ms: the latest maturity of a label so far.
    """

    def __init__(
        self,
        horizon_days: int,
        own: Sequence[str] = CANDIDATES,
        initial: str = MIX,
        state: ContestState | None = None,
    ) -> None:
        self._horizon_days, self._own, self._initial = horizon_days, tuple(own), initial
        self.newest_ms = state.newest_ms if state else 0
        self.judgement = Judgement(horizon_days, state.judgement if state else None)
        self.championship = Championship(initial, state.championship if state else None)
        if state is not None and state.judgement.block_days != self.judgement.block_days:
            self.championship.count_anew()
        self._calibration = Calibration(state.calibration if state else None)
        self.challengers = dict(state.challengers) if state else {}
        if self.championship.champion not in self.candidates:
            why = f"{self.championship.champion} is no candidate any more"
            self.championship.withdrawn(self.championship.champion, self.newest_ms, why)

    def restored(self, state: ContestState) -> "Contest":
        """One of the same kind that goes on where another was."""
        return Contest(self._horizon_days, self._own, self._initial, state)

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
    def candidates(self) -> tuple[str, ...]:
        """Everybody who takes part."""
        return (*self._own, CALIBRATED, *self.challengers)

    def judge(self, labels: LabelRows) -> None:
        """Count labels; whenever one shows that blocks are over, the rule looks at them before it is counted."""
        newest_ms = np.maximum.accumulate(np.maximum(labels.matured_ms, self.newest_ms))
        closed, begin = self.judgement.closed_before(newest_ms), 0
        for at in np.flatnonzero(np.diff(closed, prepend=-1)).tolist():
            if self.championship.closes(int(closed[at])):
                self._count(labels.part(begin, at))
                begin, self.newest_ms = at, int(newest_ms[at])
                self.championship.look(self.judgement, int(closed[at]), self.newest_ms)
        self._count(labels.part(begin, len(labels)))
        self.newest_ms = int(newest_ms[-1])

    def _count(self, labels: LabelRows) -> None:
        others = {CALIBRATED: -1} | {name: each.trained_until_ms for name, each in self.challengers.items()}
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
        if not self.championship.is_new(decision):
            return ""
        if decision.action == "admit":
            self._admit(decision, challenger)
        elif decision.action == "withdraw":
            self._withdraw(decision)
        else:
            self.championship.decide(decision, self.candidates, self.newest_ms)
        return self.championship.refused.get(decision.message_id, "")

    def _admit(self, decision: ModelDecision, challenger: ChallengerDocument | None) -> None:
        name = decision.candidate
        if challenger is None:
            self.championship.refuse(decision, f"challenger {name!r} is not there, or was refused")
        elif name == self.championship.champion:
            self.championship.refuse(decision, f"{name!r} is champion: publish under another name")
        elif name not in self.challengers and len(self.challengers) >= CHALLENGERS_AT_MOST:
            there = ", ".join(sorted(self.challengers))
            self.championship.refuse(decision, f"there are {CHALLENGERS_AT_MOST} already: withdraw one of {there}")
        else:
            self._forget(name)
            self.challengers[name] = challenger

    def _withdraw(self, decision: ModelDecision) -> None:
        name = decision.candidate
        if name not in self.challengers:
            known = ", ".join(sorted(self.challengers)) or "none"
            self.championship.refuse(decision, f"{name!r} is no challenger from outside; there are: {known}")
            return
        self._forget(name)
        self.championship.withdrawn(name, self.newest_ms, f"{name} was withdrawn")

    def _forget(self, name: str) -> None:
        self.challengers.pop(name, None)
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

    def proposed(self) -> str | None:
        """The candidate that the blocks so far propose as champion."""
        return self.championship.proposed(self.judgement)

    def is_open(self, block: int) -> bool:
        """Whether a block may still get labels."""
        return block >= int(self.judgement.closed_before(np.array([self.newest_ms]))[0])

    @property
    def decisions(self) -> int:
        """How many decisions of a person it has been shown."""
        return self.championship.decisions

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
            recipes={name: RECIPES[name] for name in (*self._own, CALIBRATED)} | published,
        )

    def state(self) -> ContestState:
        """Everything to go on from."""
        return ContestState(
            newest_ms=self.newest_ms,
            judgement=self.judgement.state(),
            championship=self.championship.state(),
            calibration=self._calibration.state(),
            challengers=dict(self.challengers),
        )
