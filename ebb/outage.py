"""What to say of a Kafka that stops answering while one waits for what it sends, and when to stop waiting."""

from collections.abc import Sequence

from offline.broker import BrokerError

SAY_AFTER_S = 5.0  # a leader that moves to another broker answers again sooner


class Outage:
    """Follows whether Kafka answers.

    Args:
        servers: host:port of Kafka, to be named.
        topics: what it is asked about.
        now_s: seconds of a clock that never goes back; Kafka has just answered.
        give_up_after_s: seconds without an answer that are waited for.
    """

    def __init__(self, servers: Sequence[str], topics: Sequence[str], now_s: float, give_up_after_s: float) -> None:
        self._who, self._what = f"Kafka at {','.join(servers)}", ", ".join(topics)
        self._heard_s, self._give_up_after_s, self._is_said = now_s, give_up_after_s, False

    def answered(self, now_s: float) -> str | None:
        """Kafka has answered about all partitions; that it is back, if it was said to be away."""
        away_s, was_said = now_s - self._heard_s, self._is_said
        self._heard_s, self._is_said = now_s, False
        if not was_said:
            return None
        return f"{self._who} answers again after {away_s:.0f} s: going on behind the last message shown."

    def silent(self, now_s: float) -> str | None:
        """Kafka has not answered; that it is away, once, as soon as it has been for `SAY_AFTER_S`.

        Raises:
            BrokerError: it has been for `give_up_after_s`.
        """
        away_s = now_s - self._heard_s
        if away_s >= self._give_up_after_s:
            raise BrokerError(
                f"{self._who} has not answered for {away_s:.0f} s about {self._what}, and waiting was bounded at "
                f"{self._give_up_after_s:g} s (--give-up-after). Check EBB_KAFKA_SERVERS and that it runs."
            )
        if self._is_said or away_s < SAY_AFTER_S:
            return None
        self._is_said = True
        return (
            f"{self._who} has not answered for {away_s:.0f} s about {self._what}: nothing can be shown. Check that it "
            f"runs and can be reached. Trying again until {self._give_up_after_s:g} s have passed (--give-up-after)."
        )
