"""What is said of a Kafka that goes away and comes back."""

import pytest

from ebb.outage import SAY_AFTER_S, Outage
from offline.broker import BrokerError

AWAY = (
    "Kafka at one:9092,two:9092 has not answered for 5 s about marketing.churn-alerts: nothing can be shown. Check "
    "that it runs and can be reached. Trying again until 300 s have passed (--give-up-after)."
)


@pytest.fixture
def outage():
    return Outage(["one:9092", "two:9092"], ["marketing.churn-alerts"], now_s=100.0, give_up_after_s=300.0)


def test_an_answer_that_is_a_little_late_is_not_worth_a_word(outage):
    assert [outage.silent(100.0 + SAY_AFTER_S - 0.1), outage.answered(100.0 + SAY_AFTER_S)] == [None, None]
    assert outage.silent(100.0 + 2 * SAY_AFTER_S - 0.1) is None, "the silence counts from the last answer"


def test_an_outage_is_said_once_and_its_end_once_with_how_long_it_was(outage):
    assert [outage.silent(now_s) for now_s in (102.0, 105.0, 107.0, 399.9)] == [None, AWAY, None, None]
    assert outage.answered(400.4) == (
        "Kafka at one:9092,two:9092 answers again after 300 s: going on behind the last message shown."
    )
    assert outage.answered(402.0) is None


def test_a_second_outage_is_said_again_and_has_the_whole_bound(outage):
    outage.silent(200.0)
    outage.answered(300.0)
    assert outage.silent(305.0) == AWAY
    assert outage.silent(599.0) is None


def test_beyond_its_bound_it_is_an_error_that_says_who_what_and_how_long(outage):
    said = (
        r"Kafka at one:9092,two:9092 has not answered for 300 s about marketing.churn-alerts, and waiting was bounded "
        r"at 300 s \(--give-up-after\). Check EBB_KAFKA_SERVERS and that it runs."
    )
    with pytest.raises(BrokerError, match=said):
        outage.silent(400.0)
