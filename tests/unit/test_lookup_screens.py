"""What `ebb segments` and `ebb lookup --why` show where a currency has no decimals and where a terminal is narrow."""

from datetime import UTC, datetime

import msgspec
import pytest

from ebb.cli.lookup import customer_screen, segments_screen
from ebb.cli.why_screen import why_screen
from ebb.lookup import Page, SegmentSize, View
from ebb.why import Reference, Share, Why
from stream.outcomes.declaration import BUILT_IN
from tests.integration.stored_views import view_of

SILENT, USUALLY = "no purchase for 211 days, usual gap 15", "no purchase for 21 days, usual gap 28"
WHY = Why(
    customer_id="12482",
    outcome="lapsed",
    model="mean_logit",
    version="9709",
    as_of_ms=0,
    logit=1.14,
    probability=0.758,
    shown_probability=0.758,
    currency="GBP",
    reference=Reference(who="the mean of 9,709 sampled customers", logit=-0.02, probability=0.495),
    shares=(Share(concept="silence", logit=1.16, probability=0.255, customer=SILENT, reference=USUALLY, figures=()),),
)


@pytest.mark.parametrize(("currency", "mean"), [("JPY", "85 JPY"), ("EUR", "€ 84.56"), ("KWD", "84.562 KWD")])
def test_a_mean_has_the_decimals_of_its_currency(currency: str, mean: str) -> None:
    page = Page([SegmentSize("Champions", 2, 1.0, 84.5618, 2)], datetime(2010, 12, 9, tzinfo=UTC))
    assert segments_screen(page, currency)[1].endswith(f"  {mean}")


def test_what_customers_do_is_below_the_numbers_where_a_terminal_is_too_narrow() -> None:
    lines = why_screen(WHY, "no purchase within twice the usual gap", columns=80)
    assert lines[1:7] == [
        "                       logit   probability",
        "  reference customer   −0.02        49.5 %",
        "  silence              +1.16       +25.5",
        f"      {SILENT}",
        f"      reference: {USUALLY}",
        "  this customer         1.14        75.8 %",
    ]


def test_both_customers_are_beside_each_other_where_there_is_room() -> None:
    wide = why_screen(WHY, "no purchase within twice the usual gap")
    assert wide == why_screen(WHY, "no purchase within twice the usual gap", columns=200)
    assert f"{SILENT}   {USUALLY}" in wide[3]


def test_a_customer_fits_a_terminal_and_is_one_table_where_there_is_room() -> None:
    view = msgspec.convert(msgspec.to_builtins(view_of("17850", "At Risk", silent=211)), View)
    wide = customer_screen(view, BUILT_IN)
    assert wide == customer_screen(view, BUILT_IN, 120)
    narrow = "\n".join(customer_screen(view, BUILT_IN, 60)).split("\n")
    assert max(map(len, narrow)) <= 60 < max(map(len, wide))
    (at,) = (at for at, line in enumerate(narrow) if line.startswith("  no purchase within twice the usual gap"))
    assert narrow[at + 1].startswith("      ")
    assert " ".join(" ".join(narrow).split()) == " ".join(" ".join(wide).split()), "nothing is left out"


@pytest.mark.parametrize(("refunds", "said"), [(0, "0 refunds, "), (1, "1 refund, "), (2, "2 refunds, ")])
def test_refunds_are_counted_in_words(refunds: int, said: str) -> None:
    stored = view_of("17850", "At Risk", silent=211)
    stored = msgspec.structs.replace(stored, features=stored.features | {"refunds": refunds})
    (line,) = (
        line for line in customer_screen(msgspec.convert(msgspec.to_builtins(stored), View), BUILT_IN) if said in line
    )
    assert "net spend" in line
