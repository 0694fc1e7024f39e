"""A worker with a bug: its churn rule cannot count beyond 300 days of silence."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ebb.compose.starting import prepare
from ebb.compose.worker import worker_plan
from stream.actions.alerts import ChurnRule
from stream.settings.load import load_worker_settings
from stream.settings.logs import configure_logging
from stream.worker.process import WorkerProcess
from stream.worker.running import run_until_stopped


@dataclass(frozen=True)
class BrokenRule(ChurnRule):
    """Fails for customers who have been silent for long."""

    def opens(self, probability: Any, silence_days: Any, mean_gap_days: Any) -> Any:
        if np.nanmax(silence_days, initial=0.0) > 300:
            raise ZeroDivisionError("the bug")
        return super().opens(probability, silence_days, mean_gap_days)


def main() -> None:
    settings = load_worker_settings()
    configure_logging("worker", settings)
    prepare(settings)
    plan = worker_plan(settings)
    broken = replace(plan, rules=replace(plan.rules, churn=BrokenRule()))
    run_until_stopped(lambda loop: WorkerProcess(broken, loop))


if __name__ == "__main__":
    main()
