"""From lines and time to verdicts, incidents and messages, one unit of work after the other."""

import pytest

from cronverifyd.model import AlertKind, TriggeredBy, Verdict
from tests.builders import at, finished, job, line, minutes, seconds, started
from tests.engine.world import kinds

# ---- failures and recoveries --------------------------------------------------------------------


def test_a_failing_line_is_told_with_all_that_it_says(world):
    (told,) = world.look(
        "03:04:00.5",
        started("03:00:01", host="web1", user="postgres", command="dump"),
        finished("03:04", "failed", exit_code=3, error="no space", output_tail="oh\n"),
    )
    assert told.kind is AlertKind.OPENED
    assert (told.job, told.instance, told.verdict, told.slot) == (
        "db-backup",
        "web1",
        Verdict.FAILED,
        at("03:00"),
    )
    assert (told.exit_code, told.error, told.output_tail) == (3, "no space", "oh\n")
    assert (told.host, told.user, told.command) == ("web1", "postgres", "dump")
    assert (told.started_at, told.ended_at, told.duration_s) == (at("03:00:01"), at("03:04"), 239)
    assert (told.deadline, told.owed, told.found_late) == (at("04:05"), True, False)
    assert told.created_at == told.opened_at == at("03:04:00.5")
    assert told.reason == (
        'ended with status "failed" (exit code 3) at 03:04:00 after 3 min 59 s, expected "success"'
    )


def test_the_message_is_queued_in_the_transaction_of_the_verdict(world):
    commits = []
    world.store._db.set_trace_callback(
        lambda statement: (
            commits.append(world.rows("SELECT state FROM outbox"))
            if statement.startswith("UPDATE outbox SET state = 'sending'")
            else None
        )
    )
    world.look("03:04", finished("03:04", "failed"))
    # When the row is marked in a transaction of its own, it stands there already.
    assert commits == [[("new",)]]
    assert world.rows("SELECT position FROM file") == [(world.path.stat().st_size,)]


def test_a_good_slot_closes_the_incident_and_is_told(world):
    world.look("03:04", finished("03:04", "failed"))
    opened = world.incident()
    assert opened.announced
    (told,) = world.look("2024-05-16T03:04:00", finished("2024-05-16T03:04:00", run_id="r2"))
    assert told.kind is AlertKind.RECOVERED
    assert told.incident == opened.id
    assert (told.verdict, told.slots, told.opened_at, told.closed_at) == (
        Verdict.OK,
        1,
        at("03:04"),
        at("2024-05-16T03:04:00"),
    )
    assert world.incident() is None


def test_a_second_bad_slot_is_counted_and_not_told(world):
    world.look("03:04", finished("03:04", "failed"))
    day = "2024-05-16T03:04:00"
    assert world.look(day, finished(day, "failed", run_id="r2")) == []
    assert world.incident().slots == 2


def test_a_failure_made_good_by_hand_closes_it_at_once(world):
    world.look("03:04", finished("03:04", "failed"))
    (told,) = world.look("09:04", finished("09:04", run_id="r2"))
    assert (told.kind, told.verdict) == (AlertKind.RECOVERED, Verdict.LATE)


def test_a_job_without_a_channel_opens_an_incident_that_nobody_hears_of(make):
    world = make(job(channels=()), route=())
    assert world.look("03:04", finished("03:04", "failed")) == []
    assert not world.incident().announced
    assert world.look("09:04", finished("09:04", run_id="r2")) == []
    assert world.incident() is None


# ---- time ---------------------------------------------------------------------------------------


def test_the_engine_wants_to_be_rung_at_the_deadline(world):
    assert world.engine.next_moment() == at("04:05")


def test_where_nothing_is_watched_it_wants_no_ring(make):
    assert make(job(enabled=False)).engine.next_moment() is None


def test_a_missed_slot_is_told_at_its_deadline(world):
    assert world.look("04:04:59") == []
    assert world.verdict("03:00") is None
    (told,) = world.look("04:05", by=TriggeredBy.TIMER)
    assert (told.verdict, told.run, told.found_late) == (Verdict.MISSED, None, False)
    assert world.slot("03:00").triggered_by is TriggeredBy.TIMER
    assert world.engine.next_moment() == at("2024-05-16T04:05:00")


def test_a_line_written_by_the_deadline_and_read_after_it_is_no_miss(world):
    world.write(finished("04:04:59"))
    assert world.look("04:05:03") == []
    assert world.verdict("03:00") == "ok"


def test_a_slot_that_went_well_is_not_touched_at_its_deadline(world):
    world.look("03:04", finished("03:04"))
    before = world.digest()[:4]
    assert world.look("04:05") == []
    assert world.digest()[:4] == before


def test_start_within_a_late_start_and_a_good_end(make):
    world = make(job(start_within_s=120.0))
    assert world.engine.next_moment() == at("03:02")
    (told,) = world.look("03:02")
    assert told.reason == "no sign of a run within 2 min of 03:00:00"
    assert world.look("03:03:01", started("03:03")) == []
    assert world.verdict("03:00") == "pending"
    assert world.incident() is not None
    assert world.engine.next_moment() == at("04:08")
    (told,) = world.look("03:10", finished("03:10"))
    assert (told.kind, told.verdict) == (AlertKind.RECOVERED, Verdict.OK)
    assert "started 3 min late" in told.reason


def test_start_within_a_late_start_and_a_bad_end_is_one_bad_slot(make):
    world = make(job(start_within_s=120.0))
    world.look("03:02")
    world.look("03:03:01", started("03:03"))
    assert world.look("03:10", finished("03:10", "failed")) == []
    assert world.verdict("03:00") == "failed"
    assert world.incident().slots == 1


def test_an_overrun_that_ends_well_is_late_and_recovers(world):
    world.look("03:00:02", started("03:00:01"))
    assert world.engine.next_moment() == at("04:05")
    assert world.look("04:05") == []
    (told,) = world.look("04:05:01")
    assert (told.verdict, told.run) == (Verdict.OVERRUN, "r1")
    (told,) = world.look("05:00", finished("05:00"))
    assert (told.kind, told.verdict) == (AlertKind.RECOVERED, Verdict.LATE)


def test_a_late_start_has_its_own_deadline(world):
    world.look("04:00", started("04:00"))
    assert world.look("04:05") == []
    assert world.look("05:04:59") == []
    (told,) = world.look("05:05")
    assert told.verdict is Verdict.OVERRUN


def test_every_minute_with_starts_some_seconds_late(make):
    world = make(job(schedule="* * * * *", max_duration_s=30.0, grace_s=15.0), now="02:59:50")
    for minute in range(5):
        start, end = f"03:0{minute}:{9 * minute:02}", f"03:0{minute}:{9 * minute + 4:02}"
        assert (
            world.look(end, started(start, f"r{minute}"), finished(end, run_id=f"r{minute}")) == []
        )
    assert world.look("03:04:45") == []
    assert world.rows("SELECT verdict, count(*) FROM slot GROUP BY verdict") == [("ok", 5)]


# Europe/Berlin   2024-10-27T01:00Z   03:00+02:00 → 02:00+01:00
def test_on_the_night_of_the_change_each_slot_gets_one_run(make):
    berlin = job(timezone="Europe/Berlin", schedule="30 * * * *", max_duration_s=600.0, grace_s=0.0)
    world = make(berlin, now="2024-10-26T23:00:00Z")
    for number, hour in enumerate(("23", "00", "01")):
        day = "26" if hour == "23" else "27"
        when = f"2024-10-{day}T{hour}:30:05Z"
        world.look(when, finished(when, run_id=f"r{number}"))
    world.look("2024-10-27T01:45:00Z")
    assert world.rows("SELECT slot, verdict FROM slot ORDER BY slot_us") == [
        ("2024-10-27T01:30:00+02:00", "ok"),
        ("2024-10-27T02:30:00+02:00", "ok"),
        ("2024-10-27T02:30:00+01:00", "ok"),
    ]


# ---- found late ---------------------------------------------------------------------------------

HOURLY = job(schedule="0 * * * *", max_duration_s=600.0, grace_s=0.0)


def test_what_was_written_while_the_daemon_was_down_is_no_miss(make):
    world = make(HOURLY, now="00:30")
    world.look("01:01", finished("01:01"))
    world.close()
    world.write(*(finished(f"0{hour}:01", run_id=f"n{hour}") for hour in range(2, 6)))
    world.open(HOURLY, now="05:40")
    assert world.look("05:40", by=TriggeredBy.START) == []
    assert world.rows("SELECT verdict, count(*) FROM slot GROUP BY verdict") == [("ok", 5)]


def test_a_true_miss_says_that_it_was_found_late_and_heals_by_what_came_after(make):
    world = make(HOURLY, now="00:30")
    world.look("01:01", finished("01:01"))
    world.close()
    world.write(finished("03:01", run_id="r3"))
    world.open(HOURLY, now="03:40")
    told = world.look("03:40", by=TriggeredBy.START)
    assert kinds(told) == ["recovered"]
    assert told[0].unheard.startswith("missed: no run for it ended")
    assert world.slot("02:00").found_late
    assert world.incident() is None


def test_several_misses_are_one_incident(make):
    world = make(HOURLY, now="00:30")
    world.reopen(now="04:40")
    (told,) = world.look("04:40")
    assert told.slot == at("01:00")
    incident = world.incident()
    assert (incident.slots, incident.first_slot, incident.last_bad_slot) == (
        4,
        at("01:00"),
        at("04:00"),
    )


def test_an_older_miss_found_late_is_the_first_slot_of_the_incident(make):
    world = make(HOURLY, now="00:30")
    world.close()
    world.write(finished("02:01", "failed"))
    world.open(HOURLY, now="02:05")
    (told,) = world.look("02:05")
    assert told.slot == at("02:00")
    incident = world.incident()
    assert (incident.slots, incident.first_slot, incident.last_bad_slot) == (
        2,
        at("01:00"),
        at("02:00"),
    )


@pytest.mark.parametrize("where", ["beyond a block", "in the file after a rotation", "elsewhere"])
def test_a_run_whose_end_is_read_later_is_no_overrun(make, tmp_path, where):
    """After some time down, the start may be read long before the end is."""
    world = make(outcomes=[str(tmp_path / "outcomes.jsonl"), str(tmp_path / "second.jsonl")])
    world.look("02:00", finished("02:00"))
    world.close()
    world.write(started("03:00", "r3"))
    end = finished("03:04", run_id="r3")
    if where == "beyond a block":
        world.write(*[line("db-backup", status="x", error="y" * 64_000, at="02:00")] * 17, end)
    elif where == "elsewhere":
        world.write(end, path=tmp_path / "second.jsonl")
    else:
        world.path.rename(tmp_path / "outcomes.jsonl.1")
        world.write(end)
    world.open(job(), now="09:00")
    assert world.look("09:00") == []
    assert world.verdict("03:00") == "ok"


def test_a_job_that_hangs_since_then_is_an_overrun(world):
    world.look("02:00", finished("02:00"))
    world.close()
    world.write(started("03:00", "r3"))
    world.open(job(), now="09:00")
    (told,) = world.look("09:00")
    assert (told.verdict, told.found_late, told.slots) == (Verdict.OVERRUN, True, 1)


# ---- lines in any order -------------------------------------------------------------------------


def test_a_finish_may_stand_before_its_start(world):
    assert world.look("03:05", finished("03:04"), started("02:59:30")) == []
    assert world.verdict("03:00") == "ok"
    known, slot = world.store.run("db-backup", "r1")
    assert (known.started_at, known.ended_at, slot) == (at("02:59:30"), at("03:04"), at("03:00"))


def test_a_start_that_comes_later_may_move_the_run_to_its_slot(make):
    world = make(HOURLY, now="00:30")
    world.look("01:10", finished("01:10", run_id="r0"))
    assert world.look("02:05", finished("02:05")) == []
    assert world.verdict("02:00") == "ok"
    (odd,) = world.look("02:06", started("01:58"))
    assert odd.id == "off_schedule-db-backup-r1"  # for r0 has served the slot of 01:00
    assert world.verdict("02:00") == "pending"
    (told,) = world.look("02:10")
    assert (told.verdict, told.slot) == (Verdict.MISSED, at("02:00"))


def test_lines_that_come_twice_change_nothing(world):
    lines = started("03:00"), finished("03:04", "failed")
    assert kinds(world.look("03:05", *lines)) == ["opened"]
    before = world.digest()
    assert world.look("03:06", *lines, *lines) == []
    assert world.digest() == before


def test_slots_of_one_block_are_judged_in_their_order(make):
    world = make(HOURLY, now="00:30")
    told = world.look("02:05", finished("02:04", run_id="r2"), finished("01:04", "failed"))
    assert [(str(each.kind), each.slot) for each in told] == [("recovered", at("02:00"))]
    assert told[0].unheard.startswith("failed: ")


def test_judging_twice_changes_nothing(world):
    world.look("04:05")
    before = world.digest()
    assert world.look("04:05") == []
    assert world.look("05:05") == []
    assert world.digest() == before


# ---- runs without an id and without a time ------------------------------------------------------


def test_a_finish_without_an_id_ends_the_newest_open_run_without_one(world):
    world.look("03:00:01", line(event="start", at="03:00"), started("03:00", "named"))
    world.look("03:04:01", line(status="success", at="03:04"))
    assert world.rows("SELECT count(*) FROM run WHERE ended_us IS NULL") == [(1,)]
    runs = world.store.runs_of("db-backup", at("03:00"))
    assert {(r.run == "named", r.ended_at) for r in runs} == {(True, None), (False, at("03:04"))}


def test_a_finish_without_an_id_and_without_an_open_run_is_a_run_of_its_own(world):
    world.look("03:04", line(status="failed", at="03:02"), line(status="success", at="03:04"))
    assert len(world.store.runs_of("db-backup", at("03:00"))) == 2
    assert world.verdict("03:00") == "ok"


def test_the_shortest_line_serves_the_slot_and_its_window_is_noted(world):
    world.look("02:59:58")
    assert world.look("03:00:03", line(status="success")) == []
    slot = world.slot("03:00")
    assert slot.judgment.verdict is Verdict.OK
    assert slot.judgment.reason == (
        'ended with status "success" between 02:59:58 and 03:00:03 (its line has no time)'
    )
    (noted,) = [entry for entry in world.journal() if entry["kind"] == "untimed"]
    assert noted["written"] == {
        "earliest": "2024-05-15T02:59:58Z",
        "latest": "2024-05-15T03:00:03Z",
    }


@pytest.mark.parametrize("more", [{}, {"duration_s": 60}], ids=["bare", "with a duration"])
def test_lines_without_a_time_serve_one_slot_after_the_other(make, more):
    world = make(HOURLY, now="00:30")
    world.look("00:59", line("other", status="success"))
    world.close()
    world.write(*[line(status="success", **more)] * 4, mtime="04:01")
    world.open(HOURLY, now="04:40")
    assert world.look("04:40") == []
    assert [world.verdict(f"0{hour}:00") for hour in (1, 2, 3, 4)] == ["ok"] * 4


def test_a_line_without_a_time_does_not_serve_a_slot_that_was_missed_before_it(make):
    world = make(HOURLY, now="00:30")
    world.look("00:59", line("other", status="success"))
    assert kinds(world.look("01:10")) == ["opened"]
    world.close()
    world.write(line(status="success"), mtime="02:01")
    world.open(HOURLY, now="02:05")
    assert kinds(world.look("02:05")) == ["recovered"]
    assert [world.verdict(text) for text in ("01:00", "02:00")] == ["missed", "ok"]


def test_by_hand_after_a_miss_it_makes_it_late(world):
    world.look("04:05")
    assert kinds(world.look("09:00", line(status="success"))) == ["recovered"]
    assert world.verdict("03:00") == "late"


# ---- what is not owed ---------------------------------------------------------------------------


def test_a_bad_run_that_was_not_owed_opens_an_incident(make):
    world = make(now="10:00")
    (told,) = world.look("10:30:04", started("10:30"), finished("10:30:04", "failed"))
    assert (told.owed, told.slot, told.verdict) == (False, at("10:30"), Verdict.FAILED)
    assert kinds(world.look("11:00", finished("11:00", run_id="r2"))) == ["recovered"]


def test_a_run_that_was_not_owed_may_run_too_long(make):
    world = make(now="10:00")
    world.look("10:30", started("10:30"))
    assert world.engine.next_moment() == at("11:35")
    assert kinds(world.look("11:35")) == ["opened"]


def test_a_run_that_turns_out_to_belong_elsewhere_leaves_no_slot_behind(world):
    world.look("02:30", started("02:30"))
    assert world.verdict("02:30") == "pending"
    world.look("03:04", finished("03:04", slot="03:00"))
    assert world.verdict("02:30") is None
    assert world.verdict("03:00") == "ok"


def test_a_new_job_owes_nothing_before_it_stood_there(make):
    world = make(now="03:30")
    assert world.look("04:05") == []
    assert world.verdict("03:00") is None
    assert world.engine.next_moment() == at("2024-05-16T04:05:00")


def test_lines_of_unknown_jobs_are_kept_and_judged_by_nobody(world):
    (told,) = world.look("03:04", finished("03:04", "failed", job_name="other"))
    assert (str(told.kind), str(told.severity)) == ("finding", "warning")
    assert "other" in told.title
    assert world.look("03:05", finished("03:05", "failed", "r2", job_name="other")) == []
    assert world.store.run("other", "r1")[0].status == "failed"
    assert world.rows("SELECT * FROM slot") == []


# ---- a changed configuration --------------------------------------------------------------------


def test_a_removed_job_owes_nothing_and_its_incident_closes_with_a_word(make):
    world = make(job(), job(name="other"))
    world.look("04:05", finished("03:04", job_name="other"))
    incident = world.incident()
    world.reopen(job(name="other"), now="05:00")
    (told,) = world.look("05:00")
    assert told.title == "db-backup is no longer watched: it was removed from the configuration"
    assert world.incident() is None
    assert world.rows("SELECT id, close_reason FROM incident") == [(incident.id, "removed")]
    assert (
        world.look("2024-05-16T04:05:00", finished("2024-05-16T03:04:00", "success", "r2", "other"))
        == []
    )
    assert world.verdict("2024-05-16T03:00:00") is None


def test_so_does_a_disabled_one(world):
    world.look("04:05")
    world.reopen(job(enabled=False), now="05:00")
    (told,) = world.look("05:00")
    assert told.title == "db-backup is no longer watched: it was disabled in the configuration"
    assert world.rows("SELECT close_reason FROM incident") == [("disabled",)]


def test_a_job_that_was_well_leaves_without_a_word(world):
    world.look("03:04", finished("03:04"))
    world.reopen(job(enabled=False), now="05:00")
    assert world.look("05:00") == []


def test_a_job_that_is_put_back_owes_from_then_on(world):
    world.reopen(job(enabled=False), now="02:00")
    world.reopen(job(), now="2024-05-17T03:30:00")
    assert world.look("2024-05-17T05:00:00") == []
    assert world.engine.next_moment() == at("2024-05-18T04:05:00")


@pytest.mark.parametrize("ends", [True, False], ids=["it ended", "it hangs"])
def test_a_run_that_was_under_way_when_its_job_was_disabled_is_not_told_when_it_is_back(
    world, ends
):
    world.look("03:00", started("03:00"))
    world.reopen(job(enabled=False), now="03:30")
    world.look("03:40", *([finished("03:40")] if ends else []))
    world.reopen(job(), now="08:00")
    assert world.look("08:00") == []
    assert world.look("2024-05-15T09:00:00") == []


def test_a_changed_schedule_owes_from_the_change_on(world):
    world.reopen(job(schedule="0 2 * * *"), now="02:30")
    assert world.look("04:05") == []
    assert world.engine.next_moment() == at("2024-05-16T03:05:00")
    owed = [entry for entry in world.journal() if entry["kind"] == "owed"]
    assert [entry["schedule"] for entry in owed] == ["0 3 * * *", "0 2 * * *"]


def test_a_run_under_way_keeps_its_slot_when_the_schedule_changes(world):
    world.look("03:00", started("03:00"))
    world.reopen(job(schedule="0 2 * * *"), now="03:30")
    assert kinds(world.look("03:40", finished("03:40", "failed"))) == ["opened"]
    assert world.verdict("03:00") == "failed"


def test_the_same_configuration_changes_nothing(world):
    world.look("04:05")
    before = world.digest()
    world.reopen(now="05:00")
    assert world.look("05:00") == []
    assert world.digest() == before


# ---- a wrong clock ------------------------------------------------------------------------------


def test_a_line_dated_in_the_future_counts_from_when_it_was_read(world):
    """The writer's clock was wrong, or was set since: nobody believes it about times to come."""
    (told,) = world.look("03:04", finished("2030-01-01T03:04:00", "failed"))
    assert told.slot == at("03:00")
    assert "its line has no time" in told.reason
    world.look("03:05", finished("03:05", run_id="r2"))
    assert world.incident() is None
    assert world.rows("SELECT slot_us FROM slot WHERE slot LIKE '2030%'") == []


@pytest.mark.parametrize("ahead", ["03:05:00", "03:04:59"])
def test_clocks_may_differ_by_a_minute(world, ahead):
    world.look("03:04", finished(ahead))
    assert world.store.run("db-backup", "r1")[0].ended_at == at(ahead)


def test_a_clock_that_is_set_back_makes_no_verdict(world):
    world.look("03:30")
    assert world.look("00:30") == []
    assert world.look("03:04", finished("03:04")) == []
    assert world.verdict("03:00") == "ok"
    assert world.engine.next_moment() == at("04:05")


# ---- the fallback -------------------------------------------------------------------------------


def test_with_a_fallback_the_timer_waits_for_the_trigger(make):
    world = make(fallback_s=10)
    assert world.engine.next_moment() == at("04:05:10")
    assert world.look("04:05:09.9") == []
    assert world.verdict("03:00") is None
    assert kinds(world.look("04:05:10")) == ["opened"]


def test_what_is_triggered_is_judged_at_once_and_nothing_else(make):
    world = make(job(), job(name="other"), fallback_s=10)
    answer = world.verify("04:05", "db-backup")
    assert [each.job for each in answer.details] == ["db-backup"]
    assert world.verdict("03:00", "other") is None
    assert world.engine.next_moment() == at("04:05:10")
    world.look("04:05:10")
    assert world.verdict("03:00", "other") == "missed"


def test_so_is_what_runs_too_long(make):
    world = make(fallback_s=10)
    world.look("03:00", started("03:00"))
    assert world.look("04:05:05") == []
    world.verify("04:05:06")
    assert world.verdict("03:00") == "overrun"
    assert world.engine.next_moment() > at("04:05:06") + minutes(60)


def test_the_fallback_makes_no_line_wait(make):
    world = make(fallback_s=10)
    assert kinds(world.look("03:04", finished("03:04", "failed"))) == ["opened"]
    assert world.look("03:04:01") == []
    assert world.slot("03:00").decided_at == at("03:04") < at("03:04") + seconds(1)
