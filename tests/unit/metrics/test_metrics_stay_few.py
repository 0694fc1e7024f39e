"""However many customers, events and model versions there are, the series stay few and name nobody."""

from prometheus_client import CollectorRegistry

from schemas.topics import ENGAGEMENT, PURCHASES
from stream.metrics import learner, worker
from stream.metrics.info import show_version
from stream.worker.publisher import OutboxPublisher
from tests.world import World, engagement, purchase


def series(registry: CollectorRegistry) -> set[tuple[str, tuple[tuple[str, str], ...]]]:
    """Name and labels of every series that would be scraped."""
    return {
        (sample.name, tuple(sorted(sample.labels.items())))
        for family in registry.collect()
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def shop(customers: int, prefix: str) -> World:
    """Purchases, page views, repeats, guests, garbage, and silence until alerts open."""
    world = World(may_lag=True)
    names = [f"{prefix}-{number}" for number in range(customers)]
    for day in (0, 10):
        world.send(*(purchase(name, day, event_id=f"{name}-{day}") for name in names))
    world.send(*(engagement("page_view", name, 10, event_id=f"view-{name}") for name in names), topic=ENGAGEMENT)
    world.send(*(purchase(name, 10, event_id=f"{name}-10") for name in names))
    world.send(*(purchase(None, 10, event_id=f"guest-{name}") for name in names))
    world.apply([world.record(PURCHASES, f"garbage {name}".encode()) for name in names], [0] * customers)
    world.silence_until(90)
    assert sum(bool(world.alerts(name)) for name in names) > customers / 2
    return world


def test_two_hundred_customers_have_the_series_of_three():
    shop(3, "few")
    few = series(worker.REGISTRY)
    shop(200, "many")
    many = series(worker.REGISTRY)
    assert {name for name, _ in many} == {name for name, _ in few}
    assert len(many - few) < 10, many - few  # a segment move that three customers did not make
    assert not [labels for _, labels in many if any("many" in value or "few" in value for _, value in labels)]


def test_a_model_s_version_replaces_the_one_before_it():
    shown: dict[str, str] = {}
    for version in range(100):
        show_version(worker.MODEL_INFO, shown, "churn_30d", f"test-{version}")
        show_version(learner.MODEL_INFO, shown, "purchase_7d", f"test-{version}")
    for registry in (worker.REGISTRY, learner.REGISTRY):
        versions = [dict(labels)["version"] for name, labels in series(registry) if name.endswith("model_info")]
        assert [version for version in versions if version.startswith("test-")] == ["test-99"]


def test_what_is_rare_is_counted_from_0_on_so_that_the_first_is_seen_as_an_increase():
    worker.begin_partition(76)
    found = series(worker.REGISTRY)
    for name in ("ebb_fences_total", "ebb_seek_backs_total", "ebb_customers_set_aside_total"):
        assert (name, (("partition", "76"),)) in found
    assert ("ebb_segment_moves_total", (("entered", "Champions"), ("left", "Unsegmented"))) in found
    assert ("ebb_dead_letters_total", (("reason", "bug"),)) in found


def test_of_a_sweep_that_another_process_has_begun_nothing_is_said_to_be_done():
    for sweeping, share in ((False, 1), (True, 0)):
        worker.begin_partition(78, sweeping=sweeping)
        assert worker.REGISTRY.get_sample_value("ebb_sweep_progress_ratio", {"partition": "78"}) == share


class NoProducer:
    async def send(self, *_: object, **__: object) -> None:
        raise AssertionError


def test_a_partition_that_has_gone_to_another_worker_is_shown_by_that_one_alone():
    partition = 77
    worker.begin_partition(partition)
    OutboxPublisher(partition, NoProducer())
    worker.STREAM_TIME.labels(partition).set(1)
    worker.LAG.labels(PURCHASES, partition).set(1)
    worker.QUEUED_BYTES.labels(PURCHASES, partition).set(1)
    worker.end_partition(partition)
    left = {name for name, labels in series(worker.REGISTRY) if ("partition", str(partition)) in labels}
    assert left == {
        "ebb_commits_total",
        "ebb_commits_refused_total",
        "ebb_customers_set_aside_total",
        "ebb_fences_total",
        "ebb_seek_backs_total",
        "ebb_deadlines_fired_total",
        "ebb_customers_renewed_total",
    }
