"""Tolerance, recovery and maintenance: what a row of bad or good slots does."""

import pytest

from cronverifyd.model import Maintenance, MaintenanceMode
from tests.builders import at, finished, job, seconds
from tests.engine.world import kinds


def on(day, time):
    return (at(time) + seconds(86_400 * day)).isoformat()


def play(world, story, first=0):
    """Live one day for each word of a story: f for a failure, g for good, m for missed."""
    told = []
    for day, word in enumerate(story, first):
        if word == "m":
            told.append(kinds(world.look(on(day, "04:05"))))
        else:
            status = {"f": "failed", "g": "success"}[word]
            line = finished(on(day, "03:04"), status, f"r{day}")
            told.append(kinds(world.look(on(day, "03:05"), line)))
    return told


@pytest.mark.parametrize(
    ("tolerate", "story", "told"),
    [
        pytest.param(0, "fg", [["opened"], ["recovered"]], id="none"),
        pytest.param(1, "fg", [[], []], id="one stays silent"),
        pytest.param(1, "ffg", [[], ["opened"], ["recovered"]], id="two do not"),
        pytest.param(1, "fgfgfg", [[], [], [], [], [], []], id="never two in a row"),
        pytest.param(2, "fmf", [[], [], ["opened"]], id="of any kind"),
    ],
)
def test_so_many_bad_slots_in_a_row_stay_silent(make, tolerate, story, told):
    world = make(job(tolerate=tolerate))
    assert play(world, story) == told


def test_the_tolerated_ones_are_counted_when_it_opens(make):
    world = make(job(tolerate=2))
    play(world, "ffff")
    assert (world.incident().slots, world.incident().first_slot) == (4, at("03:00"))


@pytest.mark.parametrize(
    ("recover_after", "story", "told"),
    [
        pytest.param(2, "fgg", [["opened"], [], ["recovered"]], id="two"),
        pytest.param(2, "fgfgg", [["opened"], [], [], [], ["recovered"]], id="in a row"),
        pytest.param(3, "fgg", [["opened"], [], []], id="not yet"),
    ],
)
def test_so_many_good_slots_in_a_row_close_it(make, recover_after, story, told):
    world = make(job(recover_after=recover_after))
    assert play(world, story) == told


def test_its_newest_bad_slot_made_good_by_hand_closes_it_at_once(make):
    world = make(job(recover_after=3))
    play(world, "f")
    assert kinds(world.look("03:30", finished("03:30", run_id="by-hand"))) == ["recovered"]


def test_a_slot_found_late_opens_and_closes_at_once_what_is_over(make, tmp_path):
    """The order in which files are read must not leave an incident open that is over."""
    second = tmp_path / "second.jsonl"
    world = make(outcomes=[str(tmp_path / "outcomes.jsonl"), str(second)])
    play(world, "g")
    world.close()
    world.write(finished(on(2, "03:04"), run_id="r2"))
    world.write(finished(on(1, "03:04"), "failed", "r1"), path=second)
    world.open(*world.jobs, now=on(2, "03:05"))
    (told,) = world.look(on(2, "03:05"))
    assert str(told.kind) == "recovered"
    assert told.unheard.startswith("failed: ended with status")
    assert world.incident() is None


def test_an_old_row_that_is_found_late_is_over_where_a_good_slot_followed_it(make, tmp_path):
    """And a bad one that is tolerated after that does not keep it open."""
    second = tmp_path / "second.jsonl"
    world = make(job(tolerate=1), outcomes=[str(tmp_path / "outcomes.jsonl"), str(second)])
    world.look(on(0, "00:10"), finished(on(0, "00:05"), run_id="r"))
    world.close()
    ends = {0: "success", 2: "failed", 3: "success", 4: "failed"}
    for day, status in ends.items():
        world.write(finished(on(day, "03:04"), status, f"r{day}"))
    world.write(finished(on(1, "03:04"), "failed", "r1"), path=second)
    world.open(*world.jobs, now=on(4, "03:05"))
    (told,) = world.look(on(4, "03:05"))
    assert str(told.kind) == "recovered"
    assert world.incident() is None
    assert str(world.slot(on(4, "03:00")).judgment.verdict) == "failed"


# ---- maintenance --------------------------------------------------------------------------------


def maintained(mode, **changed):
    window = Maintenance(schedule="0 2 * * *", duration_s=3 * 3600.0, mode=mode)
    return job(maintenance=(window,), **changed)


@pytest.fixture
def muted(make):
    return make(maintained(MaintenanceMode.MUTE))


@pytest.fixture
def skipping(make):
    return make(maintained(MaintenanceMode.SKIP))


def test_a_muted_slot_is_judged_and_told_when_the_window_is_over_if_it_is_still_bad(muted):
    assert muted.look("03:05", finished("03:04", "failed")) == []
    assert muted.verdict("03:00") == "failed"
    assert muted.look("04:05") == []
    assert muted.engine.next_moment() == at("05:00")
    (told,) = muted.look("05:00")
    assert (str(told.kind), str(told.verdict), told.slot) == ("opened", "failed", at("03:00"))
    assert muted.look("05:05") == []


def test_it_survives_a_restart(muted):
    muted.look("03:05", finished("03:04", "failed"))
    muted.reopen(now="04:00")
    assert muted.look("04:00") == []
    assert kinds(muted.look("05:00")) == ["opened"]


def test_one_that_was_made_good_in_the_window_is_never_told(muted):
    muted.look("03:05", finished("03:04", "failed"))
    assert muted.look("04:30", finished("04:30", run_id="r2")) == []
    assert muted.look("05:00") == []
    assert muted.verdict("03:00") == "late"


def test_what_was_told_afterwards_is_closed_by_the_run_that_makes_it_good(muted):
    muted.look("03:05", finished("03:04", "failed"))
    muted.look("05:00")
    assert kinds(muted.look("05:10", finished("05:10", run_id="r2"))) == ["recovered"]


def test_only_the_newest_slot_of_a_window_is_told(make):
    world = make(maintained(MaintenanceMode.MUTE, schedule="0 * * * *", max_duration_s=600.0))
    world.look("01:05", finished("01:04", run_id="r1"))
    world.look("02:05", finished("02:04", "failed", "r2"))
    world.look("03:05", finished("03:04", "failed", "r3"))
    world.look("04:05", finished("04:04", run_id="r4"))
    assert world.look("05:00") == []
    assert world.incident() is None


def test_muted_slots_neither_close_an_incident_nor_join_it(make):
    world = make(maintained(MaintenanceMode.MUTE, schedule="0 * * * *", max_duration_s=600.0))
    assert kinds(world.look("01:05", finished("01:04", "failed", "r1"))) == ["opened"]
    assert world.look("02:05", finished("02:04", run_id="r2")) == []
    assert world.look("03:05", finished("03:04", "failed", "r3")) == []
    assert world.incident().slots == 1
    assert kinds(world.look("05:05", finished("05:04", run_id="r5"))) == ["recovered"]


def test_a_skipped_slot_is_not_owed(skipping):
    assert skipping.look("04:05") == []
    assert skipping.verdict("03:00") is None
    assert skipping.look(on(1, "09:00")) == []


def test_a_run_in_a_skipped_slot_is_kept_and_told_to_nobody(skipping):
    assert skipping.look("03:05", finished("03:04", "failed", started_at="03:00:02")) == []
    assert skipping.verdict("03:00:02") == "failed"
    assert skipping.incident() is None


# ---- reboots ------------------------------------------------------------------------------------


def test_a_boot_is_a_slot_of_a_reboot_job(make):
    world = make(job(schedule="@reboot"))
    assert world.look("12:00") == []
    assert world.engine.next_moment() is None
    world.close()
    world.host.boot, world.host.booted_at = "boot-2", at("13:00")
    world.open(*world.jobs, now="13:01")
    assert world.engine.next_moment() == at("14:05")
    assert world.look("13:02", finished("13:02", started_at="13:00:40", boot="boot-2")) == []
    assert world.verdict("13:00") == "ok"


def test_a_reboot_job_that_did_not_run_is_missed(make):
    world = make(job(schedule="@reboot"))
    world.close()
    world.host.boot, world.host.booted_at = "boot-2", at("13:00")
    world.open(*world.jobs, now="13:01")
    (told,) = world.look("14:05")
    assert (str(told.verdict), told.slot) == ("missed", at("13:00"))
    world.reopen(now="15:00")
    assert world.look("15:00") == []


def test_a_boot_that_nobody_saw_counts_only_by_its_lines(make):
    world = make(job(schedule="@reboot"))
    told = world.look("13:00", finished("12:50", "failed", started_at="12:45", boot="unseen"))
    assert [(str(m.verdict), m.owed) for m in told] == [("failed", False)]


def test_a_slot_in_the_spring_gap_expects_as_many_runs_as_cron_starts(make):
    """Berlin, 2024-03-31: 02:00 to 03:00 is jumped over; 02:05, 02:25 and 02:45 run at 03:00."""
    world = make(
        job(schedule="5-45/20 2 * * *", timezone="Europe/Berlin"), now="2024-03-30T12:00:00"
    )
    due = "2024-03-31T03:00:00+02:00"
    for number in range(2):
        end = f"2024-03-31T03:0{number + 1}:00+02:00"
        line = finished(end, run_id=f"r{number}", started_at="2024-03-31T03:00:02+02:00")
        assert [m for m in world.look(end, line) if m.kind != "finding"] == []
    assert world.verdict(due) == "pending"
    (told,) = world.look("2024-03-31T04:05:00+02:00")
    assert str(told.verdict) == "missed"
    assert "only 2 of the 3 runs that cron starts for it" in told.reason
    end = "2024-03-31T04:10:00+02:00"
    line = finished(end, run_id="r2", started_at="2024-03-31T03:00:02+02:00")
    assert "recovered" in kinds(world.look(end, line))
    assert world.verdict(due) == "late"
