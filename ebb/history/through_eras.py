"""The partitions of an archive rebuilt in memory, era by era: their number and their layout may have changed."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from ebb.compose.worker import worker_plan
from ebb.history.another_layout import of_this_layout
from ebb.history.past import PartitionPast
from ebb.history.past_models import NoModels, PastModels
from ebb.history.rebuilding import Rebuilding
from ebb.history.resending import Again
from ebb.history.sharing_out import SharingOut
from ebb.history.stretches import NO_LIMIT, Stretch, coalesced
from offline.archive.log_states import log_states
from offline.archive.standing import Era, Standing, Waiting
from schemas.decode_many import decode_many
from schemas.topics import INPUT_TOPICS, REROUTED
from stream.features.layout import LAYOUT
from stream.outcomes.declaration import questions_of
from stream.settings.worker import WorkerSettings
from stream.signing import Keyring
from stream.warming import warm_up

Rebuilt = Callable[[int, int], None]
"""Is told how many records have been applied again, of how many."""


class Recovery:
    """Rebuilds partitions in memory, one after another where their number has never changed.

    Args:
        settings: of the deployment.
        folder: the archive.
        standing: what is to be rebuilt: its last era is the one of now.
        publish_again: keep for publication what others read; under another layout there is nothing of it.
        told: of progress.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        folder: Path,
        standing: Standing,
        *,
        publish_again: bool = False,
        told: Rebuilt | None = None,
    ) -> None:
        self._plan, self._folder, self._standing = worker_plan(settings), folder, standing
        self._again = Again.WHAT_OTHERS_READ if publish_again else Again.UNSENT
        if standing.layout != LAYOUT:
            self._again = Again.WHAT_HAS_A_LAYOUT
        self._told, self._lockstep = told, settings.lockstep
        self._keyring = Keyring.from_text(settings.model_keys)
        self._total = sum(state.end - state.first for state in log_states(folder) if state.topic in INPUT_TOPICS)
        self.models_missing: set[tuple[str, str]] = set()
        self.records = self.unjournaled = 0

    async def rebuilt(self) -> AsyncIterator[Rebuilding]:
        """Each partition, whole."""
        warm_up(self._plan.rules)
        eras = self._standing.eras
        if len({era.partitions for era in eras}) == 1:
            for partition in range(self._standing.partitions):
                past, part, models = self._past(partition), await self._part(partition), self._models()
                for era in eras:
                    stretches = coalesced(self._of_era(past, era, is_last=era is eras[-1]))
                    await self._apply(part, stretches, _of_layout(era, models))
                    self._placed(part, past, era, 0)
                yield part
            return
        for part in await self._through(eras):
            yield part

    async def _through(self, eras: Sequence[Era]) -> list[Rebuilding]:
        """All partitions at once, through eras of different counts."""
        pasts = [self._past(number) for number in range(max(era.partitions for era in eras))]
        parts = [await self._part(number) for number in range(self._standing.partitions)]
        models = [self._models() for _ in parts]
        for era in eras:
            here, is_last, reached_ms = pasts[: era.partitions], era is eras[-1], 0
            if era.partitions == len(parts):
                for part, past in zip(parts, here, strict=True):
                    stretches = coalesced(self._of_era(past, era, is_last=is_last))
                    await self._apply(part, stretches, _of_layout(era, models[part.partition]))
            else:
                journals = [coalesced(self._of_era(past, era, is_last=is_last)) for past in here]
                for number, stretch in SharingOut(here, len(parts)).stretches(journals):
                    await self._step(parts[number], stretch, _of_layout(era, models[number]))
                    reached_ms = max(reached_ms, stretch.end_ms)
            for part in parts:
                self._placed(part, pasts[part.partition], era, reached_ms)
        return parts

    def _past(self, partition: int) -> PartitionPast:
        return PartitionPast(self._folder, partition, self._decode, self._standing.clock)

    def _decode(self, topic: str, values: Sequence[bytes | None], timestamps_ms: Sequence[int]) -> Sequence[Any]:
        decoded = decode_many(topic, values, timestamps_ms, self._plan.decoding)
        return decoded if topic != REROUTED else list(map(of_this_layout, decoded))

    async def _part(self, partition: int) -> Rebuilding:
        waiting = self._standing.outboxes.get(partition, Waiting())
        count = self._standing.partitions
        part = Rebuilding(partition, count, self._plan, waiting, self._again)
        await part.begin()
        return part

    def _of_era(self, past: PartitionPast, era: Era, *, is_last: bool) -> Iterator[Stretch]:
        """What an era brought a partition; at its end also what no journal entry speaks of.

        In lockstep that is left to a worker, which waits for the models of each day.
        """
        journaled = past.journaled(None if is_last else era.last_versions.get(past.partition, 0))
        if self._lockstep or not (is_last or era.ends):
            return journaled
        ends = None if is_last else {topic: some[past.partition] for topic, some in era.ends.items()}
        return chain(journaled, past.unnoted(ends))

    async def _apply(self, part: Rebuilding, stretches: Iterator[Stretch], models: PastModels | NoModels) -> None:
        for stretch in stretches:
            await self._step(part, stretch, models)

    def _given_out(self, partition: int) -> int:
        """The last number of a message that is known to have been given out."""
        sequence = self._standing.outboxes.get(partition, Waiting()).sequence
        return sequence if sequence < NO_LIMIT else 0

    def _models(self) -> PastModels:
        """For one way through the past, which begins without any."""
        return PastModels(self._folder, self._keyring, questions_of(self._plan.rules.outcomes.outcomes))

    async def _step(self, part: Rebuilding, stretch: Stretch, models: PastModels | NoModels) -> None:
        await part.apply(stretch, await models.of(stretch.versions, stretch.rules))
        self.models_missing |= models.missing
        self.records += len(stretch.records)
        if stretch.versions is None:
            self.unjournaled += len(stretch.records)
        if self._told:
            self._told(min(self.records, self._total), self._total)

    def _placed(self, part: Rebuilding, past: PartitionPast, era: Era, reached_ms: int) -> None:
        sequence = era.last_sequences.get(part.partition, 0)
        if era is self._standing.eras[-1]:  # what is erased says nothing again, and no number means two messages
            sequence = max(sequence, self._given_out(part.partition))
            if past.has_gone:  # numbers of now are lower than those of what is on its way, which was sent all the same
                part.stored.timelines.update(dict.fromkeys(part.stored.timelines, sequence))
        part.place(past.positions, sequence, max(past.stream_time_ms, reached_ms))


def _of_layout(era: Era, models: PastModels) -> PastModels | NoModels:
    """The models of an era; those of another layout mean nothing."""
    return models if era.layout in ("", LAYOUT) else NoModels()
