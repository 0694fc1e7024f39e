"""Fixtures every test may take, and what holds for all of them."""

from hypothesis import settings

pytest_plugins = ["tests.services"]

settings.register_profile("ebb", deadline=None)  # no test asserts a time, least of all on a machine with other work
settings.load_profile("ebb")
