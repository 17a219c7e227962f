"""Slots against the real cron, over both changes of the clock in three zones."""

from collections import Counter
from datetime import UTC, datetime

import pytest

from cronverifyd.judge.schedule import parse
from tests.debian_cron import require_cron
from tests.oracle.real_cron import FAKETIME, CronRun, Night

pytestmark = pytest.mark.oracle

# zone, from a wall time well before the change, for so many minutes
NIGHTS = [
    # Berlin 2026-03-29: 01:59:59 CET (+01:00) → 03:00:00 CEST (+02:00)
    Night("Europe/Berlin", "2026-03-29T00:58:30", 220),
    # Berlin 2026-10-25: 02:59:59 CEST (+02:00) → 02:00:00 CET (+01:00)
    Night("Europe/Berlin", "2026-10-25T00:58:30", 280),
    # New York 2026-03-08: 01:59:59 EST (-05:00) → 03:00:00 EDT (-04:00)
    Night("America/New_York", "2026-03-08T00:58:30", 220),
    # New York 2026-11-01: 01:59:59 EDT (-04:00) → 01:00:00 EST (-05:00)
    Night("America/New_York", "2026-11-01T00:28:30", 280),
    # Lord Howe 2026-10-04: 01:59:59 (+10:30) → 02:30:00 (+11:00)
    Night("Australia/Lord_Howe", "2026-10-04T00:58:30", 220),
    # Lord Howe 2026-04-05: 01:59:59 (+11:00) → 01:30:00 (+10:30)
    Night("Australia/Lord_Howe", "2026-04-05T00:28:30", 280),
]

EXPRESSIONS = [
    "0 2 * * *",
    "30 2 * * *",
    "15 2 * * *",
    "45 1 * * *",
    "30 1 * * *",
    "0 1 * * *",
    "15 1 * * *",
    "0 3 * * *",
    "30 3 * * *",
    "59 1 * * *",
    "59 2 * * *",
    "1 3 * * *",
    "0,30 2 * * *",
    "0,30 3 * * *",
    "0,30 1 * * *",
    "0,15,30,45 2 * * *",
    "0,15,30,45 1 * * *",
    "5-45/20 2 * * *",
    "5-45/20 1 * * *",
    "0 1,2,3 * * *",
    "30 1-3 * * *",
    "0 2,3 * * *",
    "10,40 1,2,3,4 * * *",
    "*/30 * * * *",
    "*/15 * * * *",
    "*/7 * * * *",
    "0 * * * *",
    "30 * * * *",
    "15,45 * * * *",
    "0 */2 * * *",
    "30 */2 * * *",
    "0 */3 * * *",
    "5 */1 * * *",
    "*/20 2 * * *",
    "*/20 1 * * *",
    "*/20 1-3 * * *",
    "* 2 * * *",
    "0-10 2 * * *",
    "50-59 1 * * *",
    "@hourly",
    "0 2 * * SUN",
    "0 2 * * 7",
    "0 2 * * 1-5",
    "30 2 1-7 * *",
    "30 2 1-7 * 0",
    "30 1 29 MAR *",
    "0 0-23 * * *",
    "0 0-23/2 * * *",
    "20 0-23/3 * * *",
    "0 4 * * *",
]


@pytest.fixture(scope="module")
def nights(tmp_path_factory):
    """Run a cron for every night, all at once: they sleep most of the time."""
    require_cron("NOT VERIFIED AGAINST THE REAL CRON", [(FAKETIME, "libfaketime")])
    folder = tmp_path_factory.mktemp("oracle")
    runs = [CronRun(night, EXPRESSIONS, folder / str(n)) for n, night in enumerate(NIGHTS)]
    found = {night: run.starts() for night, run in zip(NIGHTS, runs, strict=True)}
    for n, (night, starts) in enumerate(found.items()):
        if not _is_whole(starts[0]):  # a stall of this machine, which cost cron a minute
            found[night] = CronRun(night, EXPRESSIONS, folder / f"{n}-again").starts()
    return found


def _is_whole(canary: Counter[int]) -> bool:
    return canary == Counter(dict.fromkeys(range(min(canary), max(canary) + 60, 60), 1))


@pytest.mark.parametrize("night", NIGHTS, ids=lambda night: f"{night.zone} {night.start[:10]}")
def test_cron_starts_each_job_at_its_slots_and_so_often(nights, night):
    canary, *started = nights[night]
    first, last = min(canary), max(canary)
    assert last - first >= (night.minutes - 5) * 60
    assert _is_whole(canary), "a minute was lost"
    wrong = {
        expression: (_readable(found), _readable(expected))
        for expression, found in zip(EXPRESSIONS, started, strict=True)
        if found != (expected := _expected(expression, night.zone, first, last))
    }
    assert not wrong


def _expected(expression: str, zone: str, first: int, last: int) -> Counter[int]:
    schedule, expected = parse(expression, zone), Counter()
    slot = schedule.next_after(datetime.fromtimestamp(first - 1, UTC))
    while slot.timestamp() <= last:
        expected[int(slot.timestamp())] = schedule.starts_at(slot)
        slot = schedule.next_after(slot)
    return expected


def _readable(starts: Counter[int]) -> list[str]:
    return [
        f"{datetime.fromtimestamp(at, UTC):%H:%M}Zx{count}" for at, count in sorted(starts.items())
    ]
