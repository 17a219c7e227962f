"""Those who only look: read-only, at one moment, as anybody who may read the file."""

import os
import sqlite3
import subprocess
import sys
import textwrap
from dataclasses import replace

import pytest

from cronverifyd.errors import StateError
from cronverifyd.judge.incidents import closed
from cronverifyd.model import (
    AlertState,
    Delivery,
    DeliveryResult,
    DeliveryRow,
    Finding,
    FindingKind,
    Judgment,
    Mark,
    Tenure,
    Verdict,
)
from cronverifyd.store.reader import open_reader
from cronverifyd.store.sqlite import DATABASE, Store
from tests.builders import at, hole, incident, judged, minutes, run, seconds
from tests.tell.builders import alert, notice

NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture
def read(tmp_path, store):
    def ask(question):
        with open_reader(tmp_path) as reader:
            return question(reader)

    return ask


# ---- questions ----------------------------------------------------------------------------------


def test_tenures(store, read):
    tenure = Tenure(
        job="a", schedule="0 3 * * *", timezone="UTC", owed_since=at("01:00"), cursor=at("03:00")
    )
    store.save_tenure(tenure)
    assert read(lambda r: r.tenures()) == {"a": tenure}


def test_the_newest_slots_come_first_pending_ones_included(store, read):
    for text, verdict in [("01:00", "ok"), ("02:00", "missed"), ("03:00", "pending")]:
        store.save_slot(judged(text, verdict))
    assert read(lambda r: r.last_slots("db-backup", 2)) == [
        judged("03:00", "pending"),
        judged("02:00", "missed"),
    ]
    assert read(lambda r: r.last_due("db-backup")) == judged("02:00", "missed")
    assert read(lambda r: r.last_due("other")) is None


def test_the_last_success_is_the_end_of_the_run_that_made_the_newest_good_slot_good(store, read):
    assert read(lambda r: r.last_success("db-backup")) is None
    good = Judgment(verdict=Verdict.LATE, reason="because", run="r1")
    store.save_slot(judged("02:00", "late", judgment=good))
    assert read(lambda r: r.last_success("db-backup")) is None
    store.save_run(run("02:00", "02:04"), at("02:00"))
    store.save_slot(judged("03:00", "missed"))
    assert read(lambda r: r.last_success("db-backup")) == at("02:04")


def test_the_runs_of_a_slot_come_newest_first(store, read):
    first, second = run("03:00", "03:04"), run(None, "03:30", run="r2")
    store.save_run(first, at("03:00"))
    store.save_run(second, at("03:00"))
    store.save_run(run("03:00", job="other"), at("03:00"))
    assert read(lambda r: r.newest_runs_of("db-backup", at("03:00"))) == [second, first]


def test_incidents(store, read):
    assert read(lambda r: r.last_incident("db-backup")) is None
    old, new = incident("02:00", "02:05"), incident("03:00", "03:05")
    store.save_incident(closed(old, "healed", at("02:10")))
    assert read(lambda r: r.open_incidents()) == {}
    store.save_incident(new)
    assert read(lambda r: r.open_incidents()) == {"db-backup": new}
    assert read(lambda r: r.last_incident("db-backup")) == new


def test_deliveries(store, read):
    opened = alert(id="i1.opened", incident="i1", created_at=at("03:00"))
    for channel in ("ops", "mail"):
        store.outbox.add(opened, channel)
    store.outbox.take("ops", at("03:00"))
    store.outbox.settle(["i1.opened.ops"], Delivery(result=DeliveryResult.SENT), at("03:01"))
    assert read(lambda r: r.deliveries("i1")) == [
        DeliveryRow(
            channel="ops", kind="opened", state=AlertState.SENT, tries=1, sent_at=at("03:01")
        ),
        DeliveryRow(
            channel="mail", kind="opened", state=AlertState.NEW, tries=0, next_try=at("03:00")
        ),
    ]
    assert read(lambda r: r.last_delivery()) == at("03:01")


def test_nothing_was_delivered_yet(read):
    assert read(lambda r: r.last_delivery()) is None


def test_messages_that_reached_nobody_are_counted(store, read):
    for name in ("sent", "dead", "waits"):
        store.outbox.add(notice(id=name, created_at=at("03:00")), "ops")
    for name, result in [("sent", DeliveryResult.SENT), ("dead", DeliveryResult.REFUSED)]:
        store.outbox.take("ops", at("03:00"))
        store.outbox.settle([f"{name}.ops"], Delivery(result=result), at("03:00"))
    assert read(lambda r: r.undelivered()) == 2


def test_rejected_lines_are_counted(store, read):
    assert read(lambda r: r.rejected()) == 0
    mark = store.save_mark(Mark(path="/o", device=1, inode=2, looked_at=at("03:00")))
    store.count_rejected(mark.file_id, 3)
    assert read(lambda r: r.rejected()) == 3


def test_the_slots_that_count_are_good_or_bad_and_not_in_maintenance(store, read):
    verdicts = ["ok", "missed", "pending", "unknown", "interrupted", "failed", "late"]
    for hour, verdict in enumerate(verdicts):
        store.save_slot(judged(f"0{hour}:00", verdict, quiet=verdict == "failed"))
    counting = read(lambda r: r.slots_that_count("db-backup", 9))
    assert [str(each.judgment.verdict) for each in counting] == [
        "late",
        "interrupted",
        "missed",
        "ok",
    ]
    assert read(lambda r: r.slots_that_count("db-backup", 2)) == counting[:2]
    assert read(lambda r: r.slots_that_count("other", 9)) == []


def test_boots_come_oldest_first_and_stand_as_they_were_seen(store, read):
    assert read(lambda r: r.boots()) == {}
    for boot, when in [("b2", "13:00"), ("b1", "01:00"), ("b2", "14:00")]:
        store.save_boot(boot, at(when))
    assert list(read(lambda r: r.boots()).items()) == [("b1", at("01:00")), ("b2", at("13:00"))]


def test_the_writers_of_each_job(store, read):
    assert read(lambda r: r.writers()) == {}
    for name, path in [("a", "/1"), ("a", "/2"), ("b", "/1"), ("a", "/1")]:
        store.save_writer(name, path)
    assert read(lambda r: r.writers()) == {"a": {"/1", "/2"}, "b": {"/1"}}


def test_holes_that_last_or_ended_since_then_come_oldest_first(store, read):
    gone, ended = hole("01:00", "02:00"), hole("03:00", "03:10")
    lasting = hole("02:30", path="/p.jsonl")
    for each in (ended, gone, lasting):
        store.save_hole(each)
    assert read(lambda r: r.holes(at("02:00"))) == [lasting, ended]
    assert read(lambda r: r.holes(at("01:59:59.999999"))) == [gone, lasting, ended]
    assert read(lambda r: r.holes(at("04:00"))) == [lasting]


ODD = Finding(
    job="db-backup", kind=FindingKind.OVERLAP, run="r2", at=at("03:10"), text="a run began"
)


def test_findings_come_newest_first_since_an_instant_of_one_job_or_of_all(store, read):
    second = replace(ODD, run="r3")
    foreign = replace(ODD, job="other", kind=FindingKind.UNREGISTERED)
    for number, each in enumerate([ODD, foreign, second]):
        assert store.add_finding(each, at("03:11") + minutes(number))
    assert read(lambda r: r.findings(at("03:00"))) == [second, foreign, ODD]
    assert read(lambda r: r.findings(at("03:00"), "db-backup")) == [second, ODD]
    assert read(lambda r: r.findings(at("03:11") + seconds(59), "db-backup")) == [second]
    assert read(lambda r: r.findings(at("03:11"))) == [second, foreign]
    assert read(lambda r: r.findings(at("03:13"))) == []
    assert read(lambda r: r.findings(at("03:00"), "nobody")) == []


# ---- one look -----------------------------------------------------------------------------------


def test_a_look_sees_one_moment(tmp_path, store):
    with open_reader(tmp_path) as reader:
        assert reader.last_due("db-backup") is None
        store.save_slot(judged("03:00", "ok"))
        assert reader.last_due("db-backup") is None
    with open_reader(tmp_path) as reader:
        assert reader.last_due("db-backup") == judged("03:00", "ok")


@pytest.mark.parametrize("writer", ["there", "gone"])
def test_a_look_writes_nothing(tmp_path, store, writer):
    store.save_slot(judged("03:00", "ok"))
    if writer == "gone":
        store.close()
    with (
        open_reader(tmp_path) as reader,
        pytest.raises(sqlite3.OperationalError, match="readonly"),
    ):
        reader._db.execute("DELETE FROM slot")
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        {DATABASE, "journal.jsonl"}
        | ({f"{DATABASE}-wal", f"{DATABASE}-shm"} if writer == "there" else set())
    )


def test_a_folder_s_name_may_hold_what_is_special_in_an_address(tmp_path):
    folder = tmp_path / "a?b#c%20 d"
    folder.mkdir()
    Store(folder).close()
    with open_reader(folder) as reader:
        assert reader.rejected() == 0


# ---- what cannot be read ------------------------------------------------------------------------


def test_where_there_is_no_database_it_says_so(tmp_path):
    with pytest.raises(StateError, match="there is no database") as caught, open_reader(tmp_path):
        pass
    assert caught.value.remedy == "cronverifyd run, or cronverifyd check for a single look"
    assert caught.value.exit_code == 3


def test_what_is_no_database_cannot_be_read(tmp_path):
    (tmp_path / DATABASE).write_bytes(b"not a database" * 100)
    with pytest.raises(StateError, match="file is not a database"), open_reader(tmp_path) as reader:
        reader.rejected()


def test_nor_can_one_that_is_empty(tmp_path):
    (tmp_path / DATABASE).touch()
    with pytest.raises(StateError, match="no such table"), open_reader(tmp_path) as reader:
        reader.rejected()


def test_what_is_no_folder_cannot_be_read(tmp_path):
    (tmp_path / "state").touch()
    with pytest.raises(StateError, match="cannot be read"), open_reader(tmp_path / "state"):
        pass


def test_an_error_of_one_who_looks_is_not_the_database_s(tmp_path, store):
    with pytest.raises(PermissionError), open_reader(tmp_path):
        raise PermissionError


def as_nobody(folder):
    program = f"""
        import os, pathlib, sys
        from cronverifyd.errors import StateError
        from cronverifyd.store.reader import open_reader
        os.setgroups([])
        os.setgid({NOBODY})
        os.setuid({NOBODY})
        try:
            with open_reader(pathlib.Path(sys.argv[1])) as reader:
                print(reader.last_due("db-backup").judgment.verdict)
        except StateError as error:
            print(error, "| try:", error.remedy)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(folder)],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.fixture
def open_folder(tmp_path):
    """Give a folder that everybody may enter and read, but not write."""
    for folder in (tmp_path.parent.parent, tmp_path.parent, tmp_path):
        folder.chmod(0o755)
    return tmp_path


@as_root
@pytest.mark.parametrize("writer", ["there", "gone"])
def test_another_user_may_look_too(open_folder, writer):
    store = Store(open_folder)
    store.save_slot(judged("03:00", "missed"))
    if writer == "gone":
        store.close()
    for path in open_folder.iterdir():
        path.chmod(0o644)
    assert as_nobody(open_folder) == "missed\n"
    store.close()


@as_root
@pytest.mark.parametrize("closed_at", ["folder", "file"])
def test_one_who_may_not_is_told_so(open_folder, closed_at):
    state = open_folder / "state"
    state.mkdir()
    Store(state).close()
    (state if closed_at == "folder" else state / DATABASE).chmod(0o600)
    assert as_nobody(state).startswith(f"{state / DATABASE}: cannot be read: ")
    assert as_nobody(state).endswith("| try: run this as the daemon's user, or as root\n")


# ---- views --------------------------------------------------------------------------------------

VIEWS = {
    "slots": {"job", "slot", "deadline", "verdict", "reason", "decided_at", "found_late"}
    | {"triggered_by"},
    "runs": {"run", "job", "started_at", "ended_at", "status", "exit_code", "signal", "duration_s"}
    | {"cpu_s", "max_rss_kb", "metrics", "output_tail", "user", "host"},
    "incidents": {"id", "job", "since", "slots"},
    "alerts": {"id", "incident", "job", "kind", "channel", "state", "tries", "next_try", "sent_at"}
    | {"error"},
    "findings": {"job", "kind", "run", "at", "text"},
    "cron_outcomes": {"id", "job_name", "run_date", "completed_at", "status", "error_message"},
}


@pytest.mark.parametrize(("view", "columns"), VIEWS.items(), ids=VIEWS.keys())
def test_a_view_has_the_columns_that_are_promised(store, view, columns):
    found = {column[0] for column in store._db.execute(f"SELECT * FROM {view}").description}
    assert columns <= found


def test_views_show_instants_as_text(store):
    store.save_run(run("03:00", "03:04:00.5", error="no", status="failed"), at("03:00"))
    by = Judgment(verdict=Verdict.FAILED, reason="because", run="r1")
    store.save_slot(judged("03:00", "failed", judgment=by))
    store.save_incident(incident("03:00", "03:05", "failed"))
    store.add_finding(replace(ODD, at=at("03:10:00.5")), at("03:11"))
    ask = store._db.execute
    assert tuple(ask("SELECT slot, deadline, decided_at FROM slots").fetchone()) == (
        "2024-05-15T03:00:00+00:00",
        "2024-05-15T04:05:00.000Z",
        "2024-05-15T03:00:00.000Z",
    )
    assert tuple(
        ask("SELECT run, job, status, slot, started_at, ended_at FROM runs").fetchone()
    ) == (
        "r1",
        "db-backup",
        "failed",
        "2024-05-15T03:00:00+00:00",
        "2024-05-15T03:00:00.000Z",
        "2024-05-15T03:04:00.500Z",
    )
    assert tuple(ask("SELECT since, closed_at FROM incidents").fetchone()) == (
        "2024-05-15T03:05:00.000Z",
        None,
    )
    assert tuple(ask("SELECT job, kind, run, at, text FROM findings").fetchone()) == (
        "db-backup",
        "overlap",
        "r2",
        "2024-05-15T03:10:00.500Z",
        "a run began",
    )


def test_the_tutorial_s_table_has_a_row_a_slot_with_its_deciding_run(store):
    by = Judgment(verdict=Verdict.FAILED, reason="because", run="r1")
    store.save_run(run("03:00", "03:04", "failed", error="no"), at("03:00"))
    store.save_run(run("03:30", run="r2"), at("03:00"))
    store.save_slot(judged("03:00", "failed", judgment=by))
    store.save_slot(judged("04:00", "missed", slot=replace(judged("04:00", "ok").slot)))
    rows = store._db.execute("SELECT * FROM cron_outcomes ORDER BY completed_at DESC").fetchall()
    assert [tuple(each) for each in rows] == [
        (1, "db-backup", "2024-05-15", "2024-05-15T03:04:00.000Z", "failed", "no"),
        (0, "db-backup", "2024-05-15", None, "missed", None),
    ]
