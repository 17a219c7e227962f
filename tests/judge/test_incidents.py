"""Incidents open, are joined, and heal; the ten lines of a model say the same."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronverifyd.judge.incidents import closed, step
from cronverifyd.model import AlertKind, Verdict
from tests.builders import at, judged, seconds, slot

DAY = timedelta(days=1)
FIRST = slot("03:00").at


def on(day, verdict):
    """Build the judged slot of the n-th day."""
    plain = judged("03:00", verdict)
    moved = slot((FIRST + day * DAY).isoformat())
    return judged("03:00", verdict, slot=moved, judgment=plain.judgment)


def play(*verdicts, announced=True):
    """Judge one slot after the other; give the incident and what was told."""
    incident, told = None, []
    for day, verdict in enumerate(verdicts):
        now = FIRST + day * DAY + seconds(60)
        found, kind = step(incident, None, on(day, verdict), now)
        told.append(kind)
        if found is not None and kind is AlertKind.OPENED and announced:
            found = _announced(found)
        incident = None if found is None or found.closed_at else found
    return incident, told


def _announced(incident):
    return replace(incident, announced=True)


@pytest.mark.parametrize("verdict", ["missed", "failed", "overrun"])
def test_a_bad_slot_opens_an_incident(verdict):
    incident, kind = step(None, None, judged("03:00", verdict), at("04:05"))
    assert kind is AlertKind.OPENED
    assert incident is not None
    assert (incident.job, incident.opened_at) == ("db-backup", at("04:05"))
    assert (incident.first_slot, incident.last_bad_slot, incident.slots) == (
        at("03:00"),
        at("03:00"),
        1,
    )
    assert (incident.announced, incident.closed_at, incident.close_reason) == (False, None, None)


@pytest.mark.parametrize("verdict", ["pending", "ok", "late"])
def test_any_other_slot_opens_none(verdict):
    assert step(None, None, judged("03:00", verdict), at("04:05")) == (None, None)


def test_its_id_can_be_typed_and_tells_one_opening_from_another():
    def opened(text, now):
        incident, _ = step(None, None, judged(text, "missed"), at(now))
        return incident.id

    first = opened("03:00", "04:05")
    assert len(first) == 8
    assert first.isalnum()
    assert first.islower()
    assert opened("03:00", "04:05") == first
    assert len({first, opened("03:00", "04:06"), opened("02:00", "04:05")}) == 3


def test_a_second_bad_slot_joins_and_is_counted_but_not_told():
    incident, told = play("missed", "failed", "overrun")
    assert told == [AlertKind.OPENED, None, None]
    assert (incident.slots, incident.first_slot, incident.last_bad_slot) == (
        3,
        FIRST,
        FIRST + 2 * DAY,
    )


def test_a_slot_whose_verdict_gets_worse_is_counted_once():
    incident, _ = play("missed")
    again, kind = step(incident, Verdict.MISSED, on(0, "failed"), at("05:00"))
    assert (again, kind) == (incident, None)


def test_a_slot_that_was_pending_again_in_between_is_counted_once():
    incident, _ = play("missed")
    waiting, _ = step(incident, Verdict.MISSED, on(0, "pending"), at("03:03"))
    again, kind = step(waiting, Verdict.PENDING, on(0, "failed"), at("03:04"))
    assert (again, kind) == (incident, None)


def test_an_older_slot_that_turns_out_bad_is_the_first_one_then():
    incident, _ = play("ok", "missed")
    earlier, kind = step(incident, None, on(0, "missed"), at("05:00"))
    assert kind is None
    assert (earlier.slots, earlier.first_slot, earlier.last_bad_slot) == (2, FIRST, FIRST + DAY)


def test_a_slot_that_was_bad_before_and_was_told_opens_no_second_incident():
    assert step(None, Verdict.MISSED, on(0, "failed"), at("05:00")) == (None, None)


def test_a_bad_slot_of_an_incident_that_is_over_does_not_join_the_next_one():
    incident, _ = play("missed", "ok", "missed")
    assert step(incident, Verdict.MISSED, on(0, "failed"), at("05:00")) == (incident, None)
    assert incident.first_slot == FIRST + 2 * DAY


@pytest.mark.parametrize("verdict", ["ok", "late"])
def test_a_good_slot_closes_it(verdict):
    incident, _ = play("missed")
    healed, kind = step(incident, None, on(1, verdict), FIRST + DAY)
    assert (healed.closed_at, healed.close_reason) == (FIRST + DAY, "healed")
    assert kind is AlertKind.RECOVERED


def test_nobody_hears_of_a_recovery_who_did_not_hear_of_the_opening():
    _, told = play("missed", "ok", announced=False)
    assert told == [AlertKind.OPENED, None]


def test_a_pending_slot_changes_nothing():
    incident, told = play("missed", "pending")
    assert incident is not None
    assert told == [AlertKind.OPENED, None]


def test_an_older_slot_that_is_made_good_does_not_close_it():
    incident, _ = play("missed", "missed")
    assert step(incident, Verdict.MISSED, on(0, "late"), FIRST + DAY + seconds(60)) == (
        incident,
        None,
    )


def test_the_newest_bad_slot_made_good_closes_it():
    incident, _ = play("missed", "missed")
    healed, kind = step(incident, Verdict.MISSED, on(1, "late"), FIRST + DAY + seconds(60))
    assert healed.close_reason == "healed"
    assert kind is AlertKind.RECOVERED


@pytest.mark.parametrize(
    ("ahead_s", "stays"),
    [
        pytest.param(60, True, id="two clocks that differ"),
        pytest.param(61, False, id="a clock that was wrong"),
    ],
)
def test_a_bad_slot_of_the_future_does_not_keep_it_open(ahead_s, stays):
    incident, _ = step(None, None, on(1, "failed"), FIRST)
    now = FIRST + DAY - seconds(ahead_s)
    found, _ = step(incident, None, on(0, "ok"), now)
    assert (found.closed_at is None) is stays


def test_it_may_be_closed_for_another_reason():
    incident, _ = play("missed")
    assert closed(incident, "disabled", at("05:00")).close_reason == "disabled"


# ---- the model ----------------------------------------------------------------------------------


def model(history):
    """Say what is open after slots were judged, each (day, verdict) as it came."""
    verdicts, bad_days, told = {}, [], []
    for day, verdict in history:
        before, verdicts[day] = verdicts.get(day), verdict
        if verdict.bad:
            new = not (before and before.bad)
            told.append("opened" if new and not bad_days else None)
            bad_days += [day] if new else []
        else:
            heals = bad_days and verdict.good and day >= max(bad_days)
            told.append("recovered" if heals else None)
            bad_days = [] if heals else bad_days
    return (min(bad_days), max(bad_days)) if bad_days else None, told


@given(st.lists(st.tuples(st.integers(0, 4), st.sampled_from(Verdict)), max_size=25))
def test_the_model_says_the_same(history):
    incident, verdicts, told = None, {}, []
    for day, verdict in history:
        found, kind = step(incident, verdicts.get(day), on(day, verdict), FIRST + 5 * DAY)
        verdicts[day] = verdict
        told.append(kind)
        incident = None if found is None or found.closed_at else _announced(found)
    expected, expected_told = model(history)
    assert told == expected_told
    if expected is None:
        assert incident is None
    else:
        first, last = (FIRST + day * DAY for day in expected)
        assert (incident.first_slot, incident.last_bad_slot) == (first, last)
        assert 1 <= incident.slots <= len(history)


@given(st.lists(st.sampled_from([Verdict.OK, Verdict.MISSED, Verdict.PENDING]), max_size=20))
def test_slots_in_order_are_counted_exactly(verdicts):
    incident, _ = play(*verdicts)
    since_good = []
    for verdict in verdicts:
        since_good = [] if verdict.good else [*since_good, verdict]
    assert (incident.slots if incident else 0) == sum(v.bad for v in since_good)
