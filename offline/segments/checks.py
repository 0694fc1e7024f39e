"""What found centres have to be before they may take part: such that customers come together again, under names."""

from offline.segments.find import Segments
from offline.training.checks import Check

STABILITY_AT_LEAST = 0.5  # 1 is that all come together again in resampled shops, 0 as by chance
NAMES_AT_LEAST = 3


def checks_of(found: Segments) -> list[Check]:
    """What centres have to keep."""
    names = len({each.name for each in found.clusters})
    return [
        Check(
            name="stable",
            figure=found.stability,
            limit=STABILITY_AT_LEAST,
            passed=found.stability >= STABILITY_AT_LEAST,
            said=f"stability {found.stability:.2f}, at least {STABILITY_AT_LEAST:g} is asked",
        ),
        Check(
            name="tells_names_apart",
            figure=names,
            limit=NAMES_AT_LEAST,
            passed=names >= NAMES_AT_LEAST,
            said=f"{names} different names, at least {NAMES_AT_LEAST} are asked",
        ),
    ]
