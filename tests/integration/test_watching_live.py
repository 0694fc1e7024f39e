"""A real Prometheus scrapes a shop that is open: every query of every panel has an answer."""

import math
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from deploy.dashboards.boards import BOARDS
from deploy.dashboards.page import PAGE
from deploy.dashboards.panels import Board, Choice
from ebb.services.embedded_redis import EmbeddedRedis
from schemas.topics import CHURN_ALERTS
from tests.integration.live_shop import CUSTOMERS, is_open, published, send_history, start_ingest, teach
from tests.integration.processes import Deployment, deployed, eventually, without_topics
from tests.integration.prometheus import Prometheus

SUBSTITUTED = {"$__rate_interval": "20s", "$worker": ".*", "$minor_units": "100", "$outcome": ".*"}
COMMITTED_WITHIN_S = 30  # of EbbCommitLatencyHigh
SERIES_AT_MOST = 400  # of a process with one partition; buckets of histograms are half of them


@dataclass
class Watched:
    """A deployment of two workers, a learner and an ingest process, and the Prometheus that watches it."""

    shop: Deployment
    prometheus: Prometheus

    def answer(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """The series of a panel's expression that have a value now."""
        for name, value in SUBSTITUTED.items():
            expression = expression.replace(name, value)
        return [(labels, value) for labels, value in self.prometheus.query(expression) if math.isfinite(value)]

    def value(self, expression: str) -> float:
        """The sum over the series of an expression."""
        return sum(value for _, value in self.answer(expression))


@pytest.fixture(scope="module")
def watched(apache_kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """Models learned, ten weeks applied, and the shop open."""
    folder = tmp_path_factory.mktemp("watched")
    with ExitStack() as running:
        store = running.enter_context(EmbeddedRedis(folder / "redis"))
        shop = running.enter_context(deployed(without_topics(apache_kafka), store.address, folder, clock="live"))
        learner = shop.start("learner")
        teach(shop)
        eventually(lambda: published(store.address), what="the learner has published all models")
        send_history(shop)
        workers = shop.start("worker"), shop.start("worker")
        targets = {"learner:9465": learner, "worker-1:9464": workers[0], "worker-2:9464": workers[1]}
        places = {place: f"127.0.0.1:{process.port}" for place, process in targets.items()}
        places["targets: []"] = f'targets: ["127.0.0.1:{start_ingest(shop).port}"]'
        prometheus = running.enter_context(Prometheus(folder / "prometheus", places))
        both = Watched(shop, prometheus)
        shop.wait_until_applied()
        running.enter_context(is_open(shop))
        eventually(lambda: both.value("sum(ebb_open_alerts)") > 0, what="silence has opened alerts")
        yield both


def test_all_processes_are_scraped(watched: Watched) -> None:
    eventually(lambda: len(watched.prometheus.healthy_targets()) == 4)


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_every_query_of_every_panel_has_an_answer(watched: Watched, board: Board) -> None:
    queries = [(panel, query) for panel in board.panels() for query in panel.queries]
    for panel, query in queries:
        found = eventually(lambda query=query: watched.answer(query.expression), 20, f"{panel.title}: {query}")
        shown = ", ".join(f"{named(query.legend, labels)} {value:.4g}" for labels, value in found[:6])
        print(f"{board.title} · {panel.title} [{panel.unit}]: {shown}")


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_every_variable_that_is_chosen_has_values(watched: Watched, board: Board) -> None:
    for variable in (each for each in board.variables if isinstance(each, Choice)):
        series, label = re.fullmatch(r"label_values\((.*), (\w+)\)", variable.values_of).groups()
        values = {labels[label] for labels, _ in eventually(lambda series=series: watched.answer(series))}
        assert variable.first in values | {""}, values


def named(legend: str, labels: dict[str, str]) -> str:
    """A series as the legend names it."""
    for name, value in labels.items():
        legend = legend.replace(f"{{{{{name}}}}}", value)
    assert "{{" not in legend, f"the legend asks for a label that {labels} has not"
    return legend


def test_figures_are_those_of_the_shop(watched: Watched) -> None:
    """Not merely present: what is known of the open shop is seen."""
    for kind in ("purchase", "refund", "page_view"):
        eventually(lambda kind=kind: watched.value(f'sum(rate(ebb_records_total{{kind="{kind}"}}[20s]))') > 0, 20)
    for result in ("applied", "duplicate", "invalid", "misrouted"):
        eventually(lambda result=result: watched.value(f'sum(ebb_records_total{{result="{result}"}})') > 0, 20)
    eventually(lambda: watched.value("sum(ebb_customers)") > len(CUSTOMERS), what="both workers show their customers")
    assert abs(watched.value("sum(ebb_customers)") - watched.value("sum(ebb_segment_customers)")) < 30
    assert watched.value('sum(ebb_shop_total{name="purchase_minor"})') > 0
    assert watched.value("sum(ebb_value_at_risk_minor)") > 0
    assert watched.value("sum(ebb_labels_open)") > 0
    assert watched.value('sum(ebb_messages_total{kind="label"})') > 0
    opened = watched.value('sum(ebb_messages_total{kind="churn-alert.opened"})')
    assert 0 < opened <= len(watched.shop.messages(CHURN_ALERTS))
    assert watched.value("max(time() - ebb_stream_time_seconds)") < 60
    assert watched.value("count(ebb_lag_records)") == 10  # five topics, two partitions


def test_series_are_few_and_name_no_customer(watched: Watched) -> None:
    found = watched.prometheus.query('{job=~"ebb-.*"}')
    assert not [labels for labels, _ in found if any("shopper" in text or "new-" in text for text in labels.values())]
    for instance in watched.prometheus.healthy_targets():
        ours = [labels for labels, _ in found if labels["instance"] == instance]
        print(f"{instance}: {len(ours)} series")
        assert len(ours) < SERIES_AT_MOST


def test_every_metric_has_the_labels_that_the_page_says(watched: Watched, pytestconfig: pytest.Config) -> None:
    lines = (pytestconfig.rootpath / PAGE).read_text().splitlines()
    rows = [[cell.strip(" `—") for cell in line.split("|")] for line in lines]
    said = {row[1]: set(row[3].split(", ")) - {""} for row in rows if len(row) == 6}
    for labels, _ in watched.prometheus.query('{__name__=~"ebb_.*"}'):
        name = labels["__name__"]
        listed = next((each for each in (name, name.rpartition("_")[0]) if each in said), None)
        assert listed, f"{name} is not in {PAGE}"
        assert set(labels) - {"__name__", "instance", "job", "le"} == said[listed], name


def test_no_alert_fires_of_a_deployment_that_does_well(watched: Watched) -> None:
    """One record in nine is garbage, every second order, and models change by the second; workers found weeks of them.

    These wait to fire, and no other. The last is of the time before the shop opened: its records are prompt.
    """
    recent = "histogram_quantile(0.99, sum by (le) (rate(ebb_commit_latency_seconds_bucket[20s])))"
    eventually(lambda: 0 < watched.value(recent) < COMMITTED_WITHIN_S, what="records of the open shop are prompt")
    pending = {labels["alertname"] for labels, _ in watched.prometheus.query("ALERTS")}
    assert pending <= {"EbbDeadLetters", "EbbIngestRefused", "EbbModelNotTakenUp", "EbbCommitLatencyHigh"}, pending
    assert not watched.prometheus.query('ALERTS{alertstate="firing"}')


def test_a_partition_that_moves_is_shown_by_its_new_worker(watched: Watched) -> None:
    """Last of all: one worker is killed, and the other takes over its partition."""
    victim = watched.shop.processes[2]
    watched.shop.kill(victim)
    eventually(lambda: f"127.0.0.1:{victim.port}" not in watched.prometheus.healthy_targets(), 20)
    eventually(lambda: watched.value("count(count by (partition) (ebb_stream_time_seconds))") == 2, 60)
    eventually(lambda: watched.value("count(ebb_stream_time_seconds)") == 2, 60)
    assert len(watched.answer('ALERTS{alertname="EbbWorkerDown"}')) == 1
