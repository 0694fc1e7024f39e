"""`ebb models` tells of the challenger that began by itself after drift."""

from ebb.models.objects import list_object
from ebb.models.reading import Known
from ebb.models.screen import list_screen, show_screen
from ebb.models.wording import reign
from stream.outcomes.declaration import PURCHASE_7D
from stream.scoring.documents import Reign
from tests.unit.learning.test_learning_after_drift import DAY, NAME, log, taught


def test_a_challenger_that_began_after_drift_is_in_the_list_and_on_the_page_with_its_reason() -> None:
    learner = taught(log(8))
    known = Known(PURCHASE_7D, learner.document("1", DAY), learner.contest)
    assert any(line.endswith(f"{NAME} takes part") for line in list_screen([known]))
    (began,) = (line for line in show_screen(known, ["1"], NAME) if "began" in line)
    assert began.startswith(f"  began     {NAME}: mean_logit for which a label before 2009-02-26 counts 0.1: ")
    assert list(list_object([known])["models"][0]["begun"]) == [NAME]
    assert any(line.strip().startswith(NAME) for line in show_screen(known, ["1"], NAME)[8:])


def test_a_challenger_that_is_proposed_is_not_said_to_take_part_besides() -> None:
    learner = taught(log(8, better_by=0.5))
    (row,) = list_screen([Known(PURCHASE_7D, learner.document("1", DAY), learner.contest)])[1:-1]
    assert (row.endswith(f"{NAME} is proposed"), "takes part" in row) == (True, False)


def test_who_is_champion_again_because_the_next_has_gone_is_not_said_to_be_so_from_the_start() -> None:
    again = Reign(candidate="mean_logit", since_ms=DAY * 86_400_000, by="start", why="winter was withdrawn")
    assert reign(again) == "mean_logit since 2010-04-01: winter was withdrawn"
    assert reign(Reign(candidate="mean_logit", by="start")) == "mean_logit from the start"
