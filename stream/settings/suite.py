"""Settings of the test suite."""

from typing import Annotated

import msgspec

from stream.settings.declaring import setting


class SuiteSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the tests read. Load it with `stream.settings.load.load_suite_settings`."""

    require_kafka: Annotated[
        bool,
        setting("Whether a test fails, not is skipped, when Apache Kafka or another service it needs is missing."),
    ] = False
