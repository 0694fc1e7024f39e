"""Views in a Redis on the screens of `ebb lookup`, `ebb segments` and `ebb at-risk`."""

import json

import pytest
from click.testing import CliRunner

from ebb.cli import main
from stream.outcomes.declaration import BUILT_IN
from tests.integration.stored_views import HOSTILE_IDS, NOW_MS, apply, begin_deployment, fill_shop, view_of


@pytest.fixture
async def shop(redis_url):
    await fill_shop(redis_url)
    return redis_url


@pytest.fixture
def empty(redis_url):
    begin_deployment(redis_url)
    return redis_url


def run(url, *arguments):
    return CliRunner().invoke(main, list(arguments), env={"EBB_REDIS_URL": url, "EBB_CURRENCY": "GBP"})


def test_ebb_lookup_shows_a_customer(shop):
    result = run(shop, "lookup", "13065")
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "13065 · Loyal Customers since 2010-03-02 · as of 2010-12-09 20:01 UTC",
        "  no purchase within 30 days                  18 %   river_logistic, version 14951-3f2a",
        "  purchase within 7 days                      31 %   river_logistic, version 14951-77c0",
        "  no purchase within twice the usual gap       9 %   mean_logit, version 14951-9a01",
        "  value at risk                            £ 65.50   churn alert: none open",
        "  purchases                                     31   first 2009-12-01, last 2010-12-05",
        "  silent for                                4 days   usual gap 6 days",
        "  net spend of a year                      £ 3,212   2 refunds, £ 40.12",
        "  why: no purchase for 4 days, usual gap 6 · net spend of the last year 3,212 GBP",
        "  next: ebb lookup 13065 --json",
    ]


def test_ebb_lookup_json_is_the_view(shop):
    assert json.loads(run(shop, "lookup", "13065", "--json").output)["value_at_risk"] == "65.50"


def test_a_hostile_id_cannot_touch_the_terminal(shop):
    output = run(shop, "lookup", HOSTILE_IDS[2]).output
    assert output.splitlines()[0].startswith(r"line\nbreak \x1b[2J · Loyal Customers")
    assert r"next: ebb lookup $'line\nbreak \x1b[2J' --json" in output
    assert "\x1b" not in output


def test_ebb_segments_shows_a_line_a_segment(shop):
    assert run(shop, "segments").output.splitlines() == [
        "segment               customers   share   mean value at risk",
        "Unsegmented                  17    14 %              £ 63.50",
        "Champions                    18    15 %              £ 61.00",
        "Loyal Customers              21    17 %              £ 47.36",
        "Potential Loyalists          17    14 %              £ 59.50",
        "New Customers                17    14 %              £ 60.50",
        "At Risk                      17    14 %              £ 61.50",
        "Need Attention               17    14 %              £ 62.50",
        "everybody                   124",
        "as of 2010-12-09 20:01 UTC · next: ebb at-risk",
    ]


def test_ebb_segments_json_has_all_seven(shop):
    answer = json.loads(run(shop, "segments", "--json").output)
    assert answer["as_of_ms"] == NOW_MS
    assert [size["customers"] for size in answer["segments"]] == [17, 18, 21, 17, 17, 17, 17]


def test_ebb_at_risk_shows_a_line_a_customer(shop):
    why = "no purchase for 4 days, usual gap 6"
    assert run(shop, "at-risk", "-n", "2").output.splitlines() == [
        "customer   value at risk   no purchase within twice the usual gap   segment       why",
        f"13120              £ 120                                      9 %   Champions     {why}",
        f"13119              £ 120                                      9 %   Unsegmented   {why}",
        "as of 2010-12-09 20:01 UTC · next: ebb lookup 13120",
    ]


def test_ebb_at_risk_json_has_the_views(shop):
    answer = json.loads(run(shop, "at-risk", "-n", "1", "--json").output)
    assert (answer["as_of_ms"], answer["customers"][0]["customer_id"]) == (NOW_MS, "13120")


def test_ebb_at_risk_before_there_is_a_model_says_why_nobody_is(empty):
    assert run(empty, "at-risk").output == "Nobody has value at risk: there is no churn model before 200 labels.\n"
    assert run(empty, "segments").output.splitlines()[-1] == "no event has been applied yet · next: ebb at-risk"


@pytest.mark.parametrize("command", [["lookup", "99999"], ["lookup", "\udcff"]])
def test_a_failed_command_says_why_in_one_line_on_stderr(shop, command):
    result = run(shop, *command)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1
    assert "is unknown: no event of this customer has been applied" in result.stderr


def test_commands_without_redis_say_so(redis_url):
    for command in (["lookup", "13064"], ["segments"], ["at-risk"]):
        result = run("redis://:secret@127.0.0.1:1/0", *command)
        assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1)
        assert "redis://127.0.0.1:1/0 does not work" in result.stderr
        assert "secret" not in result.stderr


async def test_ebb_segments_says_of_a_large_segment_that_its_mean_is_over_some(redis_url):
    await apply(redis_url, [view_of(f"c{i}", "Champions") for i in range(3_000)])
    assert run(redis_url, "segments").output.splitlines()[2].endswith("≈ £ 214")


def test_words_are_those_of_what_workers_ask_and_a_sentence_says_that_it_is_declared_otherwise(shop, tmp_path):
    declared = tmp_path / "outcomes.toml"
    declared.write_text('[lapsed]\nhorizon_days = 20\ntrue_when = "none"\n')
    outcomes = ",".join(outcome.name for outcome in BUILT_IN if outcome.name != "lapsed")
    environ = {"EBB_REDIS_URL": shop, "EBB_OUTCOMES": outcomes, "EBB_OUTCOMES_FILE": str(declared)}
    said = CliRunner().invoke(main, ["lookup", "13065"], env=environ).output.splitlines()
    assert "  no purchase within twice the usual gap       9 %   mean_logit, version 14951-9a01" in said
    assert "  declared otherwise here: lapsed; workers ask what is said above until they start with that" in said
    heading = CliRunner().invoke(main, ["at-risk"], env=environ).output.splitlines()[0]
    assert "no purchase within twice the usual gap" in heading
