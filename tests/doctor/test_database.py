"""The database: each damage is done to a real one."""

import sqlite3
from contextlib import closing

import pytest

from cronverifyd.doctor.checks.database import check
from cronverifyd.doctor.facts import Database
from cronverifyd.doctor.finding import Level
from cronverifyd.doctor.look import past
from cronverifyd.store import health
from cronverifyd.store.sqlite import Store
from tests.builders import at
from tests.doctor.place import the_one, worst


@pytest.fixture
def database(tmp_path):
    with closing(Store(tmp_path)) as store, store.transaction():
        store.save_boot("a-boot", at("08:00"))
    return tmp_path / "cronverifyd.sqlite3"


def said_of(path):
    return list(check(past.look(path.parent)))


def test_a_whole_database_is_good_and_can_be_read(database):
    assert worst(said_of(database)) is Level.OK
    assert past.past(database.parent).boots == {"a-boot": at("08:00")}


def test_a_damaged_one_is_bad_and_its_remedy_lets_a_new_one_be_made(database, paste):
    with database.open("r+b") as file:
        file.seek(4_096 * 3)
        file.write(b"\xff" * 4_096 * 6)
    fault = the_one(said_of(database), Level.BAD)
    assert "is damaged" in fault.text
    assert past.past(database.parent).boots == {}
    paste(fault.remedy)
    with closing(Store(database.parent)):
        pass
    assert worst(said_of(database)) is Level.OK


def test_a_file_that_is_no_database_is_bad(database):
    database.write_bytes(b"this is no database" * 1_000)
    assert "is damaged: file is not a database" in the_one(said_of(database), Level.BAD).text


def test_a_newer_one_is_bad(database):
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA user_version = 999")
    assert "has version 999" in the_one(said_of(database), Level.BAD).text


def test_an_older_one_is_said_to_be_brought_up(database):
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA user_version = 1")
    assert any("is brought to" in each.text for each in said_of(database))


def test_one_that_is_not_there_is_a_warning(tmp_path):
    assert (
        "nothing has been verified"
        in the_one(said_of(tmp_path / "cronverifyd.sqlite3"), Level.WARNING).text
    )


def test_after_a_crash_without_its_index_nothing_is_made(database):
    database.with_name("cronverifyd.sqlite3-wal").write_bytes(b"")
    before = sorted(database.parent.iterdir())
    assert "left by a crash" in the_one(said_of(database), Level.WARNING).text
    assert sorted(database.parent.iterdir()) == before


def test_one_in_use_is_looked_at_without_disturbing_it(tmp_path):
    with closing(Store(tmp_path)) as store:
        with store.transaction():
            store.save_boot("b", at("09:00"))
            assert worst(list(check(past.look(tmp_path)))) is Level.OK
        assert past.past(tmp_path).boots == {"b": at("09:00")}


def test_a_check_that_takes_too_long_is_given_up(database):
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("CREATE TABLE many (n)")
        connection.execute(
            "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 200000)"
            " INSERT INTO many SELECT n FROM c"
        )
        connection.commit()
    assert health.faults(database.parent, 0.0) is None


def test_an_old_sqlite_is_bad():
    found = Database(path="/x", sqlite=(3, 34, 1), known=5, version=5, faults=())
    assert "SQLite is 3.34.1" in the_one(list(check(found)), Level.BAD).text
