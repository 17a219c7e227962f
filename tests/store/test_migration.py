"""A database of an earlier shape becomes one of the newest, with all that stands in it."""

import sqlite3
from dataclasses import replace

import pytest

from cronverifyd.errors import StateError
from cronverifyd.model import AlertState, Judgment, Mark, Tenure, TriggeredBy, Verdict
from cronverifyd.store.reader import open_reader
from cronverifyd.store.schema import STEPS
from cronverifyd.store.sqlite import DATABASE, Store
from tests.builders import at, incident, judged, run
from tests.tell.builders import alert

RUN = run(
    "03:00",
    "03:04",
    "failed",
    exit_code=3,
    error="no",
    duration_s=240.5,
    metrics={"rows": 7.0},
    slot_hint=at("03:00"),
    user="alice",
    boot="b1",
    pid=42,
    extra='{"team":"billing"}',
)
OPEN = run("03:10", run="open", pid=43)
FAILED = judged(
    "03:00",
    "failed",
    judgment=Judgment(verdict=Verdict.FAILED, reason="because", until=at("04:05"), run="r1"),
    found_late=True,
    triggered_by=TriggeredBy.CUEAPI,
)
GOOD = judged("02:00", "ok")
TENURE = Tenure(
    job="db-backup",
    schedule="0 3 * * *",
    timezone="Europe/Paris",
    owed_since=at("01:00"),
    cursor=at("03:00"),
)
MARK = Mark(path="/o.jsonl", device=1, inode=2, looked_at=at("03:00"), position=9, probe=b"\0p")
ALERT = alert(id="i1.opened", incident="i1", job="db-backup", created_at=at("03:05"))
# What each table of the first shape is asked for, in the same words before and after.
TABLES = ("file", "counter", "job", "run", "slot", "incident", "outbox", "execution")


def fill(store):
    """Write a row of every kind that the first shape knows."""
    with store.transaction():
        mark = store.save_mark(MARK)
        store.count_rejected(mark.file_id, 3)
        store.save_tenure(TENURE)
        store.save_run(RUN, at("03:00"))
        store.save_run(OPEN, at("03:00"))
        store.save_slot(GOOD)
        store.save_slot(FAILED)
        store.save_incident(replace(incident("03:00", "03:05"), announced=True))
        store.outbox.add(ALERT, "ops")
        store.save_execution("e1", "first", at("03:05"))


def columns(connection, table):
    return [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]


def content(connection, shape):
    """Give all rows of the tables, in the columns of a shape."""
    return {
        table: [
            tuple(row)
            for row in connection.execute(f"SELECT {', '.join(names)} FROM {table} ORDER BY 1")
        ]
        for table, names in shape.items()
    }


@pytest.fixture
def first_shape(tmp_path):
    """Give the columns of the first shape, and a folder with a database of it that is filled."""
    folder = tmp_path / "new"
    folder.mkdir()
    store = Store(folder)
    fill(store)
    old = sqlite3.connect(tmp_path / DATABASE)
    for statement in STEPS[0]:
        old.execute(statement)
    shape = {table: columns(old, table) for table in TABLES}
    for table, rows in content(store._db, shape).items():
        marks = ", ".join("?" * len(shape[table]))
        names = ", ".join(shape[table])
        old.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)
    old.execute("PRAGMA user_version = 1")
    old.commit()
    old.close()
    store.close()
    return shape


def version(folder):
    connection = sqlite3.connect(folder / DATABASE)
    try:
        return connection.execute("PRAGMA user_version").fetchone()[0]
    finally:
        connection.close()


def test_nothing_is_lost_or_changed(tmp_path, first_shape):
    old = sqlite3.connect(tmp_path / DATABASE)
    before = content(old, first_shape)
    old.close()
    assert all(before.values())
    store = Store(tmp_path)
    assert content(store._db, first_shape) == before
    store.close()
    assert version(tmp_path) == len(STEPS)


def test_everything_is_there_for_those_who_ask(tmp_path, first_shape):
    store = Store(tmp_path)
    (mark,) = store.marks()
    assert mark == replace(MARK, file_id=mark.file_id)
    assert store.rejected() == 3
    assert store.tenures() == {"db-backup": TENURE}
    assert store.run("db-backup", "r1") == (RUN, at("03:00"))
    assert store.open_runs("db-backup") == [OPEN]
    (undecided,) = store.undecided()
    assert undecided == store.slot("db-backup", at("03:00"))
    assert replace(undecided, incident=None) == FAILED
    (kept,) = store.open_incidents().values()
    assert kept == replace(incident("03:00", "03:05"), announced=True)
    assert store.outbox.take("ops", at("03:05")) == [("i1.opened.ops", ALERT)]
    assert store.execution_answer("e1", at("03:05")) == "first"
    store.close()


def test_what_the_new_shape_knows_besides_is_as_if_nothing_had_been_said(tmp_path, first_shape):
    store = Store(tmp_path)
    (mark,) = store.marks()
    judged_before = store.slot("db-backup", at("03:00"))
    known, _ = store.run("db-backup", "r1")
    assert mark.over is False
    assert (judged_before.slot.starts, judged_before.quiet) == (1, False)
    assert (known.lost_at, known.loss, known.artifacts) == (None, None, None)
    assert (store.boots(), store.writers(), store.holes(at("00:00"))) == ({}, {}, [])
    assert (store.findings(at("00:00")), store.unknown_slots()) == ([], [])
    store.close()


def test_old_rows_are_found_by_the_new_questions(tmp_path, first_shape):
    store = Store(tmp_path)
    assert store.alive_runs() == [(OPEN, at("03:00"))]
    counting = store.slots_that_count("db-backup", 9)
    assert [replace(each, incident=None) for each in counting] == [FAILED, GOOD]
    assert store.unmeasured_runs() == []
    store.close()


def test_it_can_be_written_and_read_from_then_on(tmp_path, first_shape):
    store = Store(tmp_path)
    row = {"id": "i1.opened.ops"}
    store.outbox.take("ops", at("03:05"))
    assert (
        store._db.execute("SELECT state FROM outbox WHERE id = :id", row).fetchone()[0]
        == AlertState.SENDING
    )
    store.save_slot(replace(FAILED, incident="i1", quiet=True))
    with open_reader(tmp_path) as reader:
        assert reader.last_due("db-backup") == replace(FAILED, incident="i1", quiet=True)
        assert reader.findings(at("00:00")) == []
    store.close()
    again = Store(tmp_path)
    assert again.slot("db-backup", at("03:00")).incident == "i1"
    again.close()


def test_bad_slots_bear_the_incident_that_they_belong_to(tmp_path, first_shape):
    """Else one that is judged again is told again, or counted twice."""
    store = Store(tmp_path)
    known = store.open_incidents()["db-backup"]
    assert store.slot("db-backup", at("03:00")).incident == known.id
    store.close()


def test_good_ones_bear_none(tmp_path, first_shape):
    store = Store(tmp_path)
    assert store.slot("db-backup", at("02:00")) == GOOD
    store.close()


def test_a_second_step_that_fails_leaves_the_first_shape_with_all_its_rows(tmp_path, first_shape):
    old = sqlite3.connect(tmp_path / DATABASE)
    old.execute("CREATE TABLE finding (id TEXT)")
    old.commit()
    before = content(old, first_shape)
    old.close()
    with pytest.raises(StateError, match="finding already exists"):
        Store(tmp_path)
    assert version(tmp_path) == 1
    old = sqlite3.connect(tmp_path / DATABASE)
    assert content(old, first_shape) == before
    assert {table: columns(old, table) for table in TABLES} == first_shape
    old.execute("DROP TABLE finding")
    old.commit()
    old.close()
    Store(tmp_path).close()
    assert version(tmp_path) == len(STEPS)


def test_the_shape_is_the_same_as_that_of_a_new_database(tmp_path, first_shape):
    def shape(folder):
        Store(folder).close()
        connection = sqlite3.connect(folder / DATABASE)
        rows = connection.execute("SELECT type, name, tbl_name FROM sqlite_master").fetchall()
        named = {row[1]: columns(connection, row[1]) for row in rows if row[0] in {"table", "view"}}
        connection.close()
        return sorted(rows), named

    assert shape(tmp_path) == shape(tmp_path / "new")
