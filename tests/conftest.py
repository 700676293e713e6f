"""Settings of all tests: hypothesis tries the same examples everywhere, and a busy machine fails no test."""

from hypothesis import settings

settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")
