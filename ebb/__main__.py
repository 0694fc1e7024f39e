"""`python -m ebb`: the same as `ebb`."""

from ebb.cli import main

main()
