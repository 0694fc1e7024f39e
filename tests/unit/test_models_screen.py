"""`ebb models` tells of the challenger that began by itself after drift."""

import msgspec
from click.testing import CliRunner

from ebb.cli.model_decisions import withdraw
from ebb.models.as_json import list_object, show_object
from ebb.models.reading import Known, KnownSegments
from ebb.models.screen import list_screen, show_screen
from ebb.models.segments import segments_screen
from ebb.models.wording import reign
from stream.outcomes.declaration import HIGH_VALUE_90D, PURCHASE_7D
from stream.scoring.documents import HAZARD_MIX, MIX, Reign
from tests.unit.learning.test_learning_after_drift import DAY, NAME, log, taught
from tests.unit.learning.test_learning_segment_contest import known as samples_of_days
from tests.unit.learning.test_learning_segment_contest import settled


def test_a_challenger_that_began_after_drift_is_in_the_list_and_on_the_page_with_its_reason() -> None:
    learner = taught(log(8))
    known = Known(PURCHASE_7D, learner.document("1", DAY), learner.contest)
    assert f"  {NAME} takes part" in list_screen([known])
    (began,) = (line for line in show_screen(known, ["1"], NAME) if "began" in line)
    assert began.startswith(f"  began     {NAME}: mean_logit for which a label before 2009-02-26 counts 0.1: ")
    assert list(list_object([known])["models"][0]["begun"]) == [NAME]
    assert any(line.strip().startswith(NAME) for line in show_screen(known, ["1"], NAME)[8:])


def test_a_challenger_that_is_proposed_is_not_said_to_take_part_besides() -> None:
    learner = taught(log(8, better_by=0.5))
    _, *remarks = list_screen([Known(PURCHASE_7D, learner.document("1", DAY), learner.contest)])[1:-1]
    assert remarks == [f"  {NAME} is proposed"]


def test_the_list_fits_80_columns_with_the_longest_outcome_and_champion() -> None:
    learner, outcome = taught(log(8)), msgspec.structs.replace(PURCHASE_7D, name=HIGH_VALUE_90D.name)
    document = learner.document("123456", DAY)
    candidates = {**document.candidates, HAZARD_MIX: document.candidates[MIX]}
    document = msgspec.structs.replace(document, candidates=candidates, serving=HAZARD_MIX)
    lines = list_screen([Known(outcome, document, learner.contest)])
    assert max(map(len, lines)) <= 80


def test_days_of_which_answers_are_missing_still_are_said_to_be_open() -> None:
    learner = taught(log(8))
    known = Known(PURCHASE_7D, learner.document("1", DAY), learner.contest)
    tables = show_screen(known, ["1"], "mean_logit")
    begin = next(at for at, line in enumerate(tables) if "by when it was said" in line)
    lines = tables[begin + 2 : -1]
    assert ["still open" in line for line in lines] == [False] * (len(lines) - 1) + [True]
    told = show_object(known, ["1"], "mean_logit")["reliability_by_28_days"]
    assert [each["is_open"] for each in told] == [False] * (len(lines) - 1) + [True]


def test_what_is_shown_of_an_outcome_fits_a_terminal_of_120_columns_and_in_two_parts_one_of_80() -> None:
    learner = taught(log(8, better_by=0.5))
    known = Known(PURCHASE_7D, learner.document("1", DAY), learner.contest)
    tables = [line for line in show_screen(known, ["1"], "mean_logit") if "began" not in line]
    assert max(map(len, tables)) <= 120
    parts = [line for line in show_screen(known, ["1"], "mean_logit", columns=80) if "began" not in line]
    assert max(map(len, parts)) <= 80
    assert sum(line.split() == ["candidate", "new", "blocks", "better", "by", "at", "least"] for line in parts) == 1


def test_withdraw_says_that_it_also_ends_what_began_at_a_drift() -> None:
    help_text = " ".join(CliRunner().invoke(withdraw, ["--help"]).output.split())
    assert "a challenger from outside, or one that began at a drift" in help_text


def test_segments_and_their_shares_fit_a_terminal_of_120_columns() -> None:
    learner = settled()
    learner.learn(samples_of_days(range(100, 110)))
    document = learner.document("800", 130)
    lines = segments_screen(KnownSegments(document, learner.contest), ["800"])
    assert max(map(len, lines)) <= 120
    assert ["candidate", "samples", "distance", "online's", "alike"] in [line.split() for line in lines]
    shares = lines.index(next(line for line in lines if line.startswith("  calls so")))
    assert [line.split()[0] for line in lines[shares + 1 : shares + 3]] == ["online", "offline"]
    (centres,) = (line for line in lines if line.startswith("  centres"))
    counted = [part.split()[0] for part in centres.removeprefix("  centres").split(",")]
    assert sum(map(int, counted)) == len(document.names)


def test_who_is_champion_again_because_the_next_has_gone_is_not_said_to_be_so_from_the_start() -> None:
    again = Reign(candidate="mean_logit", since_ms=DAY * 86_400_000, by="start", why="winter was withdrawn")
    assert reign(again) == "mean_logit since 2010-04-01: winter was withdrawn"
    assert reign(Reign(candidate="mean_logit", by="start")) == "mean_logit from the start"
