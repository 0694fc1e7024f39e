"""Laws of the simulated shop, whatever its settings."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ebb.simulate import TOPICS, Shop, ShopSettings
from ebb.simulate.publishing import _in_motion, records
from schemas.decode import DecodeRules, Rejection, decode

SHARES = st.sampled_from([0.0, 0.1, 1.0])
SHOPS = st.builds(
    ShopSettings,
    customers=st.integers(1, 12),
    days=st.integers(1, 12),
    seed=st.integers(0, 2**63),
    guest_share=st.sampled_from([0.0, 0.3]),
    late=SHARES,
    duplicate=SHARES,
    misrouted=SHARES,
    abandons=SHARES,
    review=SHARES,
    problem=SHARES,
    concept_change_day=st.none() | st.integers(0, 12),
)


@settings(max_examples=40, deadline=None)
@given(SHOPS)
def test_any_shop_sends_only_what_ebb_accepts_each_event_once_but_for_stated_repeats(chosen):
    values, rules = [], DecodeRules(currency="GBP")
    for sent in Shop(chosen).slices():
        values += sent.values
        assert (np.diff(sent.sent_ms) >= 0).all()
        for topic, value, sent_ms in zip(sent.topic.tolist(), sent.values, sent.sent_ms.tolist(), strict=True):
            assert not isinstance(decode(TOPICS[topic], value, sent_ms, rules), Rejection), value
    ids = [value.split(b'"event_id":"')[1].split(b'"')[0] for value in values]
    assert len(set(ids)) == len(set(values)) == len(ids) / (1 + chosen.duplicate) or chosen.duplicate == 0.1


@settings(max_examples=20, deadline=None)
@given(SHOPS, st.integers(1, 5))
def test_fast_motion_sends_every_event_once_in_order_and_no_moment_goes_back(chosen, moments_a_day):
    slices = list(Shop(chosen).slices())
    moments = list(_in_motion(slices, 4, seconds_per_day=0.001, moment_s=0.001 / moments_a_day))
    sent = [record for _, events in moments for record in events]
    assert sent == [record for day in slices for record in records(day, 4)]
    times = [time_ms for time_ms, _ in moments]
    assert times == sorted(times)
    assert len(times) == moments_a_day * len(slices)
    for time_ms, events in moments[:-1]:
        assert all(record.time_ms < time_ms for record in events)
