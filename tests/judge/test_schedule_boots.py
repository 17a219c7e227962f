"""When a job of @reboot was due: at the boots that were seen."""

from datetime import UTC, datetime, timedelta

import pytest

from cronverifyd.errors import ScheduleError
from cronverifyd.judge.schedule import parse

TICK = timedelta(microseconds=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


BOOTS = (at("2024-01-10T07:15:02Z"), at("2024-03-31T00:59:59Z"), at("2024-07-01T12:00:00.25Z"))


def test_each_boot_is_a_slot_and_no_other_instant():
    schedule = parse("@reboot", "UTC", BOOTS)
    for boot in BOOTS:
        assert schedule.next_after(boot - TICK) == boot
        assert schedule.latest_at(boot) == boot
    assert schedule.next_after(BOOTS[0]) == BOOTS[1]
    assert schedule.latest_at(BOOTS[1] - TICK) == BOOTS[0]


def test_nobody_knows_the_next_boot_nor_those_before_the_first_one_seen():
    schedule = parse("@reboot", "UTC", BOOTS)
    assert schedule.next_after(BOOTS[-1]) is None
    assert schedule.latest_at(BOOTS[0] - TICK) is None


def test_without_a_boot_that_was_seen_there_is_no_slot():
    schedule = parse("@reboot", "UTC")
    assert schedule.next_after(at("2000-01-01T00:00:00Z")) is None
    assert schedule.latest_at(at("2100-01-01T00:00:00Z")) is None


# Europe/Berlin 2024-03-31T01:00Z: 02:00+01:00 → 03:00+02:00.
def test_a_boot_bears_the_offset_that_the_zone_had_then():
    schedule = parse(" @reboot ", "Europe/Berlin", BOOTS)
    slots = [schedule.latest_at(boot).isoformat() for boot in BOOTS]
    assert slots == [
        "2024-01-10T08:15:02+01:00",
        "2024-03-31T01:59:59+01:00",
        "2024-07-01T14:00:00.250000+02:00",
    ]


def test_a_boot_starts_the_job_once_and_has_no_second_pass():
    schedule = parse("@reboot", "Europe/Berlin", BOOTS)
    slot = schedule.latest_at(BOOTS[0])
    assert schedule.starts_at(slot) == 1
    assert schedule.second_pass(slot) is None


def test_boots_mean_nothing_to_other_schedules():
    assert parse("0 3 * * *", "UTC", BOOTS) is parse("0 3 * * *", "UTC")


def test_the_zone_of_a_reboot_is_checked_too():
    with pytest.raises(ScheduleError, match='did you mean "Europe/Berlin"'):
        parse("@reboot", "Europe/Berlim", BOOTS)
