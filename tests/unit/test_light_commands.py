"""Nobody waits for imports he has no use for: the compiler takes half a second, another Kafka client a quarter."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "module",
    [
        "ebb.cli",
        "ebb.cli.lookup",
        "ebb.cli.alerts",
        "ebb.cli.identities",
        "ebb.cli.dead_letters",
        "ebb.cli.services",
        "ebb.lookup",
    ],
)
def test_the_compiler_is_not_imported(module: str) -> None:
    check = f"import sys, {module}; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False, timeout=60).returncode == 0


def test_a_worker_does_not_import_what_only_others_need() -> None:
    check = "import sys, ebb.cli.worker; print(*{'kafka', 'scipy.linalg', 'pandas', 'river'} & set(sys.modules))"
    said = subprocess.run([sys.executable, "-c", check], check=True, timeout=60, capture_output=True, text=True)
    assert said.stdout.strip() == ""
