"""Rows of slots, some found late and some made good later, against a model with flapping in it."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from cronverifyd.judge.incidents import (
    SHORT_WHILE,
    Recent,
    counts,
    inherited,
    matters,
    needed,
    step,
)
from cronverifyd.model import Verdict
from tests.builders import at, job, judged, slot
from tests.judge.incident_model import IncidentModel

FIRST = at("03:00")
DAY = timedelta(days=1)

# A letter a slot; a capital: it lies in maintenance; "-": nobody knows of it until it is found.
WORDS = {
    "g": Verdict.OK,
    "l": Verdict.LATE,
    "f": Verdict.FAILED,
    "m": Verdict.MISSED,
    "u": Verdict.UNKNOWN,
    "p": Verdict.PENDING,
}
# A digit: that many slots back, something new arrives: what was bad is good, all else is bad.
letters = st.sampled_from([*"ggllffffmmmfgfgup-GF11234679", "g" * 8, "g" * 9, "g" * 10])
stories = st.lists(letters, min_size=8, max_size=40).map("".join)
terms = st.tuples(st.sampled_from([0, 0, 0, 1, 2, 3]), st.sampled_from([1, 1, 2, 3]))


def placed(story):
    """Give the numbers of slots in the order in which they are judged, each with its verdict."""
    known, newest = {}, -1
    for letter in story:
        if letter.isdigit():
            number = max(newest - int(letter), 0)
            found = known.get(number, Verdict.PENDING)
            verdict = Verdict.LATE if found.bad else Verdict.FAILED
        else:
            newest += 1
            number, verdict = newest, WORDS.get(letter.lower())
        if verdict is not None:
            known[number] = verdict
            yield number, verdict, letter.isupper()


class Life:
    """One job: what `step` says is applied as the store and the engine do."""

    def __init__(self, **terms):
        self.job = job(**terms)
        self.slots = {}
        self.incident = None
        self.openings = []

    def judge(self, number, verdict, *, is_quiet=False):
        """Give a slot its verdict; return what people are told."""
        known = inherited(self.slots.get(number), self.incident)
        instant = slot((FIRST + number * DAY).isoformat())
        self.slots[number] = judged("03:00", verdict, slot=instant, quiet=is_quiet, incident=known)
        told = self._step(number)
        if told is not None and verdict.bad:
            newer = [each for each in sorted(self.slots) if each > number]
            for each in newer:
                told += self._step(each) or []
        return told or []

    def _step(self, number):
        each = self.slots[number]
        if not matters(self.incident, each):
            return None
        counted = [s for n, s in sorted(self.slots.items(), reverse=True) if counts(s)]
        since = counted[:SHORT_WHILE][-1].slot.at
        recent = Recent(counted[: needed(self.job)], sum(first >= since for first in self.openings))
        change = step(self.incident, each, recent, self.job, FIRST + max(self.slots) * DAY)
        return None if change is None else self._apply(change)

    def _apply(self, change):
        if self.incident is None:
            self.openings.append(change.incident.first_slot)
        for joined in change.joined:
            number = (joined.slot.at - FIRST) // DAY
            self.slots[number] = replace(self.slots[number], incident=change.incident.id)
        announced = replace(change.incident, announced=True)
        self.incident = None if announced.closed_at else announced
        return [] if change.tells is None else [str(change.tells)]


def played(story, term):
    life = Life(tolerate=term[0], recover_after=term[1])
    model = IncidentModel(*term, needed(life.job))
    for number, verdict, is_quiet in placed(story):
        told = life.judge(number, verdict, is_quiet=is_quiet)
        assert told == model.judge(number, verdict, is_quiet=is_quiet)
        yield life, model, told


@settings(max_examples=2_000, deadline=None)
@given(stories, terms)
def test_it_opens_counts_flaps_and_closes_as_the_model_does(story, term):
    kinds = set()
    for life, model, told in played(story, term):
        kinds |= {*told}
        if not model.days:
            assert life.incident is None
            continue
        found = life.incident
        assert (found.slots, found.flapping) == (len(model.days), model.flapping)
        assert found.first_slot == FIRST + min(model.days) * DAY
        assert found.last_bad_slot == FIRST + max(model.days) * DAY
    for kind in kinds:
        event(kind)


@settings(max_examples=300, deadline=None)
@given(stories, terms)
def test_openings_and_recoveries_take_turns_and_a_flapping_one_is_silent_until_it_holds(
    story, term
):
    is_open = False
    for life, _, told in played(story, term):
        for kind in told:
            assert kind == "recovered" if is_open else kind in {"opened", "flapping"}
            is_open = not is_open
        assert (life.incident is not None) is is_open


@pytest.mark.parametrize(
    ("story", "told"),
    [
        pytest.param("fgfgf", ["opened", "recovered"] * 2 + ["flapping"], id="three in a while"),
        pytest.param("fgfgf" + "g" * 9, ["opened", "recovered"] * 2 + ["flapping"], id="nine"),
        pytest.param(
            "fgfgf" + "g" * 10, (["opened", "recovered"] * 2 + ["flapping", "recovered"]), id="ten"
        ),
        pytest.param("f" + "g" * 9 + "fgf", ["opened", "recovered"] * 2 + ["opened"], id="apart"),
    ],
)
def test_the_model_says_what_people_were_promised(story, told):
    model = IncidentModel(0, 1, 11)
    heard = [kind for n, word in enumerate(story) for kind in model.judge(n, WORDS[word])]
    assert heard == told
