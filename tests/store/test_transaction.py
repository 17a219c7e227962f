"""All of a unit of work is kept, or nothing; its journal lines come first."""

import json
import sqlite3
import subprocess
import sys
import textwrap

import pytest

from cronverifyd.errors import StateError
from cronverifyd.model import Tenure
from cronverifyd.store.schema import STEPS
from cronverifyd.store.sqlite import DATABASE, JOURNAL, Store
from tests.builders import at

TENURE = Tenure(
    job="db-backup",
    schedule="0 3 * * *",
    timezone="UTC",
    owed_since=at("01:00"),
    cursor=at("01:00"),
)


def unit(store, error=None, statement="SELECT 1"):
    """Do a unit of work that fails with an error, or does one statement more."""
    with store.transaction():
        store.save_tenure(TENURE)
        store.note("owed", at("01:00"), job="db-backup")
        store._db.execute(statement)
        if error is not None:
            raise error


def journal(folder):
    return [json.loads(line) for line in (folder / JOURNAL).read_bytes().splitlines()]


def test_what_is_written_in_a_transaction_is_there_for_the_next_process(tmp_path, store):
    with store.transaction():
        store.save_tenure(TENURE)
        store.note("owed", at("01:00"), job="db-backup")
    store.close()
    again = Store(tmp_path)
    assert again.tenures() == {"db-backup": TENURE}
    assert journal(tmp_path) == [{"at": "2024-05-15T01:00:00Z", "kind": "owed", "job": "db-backup"}]
    again.close()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_of_a_transaction_that_fails_nothing_is_left(tmp_path, store, error):
    with pytest.raises(error):
        unit(store, error)
    assert store.tenures() == {}
    assert journal(tmp_path) == []


def test_and_the_next_one_notes_nothing_of_it(tmp_path, store):
    with pytest.raises(ValueError, match="once"):
        unit(store, ValueError("once"))
    with store.transaction():
        store.note("second", at("02:00"))
    assert [entry["kind"] for entry in journal(tmp_path)] == ["second"]


def test_the_journal_is_written_before_the_commit(tmp_path, store):
    seen = []

    def watch(statement):
        if statement == "COMMIT":
            seen.extend(journal(tmp_path))

    store._db.set_trace_callback(watch)
    with store.transaction():
        store.note("owed", at("01:00"))
    assert [entry["kind"] for entry in seen] == ["owed"]


def test_a_transaction_with_nothing_to_note_leaves_the_journal_alone(tmp_path, store):
    with store.transaction():
        store.save_tenure(TENURE)
    assert (tmp_path / JOURNAL).read_bytes() == b""


def test_a_commit_that_fails_is_taken_back_and_the_next_one_works(store):
    """A deferred foreign key is looked at by COMMIT, which fails and leaves all as it was."""
    store._db.execute("PRAGMA foreign_keys = ON")
    store._db.execute("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
    store._db.execute(
        "CREATE TABLE child (id INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)"
    )
    with pytest.raises(sqlite3.IntegrityError):
        unit(store, statement="INSERT INTO child VALUES (7)")
    assert store.tenures() == {}
    with store.transaction():
        store.save_tenure(TENURE)
    assert store.tenures() == {"db-backup": TENURE}


def test_a_transaction_that_sqlite_itself_has_ended_shows_its_own_error(store):
    store._db.execute(
        "CREATE TRIGGER refuse BEFORE INSERT ON job BEGIN SELECT RAISE(ROLLBACK, 'full'); END"
    )
    with pytest.raises(sqlite3.IntegrityError, match="full"), store.transaction():
        store.save_tenure(TENURE)
    store._db.execute("DROP TRIGGER refuse")
    with store.transaction():
        store.save_tenure(TENURE)
    assert store.tenures() == {"db-backup": TENURE}


def test_a_journal_that_cannot_be_written_to_the_end_undoes_the_transaction(tmp_path):
    """A limit on the size of files makes the kernel write a part, as a full disk does."""
    program = """
        import pathlib, resource, sys
        from cronverifyd.store.sqlite import Store
        from tests.builders import at
        from tests.store.test_transaction import TENURE
        store = Store(pathlib.Path(sys.argv[1]))
        with store.transaction():
            store.note("first", at("01:00"))
        store._db.execute("PRAGMA temp_store = MEMORY")
        resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, resource.RLIM_INFINITY))
        try:
            with store.transaction():
                store.save_tenure(TENURE)
                store.note("second", at("01:00"), text="x" * 200_000)
        except OSError as error:
            print(error.strerror, store.tenures())
        with store.transaction():
            store.note("third", at("01:00"))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "the journal could not be written to its end {}\n"
    assert [entry["kind"] for entry in journal(tmp_path)] == ["first", "third"]


def test_a_journal_line_that_a_power_cut_left_unfinished_spoils_no_other(tmp_path):
    (tmp_path / JOURNAL).write_bytes(b'{"kind":"fir')
    store = Store(tmp_path)
    with store.transaction():
        store.note("second", at("01:00"))
        store.note("third", at("01:00"))
    store.close()
    lines = (tmp_path / JOURNAL).read_bytes().splitlines()
    assert lines[0] == b'{"kind":"fir'
    assert [json.loads(each)["kind"] for each in lines[1:]] == ["second", "third"]


# ---- opening ------------------------------------------------------------------------------------


def version(folder):
    connection = sqlite3.connect(folder / DATABASE)
    try:
        return connection.execute("PRAGMA user_version").fetchone()[0]
    finally:
        connection.close()


def test_a_new_database_has_the_newest_shape(tmp_path, store):
    assert store.tenures() == {}
    assert version(tmp_path) == len(STEPS)


def test_a_step_that_fails_leaves_the_shape_before(tmp_path):
    connection = sqlite3.connect(tmp_path / DATABASE)
    connection.execute("CREATE TABLE outbox (id TEXT)")
    connection.close()
    with pytest.raises(StateError, match="outbox already exists"):
        Store(tmp_path)
    assert version(tmp_path) == 0
    connection = sqlite3.connect(tmp_path / DATABASE)
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    connection.close()
    assert tables == [("outbox",)]


def test_a_database_of_a_newer_version_is_refused_with_a_sentence(tmp_path, store):
    store._db.execute("PRAGMA user_version = 99")
    store.close()
    with pytest.raises(
        StateError, match=f"has version 99, this program knows {len(STEPS)}$"
    ) as caught:
        Store(tmp_path)
    assert caught.value.remedy == "install the newer cronverifyd again"
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("name", [DATABASE, JOURNAL])
def test_what_cannot_be_opened_is_named(tmp_path, name):
    (tmp_path / name).mkdir()
    with pytest.raises(StateError, match="cannot be opened for writing") as caught:
        Store(tmp_path)
    assert caught.value.remedy == f"ls -ld {tmp_path}; the daemon's user must own it"


def test_what_is_no_database_is_refused(tmp_path):
    (tmp_path / DATABASE).write_bytes(b"not a database" * 100)
    with pytest.raises(StateError, match="file is not a database"):
        Store(tmp_path)


def test_the_log_is_folded_in_when_it_is_closed(tmp_path, store):
    with store.transaction():
        store.save_tenure(TENURE)
    assert (tmp_path / f"{DATABASE}-wal").exists()
    store.close()
    assert not (tmp_path / f"{DATABASE}-wal").exists()


@pytest.mark.parametrize(("pragma", "value"), [("journal_mode", "wal"), ("synchronous", 2)])
def test_a_commit_is_on_the_disk(store, pragma, value):
    assert store._db.execute(f"PRAGMA {pragma}").fetchone()[0] == value
