"""The alert rules and the scrape configuration, checked by Prometheus's own tool."""

import re
from pathlib import Path

import msgspec
import pytest

from deploy.dashboards.business import BUSINESS
from tests.integration.prometheus import DEPLOYED, promtool


def test_the_configuration_is_one_that_prometheus_takes() -> None:
    promtool("check", "config", "prometheus.yml")


def test_alerts_fire_where_they_should_and_not_where_it_only_looks_alike() -> None:
    promtool("test", "rules", "rules.test.yml")


def test_every_alert_has_a_case_that_fires_and_one_that_does_not() -> None:
    alerts = re.findall(r"- alert: (\w+)", (DEPLOYED / "rules.yml").read_text())
    cases = re.findall(r"- name: (\w+) (fires|does not)", (DEPLOYED / "rules.test.yml").read_text())
    assert sorted(cases) == sorted((alert, case) for alert in alerts for case in ("fires", "does not"))


def test_a_rule_that_is_broken_fails_its_case(tmp_path: Path) -> None:
    for name in ("rules.yml", "rules.test.yml"):
        text = (DEPLOYED / name).read_text()
        (tmp_path / name).write_text(
            text.replace("ebb_outbox_oldest_seconds) > 60", "ebb_outbox_oldest_seconds) > 6000")
        )
    with pytest.raises(AssertionError, match="EbbOutboxOld"):
        promtool("test", "rules", "rules.test.yml", folder=tmp_path)


@pytest.mark.parametrize(("drift", "shown"), [({}, 1), ({"auc": 3, "psi": 1}, 2)])
def test_that_nothing_of_drift_is_measured_yet_is_said_until_something_is(
    tmp_path: Path, drift: dict[str, int], shown: int
) -> None:
    (panel,) = (each for each in BUSINESS.panels() if each.title == "Drift beside its limit")
    series = [
        {"series": f'{name}{{measure="{measure}",subject="churn_30d"}}', "values": f"{value}x5"}
        for measure, value in drift.items()
        for name in ("ebb_drift", "ebb_drift_limit")
    ]
    lines = {
        "expr": f"count({panel.queries[0].expression})",
        "eval_time": "2m",
        "exp_samples": [{"labels": "{}", "value": shown}],
    }
    tests = {"tests": [{"interval": "1m", "input_series": series, "promql_expr_test": [lines]}]}
    (tmp_path / "drift.test.yml").write_bytes(msgspec.json.encode(tests))
    promtool("test", "rules", "drift.test.yml", folder=tmp_path)
