"""Quix Streams with state in RocksDB, tuned as its documentation advises.

- Checkpoints every 5 s, the default: "longer commit intervals … limiting the IO" (docs, Checkpointing).
- Changelog topics on, the default: without them state is lost with the disk ("not recommended", docs, Stateful
  Processing). RocksDB's options are the defaults, which are sized for this: 64 MB write buffers, a cache of 1 GB.
- State is one value a customer, read and written once an event; JSON by orjson, the default and its fastest.
- The function mutates and returns nothing (`update`): nothing is copied and no output topic is written.
- One topic: joining two costs a buffer that orders them.
- At-least-once, the default; exactly-once is slower.
"""

import cProfile
import pstats
from typing import Any

from quixstreams import Application, State

from benchmarks.peers.features import updated
from benchmarks.peers.started import TOPIC, Arguments, arguments, report


def main(given: Arguments) -> None:
    """Run until a signal comes."""
    app = Application(
        broker_address=given.servers,
        consumer_group=given.group,
        auto_offset_reset="earliest",
        auto_create_topics=True,
        state_dir="state",
        loglevel="WARNING",
    )
    done = 0
    report(given.progress, lambda: done)

    def fold(event: dict[str, Any], state: State) -> None:
        nonlocal done
        state.set("record", updated(state.get("record"), event))
        done += 1

    app.dataframe(app.topic(TOPIC, key_deserializer="bytes", value_deserializer="json")).update(fold, stateful=True)
    if given.profile is None:
        app.run()
        return
    profile = cProfile.Profile()
    profile.runcall(app.run)
    with given.profile.open("w") as file:
        pstats.Stats(profile, stream=file).strip_dirs().sort_stats("tottime").print_stats(40)


if __name__ == "__main__":
    main(arguments())
