"""The simulated shop of the demo: what is counted and what is said about it."""

import numpy as np

from ebb.demo.simulated import SECONDS, Show, Timetable, _by_silence, _had_left
from ebb.demo.simulated_screen import line, so_far, summary
from ebb.simulate import Shop, ShopSettings
from schemas.messages import ChurnAlertClosed, ChurnAlertOpened
from schemas.units import DAY_MS


def opened(customer: str, at_ms: int) -> ChurnAlertOpened:
    return ChurnAlertOpened(
        message_id="m", partition=0, sequence=1, customer_id=customer, opened_ms=at_ms, episode_ms=at_ms - 76 * DAY_MS,
        probability=0.824, value_at_risk="184.20", currency="GBP", reasons=["r"], model="m", model_version="1",
    )  # fmt: skip


def test_an_alert_says_day_customer_probability_value_and_silence():
    july_20_ms = 1_721_433_600_000
    assert line(opened("S001264", july_20_ms)) == (
        "2024-07-20   S001264   churn alert   82 %   £ 184 at risk, silent for 76 days"
    )
    closed = ChurnAlertClosed(
        message_id="m", partition=0, sequence=2, customer_id="S001264", closed_ms=july_20_ms, episode_ms=0,
        opened_message_id="m", cause="purchase",
    )  # fmt: skip
    assert line(closed) == "2024-07-20   S001264   alert closed  bought"


def test_a_timetable_counts_what_has_been_sent_by_now_and_everything_at_the_end():
    shop = Shop(ShopSettings(customers=100, days=SECONDS))
    days = list(shop.slices())
    table, show = Timetable.of(days), Show()
    table.tell(show, 1.0)
    first = days[0]
    assert show.time_ms == first.end_ms
    assert (show.purchases, show.engagement) == (int((first.topic == 0).sum()), int((first.topic > 0).sum()))
    table.tell(show, SECONDS + 3.0)
    assert show.purchases + show.engagement == sum(map(len, days))
    assert show.seconds == SECONDS


def test_by_silence_means_that_nothing_came_for_a_day_and_left_that_the_truth_says_so():
    shop = Shop(ShopSettings(customers=100, days=30, seed=2))
    days = list(shop.slices())
    people = shop.world.people
    seen_ms = int(days[20].sent_ms[np.flatnonzero(days[20].customer >= 0)[0]])
    seen = people.ids[int(days[20].customer[np.flatnonzero(days[20].customer >= 0)[0]])]
    gone = int(np.flatnonzero(~people.alive)[0])
    left_ms = int(people.dropped_out_ms[gone])
    alerts = [opened(seen, seen_ms), opened(seen, days[0].begin_ms - 1), opened(people.ids[gone], left_ms)]
    assert _by_silence(shop, days, Show(opened=alerts[:2])) == 1
    assert _had_left(shop, Show(opened=[alerts[2], opened(people.ids[gone], left_ms - 1)])) == 1


def test_the_summary_says_how_many_were_right():
    show = Show(days=20, purchases=414, engagement=5_272, opened=[opened("S1", 0)] * 36, by_silence=35, had_left=10)
    said = summary(show)
    assert "20 days in 20 s · 414 purchases and refunds, 5,272 other events" in said
    assert "36 churn alerts, 35 of them by silence alone; 0 closed" in said
    assert "10 of the 36 had left for good" in said


def test_the_bar_calls_what_it_counts_as_the_summary_does():
    show = Show(purchases=305, engagement=3_879, opened=[opened("S1", 0)] * 12)
    assert so_far(show) == "305 purchases and refunds, 3,879 other events  12 alerts"
