"""A worker whose wall clock is days behind, until it is put right: `python -m benchmarks.worker_of_yesterday`.

So a silence begins when everything before it is done: all that falls due in these days falls due at once.
"""

import argparse
from pathlib import Path

from ebb.compose.worker import run_worker
from ebb.services.ebb_process import EbbProcess
from schemas.units import DAY_MS
from stream.settings.load import load_worker_settings
from stream.worker.plan import wall_ms

RIGHT = "clock-put-right"


class WorkerOfYesterday(EbbProcess):
    """`ebb worker` otherwise."""

    def prepare(self) -> list[str]:
        """This module in the place of `ebb`."""
        python, *_ = super().prepare()
        return [python, "-m", "benchmarks.worker_of_yesterday", "--until", str(self.folder / RIGHT)]

    def put_clock_right(self) -> None:
        """From now on its wall is ours."""
        (self.folder / RIGHT).touch()


def main() -> None:
    """Run the worker with the settings of the environment."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--until", type=Path, required=True, help="the clock is right once this file exists")
    parser.add_argument("--days", type=int, default=1)
    given = parser.parse_args()
    behind_ms = given.days * DAY_MS

    def late_wall_ms() -> int:
        return wall_ms() - (0 if given.until.exists() else behind_ms)

    run_worker(load_worker_settings(), late_wall_ms)


if __name__ == "__main__":
    main()
