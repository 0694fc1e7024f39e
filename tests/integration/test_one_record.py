"""A record that a person writes by hand: what a broker does not know is said soon."""

import pytest

from offline import one_record
from offline.broker import BrokerError
from offline.one_record import write_one


def test_a_topic_that_is_not_there_is_waited_for_no_longer_than_the_broker_is(
    apache_kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(one_record, "CONNECT_WITHIN_MS", 300)
    with pytest.raises(BrokerError, match=r"0\.3 s|300 ms"):
        write_one([apache_kafka], "nowhere", 0, "ada", b"{}")
