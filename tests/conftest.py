"""Fixtures every test may take."""

pytest_plugins = ["tests.services"]
