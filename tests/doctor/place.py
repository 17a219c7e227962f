"""An installation in a folder, in good health, for tests to break."""

import os

from cronverifyd.config.load import load
from cronverifyd.doctor.finding import Level

JOB = '[jobs.db-backup]\nschedule = "0 3 * * *"\n'


class Place:
    """`config.toml`, and `state/` with one outcome file beside it. `more`: tables of its own."""

    def __init__(self, folder):
        self.folder = folder
        self.path = folder / "config.toml"
        self.state = folder / "state"
        self.outcomes = self.state / "outcomes.jsonl"
        self.state.mkdir(mode=0o750)
        self.outcomes.touch(mode=0o600)
        self.write()

    def write(self, more="", *, daemon="", listen='trigger = "off"\nstatus = "off"\n', jobs=JOB):
        self.path.touch(mode=0o600)
        head = f'[daemon]\ntimezone = "UTC"\ninstance = "testhost"\n{daemon}\n[listen]\n{listen}\n'
        self.path.write_text(f"{head}{more}\n{jobs}")
        return self.load()

    def load(self):
        return load(self.path, environ=os.environ)


def worst(findings):
    """Give the level of the worst."""
    return max((each.level for each in findings), key=list(Level).index)


def the_one(findings, level):
    """Give the only finding of a level."""
    found = [each for each in findings if each.level is level]
    assert len(found) == 1, found
    return found[0]
