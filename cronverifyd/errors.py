"""The errors that a user may see.

Each says what is wrong and, where an operator can act, what to try. `exit_code` is what the command
line ends with.
"""

from __future__ import annotations


class CronverifydError(Exception):
    """Root of all errors that are told to a user as one sentence.

    `remedy`: what an operator can do about it, or None; printed as `try: …`.
    """

    exit_code = 2

    def __init__(self, what: str, *, remedy: str | None = None) -> None:
        super().__init__(what)
        self.remedy = remedy


class ConfigError(CronverifydError):
    """The configuration cannot be used; one problem a line, each with its place."""


class ScheduleError(CronverifydError):
    """A schedule that never comes, or that nobody can read."""


class OutcomeError(CronverifydError):
    """A line of the outcome file that is not an outcome."""


class StateError(CronverifydError):
    """The daemon or its state cannot be reached."""

    exit_code = 3


class LockedError(CronverifydError):
    """Another daemon holds the state."""

    exit_code = 4


class UnknownJobError(CronverifydError):
    """A job name that stands in no configuration."""


class UnavailableError(CronverifydError):
    """The main loop gave no answer in time."""

    exit_code = 3
