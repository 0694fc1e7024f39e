"""A worker with a bug: one of its actions cannot count beyond 300 days of silence."""

import numpy as np

from ebb.compose.starting import prepare
from ebb.compose.worker import worker_plan
from stream import verdicts
from stream.actions.acting import Acting
from stream.decisions import Asked, Decisions
from stream.settings.load import load_worker_settings
from stream.settings.logs import configure_logging
from stream.worker.process import WorkerProcess
from stream.worker.running import run_until_stopped


def broken(asked: Asked, decisions: Decisions, acting: Acting) -> None:
    """Fails for customers who have been silent for long."""
    if np.nanmax(decisions.scored["since_last_purchase_days"], initial=0.0) > 300:
        raise ZeroDivisionError("the bug")


def main() -> None:
    settings = load_worker_settings()
    configure_logging("worker", settings)
    prepare(settings)
    plan = worker_plan(settings)
    verdicts.ACTIONS = (broken, *verdicts.ACTIONS)
    run_until_stopped(lambda loop: WorkerProcess(plan, loop))


if __name__ == "__main__":
    main()
