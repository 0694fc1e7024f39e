"""The business path: records in, changes out, no I/O, no clock, no randomness."""

from stream.changes import Changes
from stream.chunk import Models, PartitionCustomers, Records, Rules, StreamTimes
from stream.episodes import Episodes
from stream.rounds import Queues


def step(customers: PartitionCustomers, records: Records, times: StreamTimes, models: Models, rules: Rules) -> Changes:
    """`play`, and what it changed as a store takes it."""
    return play(customers, records, times, models, rules).changes()


def play(customers: PartitionCustomers, records: Records, times: StreamTimes, models: Models, rules: Rules) -> Episodes:
    """Apply records to customers as if one after another (docs/architecture.md, "Per record, executed in chunks").

    Args:
        customers: everybody who has a record in the chunk or a deadline up to its end. They are changed in place.
        records: the events of these customers, in log order.
        times: stream time of every record and of the end of the chunk.
        models: the documents in force; a step never changes them half way.
        rules: currency, thresholds, intervals.

    Returns:
        What to write and what to say. Chunks of any size give the same states, views and messages.
    """
    episodes = Episodes(customers, records, times, models, rules)
    queues = Queues(records, times, customers.states, rules)
    while (round_ := queues.next_round()) is not None:
        episodes.fire(round_.due)  # deadlines up to the record's stream time, at their own time
        episodes.mature()  # outcomes whose time is over become labels
        episodes.sample()  # a sampled midnight becomes a snapshot
        episodes.fold(round_.stretches)  # then records are folded, up to several decisions of a customer
        episodes.decide()  # and whoever changed is scored, after each of them
        queues.advance(*episodes.accept())  # up to the first that changes segment or alert, it all takes effect
        episodes.reschedule()  # until silence would change something
    return episodes
