"""Modes and owners: each fault is made for real, found, and gone once its remedy is pasted."""

import os
import pwd
import socket
from dataclasses import replace

import pytest

from cronverifyd.doctor.checks import files as checks
from cronverifyd.doctor.facts import Entry, Kind
from cronverifyd.doctor.finding import Level
from cronverifyd.doctor.look import files
from tests.doctor.place import the_one, worst


def found(place, pid=None, **changed):
    return list(checks.check(replace(files.look(place.load(), pid), **changed)))


def nobody():
    return pwd.getpwnam("nobody")


def test_a_healthy_installation_has_nothing_but_good_findings(installed):
    (installed.state / "cronverifyd.sqlite3").touch(mode=0o600)
    said = found(installed)
    assert worst(said) is Level.OK
    assert {each.check for each in said} == {"config", "state", "outcomes"}


def open_config(place):
    place.path.chmod(0o666)


def open_state(place):
    place.state.chmod(0o777)


def open_database(place):
    (place.state / "cronverifyd.sqlite3").touch()
    (place.state / "cronverifyd.sqlite3").chmod(0o666)


def open_journal(place):
    (place.state / "journal.jsonl").touch()
    (place.state / "journal.jsonl").chmod(0o602)


def open_secret(place):
    (place.state / "trigger.secret").write_text("secret")
    (place.state / "trigger.secret").chmod(0o640)


def open_socket(place):
    path = place.state / "control.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
    path.chmod(0o660)


def a_file_for_a_folder(place):
    place.write(daemon='state_dir = "plain"\noutcomes = ["state/outcomes.jsonl"]')
    (place.folder / "plain").touch()


def outcomes_folder(place):
    place.write(daemon=f'outcomes = ["{place.folder}/gone/a.jsonl"]')


def outcomes_that_are_a_folder(place):
    place.outcomes.unlink()
    place.outcomes.mkdir()


BAD = [
    pytest.param(open_config, "config", "anybody can change it", id="config that all may write"),
    pytest.param(open_state, "state", "database or a journal", id="state that all may write"),
    pytest.param(open_database, "state", "anybody can change it", id="database open to all"),
    pytest.param(open_journal, "state", "anybody can change it", id="journal open to all"),
    pytest.param(open_secret, "state", "command the daemon", id="secret for a group"),
    pytest.param(open_socket, "state", "command the daemon", id="socket for a group"),
    pytest.param(a_file_for_a_folder, "state", "is no folder", id="state that is a file"),
    pytest.param(outcomes_folder, "outcomes", "there is no folder", id="no folder for outcomes"),
    pytest.param(
        outcomes_that_are_a_folder, "outcomes", "is no plain file", id="outcomes that are a folder"
    ),
]


@pytest.mark.parametrize(("break_it", "check", "words"), BAD)
def test_what_is_bad_is_found_and_its_remedy_mends_it(installed, paste, break_it, check, words):
    break_it(installed)
    faults = [each for each in found(installed) if each.level is Level.BAD]
    assert faults, "not found"
    assert faults[0].check == check
    assert words in faults[0].text
    for each in faults:
        paste(each.remedy)
    assert worst(found(installed)) is not Level.BAD


def test_outcomes_that_all_may_write_are_a_warning(installed, paste):
    installed.outcomes.chmod(0o666)
    said = the_one(found(installed), Level.WARNING)
    assert "proves nobody" in said.text
    paste(said.remedy)
    assert worst(found(installed)) is Level.OK


def test_a_database_that_all_may_read_is_a_warning(installed, paste):
    (installed.state / "cronverifyd.sqlite3").touch()
    (installed.state / "cronverifyd.sqlite3").chmod(0o644)
    said = the_one(found(installed), Level.WARNING)
    assert "read the output of jobs" in said.text
    paste(said.remedy)
    assert worst(found(installed)) is Level.OK


@pytest.mark.usefixtures("as_root")
def test_a_file_of_another_user_in_the_state_is_bad(installed, paste):
    os.chown(installed.state, nobody().pw_uid, nobody().pw_gid)
    os.chown(installed.outcomes, nobody().pw_uid, nobody().pw_gid)
    installed.path.chmod(0o644)
    (installed.state / "journal.jsonl").touch(mode=0o600)
    said = the_one(found(installed), Level.BAD)
    assert "belongs to uid 0, not to nobody" in said.text
    paste(said.remedy)
    assert worst(found(installed)) is Level.OK


@pytest.mark.usefixtures("as_root")
def test_a_config_that_the_daemon_cannot_read_is_bad(installed, paste):
    os.chown(installed.state, nobody().pw_uid, nobody().pw_gid)
    os.chown(installed.outcomes, nobody().pw_uid, nobody().pw_gid)
    said = the_one([f for f in found(installed) if f.check == "config"], Level.BAD)
    assert "cannot read it" in said.text
    paste(said.remedy)
    assert worst(found(installed)) is Level.OK


@pytest.mark.usefixtures("as_root")
def test_a_config_of_a_stranger_is_a_warning(installed, paste):
    os.chown(installed.path, nobody().pw_uid, -1)
    said = the_one(found(installed), Level.WARNING)
    assert "can change what is watched" in said.text
    paste(said.remedy)
    assert worst(found(installed)) is Level.OK


@pytest.mark.usefixtures("as_root")
def test_a_users_file_that_belongs_to_another_is_bad(installed, paste):
    folder = installed.folder / "outcomes.d"
    folder.mkdir(mode=0o755)
    (folder / "nobody.jsonl").touch(mode=0o600)
    installed.write(daemon=f'outcomes = ["{folder}/*.jsonl"]')
    said = the_one(found(installed), Level.BAD)
    assert "not to nobody, whose name it has" in said.text
    paste(said.remedy)
    assert worst(found(installed)) is Level.OK


@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize(
    ("path", "mode", "words"),
    [
        pytest.param("outcomes.d", 0o700, "is closed (0700)", id="folder that is closed to it"),
        pytest.param("outcomes.d/nobody.jsonl", 0o400, "cannot write it", id="file without w"),
    ],
)
def test_a_user_who_cannot_write_the_own_outcomes_is_bad(installed, paste, path, mode, words):
    folder = installed.folder / "outcomes.d"
    folder.mkdir(mode=0o755)
    (folder / "nobody.jsonl").touch(mode=0o600)
    os.chown(folder / "nobody.jsonl", nobody().pw_uid, -1)
    installed.write(daemon=f'outcomes = ["{folder}/*.jsonl"]')
    (installed.folder / path).chmod(mode)
    said = the_one(found(installed), Level.BAD)
    assert words in said.text
    paste(said.remedy)
    assert worst(found(installed)) is Level.OK


@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize(
    ("reads_all", "level"),
    [
        pytest.param(None, Level.WARNING, id="no daemon runs: who knows its rights"),
        pytest.param(False, Level.BAD, id="the daemon has no right to pass over modes"),
        pytest.param(True, Level.OK, id="the daemon has it"),
    ],
)
def test_outcomes_that_the_daemon_cannot_read(installed, paste, reads_all, level):
    os.chown(installed.state, nobody().pw_uid, nobody().pw_gid)
    installed.path.chmod(0o644)  # the outcome file itself stays root's, 0600
    said = found(installed, reads_all=reads_all)
    assert worst(said) is level
    if level is not Level.OK:
        fault = the_one(said, level)
        assert "cannot be read by nobody" in fault.text
        paste(fault.remedy)
        assert worst(found(installed, reads_all=reads_all)) is Level.OK


@pytest.mark.parametrize(
    ("guard", "level"),
    [pytest.param(1, Level.WARNING, id="guarded"), pytest.param(0, Level.OK, id="not guarded")],
)
def test_a_sticky_folder_is_a_warning_where_the_kernel_guards_it(installed, guard, level):
    folder = installed.folder / "sticky"
    folder.mkdir()
    folder.chmod(0o1777)
    (folder / "a.jsonl").touch(mode=0o600)
    installed.write(daemon=f'outcomes = ["{folder}/a.jsonl"]')
    assert worst(found(installed, sticky_guard=guard)) is level


def test_the_kernels_guard_of_sticky_folders_is_read(installed):
    said = files.look(installed.load(), None).sticky_guard
    assert said in {0, 1, 2}


def test_outcomes_of_a_folder_that_all_may_write_are_bad(installed):
    folder = installed.folder / "open"
    folder.mkdir()
    folder.chmod(0o777)
    installed.write(daemon=f'outcomes = ["{folder}/a.jsonl"]')
    assert "replace the outcomes" in the_one(found(installed), Level.BAD).text


def test_a_glob_without_a_file_is_a_warning(installed):
    installed.write(daemon='outcomes = ["none/*.jsonl"]')
    assert "no file matches" in the_one(found(installed), Level.WARNING).text


def test_a_state_folder_that_is_not_there_yet_is_a_warning(installed, paste):
    installed.write(daemon='state_dir = "new"\noutcomes = ["state/outcomes.jsonl"]')
    said = the_one(found(installed), Level.WARNING)
    assert "the daemon makes it" in said.text
    paste(said.remedy)
    assert worst(found(installed)) is Level.OK


def test_the_rights_of_a_process_are_read(installed):
    rights = files.look(installed.load(), os.getpid()).reads_all
    assert rights is (os.geteuid() == 0)


def test_a_group_that_has_less_than_all_others_has_less():
    me = files.account(os.geteuid())
    somebody = replace(me, uid=4_000, gids=frozenset({4_001}))
    entry = Entry(path="/x", kind=Kind.FILE, uid=1, gid=4_001, mode=0o604)
    assert not checks.may(somebody, entry, checks.READ)
    assert checks.may(replace(somebody, gids=frozenset()), entry, checks.READ)
