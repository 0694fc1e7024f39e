"""What a deployment would be, for who lives through its history in one process."""

import msgspec

from ebb.backtest.machine import Shop
from ebb.compose.decoding import decoding_of
from ebb.compose.rules import rules_of
from stream.settings.worker import WorkerSettings
from stream.warming import warm_up


def shop_of(settings: WorkerSettings, received_ms: int) -> Shop:
    """The rules of a replay with these settings, compiled.

    Args:
        settings: of the deployment.
        received_ms: when its records count as having been received, ms since 1970.
    """
    replayed = msgspec.structs.replace(settings, clock="replay")
    rules = rules_of(replayed)
    warm_up(rules)
    return Shop(rules, decoding_of(replayed), received_ms)
