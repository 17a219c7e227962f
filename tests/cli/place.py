"""A configuration and its state, verified up to an instant of a test's choosing."""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime

from cronverifyd.config.load import load
from cronverifyd.daemon import build
from cronverifyd.daemon.surveyor import survey
from cronverifyd.engine.engine import Hands
from cronverifyd.host.machine import Machine
from cronverifyd.model import (
    Delivered,
    Delivery,
    DeliveryResult,
    Look,
    TriggeredBy,
)
from tests.builders import at

BACKUP = '[jobs.db-backup]\nschedule = "0 3 * * *"\nmax_duration = "1h"\ngrace = "5m"\n'
SENT = Delivery(result=DeliveryResult.SENT, receipt="ok")

_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def lines(self):
        return self.out.splitlines()


class Place:
    """A folder with `config.toml`, and `state/` beside it. `url`: of Slack; None: the console."""

    def __init__(self, folder, jobs=BACKUP, *, url=None, daemon="", more=""):
        self.config = folder / "config.toml"
        self.state = folder / "state"
        self.outcomes = self.state / "outcomes.jsonl"
        self.database = self.state / "cronverifyd.sqlite3"
        self._head = (
            f'[daemon]\ntimezone = "UTC"\ninstance = "testhost"\n{daemon}\n'
            f'[listen]\ntrigger = "off"\nstatus = "off"\n\n{more}\n'
            f'[channels.ops]\nkind = "{"slack" if url else "console"}"\n'
            + (f'url = "{url}"\n\n' if url else "\n")
        )
        self.state.mkdir()
        self.configure(jobs)

    def configure(self, jobs):
        self.config.touch(mode=0o600)
        self.config.write_text(self._head + jobs)

    def append(self, *lines):
        with self.outcomes.open("ab") as file:
            file.write(b"".join(lines))

    def look(self, when, *lines, delivery=SENT):
        """Append lines, then look as the daemon would have done at `when`.

        `delivery`: what comes of each alert. An outcome file is read with the mtime that it has, so
        lines of the past have to bear their own times.
        """
        self.append(*lines)
        now = when if isinstance(when, datetime) else at(when)
        handed = []
        unmeasured = []
        hands = Hands(
            send=lambda *row: handed.append(row),
            measure=unmeasured.append,
            rehearse=id,
            beat=id,
            report=id,
        )
        with build.engine(load(self.config), hands, Machine()) as (engine, _):
            engine.begin(now)
            engine.handle(Look(triggered_by=TriggeredBy.FILE), now)
            while unmeasured:
                engine.handle(survey(unmeasured.pop(0)), now)
            while handed:
                channel, rows, _ = handed.pop(0)
                report = Delivered(rows=rows, channel=channel, delivery=delivery)
                engine.handle(report, now)


def instant(text):
    """Read an instant that has to be RFC 3339 with an offset."""
    assert _RFC_3339.fullmatch(text), text
    return datetime.fromisoformat(text)


def offset_of(text):
    """Give the offset of an instant, as it is written."""
    instant(text)
    return "+00:00" if text.endswith("Z") else text[-6:]


def now():
    return datetime.now(UTC)
