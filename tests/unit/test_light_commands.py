"""Commands that look something up do not wait for the compiler to be imported, which takes a second."""

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
