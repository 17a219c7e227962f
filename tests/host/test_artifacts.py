"""What is found for a rule: which file counts, and what is measured of it."""

import bz2
import gzip
import os
import socket
import tempfile
import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronverifyd.host import artifacts
from cronverifyd.host.artifacts import measure
from cronverifyd.model import Artifact, ArtifactRule, Measure, Past
from tests.builders import at, run

RUN = run("03:00", "03:05")


def look(pattern, past=None, superseded=False, the_run=RUN, **rule):
    """Measure one rule for a run from 03:00 to 03:05."""
    rules = (ArtifactRule(path=str(pattern), **rule),)
    pasts = {} if past is None else {str(pattern): past}
    measured = measure(Measure(run=the_run, rules=rules, past=pasts, superseded=superseded))
    (artifact,) = measured.artifacts
    return artifact


def write(path, data=b"data", when="03:04"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    stamp = at(when).timestamp()
    os.utime(path, (stamp, stamp))
    return path


@pytest.fixture
def shared():
    """Make a folder that others may look into, which tmp_path is not."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextmanager
def nobody():
    """Be one who may read nothing of ours; root may read everything."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(0)


# ---- which file


def test_of_all_matches_the_newest_counts_whatever_it_is_called(tmp_path):
    write(tmp_path / "db-3.gz", when="03:01")
    newest = write(tmp_path / "db-1.gz", b"12345", when="03:04")
    write(tmp_path / "db-2.gz", when="03:02")
    write(tmp_path / "other.gz", when="03:05")
    assert look(tmp_path / "db-*.gz") == Artifact(
        rule=f"{tmp_path}/db-*.gz", found=str(newest), size=5, modified_at=at("03:04")
    )


def test_a_path_without_a_wildcard_is_that_file(tmp_path):
    path = write(tmp_path / "a-b.gz")
    assert look(path).found == str(path)


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        pytest.param("**/*.gz", "a/b/deep.gz", id="in any folder"),
        pytest.param("*/*.gz", "a/flat.gz", id="in a folder"),
        pytest.param("[ab]/fla?.gz", "a/flat.gz", id="a class and a letter"),
        pytest.param("*.gz", "top.gz", id="no hidden file"),
        pytest.param(".*.gz", ".hidden.gz", id="a hidden file, asked for"),
    ],
)
def test_a_glob_is_one_of_the_shell(tmp_path, pattern, found):
    write(tmp_path / "top.gz", when="03:01")
    write(tmp_path / "a/flat.gz", when="03:02")
    write(tmp_path / "a/b/deep.gz", when="03:03")
    write(tmp_path / ".hidden.gz", when="03:05")
    assert look(tmp_path / pattern).found == str(tmp_path / found)


def test_only_regular_files_count(tmp_path, monkeypatch):
    (tmp_path / "folder.gz").mkdir()
    os.mkfifo(tmp_path / "pipe.gz")
    with socket.socket(socket.AF_UNIX) as listener:
        monkeypatch.chdir(tmp_path)  # the path of a socket is short
        listener.bind("socket.gz")
        assert look(tmp_path / "*.gz", opens=True, changed=True).found is None
        assert look(tmp_path / "pipe.gz", opens=True, changed=True).found is None
        file = write(tmp_path / "file.gz", when="01:00")
        assert look(tmp_path / "*.gz").found == str(file)


def test_a_link_counts_as_what_it_leads_to(tmp_path):
    write(tmp_path / "data/one", b"1234567", when="03:02")
    (tmp_path / "latest").symlink_to("data/one")
    (tmp_path / "lost").symlink_to("data/two")
    artifact = look(tmp_path / "l*")
    assert artifact.found == f"{tmp_path}/latest"
    assert (artifact.size, artifact.modified_at) == (7, at("03:02"))


# ---- what was written after the run


def test_a_file_of_a_later_run_is_not_taken_for_this_one_s(tmp_path):
    own = write(tmp_path / "db-1.gz", when="03:05:59")
    write(tmp_path / "db-2.gz", when="03:06:01")
    assert look(tmp_path / "*.gz").found == str(own)
    assert look(tmp_path / "*.gz", superseded=True).found == str(own)


def test_where_all_are_later_and_no_other_run_can_have_made_them_the_newest_counts(tmp_path):
    write(tmp_path / "db-1.gz", when="03:07")
    newest = write(tmp_path / "db-2.gz", when="03:08")
    assert look(tmp_path / "*.gz").found == str(newest)


def test_where_all_are_later_and_another_run_has_ended_nothing_can_be_said(tmp_path):
    later = write(tmp_path / "db.gz", b"", when="03:08")
    artifact = look(tmp_path / "*.gz", superseded=True, opens=True)
    assert artifact == Artifact(rule=f"{tmp_path}/*.gz", found=str(later), replaced=True)


# ---- nothing to be found


@pytest.mark.parametrize("pattern", ["db-*.gz", "db.gz", "gone/db.gz", "gone/**/*.gz", "file/*"])
def test_where_nothing_matches_nothing_is_found_and_nothing_is_wrong(tmp_path, pattern):
    write(tmp_path / "file")
    assert look(tmp_path / pattern, opens=True, changed=True) == Artifact(
        rule=f"{tmp_path}/{pattern}"
    )


@pytest.mark.parametrize("pattern", ["*.gz", "db.gz", "**/x/*.gz"])
@pytest.mark.parametrize("mode", [0o000, 0o444], ids=["closed", "only its names"])
def test_a_folder_that_cannot_be_looked_into_is_told(shared, pattern, mode):
    folder = shared / "closed"
    write(folder / "db.gz")
    folder.chmod(mode)
    with nobody():
        artifact = look(folder / pattern)
    folder.chmod(0o755)
    shown = folder / pattern if pattern == "db.gz" else folder
    assert artifact.found is None
    assert artifact.fault == f"could not be looked at: {shown}: Permission denied"


def test_a_file_that_is_not_there_is_missed_even_if_its_folder_tells_no_names(shared):
    (shared / "db.gz").mkdir()
    shared.chmod(0o711)
    with nobody():
        artifact = look(shared / "other.gz")
    assert artifact == Artifact(rule=f"{shared}/other.gz")


def test_a_folder_that_leads_in_a_circle_is_told(tmp_path):
    (tmp_path / "round").symlink_to("round")
    assert look(tmp_path / "round/*.gz").fault == (
        f"could not be looked at: {tmp_path}/round: Too many levels of symbolic links"
    )


@pytest.mark.parametrize(
    "pattern", ["/tmp/a\0b", "/tmp/\0*", "", "/", "[", "/tmp/[", "**", "/tmp/" + "x" * 5_000]
)
def test_no_pattern_at_all_makes_an_error(tmp_path, monkeypatch, pattern):
    monkeypatch.chdir(tmp_path)
    artifact = look(pattern)
    assert artifact.found is None
    assert artifact.rule == pattern


@given(st.text(max_size=20))
def test_no_name_in_a_pattern_makes_an_error(text):
    pattern = f"/nowhere/{text}"
    assert look(pattern).found is None


# ---- what is measured


def test_the_usual_size_is_the_median_of_those_before(tmp_path):
    path = write(tmp_path / "a")
    assert look(path).usual_size is None
    assert look(path, Past(sizes=(5, 900, 7))).usual_size == 7
    assert look(path, Past(sizes=(5, 900, 7, 8))).usual_size == 7.5


def test_bytes_are_compared_with_the_last_ones_where_that_is_asked_for(tmp_path):
    path = write(tmp_path / "a", b"one")
    assert look(path).digest is None
    first = look(path, changed=True)
    assert first.digest is not None
    assert first.same_as_last is None
    again = look(path, Past(digest=first.digest), changed=True)
    assert (again.digest, again.same_as_last) == (first.digest, True)
    write(path, b"two")
    assert look(path, Past(digest=first.digest), changed=True).same_as_last is False
    assert look(path, Past(digest=first.digest)).same_as_last is None


def test_beyond_the_bound_bytes_are_not_compared_but_the_length_is():
    def digest(data):
        with tempfile.TemporaryFile() as file:
            file.write(data)
            file.seek(0)
            return artifacts._digest(file, most=3)

    assert digest(b"abcx") == digest(b"abcy")
    assert digest(b"abcx") != digest(b"abcxy")
    assert digest(b"abc") != digest(b"abd")


def test_a_container_is_opened_where_that_is_asked_for(tmp_path):
    path = write(tmp_path / "a.gz", gzip.compress(b"x" * 999)[:-1])
    assert look(path).fault is None
    assert look(path, opens=True).fault == "is cut off: its gzip data has no end"
    assert look(path, opens=True, changed=True).digest is not None


def test_an_empty_file_has_a_size_and_no_other_fault(tmp_path):
    artifact = look(write(tmp_path / "a.gz", b""), opens=True, changed=True)
    assert (artifact.size, artifact.fault) == (0, None)
    assert artifact.digest is not None


def test_a_file_that_cannot_be_read_is_told_but_only_to_those_who_ask(shared):
    path = write(shared / "a.gz")
    path.chmod(0)
    with nobody():
        plain, opened = look(path), look(path, opens=True)
        changed = look(path, Past(digest="x"), changed=True)
    assert (plain.size, plain.fault) == (4, None)
    assert (opened.size, opened.fault) == (4, "cannot be read: Permission denied")
    assert (changed.digest, changed.same_as_last) == (None, None)
    assert changed.fault == "cannot be read: Permission denied"


def test_each_rule_is_answered_in_its_place(tmp_path):
    write(tmp_path / "b", b"12")
    rules = tuple(ArtifactRule(path=f"{tmp_path}/{name}") for name in "abc")
    measured = measure(Measure(run=RUN, rules=rules, past={}))
    assert (measured.job, measured.run) == (RUN.job, RUN.run)
    assert [a.rule for a in measured.artifacts] == [rule.path for rule in rules]
    assert [a.size for a in measured.artifacts] == [None, 2, None]


def test_names_that_are_not_text_are_shown_as_text(tmp_path):
    write(tmp_path / os.fsdecode(b"db-\xff.gz"))
    artifact = look(tmp_path / "db-*")
    assert artifact.found == f"{tmp_path}/db-\ufffd.gz"
    assert look(tmp_path / "db-*", opens=True).fault == "is not gzip"


@pytest.mark.parametrize("stamp", [0, -1_000, 4e9, 1e11, 1e15])
def test_a_time_beyond_all_calendars_is_no_error(tmp_path, stamp):
    path = write(tmp_path / "a")
    try:
        os.utime(path, (stamp, stamp))
    except OverflowError:
        pytest.skip("this file system keeps no such time")
    artifact = look(path)
    assert artifact.size == 4 or artifact.fault.startswith("could not be looked at: ")


def test_a_run_without_an_end_of_its_own_has_the_newest(tmp_path):
    path = write(tmp_path / "a", when="23:00")
    assert look(path, the_run=run("03:00"), superseded=True).found == str(path)


# ---- files that change meanwhile


def is_open(path):
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            if descriptor.readlink() == path:
                return True
        except FileNotFoundError:
            continue
    return False


def test_a_file_that_is_replaced_while_it_is_read_is_measured_once_more(tmp_path):
    slow = write(tmp_path / "db.bz2", bz2.compress(os.urandom(8_000_000)))
    new = write(tmp_path / "new", bz2.compress(b"new"), when="03:05")
    size = new.stat().st_size

    def replace_when_open():
        while not is_open(slow):
            pass
        new.replace(slow)

    thread = threading.Thread(target=replace_when_open)
    thread.start()
    artifact = look(slow, opens=True, changed=True)
    thread.join()
    assert (artifact.size, artifact.modified_at, artifact.fault) == (size, at("03:05"), None)
    assert artifact.digest == look(slow, changed=True).digest


def test_a_file_that_never_stops_changing_is_measured_all_the_same(tmp_path):
    path = write(tmp_path / "log", b"x")
    stop = threading.Event()

    def grow():
        with path.open("ab", buffering=0) as file:
            while not stop.is_set():
                file.write(b"x")

    thread = threading.Thread(target=grow)
    thread.start()
    try:
        artifact = look(path, opens=True, changed=True)
    finally:
        stop.set()
        thread.join()
    assert artifact.size >= 1
    assert artifact.fault is None


def test_a_time_is_an_instant_with_its_zone(tmp_path):
    artifact = look(write(tmp_path / "a"))
    assert artifact.modified_at == datetime(2024, 5, 15, 3, 4, tzinfo=UTC)
    assert artifact.modified_at.utcoffset().total_seconds() == 0
