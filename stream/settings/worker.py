"""Settings of the worker."""

from typing import Annotated, Literal

from schemas.units import DAY_MS
from stream.errors import SettingError
from stream.settings import forms
from stream.settings.common import ProcessSettings
from stream.settings.declaring import PAGE, setting


class WorkerSettings(ProcessSettings, frozen=True, kw_only=True):
    """What the worker reads. Load it with `stream.settings.load.load_worker_settings`."""

    worker_group: Annotated[str, setting("Consumer group of the workers.", form=forms.PLAIN_TEXT)] = "ebb-worker"
    worker_instance_id: Annotated[
        str,
        setting(
            "Names this worker for good (static membership): started again within the session timeout it goes on with "
            "its partitions, and no other worker pauses. Each worker has another one; empty: none.",
            form=forms.PLAIN_TEXT,
        ),
    ] = ""
    metrics_port: Annotated[int, setting("Port the metrics are served on; 0: none.", ge=0, le=65_535)] = 9464
    chunk_customers: Annotated[
        int,
        setting(
            "Most customers with records in one commit; 500 hold Redis for about 2 ms.",
            unit="customers",
            ge=1,
            le=50_000,
        ),
    ] = 500
    chunk_records: Annotated[
        int,
        setting("Most records applied in one commit, however few their customers.", unit="records", ge=1, le=50_000),
    ] = 4_000
    chunk_bytes: Annotated[
        int,
        setting("Most bytes of records applied in one commit; one larger record goes alone.", unit="bytes", ge=1_000),
    ] = 4_000_000
    gather_ms: Annotated[
        int,
        setting(
            "On the live clock the broker gathers records for a fetch for at most so long while they come; a worker "
            "that has time lets it for less.",
            unit="ms",
            ge=10,
            le=1_000,
        ),
    ] = 30
    queue_bytes: Annotated[
        int, setting("Most bytes fetched ahead, per topic and partition.", unit="bytes", ge=1_000)
    ] = 16_000_000
    resident_bytes: Annotated[
        int,
        setting(
            "Memory of a worker for customers it need not read again, per partition, some 800 bytes each; 0: none.",
            unit="bytes",
            ge=0,
        ),
    ] = 64_000_000
    decide_every_ms: Annotated[
        int,
        setting("A customer is scored at most this often; a later event waits for it.", unit="ms", ge=0, le=DAY_MS),
    ] = 1_000
    tick_ms: Annotated[
        int,
        setting(
            "How often an idle partition looks whether Redis came back older and, on the live clock, at the wall.",
            unit="ms",
            ge=10,
            le=60_000,
        ),
    ] = 250
    alignment_ms: Annotated[
        int,
        setting(
            "On the live clock a topic is fetched at most this far ahead of one that is behind.",
            unit="ms",
            ge=0,
            le=31 * DAY_MS,
        ),
    ] = 3_600_000
    due_limit: Annotated[
        int, setting("Most deadlines fired before the next records get their turn.", unit="deadlines", ge=1, le=100_000)
    ] = 250
    sweep_customers: Annotated[
        int,
        setting(
            "Most customers one commit decides anew after models or settings changed, on the live clock.",
            unit="customers",
            ge=1,
            le=100_000,
        ),
    ] = 500
    background_ms: Annotated[
        int,
        setting(
            "CPU time for one commit of a sweep or a long silence, but 300 customers at least; live events wait.",
            unit="ms",
            ge=1,
            le=1_000,
        ),
    ] = 6
    alert_probability: Annotated[float, setting("A churn alert opens at this probability of leaving.", ge=0, le=1)] = (
        0.8
    )
    alert_close_probability: Annotated[
        float, setting("An open churn alert closes below this probability.", ge=0, le=1)
    ] = 0.7

    on_bug: Annotated[
        Literal["stop", "quarantine"],
        setting(
            "What a worker does when Ebb itself fails: end, or set aside the record as a dead letter, or the customer "
            "for a day."
        ),
    ] = "stop"

    def __post_init__(self) -> None:
        """Refuse values that contradict each other.

        Raises:
            SettingError: an alert would close before it opens, or a chunk could not be queued.
        """
        super().__post_init__()
        if self.alert_close_probability > self.alert_probability:
            raise SettingError(
                f"EBB_ALERT_CLOSE_PROBABILITY='{self.alert_close_probability}' is above "
                f"EBB_ALERT_PROBABILITY='{self.alert_probability}'. An alert closes at most where it opens ({PAGE})."
            )
        if self.chunk_bytes > self.queue_bytes:
            raise SettingError(
                f"EBB_CHUNK_BYTES='{self.chunk_bytes}' is above EBB_QUEUE_BYTES='{self.queue_bytes}'. "
                f"A chunk is taken from a queue: let the queue hold several ({PAGE})."
            )
