"""What the demo shows on a terminal of 80 columns."""

from datetime import UTC, datetime

import msgspec

from ebb.cli.demo import OWN_DATA
from ebb.cli.lookup import at_risk_screen
from ebb.lookup import Page, View
from ebb.text import fitted
from stream.outcomes.declaration import LAPSED
from tests.integration.stored_views import view_of


def page(*segments: str) -> Page[View]:
    views = [view_of(f"1248{at}", segment, silent=211) for at, segment in enumerate(segments)]
    return Page(
        [msgspec.convert(msgspec.to_builtins(view), View) for view in views], datetime(2010, 12, 9, 20, 1, tzinfo=UTC)
    )


def test_who_is_at_risk_has_segment_and_why_below_where_a_line_has_no_room_for_them() -> None:
    assert at_risk_screen(page("At Risk", "Potential Loyalists"), LAPSED, columns=80) == [
        "customer   value at risk   no purchase within twice the usual gap",
        "12480              £ 214                                      9 %",
        "    At Risk · no purchase for 211 days, usual gap 6",
        "12481              £ 214                                      9 %",
        "    Potential Loyalists · no purchase for 211 days, usual gap 6",
        "as of 2010-12-09 20:01 UTC · next: ebb lookup 12480",
    ]


def test_with_room_for_everything_who_is_at_risk_has_one_line() -> None:
    wide = at_risk_screen(page("At Risk"), LAPSED)
    assert wide == at_risk_screen(page("At Risk"), LAPSED, columns=200)
    assert wide[0].endswith("segment   why")


def test_a_path_is_not_broken() -> None:
    assert fitted(OWN_DATA, 80).splitlines() == [
        "your own data: ebb demo --history FILE --source online_retail",
        "    (docs/your-own-data.md)",
    ]
