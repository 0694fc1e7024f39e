"""The worker's own work in this process, without Kafka and Redis: CPU us per event by stage, and where it goes.

    python -m benchmarks.hot_path --load zipf --events 100000
    python -m benchmarks.hot_path --profile --top 40

What it leaves out: fetching, sending, waiting. `make bench` measures everything.
"""

import argparse
import asyncio
import cProfile
import pstats
import time
from collections import Counter, defaultdict
from collections.abc import Sequence

from benchmarks.in_process import InProcess, PackingPartitionStore
from benchmarks.loads import LOADS, Record, records
from benchmarks.models import in_force, learned
from stream.metrics.worker import REGISTRY
from stream.worker.inbox import Batch
from stream.worker.running import look_for_garbage_rarely

STAGE = "ebb_stage_seconds"


def stage_seconds() -> dict[str, float]:
    """What the worker's metrics say of each stage so far, s."""
    samples = (sample for metric in REGISTRY.collect() for sample in metric.samples)
    return {sample.labels["stage"]: sample.value for sample in samples if sample.name == f"{STAGE}_sum"}


async def run(world: InProcess, log: Sequence[Record], fetch: int, spent: dict[str, float]) -> None:
    """Feed the log fetch by fetch, adding up CPU seconds."""
    for start in range(0, len(log), fetch):
        fetches = world.fetched(log[start : start + fetch])
        began = time.process_time()
        for fetched in fetches:
            world.inbox.put(fetched)
        spent["put (decode)"] += time.process_time() - began
        while batch := _taken(world, spent):
            began = time.process_time()
            await world.apply(batch)
            spent["apply"] += time.process_time() - began


def _taken(world: InProcess, spent: dict[str, float]) -> Batch | None:
    began = time.process_time()
    batch = world.timing.take(world.inbox)
    spent["take"] += time.process_time() - began
    return batch if batch and batch.records else None


def main() -> None:
    """Measure, and print."""
    arguments = _arguments()
    models = in_force(learned()).models
    end_ms = time.time_ns() // 1_000_000
    log = records(arguments.load, arguments.warm_up + arguments.events, arguments.seed, end_ms, arguments.customers)
    ends = Counter(record.topic for record in log)
    world = InProcess(
        models, chunk_records=arguments.chunk, wall_ms=end_ms, ends=dict(ends), store_of=PackingPartitionStore
    )
    profile = cProfile.Profile() if arguments.profile else None
    asyncio.run(_measured(world, log, arguments, profile))
    if profile:
        pstats.Stats(profile).strip_dirs().sort_stats(arguments.sort).print_stats(arguments.top)


async def _measured(
    world: InProcess, log: Sequence[Record], arguments: argparse.Namespace, profile: cProfile.Profile | None
) -> None:
    await world.claim()
    look_for_garbage_rarely()
    await run(world, log[: arguments.warm_up], arguments.fetch, defaultdict(float))
    spent: dict[str, float] = defaultdict(float)
    PackingPartitionStore.spent_s.clear()
    before, messages = stage_seconds(), len(world.outbox.messages)
    began = time.process_time()
    if profile:
        profile.enable()
    await run(world, log[arguments.warm_up :], arguments.fetch, spent)
    if profile:
        profile.disable()
    elapsed = time.process_time() - began
    spent |= {f"  {name}": seconds for name, seconds in PackingPartitionStore.spent_s.items()}
    left = len(log) - sum(position.next_offset for position in world.stored.head.positions.values())
    if left:
        raise RuntimeError(f"{left:,} of {len(log):,} records were not applied: the clock held them back")
    _print(arguments, elapsed, spent, before, len(world.outbox.messages) - messages)


def _print(
    arguments: argparse.Namespace, elapsed: float, spent: dict[str, float], before: dict[str, float], messages: int
) -> None:
    per_event = 1e6 / arguments.events
    print(f"{arguments.load}: {arguments.events:,} events, chunks of {arguments.chunk}, {messages:,} messages")
    print(f"  {elapsed * per_event:7.2f} us CPU an event, {arguments.events / elapsed:,.0f} events/s of one core")
    for name, seconds in spent.items():
        print(f"  {seconds * per_event:7.2f} {name}")
    for name, seconds in stage_seconds().items():
        print(f"  {(seconds - before.get(name, 0.0)) * per_event:7.2f}   stage {name} (wall)")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--load", choices=sorted(LOADS), default="uniform")
    parser.add_argument("--events", type=int, default=100_000, help="measured")
    parser.add_argument("--warm-up", type=int, default=100_000, help="events before them")
    parser.add_argument("--customers", type=int, default=25_000, help="of this partition, one of four")
    parser.add_argument("--chunk", type=int, default=500, help="most records of a chunk")
    parser.add_argument("--fetch", type=int, default=2_000, help="records of a fetch")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--profile", action="store_true", help="print where the time goes")
    parser.add_argument("--sort", default="tottime", help="of the profile: tottime or cumtime")
    parser.add_argument("--top", type=int, default=40, help="lines of the profile")
    return parser.parse_args()


if __name__ == "__main__":
    main()
