"""Incidents open, are joined, and heal; the ten lines of a model say the same."""

from dataclasses import replace
from datetime import timedelta
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cronverifyd.judge.incidents import Recent, closed, counts, inherited, matters, needed, step
from cronverifyd.model import AlertKind, Verdict
from tests.builders import at, job, judged, seconds, slot

DAY = timedelta(days=1)
FIRST = slot("03:00").at
BAD = [verdict for verdict in Verdict if verdict.bad]
GOOD = [verdict for verdict in Verdict if verdict.good]
NEITHER = [Verdict.PENDING, Verdict.UNKNOWN]


def on(day, verdict, **changed):
    """Build the judged slot of the n-th day."""
    return judged("03:00", verdict, slot=slot((FIRST + day * DAY).isoformat()), **changed)


class Life:
    """The slots of one job, and what the store would keep of them.

    It applies what `step` says as the engine does, and where an older slot turns out bad, the
    newest one is looked at again if it is good.
    """

    def __init__(self, *, announces=True, **changed):
        self.job = job(**changed)
        self.announces = announces
        self.slots = {}
        self.incident = None
        self.last = None
        """The incident as it was when it was last changed, be it closed."""

    def judge(self, day, verdict, *, quiet=False):
        """Give a day's slot its verdict; return what people are told."""
        known = inherited(self.slots.get(day), self.incident)
        self.slots[day] = on(day, verdict, quiet=quiet, incident=known)
        return list(self._follow_up(day))

    def play(self, *verdicts):
        """Judge one slot after the other; return what people are told of each."""
        first = max(self.slots, default=-1) + 1
        return [self.judge(day, verdict) for day, verdict in enumerate(verdicts, first)]

    def _follow_up(self, day):
        slot_of_day = self.slots[day]
        if not matters(self.incident, slot_of_day):
            return
        change = step(self.incident, slot_of_day, Recent(self._recent()), self.job, self._now())
        if change is None:
            return
        self._apply(change)
        if change.tells is not None:
            yield str(change.tells)
        newest = self._recent()[0]
        if slot_of_day.judgment.verdict.bad and newest.judgment.verdict.good:
            yield from self._follow_up((newest.slot.at - FIRST) // DAY)

    def _recent(self):
        known = sorted(self.slots.values(), key=lambda each: each.slot.at, reverse=True)
        return [each for each in known if counts(each)][: needed(self.job)]

    def _now(self):
        return FIRST + max(self.slots) * DAY + seconds(60)

    def _apply(self, change):
        for each in change.joined:
            day = (each.slot.at - FIRST) // DAY
            self.slots[day] = replace(self.slots[day], incident=change.incident.id)
        told = change.tells is AlertKind.OPENED and self.announces
        self.last = replace(change.incident, announced=True) if told else change.incident
        self.incident = None if self.last.closed_at else self.last


# ---- what counts --------------------------------------------------------------------------------


@pytest.mark.parametrize("verdict", Verdict)
def test_a_slot_counts_if_it_is_good_or_bad_and_not_in_maintenance(verdict):
    assert counts(on(0, verdict)) is (verdict not in NEITHER)
    assert not counts(on(0, verdict, quiet=True))


@pytest.mark.parametrize("verdict", Verdict)
def test_nothing_matters_to_a_job_that_is_well_but_a_bad_slot_that_is_new(verdict):
    assert matters(None, on(0, verdict)) is verdict.bad
    assert not matters(None, on(0, verdict, quiet=True))
    assert not matters(None, on(0, verdict, incident="known"))


@pytest.mark.parametrize("verdict", Verdict)
def test_all_that_counts_matters_to_an_open_incident(verdict):
    life = Life()
    life.play("missed")
    assert matters(life.incident, on(1, verdict)) is (verdict not in NEITHER)
    assert matters(life.incident, on(1, verdict, incident=life.incident.id)) is verdict.good
    assert not matters(life.incident, on(1, verdict, quiet=True))


@pytest.mark.parametrize("verdict", Verdict)
@pytest.mark.parametrize("is_open", [False, True])
def test_what_does_not_matter_changes_nothing(verdict, is_open):
    life = Life()
    life.play(*["missed"][:is_open])
    for each in (on(1, verdict), on(1, verdict, quiet=True), on(1, verdict, incident="known")):
        if not matters(life.incident, each):
            assert step(life.incident, each, Recent([each]), life.job, at("05:00")) is None


# ---- opening ------------------------------------------------------------------------------------


@pytest.mark.parametrize("verdict", BAD)
def test_a_bad_slot_opens_an_incident(verdict):
    bad = judged("03:00", verdict)
    change = step(None, bad, Recent([bad]), job(), at("04:05"))
    incident = change.incident
    assert change.tells is AlertKind.OPENED
    assert change.joined == (bad,)
    assert (incident.job, incident.opened_at) == ("db-backup", at("04:05"))
    assert (incident.first_slot, incident.last_bad_slot, incident.slots) == (
        at("03:00"),
        at("03:00"),
        1,
    )
    assert (incident.announced, incident.closed_at, incident.close_reason) == (False, None, None)


@pytest.mark.parametrize("verdict", [*GOOD, *NEITHER])
def test_any_other_slot_opens_none(verdict):
    assert Life().play(verdict) == [[]]


def test_its_id_can_be_typed_and_tells_one_opening_from_another():
    def opened(text, now):
        bad = judged(text, "missed")
        return step(None, bad, Recent([bad]), job(), at(now)).incident.id

    first = opened("03:00", "04:05")
    assert len(first) == 8
    assert first.isalnum()
    assert first.islower()
    assert opened("03:00", "04:05") == first
    assert len({first, opened("03:00", "04:06"), opened("02:00", "04:05")}) == 3


def test_a_second_bad_slot_joins_and_is_counted_but_not_told():
    life = Life()
    assert life.play("missed", "failed", "overrun") == [["opened"], [], []]
    assert (life.incident.slots, life.incident.first_slot, life.incident.last_bad_slot) == (
        3,
        FIRST,
        FIRST + 2 * DAY,
    )


# ---- each slot counts once ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "story",
    [
        pytest.param(["failed"], id="worse"),
        pytest.param(["pending", "failed"], id="pending in between"),
        pytest.param(["unknown", "missed"], id="unknown in between"),
        pytest.param(["pending", "unknown", "failed", "failed"], id="and again"),
    ],
)
@pytest.mark.parametrize("day", [0, 1, 2], ids=["the oldest", "in the middle", "the newest"])
def test_a_slot_is_counted_once_whatever_becomes_of_it(day, story):
    life = Life()
    life.play("missed", "missed", "missed")
    before = life.incident
    assert [life.judge(day, verdict) for verdict in story] == [[]] * len(story)
    assert life.incident == before


def test_an_older_slot_that_turns_out_bad_is_the_first_one_then():
    life = Life()
    life.play("unknown", "missed")
    assert life.judge(0, "missed") == []
    assert (life.incident.slots, life.incident.first_slot, life.incident.last_bad_slot) == (
        2,
        FIRST,
        FIRST + DAY,
    )


def test_a_slot_that_was_told_opens_no_second_incident():
    life = Life()
    life.play("missed", "ok")
    assert life.judge(0, "failed") == []
    assert life.incident is None


def test_a_bad_slot_of_an_incident_that_is_over_does_not_join_the_next_one():
    life = Life()
    life.play("missed", "ok", "missed")
    assert life.judge(0, "failed") == []
    assert (life.incident.first_slot, life.incident.slots) == (FIRST + 2 * DAY, 1)


@pytest.mark.parametrize("again", BAD)
def test_a_slot_that_was_told_to_be_good_and_is_bad_after_all_is_told_again(again):
    """A run by hand made it good; then another end of that run is read, or it belongs elsewhere."""
    life = Life()
    assert life.play("missed") == [["opened"]]
    assert life.judge(0, "late") == ["recovered"]
    assert life.judge(0, again) == ["opened"]


def test_an_older_slot_of_an_open_incident_that_is_good_and_bad_again_is_counted_once():
    life = Life()
    life.play("missed", "missed")
    assert [life.judge(0, verdict) for verdict in ("late", "failed")] == [[], []]
    assert life.incident.slots == 2


# ---- healing ------------------------------------------------------------------------------------


@pytest.mark.parametrize("verdict", GOOD)
def test_a_good_slot_closes_it(verdict):
    life = Life()
    assert life.play("missed", verdict) == [["opened"], ["recovered"]]
    assert (life.last.closed_at, life.last.close_reason) == (FIRST + DAY + seconds(60), "healed")


def test_nobody_hears_of_a_recovery_who_did_not_hear_of_the_opening():
    life = Life(announces=False)
    assert life.play("missed", "ok") == [["opened"], []]
    assert life.incident is None


@pytest.mark.parametrize("verdict", NEITHER)
def test_a_slot_that_is_neither_good_nor_bad_changes_nothing(verdict):
    life = Life()
    life.play("missed")
    before = life.incident
    assert life.play(verdict) == [[]]
    assert life.incident == before


def test_an_older_slot_that_is_made_good_does_not_close_it():
    life = Life()
    life.play("missed", "missed")
    before = life.incident
    assert life.judge(0, "late") == []
    assert life.incident == before


def test_nor_does_an_older_one_that_was_good_before_it_opened():
    life = Life()
    life.play("ok", "missed")
    assert life.judge(0, "ok") == []
    assert life.incident is not None


def test_the_newest_bad_slot_made_good_closes_it():
    life = Life()
    life.play("missed", "missed")
    assert life.judge(1, "late") == ["recovered"]
    assert life.last.close_reason == "healed"


def test_after_it_has_healed_the_next_bad_slot_opens_another():
    life = Life()
    assert life.play("missed", "ok", "missed") == [["opened"], ["recovered"], ["opened"]]
    assert (life.incident.slots, life.incident.first_slot) == (1, FIRST + 2 * DAY)


def healed(day, now, *bad_days):
    """Say whether a good slot closes the incident of some bad ones, as it is at an instant."""
    bad = [on(each, "missed") for each in bad_days]
    incident = None
    for number, each in enumerate(bad):
        change = step(incident, each, Recent(bad[number::-1]), job(), each.slot.at)
        incident = change.incident
    known = [replace(each, incident=incident.id) for each in bad]
    good = on(day, "ok")
    recent = sorted([*known, good], key=lambda each: each.slot.at, reverse=True)
    change = step(incident, good, Recent(recent), job(), now)
    return change is not None and change.incident.close_reason == "healed"


@pytest.mark.parametrize(
    ("ahead", "closes"),
    [
        pytest.param(2_000 * DAY, True, id="years ahead"),
        pytest.param(seconds(60.000001), True, id="just too far ahead"),
        pytest.param(seconds(60), False, id="two clocks that differ"),
        pytest.param(seconds(0), False, id="right"),
    ],
)
def test_a_bad_slot_of_a_clock_that_was_wrong_does_not_keep_it_open(ahead, closes):
    """The host's clock was ahead, so that a slot was missed; then it was set right."""
    assert healed(0, FIRST + 2_000 * DAY - ahead, 2_000) is closes


def test_but_one_before_that_does():
    now = FIRST + 5 * DAY
    assert not healed(0, now, 1, 2_000)
    assert healed(2, now, 1, 2_000)


def test_it_may_be_closed_for_another_reason():
    life = Life()
    life.play("missed")
    over = closed(life.incident, "disabled", at("05:00"))
    assert (over.close_reason, over.closed_at) == ("disabled", at("05:00"))


# ---- tolerate -----------------------------------------------------------------------------------


@pytest.mark.parametrize("tolerate", [0, 1, 2, 3])
def test_so_many_bad_slots_in_a_row_stay_silent_and_are_counted_when_it_opens(tolerate):
    life = Life(tolerate=tolerate)
    assert life.play(*["failed"] * tolerate) == [[]] * tolerate
    assert life.incident is None
    assert life.play("missed") == [["opened"]]
    assert (life.incident.first_slot, life.incident.last_bad_slot, life.incident.slots) == (
        FIRST,
        FIRST + tolerate * DAY,
        tolerate + 1,
    )


@pytest.mark.parametrize("tolerate", [1, 2, 3])
def test_a_good_slot_breaks_the_row(tolerate):
    life = Life(tolerate=tolerate)
    assert life.play(*([*["failed"] * tolerate, "ok"] * 5)) == [[]] * (5 * (tolerate + 1))


def test_once_it_is_open_every_bad_slot_joins():
    life = Life(tolerate=2)
    life.play("failed", "failed", "failed", "failed")
    assert life.incident.slots == 4


def test_after_it_has_healed_as_many_are_tolerated_again():
    life = Life(tolerate=1)
    assert life.play("failed", "failed", "ok", "failed", "failed") == [
        [],
        ["opened"],
        ["recovered"],
        [],
        ["opened"],
    ]
    assert (life.incident.slots, life.incident.first_slot) == (2, FIRST + 3 * DAY)


NEUTRAL = [
    pytest.param("pending", False, id="pending"),
    pytest.param("unknown", False, id="unknown"),
    pytest.param("ok", True, id="good, in maintenance"),
    pytest.param("failed", True, id="bad, in maintenance"),
]


@pytest.mark.parametrize(("verdict", "quiet"), NEUTRAL)
def test_what_does_not_count_neither_breaks_a_row_of_bad_ones_nor_counts_in_it(verdict, quiet):
    life = Life(tolerate=1)
    assert life.judge(0, "failed") == []
    assert life.judge(1, verdict, quiet=quiet) == []
    assert life.judge(2, "failed") == ["opened"]
    assert (life.incident.slots, life.incident.first_slot) == (2, FIRST)
    assert life.slots[1].incident is None


def test_a_slot_that_is_still_bad_when_its_maintenance_is_over_counts_then():
    life = Life(tolerate=1)
    life.judge(0, "failed")
    assert life.judge(1, "failed", quiet=True) == []
    assert life.judge(1, "failed") == ["opened"]
    assert life.incident.slots == 2


@pytest.mark.parametrize(
    "order", list(permutations(range(3))), ids=lambda order: "".join(map(str, order))
)
def test_a_row_is_a_row_in_whatever_order_its_slots_were_found(order):
    life = Life(tolerate=2)
    assert [life.judge(day, "missed") for day in order] == [[], [], ["opened"]]
    assert (life.incident.first_slot, life.incident.last_bad_slot, life.incident.slots) == (
        FIRST,
        FIRST + 2 * DAY,
        3,
    )


@pytest.mark.parametrize(
    ("found", "told"),
    [
        pytest.param("missed", ["opened"], id="bad: it closes the row"),
        pytest.param("ok", [], id="good: it breaks the row"),
        pytest.param("unknown", [], id="neither: the row is too short"),
    ],
)
def test_an_older_slot_found_late_takes_its_place_in_the_row(found, told):
    life = Life(tolerate=2)
    life.play("failed", "unknown", "failed")
    assert life.judge(1, found) == told
    assert [each.incident is not None for each in life.slots.values()] == [bool(told)] * 3


def test_slots_beyond_a_good_one_are_of_another_row():
    life = Life(tolerate=1)
    life.play("failed", "ok", "unknown", "failed", "ok")
    assert life.judge(2, "missed") == ["opened", "recovered"]
    assert [day for day, each in life.slots.items() if each.incident] == [2, 3]


def test_a_row_that_belongs_to_an_incident_that_is_over_counts_in_no_other():
    life = Life(tolerate=1)
    life.play("failed", "failed")
    assert life.judge(1, "late") == ["recovered"]
    assert life.play("failed") == [[]]
    assert life.play("failed") == [["opened"]]
    assert (life.incident.slots, life.incident.first_slot) == (2, FIRST + 2 * DAY)


# ---- recover_after ------------------------------------------------------------------------------


@pytest.mark.parametrize("recover_after", [1, 2, 3])
def test_so_many_good_slots_in_a_row_close_it(recover_after):
    life = Life(recover_after=recover_after)
    life.play("missed")
    silent = recover_after - 1
    assert life.play(*["ok"] * recover_after) == [[]] * silent + [["recovered"]]


def test_a_bad_one_in_between_begins_the_row_anew():
    life = Life(recover_after=2)
    assert life.play("missed", "ok", "missed", "ok", "ok") == [
        ["opened"],
        [],
        [],
        [],
        ["recovered"],
    ]
    assert life.last.slots == 2


@pytest.mark.parametrize(("verdict", "quiet"), NEUTRAL)
def test_what_does_not_count_neither_breaks_a_row_of_good_ones_nor_counts_in_it(verdict, quiet):
    life = Life(recover_after=2)
    life.play("missed", "ok")
    assert life.judge(2, verdict, quiet=quiet) == []
    assert life.judge(3, "ok") == ["recovered"]


def test_the_same_good_slot_judged_again_is_one():
    life = Life(recover_after=2)
    life.play("missed", "ok")
    assert [life.judge(1, "ok") for _ in range(3)] == [[]] * 3
    assert life.incident is not None


@pytest.mark.parametrize("recover_after", [1, 2, 3])
def test_its_newest_bad_slot_made_good_closes_it_at_once(recover_after):
    life = Life(recover_after=recover_after)
    life.play("missed", "failed")
    assert life.judge(1, "late") == ["recovered"]


def test_be_there_good_ones_after_it_or_not():
    life = Life(recover_after=3)
    life.play("missed", "ok")
    assert life.judge(0, "late") == ["recovered"]


def test_an_older_one_made_good_does_not():
    life = Life(recover_after=2)
    life.play("missed", "failed", "ok")
    assert life.judge(0, "late") == []
    assert life.play("ok") == [["recovered"]]


def test_a_good_one_found_late_closes_the_row():
    life = Life(recover_after=3)
    life.play("missed", "ok", "unknown", "ok")
    assert life.judge(2, "ok") == ["recovered"]


# ---- long rows ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("tolerate", "recover_after"), [(0, 1), (3, 1), (0, 40), (40, 40)])
def test_as_many_slots_are_needed_as_a_row_may_be_long(tolerate, recover_after):
    assert needed(job(tolerate=tolerate, recover_after=recover_after)) > max(
        tolerate, recover_after
    )


@pytest.mark.parametrize("order", ["oldest first", "newest first"])
def test_a_row_of_any_length_is_counted_exactly(order):
    days = range(100) if order == "oldest first" else range(99, -1, -1)
    life = Life(tolerate=3)
    told = [life.judge(day, "missed") for day in days]
    assert told == [[], [], [], ["opened"], *[[]] * 96]
    assert (life.incident.first_slot, life.incident.last_bad_slot, life.incident.slots) == (
        FIRST,
        FIRST + 99 * DAY,
        100,
    )


def test_a_row_found_late_behind_many_good_ones_is_told():
    life = Life()
    life.play("unknown", *["ok"] * 50)
    assert life.judge(0, "missed") == ["opened", "recovered"]


# ---- the model ----------------------------------------------------------------------------------

DAYS = range(7)
histories = st.lists(
    st.tuples(st.sampled_from(DAYS), st.sampled_from(Verdict), st.booleans()), max_size=40
)
terms = st.tuples(st.integers(0, 3), st.integers(1, 3))


def model(history, tolerate, recover_after):
    """Say what is told of each change, and which days the open incident has in the end."""
    good, bad, told_of, is_open, told, verdicts = set(), set(), set(), set(), [], {}
    for day, verdict, quiet in history:
        if verdicts.get(day, Verdict.PENDING).good and day not in is_open:
            told_of -= {day}
        verdicts[day] = verdict
        good -= {day}
        bad -= {day}
        if not quiet:
            good |= {day} if verdict.good else set()
            bad |= {day} if verdict.bad else set()
        told.append([])
        if day in bad - told_of:
            row = {day} if is_open else _row(day, good | bad & told_of, bad - told_of)
            if is_open or len(row) > tolerate:
                told[-1] += [] if is_open else ["opened"]
                told_of |= row
                is_open |= row
                day = max(good | bad)  # noqa: PLW2901 - the newest one is looked at again
        if day in good and is_open:
            after = {each for each in good if each > max(is_open)}
            if day == max(is_open) or len(after) >= recover_after:
                told[-1] += ["recovered"]
                is_open = set()
    return told, is_open


def _row(day, breaks, bad):
    """Name the bad days around one, up to the next that breaks the row."""
    since = max((each for each in breaks if each < day), default=-1)
    until = min((each for each in breaks if each > day), default=len(DAYS))
    return {each for each in bad if since < each < until}


@settings(max_examples=1_000)
@given(histories, terms)
def test_the_model_says_the_same(history, term):
    tolerate, recover_after = term
    life = Life(tolerate=tolerate, recover_after=recover_after)
    told = [life.judge(day, verdict, quiet=quiet) for day, verdict, quiet in history]
    expected, days = model(history, tolerate, recover_after)
    assert told == expected
    if not days:
        assert life.incident is None
    else:
        found = life.incident
        assert (found.first_slot, found.last_bad_slot, found.slots) == (
            FIRST + min(days) * DAY,
            FIRST + max(days) * DAY,
            len(days),
        )


@given(histories, terms)
def test_what_an_open_incident_counts_is_the_slots_that_bear_its_id(history, term):
    tolerate, recover_after = term
    life = Life(tolerate=tolerate, recover_after=recover_after)
    for day, verdict, quiet in history:
        life.judge(day, verdict, quiet=quiet)
        if life.incident is not None:
            mine = [each for each in life.slots.values() if each.incident == life.incident.id]
            assert life.incident.slots == len(mine)


@given(st.dictionaries(st.sampled_from(DAYS), st.sampled_from(BAD)), st.data())
def test_bad_slots_make_the_same_incident_in_any_order(verdicts, data):
    order = data.draw(st.permutations(sorted(verdicts)))
    tolerate = data.draw(st.integers(0, 3))
    life = Life(tolerate=tolerate)
    told = [kind for day in order for kind in life.judge(day, verdicts[day])]
    if len(verdicts) <= tolerate:
        assert told == []
    else:
        assert told == ["opened"]
        assert (life.incident.slots, life.incident.first_slot) == (
            len(verdicts),
            FIRST + min(verdicts) * DAY,
        )
