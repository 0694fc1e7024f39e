"""What `ebb alerts watch` writes of a message."""

from types import SimpleNamespace

import msgspec
import pytest

from ebb.cli.alerts import line_of, shown
from schemas.messages import ChurnAlertClosed, ChurnAlertOpened, SegmentChanged

AT_MS = 1_291_924_860_000  # 2010-12-09 20:01 UTC
COMMON = {"message_id": "m", "partition": 3, "sequence": 1, "customer_id": "17850"}
OPENED = ChurnAlertOpened(
    **COMMON,
    opened_ms=AT_MS,
    episode_ms=AT_MS,
    probability=0.83,
    value_at_risk="214.06",
    currency="GBP",
    reasons=["no purchase for 41 days, usual gap 12", "net spend 258"],
    model="river_logistic",
    model_version="14951",
)
CLOSED = {"closed_ms": AT_MS, "episode_ms": AT_MS, "opened_message_id": "o"}


OPENED_LINE = "opened  17850  83 %  £ 214 at risk  no purchase for 41 days, usual gap 12 · net spend 258"
RECORD = SimpleNamespace(value=msgspec.json.encode(OPENED))


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (OPENED, OPENED_LINE),
        (ChurnAlertClosed(**COMMON, **CLOSED, cause="purchase"), "closed  17850  bought again"),
        (ChurnAlertClosed(**COMMON, **CLOSED, cause="probability", probability=0.62), "closed  17850  fell to 62 %"),
        (ChurnAlertClosed(**COMMON, **CLOSED, cause="probability"), "closed  17850  the probability fell"),
        (ChurnAlertClosed(**COMMON, **CLOSED, cause="erased"), "closed  17850  the customer was erased"),
        (ChurnAlertClosed(**COMMON, **CLOSED, cause="merged"), "closed  17850  the customer was merged into another"),
        (
            SegmentChanged(**COMMON, changed_ms=AT_MS, left="Champions", entered="At Risk", model_version="s"),
            "moved   17850  Champions → At Risk",
        ),
    ],
)
def test_each_kind_of_message_is_one_line(message, line):
    assert line_of(message) == f"2010-12-09 20:01  {line}"


@pytest.mark.parametrize("columns", [80, None])
def test_a_narrow_terminal_has_the_rest_of_a_line_below_and_a_pipe_has_it_whole(columns, monkeypatch):
    monkeypatch.setattr("ebb.cli.alerts.terminal_columns", lambda: columns)
    lines = shown(RECORD, as_json=False).split("\n")
    whole = f"2010-12-09 20:01  {OPENED_LINE}"
    assert lines == ([whole] if columns is None else [whole[:78], f"    {whole[79:]}"])
    assert "\n" not in shown(RECORD, as_json=True)
