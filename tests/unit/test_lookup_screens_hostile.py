"""What `ebb lookup` and `ebb at-risk` show of a view that somebody else has written into Redis."""

from datetime import UTC, datetime

import msgspec

from ebb.cli.lookup import at_risk_screen, customer_screen
from ebb.lookup import Page, View
from stream.outcomes.declaration import BUILT_IN, LAPSED
from tests.integration.stored_views import view_of

HOSTILE = "\x1b[2J\u202eforged\nline\x9b"


def test_a_view_of_a_stranger_moves_no_cursor_and_adds_no_line() -> None:
    plain = msgspec.to_builtins(view_of("ada", "At Risk", silent=211))
    score = {**plain["scores"]["lapsed"], "model": HOSTILE, "version": HOSTILE}
    hostile = {"customer_id": HOSTILE, "segment": HOSTILE, "reasons": [HOSTILE], "scores": {HOSTILE: score}}
    view, before = msgspec.convert(plain | hostile, View), msgspec.convert(plain, View)
    assert len(customer_screen(view, BUILT_IN)) == len(customer_screen(before, BUILT_IN)) - len(plain["scores"]) + 1
    page = at_risk_screen(Page([view], datetime(2010, 12, 9, tzinfo=UTC)), LAPSED)
    for line in (*customer_screen(view, BUILT_IN), *page):
        assert line.isprintable()
