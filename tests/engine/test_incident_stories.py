"""Days of one job through the real engine: slots found late, made good by hand, judged again."""

import tempfile
from pathlib import Path

from hypothesis import event, given, settings
from hypothesis import strategies as st

from cronverifyd.judge.incidents import needed
from cronverifyd.model import Alert, Verdict
from tests.builders import at, finished, job, seconds
from tests.engine.world import World
from tests.judge.incident_model import IncidentModel

A_DAY_S = 86_400
KINDS_OF_ALERTS = "('opened', 'flapping', 'recovered')"

# A letter a day: g good, f failed, m no line at all. A digit: so many days back, a run by hand of
# that day's slot; a capital L: that many days back, the line of a run that failed comes late.
letters = st.sampled_from(
    [*"ggggfffmmm", "by hand 0", "by hand 1", "by hand 3", "late 1", "late 2"]
)
stories = st.lists(letters, min_size=4, max_size=18)
terms = st.tuples(st.sampled_from([0, 0, 1, 2]), st.sampled_from([1, 1, 2]))


class Story:
    """A world, the model beside it, and what was told."""

    def __init__(self, folder, tolerate, recover_after):
        watched = job(tolerate=tolerate, recover_after=recover_after)
        self.world = World(folder, watched)
        self.model = IncidentModel(tolerate, recover_after, needed(watched))
        self.day = -1
        self.looks = 0
        self.known = {}

    def live(self, word):
        """Do what a word says and look; give what was told, and what the model says is told."""
        self.looks += 1
        run = f"r{self.looks}"
        if word in {"g", "f"}:
            self.day += 1
            status = "success" if word == "g" else "failed"
            return self._look("03:05", finished(self._on("03:04"), status, run))
        if word == "m":
            self.day += 1
            return self._look("04:05")
        if self.day < 0:
            return [], []
        what, back = word.rsplit(" ", 1)
        day = max(self.day - int(back), 0)
        status = "success" if what == "by hand" else "failed"
        now = (at(self._on("04:10")) + seconds(self.looks)).isoformat()
        slot = self._on("03:00", day)
        return self._look(now, finished(now, status, run, started_at=now, slot=slot))

    def _on(self, time, day=None):
        return (at(time) + seconds(A_DAY_S * (self.day if day is None else day))).isoformat()

    def _look(self, now, *lines):
        told = self.world.look(now if "T" in now else self._on(now), *lines)
        heard = [str(each.kind) for each in told if isinstance(each, Alert)]
        verdicts = self._verdicts()
        changed = [day for day, verdict in verdicts.items() if self.known.get(day) != verdict]
        self.known = verdicts
        expected = [kind for day in changed for kind in self.model.judge(day, verdicts[day])]
        return heard, expected

    def _verdicts(self):
        rows = self.world.rows("SELECT slot_us, verdict FROM slot ORDER BY slot_us")
        first_us = at("03:00").timestamp() * 1e6
        return {round((us - first_us) / 1e6 / A_DAY_S): Verdict(word) for us, word in rows}

    def balance(self):
        """Count the incidents that are open, and the openings told for which no recovery was."""
        world = self.world
        ((is_open,),) = world.rows("SELECT count(*) FROM incident WHERE closed_us IS NULL")
        ((balance,),) = world.rows(
            "SELECT coalesce(sum(iif(kind = 'recovered', -1, 1)), 0) FROM outbox"
            f" WHERE kind IN {KINDS_OF_ALERTS}"
        )
        return is_open, balance


@settings(max_examples=60, deadline=None)
@given(stories, terms)
def test_the_engine_says_what_the_model_says_and_every_opening_has_its_recovery(story, term):
    with tempfile.TemporaryDirectory() as folder:
        told = Story(Path(folder), *term)
        for word in story:
            heard, expected = told.live(word)
            for kind in heard:
                event(kind)
            assert heard == expected, word
            is_open, balance = told.balance()
            assert is_open == balance == bool(told.model.days)
            incident = told.world.incident()
            if incident is not None:
                assert incident.slots == len(told.model.days)
                mine = f"SELECT count(*) FROM slot WHERE incident = '{incident.id}'"
                assert told.world.rows(mine) == [(incident.slots,)]
        told.world.close()
