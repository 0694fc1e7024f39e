"""What a worker's parts have from the settings and from each other."""

import asyncio

import pytest

from ebb.compose.worker import worker_plan
from stream.settings.load import load_worker_settings
from stream.worker.pace import AT_LEAST_S, LOOK_EVERY_S
from stream.worker.process import WorkerProcess


@pytest.mark.parametrize(("clock", "at_most_s"), [("live", 0.025), ("replay", AT_LEAST_S)])
async def test_the_broker_gathers_for_as_long_as_turns_of_lanes_have_no_time(clock: str, at_most_s: float) -> None:
    settings = load_worker_settings({"EBB_CLOCK": clock, "EBB_GATHER_MS": "25", "EBB_MODEL_KEYS": "one:" + "ab" * 32})
    process = WorkerProcess(worker_plan(settings), asyncio.get_running_loop())
    gather_s = process.app.chunk_consumer.gather_s
    assert gather_s() == at_most_s
    process._turns.pace.took(1.0, 1.0 + LOOK_EVERY_S / 100)
    process._turns.pace.took(2.0, 2.0 + LOOK_EVERY_S / 100)
    assert gather_s() == max(at_most_s / 4, AT_LEAST_S)
