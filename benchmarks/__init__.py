"""How fast Ebb is, beside others, on the same records and the same broker (README.md). Logs go to stderr."""

import sys

import structlog

structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))
