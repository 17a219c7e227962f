"""Units of work: answers, messages in flight, and what is left when one fails."""

import json
import sqlite3
from dataclasses import replace

import pytest

from cronverifyd.errors import UnknownJobError
from cronverifyd.model import (
    AlertKind,
    BadJob,
    Channel,
    Delivery,
    DeliveryResult,
    Look,
    NoticeKind,
    Severity,
    TriggeredBy,
    Verdict,
)
from tests.builders import at, finished, job, line, minutes, seconds, started
from tests.engine.world import CHANNELS, SENT, kinds
from tests.tell.builders import notice

RETRY = Delivery(result=DeliveryResult.RETRY, error="503", retry_after_s=30.0)
REFUSED = Delivery(result=DeliveryResult.REFUSED, error="404")
TWO = CHANNELS | {"mail": Channel(name="mail", kind="slack")}
LOOK = Look(triggered_by=TriggeredBy.FILE)
MORE_THAN_A_TURN = [line("other", status="x", error="y" * 64_000)] * 280  # 17 MiB
TO_BOTH = job(channels=("ops", "mail"))


# ---- verify -------------------------------------------------------------------------------------


def test_verify_says_how_many_were_looked_at_and_which_are_bad(make):
    world = make(job(), job(name="other"))
    world.write(finished("03:04", "failed", error="no space"))
    answer = world.verify("03:05")
    assert answer.checked == 2
    assert answer.details == (
        BadJob(
            job="db-backup",
            slot=at("03:00"),
            verdict=Verdict.FAILED,
            issue='ended with status "failed" at 03:04:00, expected "success"',
            error="no space",
        ),
    )
    assert world.slot("03:00").triggered_by is TriggeredBy.HTTP
    assert kinds(world.deliver("03:05")) == ["opened"]


def test_a_missed_job_is_bad_without_a_run(world):
    (bad,) = world.verify("04:05").details
    assert (bad.verdict, bad.error) == (Verdict.MISSED, None)


def test_a_job_that_is_named_twice_is_looked_at_once(make):
    world = make(job(), job(name="other"))
    answer = world.verify("04:05", "db-backup", "db-backup")
    assert (answer.checked, len(answer.details)) == (1, 1)


def test_a_good_job_and_a_pending_one_are_not_bad(world):
    assert world.verify("03:01").details == ()
    world.write(finished("03:04"))
    assert world.verify("03:05").details == ()


@pytest.mark.parametrize("name", ["unknown", "disabled"])
def test_a_job_that_nobody_watches_is_unknown(make, name):
    world = make(job(), job(name="disabled", enabled=False))
    world.write(finished("03:04", "failed"))
    with pytest.raises(UnknownJobError, match=f'no job "{name}" in the configuration'):
        world.verify("03:05", "db-backup", name)
    assert world.verdict("03:00") is None


def test_verify_reads_to_the_end_however_much_there_is(world):
    world.write(*MORE_THAN_A_TURN, finished("03:04", "failed"))
    (bad,) = world.verify("03:05").details
    assert bad.verdict is Verdict.FAILED
    assert not world.engine.backlog


def test_a_look_stops_after_some_blocks_and_judges_nothing_before_the_end(world):
    world.write(*MORE_THAN_A_TURN, finished("03:04"))
    world.engine.handle(LOOK, at("04:05"))
    assert world.engine.backlog
    assert world.verdict("03:00") is None
    assert kinds(world.look("04:05")) == ["finding"]  # nobody has configured the other job
    assert not world.engine.backlog
    assert world.verdict("03:00") == "ok"


@pytest.mark.parametrize(
    ("later", "known"),
    [
        pytest.param(0, True, id="at once"),
        pytest.param(600, True, id="600 s later"),
        pytest.param(600.001, False, id="later than that"),
    ],
)
def test_an_execution_that_is_known_gets_the_first_answer_and_evaluates_nothing(
    world, later, known
):
    first = world.verify("03:05", execution="e1", triggered_by=TriggeredBy.CUEAPI)
    world.write(finished("03:04", "failed"))
    now = (at("03:05") + seconds(later)).isoformat()
    again = world.verify(now, execution="e1", triggered_by=TriggeredBy.CUEAPI)
    assert (again == first) is known
    assert (world.verdict("03:00") is None) is known


def test_an_answer_with_details_is_repeated_as_it_was(world):
    world.write(finished("03:04", "failed", error="no"))
    first = world.verify("03:05", execution="e1")
    assert len(first.details) == 1
    assert world.verify("03:06", execution="e1") == first
    (noted,) = [entry for entry in world.journal() if entry["kind"] == "execution"]
    assert (noted["id"], noted["answer"]["checked"]) == ("e1", 1)


def test_an_execution_outlives_a_restart(world):
    first = world.verify("03:05", execution="e1")
    world.reopen(now="03:06")
    world.write(finished("03:04", "failed"))
    assert world.verify("03:07", execution="e1") == first


def test_a_known_execution_does_not_make_an_unknown_job_known(world):
    world.verify("03:05", execution="e1")
    with pytest.raises(UnknownJobError):
        world.verify("03:05", "unknown", execution="e1")


# ---- rejected lines -----------------------------------------------------------------------------


def rejected(world):
    path = world.folder / "rejected.jsonl"
    return [json.loads(each) for each in path.read_bytes().splitlines()]


def test_rejected_lines_are_kept_counted_and_told_once_a_file(world):
    (told,) = world.look("03:04", b"nonsense\n", finished("03:04"), b'{"status":"success"}\n')
    assert (told.kind, told.severity) == (NoticeKind.REJECTED, Severity.WARNING)
    assert told.title == f"2 lines of {world.path} cannot be read as outcomes"
    assert told.text.startswith("the first one, at byte 0: is not JSON")
    assert [(each["line"], each["reason"]) for each in rejected(world)][1] == (
        '{"status":"success"}',
        "job: required, the name of the job",
    )
    assert world.verdict("03:00") == "ok"
    assert world.look("03:05", b"more\n") == []
    assert world.rows("SELECT count FROM counter WHERE name = 'rejected'") == [(3,)]


def test_another_file_is_told_of_again(world):
    world.look("03:04", b"nonsense\n")
    world.path.rename(world.folder / "outcomes.jsonl.1")
    assert kinds(world.look("03:05", b"nonsense\n")) == ["rejected"]


def test_an_overlong_line_is_rejected_and_its_neighbours_are_not(world):
    world.look("03:04", started("03:00"), b"x" * 70_000 + b"\n", finished("03:04"))
    (kept,) = rejected(world)
    assert kept["reason"] == "the line is longer than 64 KiB; its first 64 KiB are kept"
    assert len(kept["line"]) == 64 * 1024
    assert world.verdict("03:00") == "ok"


@pytest.mark.parametrize(
    "hostile",
    [
        pytest.param({"at": "1970-01-01T00:00:00"}, id="the first instant"),
        pytest.param({"at": "9998-12-31T23:59:59.999999"}, id="the last one"),
        pytest.param({"at": "03:04", "duration_s": 1e9}, id="31 years long"),
        pytest.param({"at": "1970-01-01T00:00:00", "duration_s": 1e9}, id="since 1938"),
        pytest.param({"slot": "9998-12-31T23:59:59"}, id="a slot in the last year"),
        pytest.param({"slot": "1970-01-01T00:00:00"}, id="a slot in the first year"),
        pytest.param({"run_date": "9998-12-31"}, id="the last day"),
        pytest.param({"run_date": "1970-01-01"}, id="the first day"),
        pytest.param({"run": "~00000001.000000000000"}, id="an id like ours"),
        pytest.param({"error": "a\x00b"}, id="NUL"),
        pytest.param({"metrics": {"": 2**63 - 1}}, id="a large number"),
    ],
)
@pytest.mark.parametrize("schedule", ["0 3 * * *", "0 0 29 2 *", "every 5s"])
@pytest.mark.parametrize("status", ["success", "failed"])
def test_no_line_can_stop_the_work(make, schedule, status, hostile):
    world = make(job(schedule=schedule, timezone="America/New_York"))
    world.look("02:04", line(status=status, **hostile))
    world.look("03:05", started("03:04", "r9"), finished("03:05", run_id="r9"))
    assert world.store.run("db-backup", "r9") is not None
    world.verify("04:10")


# ---- messages in flight -------------------------------------------------------------------------


def test_a_channel_has_one_message_in_flight(world):
    world.write(b"nonsense\n", finished("03:04", "failed"))
    world.engine.handle(LOOK, at("03:04"))
    assert len(world.handed) == 1
    world.engine.handle(LOOK, at("03:05"))
    assert len(world.handed) == 1
    assert len(world.deliver("03:05")) == 2


def test_a_busy_channel_holds_only_itself(make):
    world = make(TO_BOTH, channels=TWO)
    world.write(finished("03:04", "failed"))
    world.engine.handle(LOOK, at("03:04"))
    assert sorted(channel for channel, *_ in world.handed) == ["mail", "ops"]
    mail = next(each for each in world.handed if each[0] == "mail")
    world.handed.clear()
    world.write(finished("03:10", run_id="r2"))
    world.engine.handle(LOOK, at("03:10"))
    assert world.handed == []
    world.report("03:11", *mail)
    assert [(channel, message.kind) for channel, _, message in world.handed] == [
        ("mail", AlertKind.RECOVERED)
    ]


def test_what_failed_is_tried_again_when_it_is_due(world):
    world.write(finished("03:04", "failed"))
    world.engine.handle(LOOK, at("03:04"))
    world.deliver("03:04", RETRY)
    assert world.engine.next_moment() == at("03:04:30")
    assert world.look("03:04:29") == []
    assert kinds(world.look("03:04:30")) == ["opened"]
    assert world.engine.next_moment() == at("04:05")


def test_a_busy_channel_is_no_reason_to_ring(world):
    world.write(b"nonsense\n", finished("03:04", "failed"))
    world.engine.handle(LOOK, at("03:04"))
    assert world.engine.next_moment() == at("04:05")


def test_what_came_of_it_is_noted(world):
    world.look("03:04", finished("03:04", "failed"))
    (noted,) = [entry for entry in world.journal() if entry["kind"] == "delivery"]
    assert (noted["channel"], noted["state"], noted["receipt"]) == ("ops", "sent", "ok")


def test_a_recovery_goes_where_the_opening_went(make):
    world = make(TO_BOTH, channels=TWO)
    world.look("03:04", finished("03:04", "failed"))
    world.reopen(job(channels=("mail",)), now="03:05")
    world.look("03:10", finished("03:10", run_id="r2"))
    assert world.rows("SELECT channel FROM outbox WHERE kind = 'recovered' ORDER BY 1") == [
        ("mail",),
        ("ops",),
    ]


def test_and_not_to_a_channel_that_is_no_more(make):
    world = make(TO_BOTH, channels=TWO)
    world.look("03:04", finished("03:04", "failed"))
    world.reopen(job(), now="03:05", channels=CHANNELS)
    assert len(world.look("03:10", finished("03:10", run_id="r2"))) == 1
    assert world.rows("SELECT channel FROM outbox WHERE kind = 'recovered'") == [("ops",)]


@pytest.mark.parametrize("when", ["before it recovers", "after"])
def test_who_refused_the_opening_hears_of_no_recovery(world, when):
    world.write(finished("03:04", "failed"))
    world.engine.handle(LOOK, at("03:04"))
    if when == "after":
        opening = world.handed.pop()
        world.look("03:10", finished("03:10", run_id="r2"))
        world.report("03:11", *opening, REFUSED)
    else:
        world.deliver("03:05", REFUSED)
        world.look("03:10", finished("03:10", run_id="r2"))
    assert world.handed == []
    assert world.incident() is None
    states = world.rows("SELECT kind, state FROM outbox ORDER BY seq")
    assert states == [("opened", "dead")] + ([("recovered", "superseded")] * (when == "after"))


def test_after_a_crash_while_sending_it_is_told_again_and_says_so(world):
    world.write(finished("03:04", "failed"))
    world.engine.handle(LOOK, at("03:04"))
    ((_, _, first),) = world.handed
    world.handed.clear()
    world.reopen(now="03:05")
    assert world.look("03:05") == [replace(first, may_repeat=True)]


def test_what_waits_for_a_channel_that_left_is_given_up(make):
    world = make(TO_BOTH, channels=TWO)
    world.write(finished("03:04", "failed"))
    world.engine.handle(LOOK, at("03:04"))
    world.deliver("03:04", RETRY)
    world.reopen(job(), now="03:05", channels=CHANNELS)
    assert len(world.look("03:06")) == 1
    assert world.rows("SELECT channel, state, error FROM outbox ORDER BY channel") == [
        ("mail", "dead", "the channel left the configuration"),
        ("ops", "sent", None),
    ]


def test_a_channel_that_does_not_want_the_severity_is_passed_over(make):
    quiet = replace(CHANNELS["ops"], name="mail", severity=frozenset({Severity.WARNING}))
    world = make(TO_BOTH, channels=CHANNELS | {"mail": quiet})
    world.look("03:04", finished("03:04", "failed"), b"nonsense\n")
    assert world.rows("SELECT channel, kind FROM outbox ORDER BY channel, kind") == [
        ("mail", "rejected"),
        ("ops", "opened"),
        ("ops", "rejected"),
    ]


def test_a_notice_goes_to_the_default_route_once(world):
    told = notice(id="config-1", created_at=at("03:00"))
    world.engine.notify(told, at("03:00"))
    world.engine.notify(told, at("03:00"))
    assert world.deliver("03:00") == [told]


# ---- units of work that fail --------------------------------------------------------------------

FAULTS = {
    "a run": "BEFORE INSERT ON run",
    "a verdict": "BEFORE INSERT ON slot",
    "an incident": "BEFORE INSERT ON incident",
    "a message": "BEFORE INSERT ON outbox",
    "a mark": "BEFORE INSERT ON file",
}


@pytest.mark.parametrize("where", FAULTS.values(), ids=FAULTS.keys())
def test_what_cannot_be_kept_is_neither_lost_nor_doubled(make, where):
    world = make(job(start_within_s=120.0))
    world.store._db.execute(f"CREATE TRIGGER fault {where} BEGIN SELECT RAISE(ABORT, 'full'); END")
    world.write(started("03:00"), finished("03:04", "failed"), b"nonsense\n")
    for now in ("03:04", "03:05"):
        with pytest.raises(sqlite3.IntegrityError, match="full"):
            world.engine.handle(LOOK, at(now))
    assert world.rows("SELECT * FROM run") == []
    assert world.handed == []
    world.store._db.execute("DROP TRIGGER fault")
    assert sorted(kinds(world.look("03:06"))) == ["opened", "rejected"]
    assert world.rows("SELECT run, status FROM run") == [("r1", "failed")]
    assert world.rows("SELECT count FROM counter") == [(1,)]
    assert world.incident().slots == 1
    assert world.engine.next_moment() == at("2024-05-16T03:02:00")


def test_a_deadline_at_which_the_disk_was_full_is_judged_at_the_next_turn(world):
    pages = world.store._db.execute("PRAGMA page_count").fetchone()[0]
    world.store._db.execute(f"PRAGMA max_page_count = {pages}")
    filler = [line("other", status="x", output_tail="y" * 9_000)] * 20
    world.write(*filler)
    with pytest.raises(sqlite3.OperationalError, match="full"):
        world.engine.handle(LOOK, at("04:05"))
    assert world.verdict("03:00") is None
    world.store._db.execute("PRAGMA max_page_count = 1000000")
    stranger, told = world.look("04:05:05")
    assert str(stranger.kind) == "finding"
    assert (told.verdict, told.found_late) == (Verdict.MISSED, False)
    assert world.rows("SELECT count(*) FROM run") == [(20,)]


def test_what_came_of_a_message_is_kept_until_it_can_be_recorded(world):
    world.write(finished("03:04", "failed"))
    world.engine.handle(LOOK, at("03:04"))
    (handed,) = world.handed
    world.handed.clear()
    world.store._db.execute(
        "CREATE TRIGGER fault BEFORE UPDATE ON outbox BEGIN SELECT RAISE(ABORT, 'full'); END"
    )
    with pytest.raises(sqlite3.IntegrityError, match="full"):
        world.report("03:05", *handed)
    world.store._db.execute("DROP TRIGGER fault")
    assert world.look("03:06") == []
    assert world.rows("SELECT state, tries FROM outbox") == [("sent", 1)]


def test_a_message_that_cannot_be_marked_is_not_sent(world):
    world.store._db.execute(
        "CREATE TRIGGER fault BEFORE UPDATE ON outbox BEGIN SELECT RAISE(ABORT, 'full'); END"
    )
    world.write(finished("03:04", "failed"))
    with pytest.raises(sqlite3.IntegrityError, match="full"):
        world.engine.handle(LOOK, at("03:04"))
    assert world.handed == []
    world.store._db.execute("DROP TRIGGER fault")
    assert kinds(world.look("03:05")) == ["opened"]


def test_a_failed_turn_forgets_no_deadline_and_no_incident(make):
    world = make(job(), job(name="other", schedule="30 3 * * *"))
    world.look("03:01", started("03:00"))
    world.look("03:04", finished("03:34", "failed", job_name="other"))
    world.store._db.execute(
        "CREATE TRIGGER fault BEFORE INSERT ON run BEGIN SELECT RAISE(ABORT, 'full'); END"
    )
    world.write(finished("03:35", job_name="other", run_id="r2"))
    with pytest.raises(sqlite3.IntegrityError):
        world.engine.handle(LOOK, at("03:36"))
    world.store._db.execute("DROP TRIGGER fault")
    assert kinds(world.look("03:37")) == ["recovered"]
    assert world.engine.next_moment() == at("04:05")
    assert kinds(world.look("04:05")) == ["opened"]


def test_a_report_on_what_is_settled_already_changes_nothing(world):
    world.write(finished("03:04", "failed"))
    world.engine.handle(LOOK, at("03:04"))
    (handed,) = world.handed
    world.report("03:04", *handed, SENT)
    world.report("03:05", *handed, RETRY)
    assert world.rows("SELECT state, tries FROM outbox") == [("sent", 1)]
    assert world.engine.next_moment() == at("03:04") + minutes(61)
