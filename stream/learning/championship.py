"""Which candidate is champion, since when and by whom: a rule proposes and promotes, a person has the last word."""

from collections.abc import Collection, Iterable, Mapping

import msgspec

from schemas.messages import ModelDecision
from stream.learning.evidence import BLOCKS_TO_DECIDE, Evidence, gains, weigh
from stream.learning.judgement import Judgement
from stream.scoring.documents import Reign

REIGNS_KEPT = 20
DECISIONS_KNOWN = 64  # a decision is read twice only after a crash, so soon


class ChampionshipState(msgspec.Struct, frozen=True, kw_only=True):
    """A championship as numbers and names; meanings as in `Championship`."""

    reigns: tuple[Reign, ...]
    is_pinned: bool
    closed: int | None
    fresh_from: int
    looked_until: dict[str, int]
    decided: tuple[str, ...]
    refused: dict[str, str]
    decisions: int


class Championship:
    """Keeps the champion of an outcome; a function of the labels and decisions it is shown, in their order.

    **The rule.** Eight blocks that the champion and a candidate have both scored wholly, and that count for nothing
    else yet, are looked at once, when the last of them is closed. If the candidate's gain is larger than .002 nats with
    95 % confidence it is champion from then on; of several the one with the highest bound. If not, these blocks are
    used up: it takes eight new ones until the next look. A new champion starts everybody's count again. Floors are
    candidates like the others, so a champion goes as it came. Who is barred is not looked at.

    Args:
        initial: the first champion.
        state: to go on from.

    Attributes:
        reigns: who was champion, the champion last.
        is_pinned: whether a person has said that nobody else shall be.
        decisions: how many of a person's there were.
        refused: id of a decision -> why it was not.
    """

    def __init__(self, initial: str, state: ChampionshipState | None = None) -> None:
        self._initial = initial
        self.reigns = list(state.reigns) if state else [Reign(candidate=initial, by="start")]
        self.is_pinned = state is not None and state.is_pinned
        self.decisions = state.decisions if state else 0
        self.refused = dict(state.refused) if state else {}
        self._closed = state.closed if state else None
        self._fresh_from = state.fresh_from if state else 0
        self._looked_until = dict(state.looked_until) if state else {}
        self._decided = dict.fromkeys(state.decided if state else ())

    @property
    def champion(self) -> str:
        """The candidate that serves, unless it is below a floor."""
        return self.reigns[-1].candidate

    def count_anew(self) -> None:
        """Blocks are of another length from now on, and so are their numbers; whoever is champion stays it."""
        self._closed, self._fresh_from, self._looked_until = None, 0, {}

    def closes(self, closed: int) -> bool:
        """Whether blocks have been closed since the last look; `closed` is the first that is open."""
        return self._closed is None or closed > self._closed

    def look(self, judgement: Judgement, closed: int, now_ms: int, barred: Mapping[str, str]) -> Collection[str]:
        """Decide by the rule, now that all blocks before `closed` are over.

        Args:
            judgement: of all candidates.
            closed: the first block that is open.
            now_ms: maturity of the label that closed them.
            barred: who may not be promoted -> why.

        Returns:
            Who was looked at and is not better for certain. One that is, but not the best, has lost nothing: its count
            starts again beside the new champion.
        """
        self._closed = closed
        if self.is_pinned:
            return ()
        found = {
            name: each
            for name, each in self.evidence(judgement).items()
            if each.blocks >= BLOCKS_TO_DECIDE and name not in barred
        }
        self._looked_until |= dict.fromkeys(found, closed)
        better = {name: each.bound or 0.0 for name, each in found.items() if each.is_better}
        if better:
            winner = max(better, key=lambda name: better[name])
            gain, bound = found[winner].gain or 0.0, better[winner]
            why = f"log loss {gain:.4f} lower over {found[winner].blocks} blocks, more than {bound:.4f} with 95 %"
            self._enthrone(Reign(candidate=winner, since_ms=now_ms, by="rule", why=why))
        return [name for name in found if name not in better]

    def evidence(self, judgement: Judgement) -> dict[str, Evidence]:
        """Candidate -> what the closed blocks say of it beside the champion that count for nothing else yet."""
        found = {}
        for name in judgement.pooled:
            if name != self.champion:
                after = max(self._fresh_from, self._looked_until.get(name, 0))
                of_blocks = gains(judgement.blocks, name, self.champion)
                fresh = [of_blocks[block] for block in sorted(of_blocks) if after <= block < (self._closed or 0)]
                found[name] = weigh(fresh)
        return found

    def proposed(self, judgement: Judgement, barred: Mapping[str, str]) -> str | None:
        """The candidate that is better by the blocks so far, fewer than decide; a person may promote it."""
        found = {
            name: each.bound or 0.0
            for name, each in self.evidence(judgement).items()
            if each.is_better and name not in barred
        }
        return max(found, key=lambda name: found[name]) if found else None

    def has_seen(self, decision: ModelDecision) -> bool:
        """Whether a decision was shown, taken or not."""
        return decision.message_id in self._decided

    def is_new(self, decision: ModelDecision) -> bool:
        """Remember a decision. False if it was there before: the log repeats what was read before a crash."""
        if self.has_seen(decision):
            return False
        self.decisions += 1
        self._decided[decision.message_id] = None
        while len(self._decided) > DECISIONS_KNOWN:
            forgotten = next(iter(self._decided))
            del self._decided[forgotten]
            self.refused.pop(forgotten, None)
        return True

    def decide(
        self, decision: ModelDecision, candidates: Iterable[str], now_ms: int, barred: Mapping[str, str]
    ) -> None:
        """Do what a person has decided, or keep in `refused` why it cannot be done.

        Args:
            decision: a new one.
            candidates: who can be champion.
            now_ms: maturity of the last label.
            barred: who may not be promoted -> why.
        """
        known = sorted(candidates)
        chosen = self._before(known) if decision.action == "rollback" else decision.candidate
        if decision.action in ("promote", "pin", "rollback"):
            if not chosen:
                why = f"nobody who takes part was champion before {self.champion}: there is none to go back to"
                self.refuse(decision, why)
                return
            if chosen not in known:
                self.refuse(decision, f"{chosen!r} is none of the candidates {', '.join(known)}")
                return
            if chosen != self.champion:
                if chosen in barred:
                    self.refuse(decision, barred[chosen])
                    return
                by = decision.decided_by
                self._enthrone(Reign(candidate=chosen, since_ms=now_ms, by="person", who=by, why=decision.action))
        self.is_pinned = decision.action == "pin"

    def refuse(self, decision: ModelDecision, why: str) -> None:
        """Keep why a decision was not taken."""
        self.refused[decision.message_id] = why

    def withdrawn(self, candidate: str, now_ms: int, why: str) -> None:
        """A candidate is one no more; if it was champion, the first one is again."""
        self._looked_until.pop(candidate, None)
        if candidate == self.champion:
            self.is_pinned = False
            self._enthrone(Reign(candidate=self._initial, since_ms=now_ms, by="start", why=why))

    def _before(self, known: Collection[str]) -> str:
        """The champion before this one, of those who still take part; "" if there is none."""
        others = (reign.candidate for reign in reversed(self.reigns) if reign.candidate != self.champion)
        return next((candidate for candidate in others if candidate in known), "")

    def _enthrone(self, reign: Reign) -> None:
        self.reigns = [*self.reigns, reign][-REIGNS_KEPT:]
        self._fresh_from, self._looked_until = self._closed or 0, {}

    def state(self) -> ChampionshipState:
        """Everything to go on from."""
        return ChampionshipState(
            reigns=tuple(self.reigns),
            is_pinned=self.is_pinned,
            closed=self._closed,
            fresh_from=self._fresh_from,
            looked_until=dict(self._looked_until),
            decided=tuple(self._decided),
            refused=dict(self.refused),
            decisions=self.decisions,
        )
