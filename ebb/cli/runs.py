"""How commands begin that write a run."""

from importlib.metadata import version
from pathlib import Path

from offline.report.drawing import require_matplotlib
from offline.report.folder import refuse_taken
from offline.scikit_learn import require_scikit_learn


def begin_run(out: Path) -> None:
    """See that a run can be made, before anything is read.

    Raises:
        OfflineError: a library is missing, or `out` is taken.
    """
    require_scikit_learn()
    require_matplotlib()
    refuse_taken(out)


def versions() -> dict[str, str]:
    """Of the libraries that decide what a run comes to."""
    return {name: version(name) for name in ("ebb", "numpy", "scikit-learn")}
