"""The demo from start to end: a real history through broker, worker, learner and Redis."""

import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ebb.demo.deployment import PARTITIONS, DemoDeployment, Ports, only_demo
from ebb.demo.results import Results, gather
from ebb.demo.screen import follow
from ebb.demo.simulated import Show, Watcher, run_show
from ebb.demo.watching import looks
from ebb.services.model_keys import ensure_model_keys
from offline.history import History
from offline.replay import publish
from offline.sources import read_history
from offline.sources.columns import parse_mapping
from stream.errors import EbbError
from stream.signing import Keyring


@dataclass(frozen=True)
class DemoPlan:
    """What to replay, where, and whether everything goes on afterwards."""

    files: Sequence[Path]
    source: str
    columns: str
    currency: str
    folder: Path
    ports: Ports
    keep: bool
    simulated: bool = True


def run_demo(plan: DemoPlan, on_results: Callable[[Results], None], watcher: Watcher) -> Show | None:
    """Replay the history, tell what it showed, and let a simulated shop be live if the plan says so.

    Nothing is left running, save with `keep` after success.

    Raises:
        EbbError: a port is taken, another demo runs, the history cannot be read, or a process failed.
    """
    for asked in (signal.SIGINT, signal.SIGTERM):  # a shell's background job inherits a deaf ear for the first
        signal.signal(asked, signal.default_int_handler)
    with only_demo(plan.folder):
        history = read_history(plan.files, plan.source, plan.currency, parse_mapping(plan.columns))
        if not history.events:
            raise EbbError(f"{', '.join(map(str, plan.files))} holds no event that can be replayed.")
        deployment = DemoDeployment(plan.folder, plan.ports, plan.currency, stay=plan.keep)
        done = False
        try:
            deployment.start({"EBB_CLOCK": "replay", "EBB_LOCKSTEP": "true"})
            on_results(_replay(plan, history, deployment))
            if not plan.keep:
                deployment.stop()
            show = run_show(plan.folder, watcher) if plan.simulated else None
            if plan.keep:
                deployment.go_live()
            done = True
        finally:
            if not (done and plan.keep):
                deployment.stop()
        return show


def _replay(plan: DemoPlan, history: History, deployment: DemoDeployment) -> Results:
    servers, redis_url = [deployment.broker.address], deployment.redis.address
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="publish") as background:
        publishing = background.submit(publish, history, servers, PARTITIONS)
        last = follow(looks(servers, redis_url, publishing, deployment), history)
    keyring = Keyring.from_text(ensure_model_keys(plan.folder).read_text())
    return gather(history, deployment.settings, keyring, last.elapsed_s if last else 0.0)
