"""`EBB_OUTCOMES_FILE`: a shop's own outcomes, and what is said of a file that cannot be meant."""

import re
from pathlib import Path

import pytest

from stream.errors import SettingError
from stream.outcomes.declaration import BUILT_IN_NAMES, Outcome
from stream.settings.load import load_offline_settings
from stream.settings.worker import WorkerSettings

PAGE = Path(__file__).parents[2] / "docs" / "outcomes.md"
MINE = '[mine]\nhorizon_days = 20\ntrue_when = "any"\n'


@pytest.fixture
def declared(tmp_path):
    """The settings with a file of outcomes."""

    def load(text: str, **others: str) -> WorkerSettings:
        path = tmp_path / "outcomes.toml"
        path.write_text(text)
        return load_offline_settings({"EBB_OUTCOMES_FILE": str(path), **others})

    return load


def test_outcomes_of_a_file_are_asked_besides_those_that_come_with_ebb(declared):
    predicted = declared(MINE).predicted
    assert predicted.names == (*BUILT_IN_NAMES, "mine")
    assert predicted.outcomes[-1] == Outcome(name="mine", horizon_days=20, true_when="any")


def test_the_files_that_the_documentation_shows_can_be_loaded(declared):
    own, high_value = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    predicted = declared(own, EBB_CATEGORIES="coffee,tea").predicted
    assert predicted.names[-2:] == ("coffee_again_20d", "lost_for_good")
    assert predicted.minimum_minor[-2:] == (4_000, 0)
    (asked,) = re.findall(r"^EBB_OUTCOMES=(.*)$", PAGE.read_text(), re.MULTILINE)
    predicted = declared(high_value, EBB_CURRENCY="JPY", EBB_OUTCOMES=asked).predicted
    assert sorted(predicted.names) == sorted(BUILT_IN_NAMES)
    assert predicted.minimum_minor[-1] == 75_000


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (MINE.replace("20", "400"), "horizon_days 400 is not from 1 to 365"),
        (MINE.replace("20", "20.5"), "Expected `int`, got `float` - at `$.horizon_days`"),
        (MINE.replace("any", "sometimes"), "Invalid enum value 'sometimes'"),
        (MINE.replace("horizon_days", "horizon"), "unknown field `horizon`"),
        (f'{MINE}event = "purchas"', "event 'purchas' is none of purchase, refund"),
        (f'{MINE}category = "tea"', "category 'tea'; there are: none is declared (EBB_CATEGORIES)"),
        (f'{MINE}channel = "moon"', "channel 'moon'; there are: online, in_store, app"),
        (f'{MINE}event = "review"\nchannel = "app"', "channel app is given, but review has no channel"),
        (f'{MINE}event = "add_to_cart"\ncategory = "tea"', "category tea is given, but add_to_cart has no category"),
        (f'{MINE}minimum_amount = "-4"', "minimum_amount '-4' is not a decimal string"),
        (
            f'{MINE}minimum_amount = "12.345"',
            "outcome mine has minimum_amount '12.345'; amounts of EBB_CURRENCY have at",
        ),
        (f"{MINE}active_within_days = 365", "active_within_days 365 is not from 1 to 180"),
        (f'{MINE}within_own_gap = true\nevent = "review"', "within_own_gap is about purchases"),
        (MINE.replace("mine", "Mine"), "name 'Mine' is not lower-case letters"),
        (MINE.replace("mine", "segments"), "name 'segments' is that of the centres of segments"),
        (MINE.replace("mine", "lapsed"), "outcome lapsed is declared twice"),
        ('horizon_days = 20\ntrue_when = "any"', "'horizon_days' outside of the table of an outcome"),
        ("[mine\n", "is no TOML"),
    ],
)
def test_an_outcome_that_cannot_be_meant_is_refused_with_what_is_wrong(declared, text, said):
    with pytest.raises(SettingError, match=re.escape(said)):
        declared(text)


def test_an_amount_has_the_decimals_of_the_currency(declared):
    mine = f'{MINE}minimum_amount = "12.5"'
    assert declared(mine, EBB_CURRENCY="EUR").predicted.minimum_minor[-1] == 1_250
    assert declared(mine, EBB_CURRENCY="KWD").predicted.minimum_minor[-1] == 12_500
    with pytest.raises(
        SettingError, match=re.escape("minimum_amount '12.5'; amounts of EBB_CURRENCY have no decimals")
    ):
        declared(mine, EBB_CURRENCY="JPY")


def test_an_outcome_that_comes_with_ebb_is_declared_otherwise_where_the_list_leaves_it_out(declared):
    with pytest.raises(SettingError, match="can be declared otherwise where EBB_OUTCOMES leaves it out"):
        declared(MINE.replace("mine", "churn_30d"))
    assert declared(MINE.replace("mine", "churn_30d"), EBB_OUTCOMES="lapsed").predicted.outcomes[-1].horizon_days == 20


def test_alerts_by_an_outcome_that_is_not_asked_are_refused_with_those_that_are(declared):
    with pytest.raises(SettingError, match="declare churn_30d, mine: set EBB_ALERT_OUTCOME to one of these"):
        declared(MINE, EBB_OUTCOMES="churn_30d")
