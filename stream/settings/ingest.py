"""Settings of `ebb ingest`."""

from typing import Annotated

from stream.settings import forms
from stream.settings.common import MemberSettings
from stream.settings.declaring import setting


class IngestSettings(MemberSettings, frozen=True, kw_only=True):
    """What an ingest process reads. Load it with `stream.settings.load.load_ingest_settings`."""

    ingest_group: Annotated[
        str, setting("Consumer group of the ingest processes. One per map.", form=forms.PLAIN_TEXT)
    ] = "ebb-ingest"
    source_kafka_servers: Annotated[
        tuple[str, ...],
        setting("Kafka to read the map's sources from. Empty: that of EBB_KAFKA_SERVERS.", form=forms.SOME_SERVERS),
    ] = ()
    ingest_chunk_records: Annotated[
        int,
        setting("Most source records mapped and sent at a time.", unit="records", ge=1, le=50_000),
    ] = 2_000
    metrics_port: Annotated[int, setting("Port the metrics are served on; 0: none.", ge=0, le=65_535)] = 9466
    registry_url: Annotated[str, setting("Schema registry, for sources in Avro.", form=forms.HTTP_URL)] = ""
    registry_auth: Annotated[
        str,
        setting("Who asks the registry. Empty: read from EBB_REGISTRY_AUTH_FILE.", form=forms.USER_AND_PASSWORD),
    ] = ""
    registry_auth_file: Annotated[
        str, setting("File with such a user and password. Empty: the registry needs none.", form=forms.FILE)
    ] = ""
