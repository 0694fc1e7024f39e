"""What a deployment's settings say of its records; apart, since it needs no compiler."""

from schemas.decode import DecodeRules
from stream.settings.common import CommonSettings


def decoding_of(settings: CommonSettings) -> DecodeRules:
    """Which records are events."""
    return DecodeRules(
        currency=settings.currency,
        earliest_event_time_ms=settings.earliest_event_ms,
        latest_lead_ms=settings.latest_lead_ms,
    )
