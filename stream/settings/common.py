"""Settings that every command and process reads, and those that every process of the stream reads."""

from typing import Annotated, Literal

import msgspec

from schemas.money import exponent_of
from schemas.units import DAY_MS
from stream.errors import SettingError
from stream.features.vocabulary import Vocabulary
from stream.outcomes.declaration import BUILT_IN, LAPSED, Outcome
from stream.outcomes.declared import DeclaredOutcomes
from stream.scoring.budget import SCORE_BUDGET_US
from stream.settings import forms
from stream.settings.declaring import PAGE, declared, setting


class CommonSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What every command and process reads. Its text form hides passwords and keys."""

    kafka_servers: Annotated[tuple[str, ...], setting("Kafka to read from and write to.", form=forms.SERVERS)] = (
        "127.0.0.1:9092",
    )
    redis_url: Annotated[
        str,
        setting(
            "Redis that keeps states, views and models, or any one node of a cluster (redis+cluster://). It must "
            "persist (AOF) and not evict.",
            form=forms.REDIS_URL,
        ),
    ] = "redis://127.0.0.1:6379/0"
    clock: Annotated[
        Literal["live", "replay"],
        setting("Where time comes from: events and the wall, or the clock records of a replay. One per deployment."),
    ] = "live"
    partitions: Annotated[
        int, setting("Partitions of each input topic. One per deployment.", unit="partitions", ge=1, le=1024)
    ] = 4
    currency: Annotated[
        str, setting("The one currency of all money; another one is a dead letter.", form=forms.CURRENCY)
    ] = "GBP"
    categories: Annotated[
        tuple[str, ...],
        setting(
            "Product categories whose shares are kept; all others count together. One list per deployment.",
            form=forms.CATEGORIES,
        ),
    ] = ()
    genders: Annotated[
        tuple[str, ...],
        setting(
            "Genders of profiles that are told apart; all others are one. One list per deployment.", form=forms.NAMES
        ),
    ] = ()
    regions: Annotated[
        tuple[str, ...],
        setting("Regions of profiles that are told apart, likewise. One list per deployment.", form=forms.NAMES),
    ] = ()
    educations: Annotated[
        tuple[str, ...],
        setting("Educations of profiles that are told apart, likewise. One list per deployment.", form=forms.NAMES),
    ] = ()
    loyalty_tiers: Annotated[
        tuple[str, ...],
        setting("Loyalty tiers that are told apart, the lowest first. One list per deployment.", form=forms.NAMES),
    ] = ()
    time_zones: Annotated[
        tuple[str, ...],
        setting("Time zones of profiles that are told apart, likewise. One list per deployment.", form=forms.NAMES),
    ] = ()
    outcomes: Annotated[
        tuple[Outcome, ...],
        setting("What is predicted, of what comes with Ebb. One list per deployment.", form=forms.OUTCOMES),
    ] = BUILT_IN
    outcomes_file: Annotated[
        tuple[Outcome, ...],
        setting("What is predicted besides, declared in a file (docs/outcomes.md).", form=forms.OUTCOMES_FILE),
    ] = ()
    alert_outcome: Annotated[
        str, setting("The outcome that churn alerts, value at risk and reasons go by.", form=forms.PLAIN_TEXT)
    ] = LAPSED.name
    earliest_event_ms: Annotated[
        int, setting("An event before this time is a dead letter. The default is 1990.", unit="ms since 1970", ge=0)
    ] = 631_152_000_000
    latest_lead_ms: Annotated[
        int, setting("An event this much later than its Kafka timestamp is a dead letter.", unit="ms", ge=0)
    ] = DAY_MS
    log_format: Annotated[Literal["json", "text"], setting("How log lines are written, to standard error.")] = "json"
    log_level: Annotated[Literal["debug", "info", "warning", "error"], setting("The least that is logged.")] = "info"

    def __post_init__(self) -> None:
        """Refuse outcomes that cannot be predicted.

        Raises:
            SettingError: a name twice, a category that is not declared, or alerts by an outcome that is none.
        """
        try:
            names = self.predicted.names
        except ValueError as error:
            raise SettingError(f"EBB_OUTCOMES and EBB_OUTCOMES_FILE: {error} ({PAGE}).") from error
        if self.alert_outcome not in names:
            raise SettingError(
                f"EBB_ALERT_OUTCOME={self.alert_outcome!r} is not asked. EBB_OUTCOMES and EBB_OUTCOMES_FILE declare "
                f"{', '.join(names)}: set EBB_ALERT_OUTCOME to one of these, or declare it ({PAGE})."
            )

    @property
    def predicted(self) -> DeclaredOutcomes:
        """All outcomes."""
        return DeclaredOutcomes((*self.outcomes, *self.outcomes_file), self.vocabulary, exponent_of(self.currency))

    @property
    def alerted(self) -> Outcome:
        """The outcome that alerts and value at risk go by."""
        return next(outcome for outcome in self.predicted.outcomes if outcome.name == self.alert_outcome)

    @property
    def vocabulary(self) -> Vocabulary:
        """The declared lists of names."""
        return Vocabulary(**{field: getattr(self, field) for field in Vocabulary.__struct_fields__})

    def __repr__(self) -> str:
        """Field by field, secrets masked."""
        shown = (f"{field.field}={field.shown(str(getattr(self, field.field)))}" for field in declared(type(self)))
        return f"{type(self).__name__}({', '.join(shown)})"


class MemberSettings(CommonSettings, frozen=True, kw_only=True):
    """What every process that belongs to a consumer group reads besides."""

    session_timeout_ms: Annotated[
        int,
        setting(
            "Kafka gives a silent process's partitions to another after this long.", unit="ms", ge=1_000, le=300_000
        ),
    ] = 10_000
    metrics_host: Annotated[str, setting("Address the metrics are served on.", form=forms.HOST)] = "127.0.0.1"


class ProcessSettings(MemberSettings, frozen=True, kw_only=True):
    """What the worker and the learner read besides."""

    lockstep: Annotated[
        bool, setting("Whether models change at stream days only, and lanes wait for them. Needs EBB_CLOCK=replay.")
    ] = False
    model_keys: Annotated[
        str,
        setting(
            "Keys that sign models; the first signs, all verify. Empty: read from EBB_MODEL_KEYS_FILE.",
            form=forms.MODEL_KEYS,
        ),
    ] = ""
    model_keys_file: Annotated[
        str, setting("File with such keys, one a line. `ebb up` and `ebb demo` make the default one.", form=forms.FILE)
    ] = ".ebb/model-keys"

    score_budget_us: Annotated[
        float,
        setting(
            "A challenger is not promoted, by the rule or by a person, if a score by it costs more than this, as "
            "estimated from what it is made of (docs/models.md); Ebb's own models cost less than 2.",
            unit="us of CPU",
            ge=2,
            le=1_000_000,
        ),
    ] = SCORE_BUDGET_US

    def __post_init__(self) -> None:
        """Refuse what no deployment can mean.

        Raises:
            SettingError: lockstep without the replay clock, or what `CommonSettings` refuses.
        """
        super().__post_init__()
        if self.lockstep and self.clock != "replay":
            raise SettingError(
                f"EBB_LOCKSTEP='true' does not work with EBB_CLOCK='{self.clock}'. Set EBB_CLOCK=replay ({PAGE})."
            )
