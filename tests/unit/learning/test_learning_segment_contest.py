"""Centres published from outside: judged beside the learner's own on later customers, promoted by a person alone."""

from functools import partial

import msgspec
import numpy as np
import pytest

from schemas.units import DAY_MS
from stream.customers.segments import name_centres
from stream.errors import ModelRefusedError
from stream.features.layout import LAYOUT
from stream.features.model_columns import SEGMENT_COLUMNS
from stream.learning.segments import SegmentLearner
from stream.scoring.challengers import SegmentChallenger, decode_challenger, encode_challenger
from stream.scoring.documents import SegmentDocument, schema_of
from tests.unit.learning.contests import told as about
from tests.unit.learning.test_learning_segments import samples

CENTRES = ((-1.0, 1.0, 1.0, 1.0), (1.0, -1.0, -1.0, -1.0))
MEANS, SCALES = (3.0, 1.6, 6.5, 5.0), (1.7, 0.9, 1.5, 0.5)
DOCUMENT = SegmentDocument(
    version="kmeans",
    epoch_day=14_000,
    layout=LAYOUT,
    means=MEANS,
    scales=SCALES,
    centres=CENTRES,
    names=tuple(name_centres(CENTRES, MEANS, SCALES)),
    samples=900,
)


def challenger(name="offline", trained_until_day=0, **changes):
    return SegmentChallenger(
        outcome="segments",
        name=name,
        layout=LAYOUT,
        schema=schema_of(SEGMENT_COLUMNS),
        model=msgspec.structs.replace(DOCUMENT, **changes),
        trained_until_ms=trained_until_day * DAY_MS,
        published_ms=0,
    )


told = partial(about, outcome="segments")


def known(days, seed=1, per_day=20):
    """Samples of some days, each known eight days later."""
    made = samples(len(days) * per_day, seed=seed)
    return [
        msgspec.structs.replace(
            label,
            message_id=f"{seed}:{days[0]}:{row}",
            snapshot_ms=days[row // per_day] * DAY_MS,
            matured_ms=(days[row // per_day] + 8) * DAY_MS,
        )
        for row, label in enumerate(made)
    ]


def settled():
    """A learner that has given out its first centres, with a challenger admitted."""
    learner = SegmentLearner()
    learner.learn(samples(600))
    assert learner.document("600", 100).candidate == "online"
    assert learner.decide(told("admit", "offline"), challenger()) == ""
    return learner


def test_a_challenger_is_judged_on_later_customers_beside_the_own_centres():
    learner = settled()
    learner.learn(known(range(100, 110)))
    assert learner.decide(told("admit", "later"), challenger("later", trained_until_day=115)) == ""
    learner.learn(known(range(110, 120)))
    fits = learner.contest.fits()
    assert {name: fit.samples for name, fit in fits.items()} == {
        "online": 400,
        "offline": 400,
        "later": 2 * 20,
    }, "those up to the last that was known when it was admitted do not count"
    one = fits["offline"]
    assert one.online_distance == pytest.approx(fits["online"].distance)
    assert one.distance > one.online_distance > 0
    assert sum(one.sizes.values()) == one.samples
    assert set(one.sizes) <= set(DOCUMENT.names)
    assert 0 < one.alike < 1
    assert fits["online"].alike == 1


def test_distances_are_those_to_the_nearest_centre_in_the_scales_of_the_own_ones():
    learner = settled()
    own = learner._own
    history = known(range(100, 101))
    learner.learn(history)
    places = learner._read(np.array([label.columns for label in history]))
    centres = np.array(CENTRES) * SCALES + np.array(MEANS)
    slowly = [min(np.sqrt((((place - centre) / own.scales) ** 2).sum()) for centre in centres) for place in places]
    assert learner.contest.fits()["offline"].distance == pytest.approx(np.mean(slowly))


def test_centres_are_promoted_by_a_person_stay_and_give_way_again():
    learner = settled()
    assert learner.document("600", 101) is None
    assert learner.decide(told("promote", "offline")) == ""
    given = learner.document("600.2", 101)
    assert (given.candidate, given.version, given.centres, given.names) == ("offline", "600.2", CENTRES, DOCUMENT.names)
    assert [day for day in range(102, 160) if learner.document(str(day), day)] == []
    learner = SegmentLearner().restored(learner.to_bytes())
    assert learner.document("600.2", 160) is None
    assert "champion" in learner.decide(told("admit", "offline", 2), challenger())
    assert learner.decide(told("rollback")) == ""
    back = learner.document("600.4", 161)
    assert (back.candidate, back.version) == ("online", "600.4")
    assert back.epoch_day == 160 - (160 - 100) % 28
    learner.decide(told("promote", "offline", 3))
    assert learner.decide(told("withdraw", "offline")) == ""
    assert learner.document("600.6", 162).candidate == "online"
    assert "none of the candidates" in learner.decide(told("promote", "offline", 4))


def test_own_centres_that_an_older_learner_did_not_keep_are_made_when_they_are_asked_for():
    learner = settled()
    state = msgspec.msgpack.decode(learner.to_bytes())
    del state["own"], state["contest"]
    older = SegmentLearner().restored(msgspec.msgpack.encode(state))
    older.decide(told("admit", "offline"), challenger())
    older.decide(told("promote", "offline"))
    assert older.document("1", 101).candidate == "offline"
    older.decide(told("rollback"))
    assert older.document("2", 101).candidate == "online"


def test_the_contest_is_a_function_of_samples_and_decisions_wherever_it_is_cut():
    history = known(range(100, 130))
    whole = settled()
    whole.learn(history)
    for cut in (1, 77, 400):
        first = settled()
        first.learn(history[:cut])
        second = SegmentLearner().restored(first.to_bytes())
        second.learn(history[cut:])
        assert second.to_bytes() == whole.to_bytes()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"names": ("Champions", "New Customers")}, "by the rules of this release they are"),
        ({"scales": (1.0, -1.0, 1.0, 1.0)}, "a scale that is not positive"),
        ({"columns": ("spend", "silence", "frequency", "tenure")}, "has centres in spend"),
        ({"centres": CENTRES * 30, "names": DOCUMENT.names * 30}, "60 centres, 50 are allowed"),
    ],
)
def test_centres_that_would_call_customers_otherwise_are_refused(changes, said):
    sealed = encode_challenger(challenger(**changes))
    with pytest.raises(ModelRefusedError, match=said):
        decode_challenger(sealed, "segments", "offline", LAYOUT)
    with pytest.raises(ModelRefusedError, match="holds offline of segments"):
        decode_challenger(encode_challenger(challenger()), "churn_30d", "offline", LAYOUT)
    assert decode_challenger(encode_challenger(challenger()), "segments", "offline", LAYOUT) == challenger()
