"""What `ebb models` shows, for a reader."""

from collections.abc import Mapping, Sequence

from ebb.models.reading import Known
from ebb.models.wording import day, digits, newest, present_reign, reign, signed, time
from ebb.text import aligned, percent, printable
from stream.learning.evidence import BETTER_BY, BLOCKS_TO_DECIDE, Evidence, gains
from stream.learning.judge import Judge, Reliability
from stream.learning.judgement import PERIOD_DAYS, reliability_by_period
from stream.scoring.documents import FLOORS, Judged

STILL_OPEN = "still open"
FIGURES = ("log loss", "Brier", "AUC", "PR AUC", "ECE")


def list_screen(models: Sequence[Known]) -> list[str]:
    """A line an outcome, and below it what should be known at a glance; 80 columns, whatever takes part."""
    rows = [("outcome", "serves", "judged", "log loss", "floor", "AUC", "ECE", "version")]
    for known in models:
        metrics = known.contest.metrics()
        serving = known.document.serving if known.document else None
        judged = metrics.get(serving) if serving else None
        floors = [metrics[floor].log_loss for floor in FLOORS if floor in metrics]
        rows.append(
            (
                known.outcome.name,
                serving or "–",
                f"{judged.rows:,}" if judged else "–",
                digits(judged.log_loss if judged else None),
                digits(min(floors, default=None)),
                digits(judged.auc if judged else None, 3),
                digits(judged.ece if judged else None, 3),
                known.document.version if known.document else "refused" if known.refused else "none yet",
            )
        )
    heading, *lines = aligned(rows, "<<>>>>><", gap=2)
    remarks = ([f"  {remark}" for remark in _remarks(known)] for known in models)
    shown = [said for line, below in zip(lines, remarks, strict=True) for said in (line, *below)]
    return [heading, *shown, f"next: ebb models show {models[0].outcome.name}"]


def _remarks(known: Known) -> list[str]:
    """What a person should know of an outcome at a glance."""
    if known.refused:
        return [f"ebb models show {known.name} says why"]
    champion, proposed = known.contest.championship.champion, known.contest.proposed()
    took_part = [f"{name} takes part" for name in known.contest.begun if name not in (champion, proposed)]
    return [*_of_the_champion(known, champion), *took_part]


def _of_the_champion(known: Known, champion: str) -> list[str]:
    proposed = known.contest.proposed()
    if known.contest.championship.is_pinned:
        return ["pinned"]
    if proposed:
        return [f"{proposed} is proposed"]
    if known.document and known.document.serving not in (None, champion):
        return [f"{champion} is not ahead of the floors yet"]
    return []


def show_screen(known: Known, versions: Sequence[str], candidate: str, columns: int | None = None) -> list[str]:
    """Everything about an outcome's models; the reliability tables are those of `candidate`.

    Tables are in two parts where a terminal of so many `columns` is too narrow.
    """
    name, contest, document = known.outcome.name, known.contest, known.document
    if document is None:
        return [f"{name} has no model yet: it needs labels, and a learner (`ebb learner`)."]
    metrics = contest.metrics()
    share = percent(document.positives / document.labels) if document.labels else "–"
    lines = [
        f"{name} · {document.serving or 'nothing'} serves · version {document.version} of {day(document.epoch_day)}",
        f"  champion  {present_reign(contest.championship)}",
        f"  learned   {document.labels:,} labels until {time(document.trained_until_ms)}, {share} of them true",
        f"  columns   layout {document.layout}, schema {document.schema or 'unknown'}",
        f"  versions  {newest(versions)}",
    ]
    lines += [f"  began     {name}: {recipe}" for name, recipe in contest.begun.items()]
    lines += [f"  published {name}: {printable(each.recipe)}" for name, each in contest.challengers.items()]
    before = [reign(each) for each in contest.championship.reigns[-2::-1]]
    lines += [f"  before    {each}" for each in before[:5]]
    if not metrics:
        return [*lines, "  No label carries scores yet: they come a horizon after the first model."]
    lines += ["", *_candidates(known, metrics, columns), "", *_advice(known)]
    judge = contest.judgement.pooled.get(candidate)
    if judge is not None:
        periods = list(reliability_by_period(contest.judgement.periods, candidate))
        lines += [
            "",
            *_reliability(candidate, judge.reliability()),
            "",
            *_by_period(known, candidate, periods, columns),
        ]
    return [*lines, f"next: ebb models compare {name} {contest.championship.champion} {_other(known)}"]


def _candidates(known: Known, metrics: Mapping[str, Judged], columns: int | None) -> list[str]:
    evidence, costs = known.contest.evidence(), known.costs_us
    champion = known.contest.championship.champion
    rows: list[Sequence[str]] = [("candidate", "labels", *FIGURES, "us", "new blocks", "better by", "at least")]
    for candidate in known.contest.candidates:
        said = evidence.get(candidate, Evidence(blocks=0))
        against = ("", "champion", "") if candidate == champion else _against(said)
        cost = digits(costs[candidate], 2) if candidate in costs else "–"
        rows.append((candidate, *_figures(metrics.get(candidate)), cost, *against))
    return _in_parts(rows, "<" + ">" * 10, 8, columns)


def _in_parts(rows: Sequence[Sequence[str]], sides: str, cut: int, columns: int | None) -> list[str]:
    """A table; where a terminal is too narrow, one up to column `cut` and one of the rest behind the first column."""
    lines = aligned(rows, sides, indent="  ", gap=2)
    if columns is None or max(map(len, lines)) <= columns:
        return lines
    first = aligned([row[:cut] for row in rows], sides[:cut], indent="  ", gap=2)
    rest = aligned([(row[0], *row[cut:]) for row in rows], sides[0] + sides[cut:], indent="  ", gap=2)
    return [*first, "", *rest]


def _against(evidence: Evidence) -> tuple[str, str, str]:
    return f"{evidence.blocks}", signed(evidence.gain), signed(evidence.bound)


def _figures(judged: Judged | None) -> tuple[str, ...]:
    if judged is None:
        return ("–",) * (1 + len(FIGURES))
    numbers = (judged.log_loss, judged.brier, judged.auc, judged.pr_auc, judged.ece)
    return f"{judged.rows:,}", *(digits(number) for number in numbers)


def _advice(known: Known) -> list[str]:
    """What the blocks say, and what a person may do."""
    contest, name, days = known.contest, known.outcome.name, known.contest.judgement.block_days
    rule = (
        f"  A block is {days} days of snapshots. After {BLOCKS_TO_DECIDE} new ones the rule looks once:",
        f"  who is better by {digits(BETTER_BY, 3)} with 95 % confidence becomes champion.",
    )
    barred = [f"  not to be promoted: {why}." for why in contest.over_budget.values()]
    proposed = contest.proposed()
    if proposed is None:
        return [*rule, *barred]
    said = contest.evidence()[proposed]
    return [
        *rule,
        *barred,
        f"  proposed: {proposed}, better by {signed(said.bound)} at least over {said.blocks} blocks.",
        f"  To promote it now: ebb models promote {name} {proposed}",
    ]


def _reliability(candidate: str, groups: Sequence[Reliability]) -> list[str]:
    rows = [("labels", "said", "happened", "")]
    rows += [
        (f"{group.labels:,}", _percent(group.said), _percent(group.happened), _bar(group.happened)) for group in groups
    ]
    return [f"  what {candidate} said, and what came true", *aligned(rows, ">>><", indent="  ")]


def _by_period(known: Known, candidate: str, periods: Sequence[tuple[int, Judge]], columns: int | None) -> list[str]:
    said = "said > happened, % by tenths of the labels"
    rows = [(f"{PERIOD_DAYS} days from", "labels", "log loss", "AUC", "ECE", "", said)]
    for first_day, judge in periods:
        judged = judge.judged()
        groups = " ".join(f"{round(100 * g.said):>2}>{round(100 * g.happened):<2}" for g in judge.reliability())
        if judged is not None:
            figures = digits(judged.log_loss), digits(judged.auc, 3), digits(judged.ece, 3)
            state = STILL_OPEN if known.is_period_open(first_day) else ""
            rows.append((day(first_day), f"{judged.rows:,}", *figures, state, groups))
    return [f"  {candidate} by when it was said", *_in_parts(rows, "<>>>><<", 6, columns)]


def compare_screen(known: Known, one: str, other: str) -> list[str]:
    """Two candidates block by block, on the same labels."""
    metrics, judgement = known.contest.metrics(), known.contest.judgement
    rows = [("candidate", "labels", *FIGURES), *((each, *_figures(metrics.get(each))) for each in (one, other))]
    lines = [
        f"{known.outcome.name} · {one} and {other} on the scores stored with snapshots",
        *aligned(rows, "<" + ">" * 6, indent="  "),
    ]
    by_block = gains(judgement.blocks, one, other)
    if not by_block:
        return [*lines, "", "  No block has been scored wholly by both yet."]
    table: list[Sequence[str]] = [("snapshots from", "labels", one, other, "better by", "")]
    for block in sorted(by_block):
        judges = judgement.blocks[block]
        losses = [digits(judges[each].loss / judges[each].rows) for each in (one, other)]
        is_open = known.contest.is_open(block)
        first_day = day(block * judgement.block_days)
        table.append(
            (first_day, f"{judges[one].rows:,}", *losses, signed(by_block[block]), STILL_OPEN if is_open else "")
        )
    verdict = _verdict(one, other, known.contest.compared(one, other))
    return [*lines, "", *aligned(table, "<>>>><", indent="  "), f"  {verdict}"]


def _verdict(one: str, other: str, said: Evidence) -> str:
    if said.gain is None or said.bound is None:
        return "Two closed blocks are needed to say who is better."
    by = f"{signed(said.gain)} in the mean of {said.blocks} closed blocks, more than {signed(said.bound)} with 95 %"
    return f"{one} is better than {other}: {by}." if said.is_better else f"No evidence that {one} is better: {by}."


def _other(known: Known) -> str:
    """Who might be compared with the champion."""
    others = [name for name in known.contest.candidates if name != known.contest.championship.champion]
    return known.contest.proposed() or others[0]


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _bar(share: float) -> str:
    return "▪" * round(20 * share)
