"""docs/SCHEDULES.md: what its tables say is what comes out."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from cronverifyd.errors import ScheduleError
from cronverifyd.judge.schedule import Schedule, parse

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "SCHEDULES.md").read_text("utf-8")
VECTORS = json.loads((ROOT / "tests" / "vectors" / "oncalendar.json").read_text("utf-8"))
BERLIN = ZoneInfo("Europe/Berlin")
TICK = timedelta(microseconds=1)


def rows(heading: str) -> list[tuple[str, ...]]:
    """Read the table under a heading, without its head; code loses its back-ticks."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [
        tuple(cell.strip().strip("`") for cell in line.strip("|").split("|")) for line in lines[2:]
    ]


def test_each_table_has_its_rows():
    headings = ["Forms", "The nights on which the clocks change", "Timers of systemd"]
    assert [len(rows(heading)) for heading in [*headings, "Early starts"]] == [11, 9, 6, 5]


@pytest.mark.parametrize(("text", "meaning", "slot"), rows("Forms"))
def test_a_form_has_the_next_slot_that_the_page_names(text, meaning, slot):
    found = parse(text, "Europe/Berlin").next_after(
        datetime.fromisoformat("2024-05-15T13:00+02:00")
    )
    assert slot == ("none is known" if found is None else found.isoformat())


@pytest.mark.parametrize(
    ("text", "spring", "autumn"), rows("The nights on which the clocks change")
)
def test_a_night_has_the_slots_that_the_page_names(text, spring, autumn):
    schedule = parse(text, "Europe/Berlin")
    assert night(schedule, "2026-03-29") == spring
    assert night(schedule, "2026-10-25") == autumn


def night(schedule: Schedule, day: str) -> str:
    instant = datetime.fromisoformat(f"{day}T01:00").replace(tzinfo=BERLIN).astimezone(UTC) - TICK
    end = datetime.fromisoformat(f"{day}T04:00").replace(tzinfo=BERLIN)
    told = []
    while (instant := schedule.next_after(instant)) < end:
        starts = schedule.starts_at(instant)
        told.append(instant.isoformat()[11:16] + instant.isoformat()[-6:])
        told[-1] += f" x{starts}" if starts > 1 else ""
    return ", ".join(told) or "none"


@pytest.mark.parametrize(("text", "why"), rows("Timers of systemd"))
def test_a_timer_is_refused_for_the_reason_that_the_page_gives(text, why):
    with pytest.raises(ScheduleError) as caught:
        parse(text, "Europe/Berlin")
    assert why in str(caught.value)


@pytest.mark.parametrize(("text", "early"), rows("Early starts"))
def test_a_run_may_start_as_early_as_the_page_says(text, early):
    allowed = parse(text, "Europe/Berlin").early_start.total_seconds()
    assert f"{allowed:g} s" == early


# Europe/Dublin 2024-03-31T01:00Z: 01:00+00:00 → 02:00+01:00, into what the zone calls no daylight
# saving. What systemd says of it is recorded.
def test_the_day_that_systemd_loses_in_ireland_stays_owed():
    lost = VECTORS["loses_a_day"]
    slot = parse(f"oncalendar: {lost['expr']}", lost["tz"]).next_after(
        datetime.fromisoformat(lost["base"])
    )
    assert slot.isoformat() == "2024-03-31T12:00:00+01:00"
    assert lost["next"][0] > "2024-03-31T23"
