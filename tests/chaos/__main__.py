"""Hurt a deployment at random for some minutes, then see that nothing was lost, doubled or made up.

    make chaos SEED=1 MINUTES=5

Exit code 1, with the seed, what came before and where the logs are, when something does not hold.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
import traceback
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

from stream.redis_store.inspection import outbox_depths
from tests.chaos.faults import FAULTS
from tests.chaos.judging import judged
from tests.chaos.load import Office
from tests.chaos.models import KeptModels
from tests.chaos.schedule import Stroke, strokes
from tests.chaos.shop import PARTITIONS, Shop, opened
from tests.integration.feed import Feed
from tests.integration.processes import eventually, while_it_lasts

RECOVERED_WITHIN_S = 90.0
SETTLED_WITHIN_S = 180.0


def recovery_s(shop: Shop) -> float:
    """How long until every partition has applied something new."""
    began_s, before = time.monotonic(), shop.running.applied_when_asked()

    def all_go_on() -> bool:
        shop.revive()
        return all(now > then for now, then in zip(shop.running.applied_when_asked(), before, strict=True))

    eventually(all_go_on, RECOVERED_WITHIN_S, "every partition goes on")
    return time.monotonic() - began_s


def strike(shop: Shop, stroke: Stroke) -> None:
    """Break what the stroke says, and mend it."""
    with ExitStack() as broken:
        for name, held_s in zip(stroke.faults, stroke.holds_s, strict=True):
            broken.enter_context(FAULTS[name].broken(shop))
            while_it_lasts(held_s)
    shop.restart_missing()


def hurt(shop: Shop, seed: int, only: Sequence[str], until_s: float) -> Iterator[tuple[Stroke, float]]:
    """One stroke after another; each with how long the deployment needed to go on."""
    for stroke in strokes(seed, {name: FAULTS[name] for name in only}):
        while_it_lasts(stroke.quiet_s)
        strike(shop, stroke)
        yield stroke, recovery_s(shop)
        if time.monotonic() > until_s:
            return


def wait_until_settled(shop: Shop) -> None:
    """Until everything is applied and sent, and so is what was sent from partition to partition."""

    def is_settled() -> bool:
        shop.revive()  # who was starting during the last stroke may have ended since
        return not any(outbox_depths(shop.redis.address).values()) and not shop.running.lag()

    eventually(is_settled, SETTLED_WITHIN_S, "everything is sent and applied")


def run(seed: int, minutes: float, only: Sequence[str], folder: Path) -> dict[str, Any]:
    """The whole of it; what is told at the end.

    Raises:
        AssertionError: something does not hold.
    """
    recoveries: dict[str, list[float]] = defaultdict(list)
    schedule: list[str] = []
    with opened(folder, seed) as shop, KeptModels(shop.line.redis_url) as models:
        until_s = time.monotonic() + minutes * 60
        servers = shop.kafka.address
        office = Office(servers, seed, PARTITIONS, shop.history.customers)
        with Feed(servers, seed, partitions=PARTITIONS, is_untidy=True) as feed, office:
            for stroke, took_s in hurt(shop, seed, only, until_s):
                schedule.append(f"{stroke}: {took_s:.1f} s to go on")
                recoveries[" and ".join(stroke.faults)].append(took_s)
                _say(schedule[-1])
            feed.stop()
            office.stop()
        wait_until_settled(shop)
        eventually(lambda: len(models), SETTLED_WITHIN_S, "a model is learned: else much is not put to the test")
        shop.stop()
        verdict = judged(shop.running, models)
        versions = len(models)
    return {
        "seed": seed,
        "minutes": minutes,
        "faults": sum(len(times) for times in recoveries.values()),
        "restarts": shop.restarts,
        "events": shop.history.events + feed.events,
        "erasures_and_merges": office.records,
        "records": verdict.records,
        "customers": verdict.customers,
        "messages": verdict.messages,
        "messages_of_lost_commits": verdict.of_lost_commits,
        "model_versions": versions,
        "recovery_s": {
            name: {"median": round(median(t), 2), "most": round(max(t), 2)} for name, t in recoveries.items()
        },
        "schedule": schedule,
    }


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    """Run, print, exit with 1 if something does not hold."""
    given = _arguments()
    folder = Path(tempfile.mkdtemp(prefix="ebb-chaos-"))
    _say(f"seed {given.seed}, {given.minutes:g} minutes")
    try:
        told = run(given.seed, given.minutes, given.only, folder)
    except AssertionError:
        _say(f"seed {given.seed} has found something; logs and data are in {folder}\n{traceback.format_exc()}")
        sys.exit(1)
    shutil.rmtree(folder)
    if given.json:
        print(json.dumps(told, indent=2))
        return
    print(
        f"seed {told['seed']}: {told['faults']} strokes survived, {told['model_versions']} model versions learned; "
        f"{told['records']:,} records, {told['customers']:,} customers, {told['messages']:,} messages are right "
        f"after {told['erasures_and_merges']:,} erasures and merges"
    )
    for name, times in sorted(told["recovery_s"].items()):
        print(f"  {name}: on again after {times['median']} s, at most {times['most']} s")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--only", nargs="+", choices=sorted(FAULTS), default=sorted(FAULTS), metavar="FAULT")
    parser.add_argument("--json", action="store_true", help="everything that was found out, the schedule too")
    return parser.parse_args()


if __name__ == "__main__":
    main()
