"""Bad slots have a cause only if what the host was like explains them."""

from dataclasses import replace

import pytest

from cronverifyd.judge.causes import BadSlot, cause_of, cron_dead
from cronverifyd.judge.host_words import sentences
from cronverifyd.model import CauseKind, ClockStep, HostFacts, Loss, Span, Verdict, Volume
from tests.builders import at, slot

OUTCOMES = "/var/lib/o.jsonl"


def bad(slot_at="03:00", verdict="missed", name="db-backup", **changed):
    """Build a bad slot whose deadline is 65 minutes after it."""
    given_slot = slot(slot_at)
    known = {
        "job": name,
        "slot": given_slot.at,
        "deadline": given_slot.deadline,
        "files": (OUTCOMES,),
    }
    return BadSlot(verdict=Verdict(verdict), **(known | changed))


def span(since, until=None, before=None):
    return Span(
        since=at(since), until=at(until) if until else None, before=at(before) if before else None
    )


def volume(path=OUTCOMES, device=1, **changed):
    room = {"size_bytes": 20_000_000_000, "free_bytes": 0, "free_inodes": 7}
    return Volume(path=path, device=device, **(room | changed))


def facts(**changed):
    """Build what a host says at 05:00; it has a cron, unless told otherwise."""
    known = {"at": at("05:00"), "cron_running": True, "cron_expected": True}
    return HostFacts(**(known | changed))


def full(*spans, **changed):
    return facts(volumes=(volume(full=spans, **changed),))


def read_only(*spans):
    return facts(volumes=(volume(read_only=spans),))


def step(by_s, seen="03:00:02", before="02:59:57"):
    return facts(steps=(ClockStep(at=at(seen), by_s=by_s, before=at(before)),))


DOWN = (at("02:59:58"), at("03:20:11"))
GAP = facts(cron_gaps=(span("03:00:03", "03:10", "02:59:58"),))
DEAD = facts(
    cron_running=False,
    cron_missing_s=30.0,
    cron_gaps=(span("03:00:05", None, "03:00:00"),),
    booted_at=at("01:00"),
)
ASLEEP = facts(asleep=(span("02:00", "03:30"),))
ENOSPC = "pg_dump: error: could not write: No space left on device\n"


def kind_of(slot_, given_facts, down=None):
    cause = cause_of(slot_, given_facts, down)
    return cause and cause.kind


# ---- what is proven, and what is not ------------------------------------------------------------


@pytest.mark.parametrize(
    ("slot_", "known", "down", "kind"),
    [
        pytest.param(bad(), facts(), DOWN, "host_down", id="the slot while it was down"),
        pytest.param(bad("03:20:11"), facts(), DOWN, "host_down", id="at the boot itself"),
        pytest.param(bad("03:20:12"), facts(), DOWN, None, id="after the boot"),
        pytest.param(bad("02:59:57"), facts(), DOWN, None, id="before the last sign"),
        pytest.param(bad(verdict="failed"), facts(), DOWN, None, id="it ran and failed"),
        pytest.param(
            bad("02:30", "interrupted", loss=Loss.REBOOTED),
            facts(),
            DOWN,
            "host_down",
            id="the boot ended the run",
        ),
        pytest.param(
            bad("02:30", "interrupted", loss=Loss.GONE), facts(), DOWN, None, id="killed before"
        ),
        pytest.param(
            bad("04:00", "interrupted", loss=Loss.REBOOTED), facts(), DOWN, None, id="a later boot"
        ),
        pytest.param(bad(), ASLEEP, None, "asleep", id="asleep at the slot"),
        pytest.param(bad("03:30:01"), ASLEEP, None, None, id="awake again"),
        pytest.param(bad("01:30"), ASLEEP, None, None, id="missed when it was awake"),
        pytest.param(bad("01:30", "overrun"), ASLEEP, None, "asleep", id="asleep at the deadline"),
        pytest.param(bad("03:00", "overrun"), ASLEEP, None, None, id="awake at the deadline"),
        pytest.param(bad(verdict="failed"), ASLEEP, None, None, id="asleep and yet it failed"),
        pytest.param(bad(), GAP, None, "cron_down", id="no cron from just before the slot"),
        pytest.param(bad("03:10"), GAP, None, "cron_down", id="cron comes at the slot"),
        pytest.param(bad("03:11"), GAP, None, None, id="cron is back"),
        pytest.param(bad("02:59"), GAP, None, None, id="cron still ran"),
        pytest.param(bad(verdict="failed"), GAP, None, None, id="a run that ended was started"),
        pytest.param(
            bad(), replace(GAP, cron_expected=False), None, None, id="a host without a cron"
        ),
        pytest.param(bad("03:01"), DEAD, None, "cron_down", id="cron is dead"),
        pytest.param(
            bad("03:01"), replace(DEAD, cron_running=None), None, None, id="only one look missed it"
        ),
        pytest.param(bad(), full(span("02:50", "03:05")), None, "disk_full", id="no start line"),
        pytest.param(bad(), full(span("03:01", "03:05")), None, "disk_full", id="full within 60 s"),
        pytest.param(bad(), full(span("03:01:01", "03:05")), None, None, id="full later"),
        pytest.param(bad(), full(span("02:50", "02:59:59")), None, None, id="full before"),
        pytest.param(bad(), full(span("02:50"), path="/else"), None, None, id="another disk"),
        pytest.param(
            bad(verdict="failed"), full(span("02:50")), None, None, id="it failed, saying nothing"
        ),
        pytest.param(
            bad(verdict="failed", error=ENOSPC),
            full(span("03:30", "03:40"), path="/else"),
            None,
            "disk_full",
            id="the run complains of a full disk while one was",
        ),
        pytest.param(
            bad(verdict="failed", error=ENOSPC),
            facts(),
            None,
            None,
            id="its word alone is no proof",
        ),
        pytest.param(
            bad(verdict="failed", error=ENOSPC),
            full(span("01:00", "02:00")),
            None,
            None,
            id="one was full, long before",
        ),
        pytest.param(
            bad(verdict="interrupted", loss=Loss.GONE, lost_at=at("03:40")),
            full(span("03:30", "03:39:30")),
            None,
            "disk_full",
            id="no end line",
        ),
        pytest.param(
            bad(verdict="interrupted", loss=Loss.GONE, lost_at=at("03:40")),
            full(span("03:30", "03:38")),
            None,
            None,
            id="there was room again at its end",
        ),
        pytest.param(
            bad(verdict="interrupted", loss=Loss.ORPHANED, lost_at=at("03:40")),
            full(span("03:30")),
            None,
            None,
            id="somebody killed the wrapper",
        ),
        pytest.param(bad(), read_only(span("02:50")), None, "unwritable", id="read-only"),
        pytest.param(bad(), read_only(span("04:00")), None, None, id="read-only later"),
        pytest.param(
            bad(verdict="failed", error=ENOSPC), read_only(span("02:50")), None, None, id="not full"
        ),
        pytest.param(
            bad("01:00"), step(7200.0, "03:00:02", "00:59:57"), None, "clock_stepped", id="forward"
        ),
        pytest.param(
            bad("03:00:03"), step(7200.0, "03:00:02", "00:59:57"), None, None, id="after the jump"
        ),
        pytest.param(
            bad("01:30"), step(-7200.0, "01:00:02", "02:59:57"), None, "clock_stepped", id="back"
        ),
        pytest.param(
            bad("03:01"), step(-7200.0, "01:00:02", "02:59:57"), None, None, id="after the hours"
        ),
        pytest.param(
            bad("00:30", "overrun"),
            step(7200.0, "03:00:02", "00:59:57"),
            None,
            "clock_stepped",
            id="the jump took the end of its window",
        ),
    ],
)
def test_a_cause_is_what_the_host_can_prove(slot_, known, down, kind):
    assert kind_of(slot_, known, down) == kind


def test_what_stood_above_cron_counts_first():
    everything = facts(
        asleep=ASLEEP.asleep,
        cron_gaps=GAP.cron_gaps,
        volumes=(volume(full=(span("02:00"),), read_only=(span("02:00"),)),),
    )
    assert kind_of(bad(), everything, DOWN) is CauseKind.HOST_DOWN
    assert kind_of(bad(), everything) is CauseKind.ASLEEP
    assert kind_of(bad(), replace(everything, asleep=())) is CauseKind.CRON_DOWN
    assert kind_of(bad(), replace(everything, asleep=(), cron_gaps=())) is CauseKind.DISK_FULL


# ---- words --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("slot_", "known", "down", "text"),
    [
        pytest.param(
            bad(),
            facts(),
            DOWN,
            "the host was down from 02:59:58 to 03:20:11 UTC (20 min 13 s)",
            id="host_down",
        ),
        pytest.param(
            bad(),
            ASLEEP,
            None,
            "the host was asleep from 02:00:00 to 03:30:00 UTC (1 h 30 min)",
            id="asleep",
        ),
        pytest.param(
            bad(),
            GAP,
            None,
            "cron was not running from 03:00:03 to 03:10:00 UTC (9 min 57 s)",
            id="cron_down, over",
        ),
        pytest.param(bad(), DEAD, None, "cron is not running since 03:00:05 UTC", id="cron_down"),
        pytest.param(
            bad(),
            full(span("02:50")),
            None,
            "the disk of /var/lib/o.jsonl is full since 02:50:00 UTC: 0 bytes of 20 GB free",
            id="disk_full",
        ),
        pytest.param(
            bad(),
            full(span("02:50"), free_inodes=0, free_bytes=5),
            None,
            "the disk of /var/lib/o.jsonl is full since 02:50:00 UTC: no inodes are free",
            id="no inodes",
        ),
        pytest.param(
            bad(),
            full(span("02:50", "03:00")),
            None,
            "the disk of /var/lib/o.jsonl was full from 02:50:00 to 03:00:00 UTC (10 min)",
            id="disk_full, over",
        ),
        pytest.param(
            bad(),
            read_only(span("2024-05-14T23:00:00")),
            None,
            "the file system of /var/lib/o.jsonl is read-only since 2024-05-14 23:00:00 UTC",
            id="unwritable",
        ),
        pytest.param(
            bad("01:00"),
            step(7200.0, "03:00:02", "00:59:57"),
            None,
            "the clock was set forward by 2 h, to 03:00:02 UTC",
            id="clock_stepped",
        ),
    ],
)
def test_a_cause_is_said_with_its_numbers(slot_, known, down, text):
    assert cause_of(slot_, known, down).text == text


def test_instants_are_said_in_the_zone_that_is_asked_for():
    text = cause_of(bad(), facts(), DOWN, "Europe/Paris").text
    assert text == "the host was down from 04:59:58 to 05:20:11 CEST (20 min 13 s)"


def test_the_host_says_what_is_worth_knowing_the_gravest_first():
    told = replace(
        DEAD,
        asleep=ASLEEP.asleep,
        steps=(ClockStep(at=at("04:50"), by_s=-3720.0, before=at("05:51")),),
        booted_at=at("04:57"),
        volumes=(
            volume("/var/lib", full=(span("04:00"),)),
            volume("/var/lib/o", full=(span("04:00"),)),
            volume("/ro", device=2, read_only=(span("04:30"),)),
        ),
        load=12.34,
        cpus=2,
        memory_bytes=4_100_000_000,
        free_memory_bytes=310_000_000,
        cpu_pressure=19.9,
        io_pressure=35.2,
    )
    assert sentences(told) == [
        "cron is not running since 03:00:05 UTC",
        "the disk of /var/lib is full since 04:00:00 UTC: 0 bytes of 20 GB free",
        "the file system of /ro is read-only since 04:30:00 UTC",
        "the host was asleep from 02:00:00 to 03:30:00 UTC (1 h 30 min)",
        "the clock was set back by 1 h 2 min, to 04:50:00 UTC",
        "booted 3 min ago",
        "load 12.3 on 2 CPUs",
        "310 MB of 4.1 GB memory available",
        "processes waited for the disk 35 % of the last 10 s",
    ]


def test_a_host_that_is_well_says_little():
    well = facts(
        booted_at=at("03:59"),
        load=0.5,
        memory_bytes=100,
        free_memory_bytes=50,
        cron_gaps=(span("03:00", "03:10"),),
        asleep=(span("2024-05-13T02:00:00", "2024-05-13T03:00:00"),),
        volumes=(volume(full=(span("03:00", "03:10"),)),),
    )
    assert sentences(well) == ["load 0.5"]
    assert sentences(HostFacts(at=at("05:00"))) == []


# ---- cron is dead -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "jobs", "is_dead"),
    [
        pytest.param({}, ["a"], True, id="missing for 30 s"),
        pytest.param({"cron_missing_s": 29.9}, ["a"], False, id="it may be restarting"),
        pytest.param({"cron_missing_s": None}, ["a"], False, id="not known for how long"),
        pytest.param({"cron_running": None}, ["a"], False, id="processes cannot be seen"),
        pytest.param({"cron_expected": False}, ["a"], False, id="a host without a cron"),
        pytest.param({"booted_at": at("04:59:01")}, ["a"], False, id="still booting"),
        pytest.param({"booted_at": at("04:59:00")}, ["a"], True, id="booted"),
        pytest.param({"booted_at": None}, ["a"], True, id="who knows when it booted"),
        pytest.param({}, [], False, id="no job is owed anything"),
    ],
)
def test_cron_is_dead_only_when_it_is_sure(changed, jobs, is_dead):
    cause = cron_dead(replace(DEAD, **changed), jobs)
    assert (cause is not None) is is_dead


def test_the_early_word_of_a_dead_cron_and_the_later_cause_are_one():
    assert cron_dead(DEAD, ["a"]) == cause_of(bad("03:01"), DEAD)
