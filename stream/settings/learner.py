"""Settings of the learner."""

from typing import Annotated

from schemas.units import DAY_MS
from stream.settings import forms
from stream.settings.common import ProcessSettings
from stream.settings.declaring import setting


class LearnerSettings(ProcessSettings, frozen=True, kw_only=True):
    """What the learner reads. Load it with `stream.settings.load.load_learner_settings`."""

    learner_group: Annotated[str, setting("Consumer group of the learner.", form=forms.PLAIN_TEXT)] = "ebb-learner"
    metrics_port: Annotated[int, setting("Port the metrics are served on; 0: none.", ge=0, le=65_535)] = 9465
    publish_every_ms: Annotated[
        int,
        setting("On the live clock a changed model is published at most this often.", unit="ms", ge=100, le=DAY_MS),
    ] = 1_000
