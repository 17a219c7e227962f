"""What cannot be read is said, with since when, and everything else is read all the same."""

import os
import resource
import shutil
import socket
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from cronverifyd.model import Mark
from tests.builders import at, seconds
from tests.intake.reading import NOON, Reading, append, mtime, rotate, unprivileged, written

ONE = at("11:00")
"""When a test looked first."""
LATER = at("2100-01-01T00:00:00")  # so that a file's own time counts
NOT_ALLOWED = "cannot be opened: Permission denied"
CLOSED = "its folder cannot be read: Permission denied"
BROKEN = "cannot be read: Input/output error"


# ---- what is empty ------------------------------------------------------------------------------


def nothing(path):
    assert not path.exists()


def no_folder(path):
    path.parent.rmdir()


def dangling(path):
    path.symlink_to("nowhere")


@pytest.mark.parametrize("make", [nothing, no_folder, dangling])
@pytest.mark.parametrize("name", ["outcomes.jsonl", "*.jsonl"])
def test_what_does_not_exist_is_empty(tmp_path, make, name):
    folder = tmp_path / "state"
    folder.mkdir()
    make(folder / "outcomes.jsonl")
    reading = Reading(folder / name)
    assert reading.read() == []
    assert (reading.holes(), reading.losses()) == ({}, [])


# ---- what stands in a file's place --------------------------------------------------------------


def folder(path):
    path.mkdir()


def fifo(path):
    os.mkfifo(path)


def listener(path):
    here = Path.cwd()
    os.chdir(path.parent)  # an address has 108 bytes
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(path.name)
    os.chdir(here)


def device(path):
    path.symlink_to("/dev/zero")


def circle(path):
    path.symlink_to(path.name)


OBSTACLES = [
    pytest.param(folder, "is a directory", "was a directory", id="folder"),
    pytest.param(fifo, "is not a regular file", "was not a regular file", id="fifo"),
    pytest.param(listener, "is not a regular file", "was not a regular file", id="socket"),
    pytest.param(device, "is not a regular file", "was not a regular file", id="device"),
    pytest.param(
        circle,
        "cannot be opened: Too many levels of symbolic links",
        "could not be opened: Too many levels of symbolic links",
        id="circle",
    ),
]


@pytest.mark.parametrize(("make", "reason", "then"), OBSTACLES)
def test_what_takes_a_file_s_place_is_named_and_what_nobody_could_write_is_lost(
    path, reading, make, reason, then
):
    path.write_bytes(b"one\n")
    reading.read(ONE)
    path.unlink()
    make(path)
    for now in (at("11:10"), at("11:20")):
        assert reading.read(now) == []
        assert reading.holes() == {str(path): (ONE, reason)}
    assert reading.losses() == []
    path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    path.write_bytes(b"two\n")
    assert reading.read(NOON) == [b"two"]
    assert reading.holes() == {}
    reading.read(NOON + seconds(1))
    assert reading.losses() == [(str(path), ONE, then, NOON)]


def test_that_a_folder_is_old_says_nothing_of_the_file_whose_place_it_takes(path, reading):
    reading.read(ONE)
    path.mkdir()
    written(path, at("10:00"))
    reading.read(NOON)
    assert reading.holes() == {str(path): (ONE, "is a directory")}


@pytest.mark.parametrize(("make", "reason", "then"), OBSTACLES)
def test_at_the_first_look_it_is_named_too(path, reading, make, reason, then):
    make(path)
    assert reading.read(ONE) == []
    assert reading.holes() == {str(path): (ONE, reason)}


@pytest.mark.parametrize(("make", "reason", "then"), OBSTACLES)
def test_what_a_glob_happens_to_match_is_none_of_our_business(tmp_path, make, reason, then):
    make(tmp_path / "other")
    (tmp_path / "alice").write_bytes(b"one\n")
    reading = Reading(tmp_path / "*")
    assert reading.read() == [b"one"]
    assert reading.holes() == {}
    reading.stop()


@pytest.mark.parametrize(("make", "reason", "then"), OBSTACLES)
@pytest.mark.parametrize("looking", [True, False], ids=["while we look", "while nobody looks"])
def test_unless_it_takes_the_place_of_a_file_that_was_read(tmp_path, make, reason, then, looking):
    alice = tmp_path / "alice"
    alice.write_bytes(b"one\n")
    reading = Reading(tmp_path / "*")
    reading.read(ONE)
    alice.unlink()
    make(alice)
    if not looking:
        reading.restart()
    reading.read(NOON)
    assert reading.holes() == {str(alice): (ONE, reason)}
    reading.stop()


def test_a_file_in_place_of_the_folder_is_named(tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    path = state / "outcomes.jsonl"
    path.write_bytes(b"one\n")
    reading = Reading(path, state / "*.log")
    reading.read(ONE)
    shutil.rmtree(state)
    state.write_bytes(b"no folder")
    reason = "its folder cannot be read: Not a directory"
    for now in (at("11:10"), at("11:20")):
        assert reading.read(now) == []
        expected = {str(path): (ONE, reason), str(state / "*.log"): (ONE, reason)}
        assert reading.holes() == expected
    state.unlink()
    state.mkdir()
    reading.read(NOON)
    assert reading.holes() == {}
    then = "its folder could not be read: Not a directory"
    assert sorted(reading.losses()) == [
        (str(state / "*.log"), ONE, then, NOON),
        (str(path), ONE, then, NOON),
    ]
    reading.stop()


def test_so_it_is_at_the_first_look_and_whether_a_file_is_gone_cannot_be_told(tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    path = state / "outcomes.jsonl"
    path.write_bytes(b"one\n")
    reading = Reading(path)
    reading.read(ONE)
    reading.stop()
    state.rename(tmp_path / "kept")
    state.write_bytes(b"no folder")
    reading.start()
    reading.read(at("11:30"))
    assert reading.holes() == {str(path): (ONE, "its folder cannot be read: Not a directory")}
    assert reading.losses() == []
    state.unlink()
    (tmp_path / "kept").rename(state)
    append(path, b"two\n")
    assert reading.read(NOON) == [b"two"]
    reading.stop()


@pytest.mark.parametrize("make", [fifo, listener, device])
def test_what_is_no_file_is_not_even_opened(path, reading, make):
    make(path)
    with opens() as found:
        reading.read(ONE)
    assert found == []
    path.unlink()
    path.write_bytes(b"one\n")
    with opens() as found:
        reading.read(NOON)
    assert found == [str(path)]


OPENS = []


def note_open(event, args):
    if event == "open" and OPENS:
        OPENS[-1].append(args[0])


sys.addaudithook(note_open)  # which cannot be taken away again


@contextmanager
def opens():
    """Give the list of what is opened meanwhile."""
    OPENS.append([])
    yield OPENS[-1]
    OPENS.pop()


# ---- permissions --------------------------------------------------------------------------------


def read_as_somebody(reading, now):
    with unprivileged():
        return reading.read(now)


def test_a_file_that_may_not_be_opened_is_named_and_read_once_it_may(common):
    path = common / "outcomes.jsonl"
    reading = Reading(path)
    path.write_bytes(b"one\n")
    path.chmod(0)
    written(path, ONE - seconds(5))
    for now in (ONE, at("11:30")):
        assert read_as_somebody(reading, now) == []
        assert reading.holes() == {str(path): (ONE - seconds(5), NOT_ALLOWED)}
    path.chmod(0o644)
    written(path, at("11:45"))
    with unprivileged():
        [block] = reading.blocks(NOON)
    assert [line.data for line in block.lines] == [b"one"]
    assert (block.earliest, block.latest) == (ONE - seconds(5), at("11:45"))
    assert (reading.holes(), reading.losses()) == ({}, [])
    reading.stop()


@pytest.mark.parametrize("looking", [True, False], ids=["while we look", "while nobody looks"])
def test_of_a_file_that_was_read_before_it_is_since_then(common, looking):
    path = common / "outcomes.jsonl"
    reading = Reading(path)
    path.write_bytes(b"one\n")
    assert read_as_somebody(reading, ONE) == [b"one"]
    if looking:
        rotate(path)
        path.write_bytes(b"two\n")
    else:
        reading.restart()
        append(path, b"two\n")
    path.chmod(0)
    assert read_as_somebody(reading, at("11:30")) == []
    assert reading.holes() == {str(path): (ONE, NOT_ALLOWED)}
    path.chmod(0o644)
    assert read_as_somebody(reading, NOON) == [b"two"]
    assert (reading.holes(), reading.losses()) == ({}, [])
    reading.stop()


def test_each_of_a_path_s_files_was_read_in_its_own_time(common):
    path = common / "outcomes.jsonl"
    reading = Reading(path)
    path.write_bytes(b"one\n")
    read_as_somebody(reading, ONE)
    old = rotate(path)
    path.write_bytes(b"two\n")
    read_as_somebody(reading, at("11:05"))
    append(old, b"three\n")
    read_as_somebody(reading, at("11:10"))
    reading.restart()
    path.chmod(0)
    written(path, at("11:20"))
    read_as_somebody(reading, NOON)
    assert reading.holes() == {str(path): (at("11:05"), NOT_ALLOWED)}
    reading.stop()


def test_a_file_that_is_open_is_read_on_without_permission(common):
    path = common / "outcomes.jsonl"
    reading = Reading(path)
    path.write_bytes(b"one\n")
    read_as_somebody(reading, ONE)
    path.chmod(0)
    append(path, b"two\n")
    assert read_as_somebody(reading, NOON) == [b"two"]
    assert reading.holes() == {}
    reading.stop()


def test_a_file_that_was_never_read_is_since_no_later_than_the_look_before(common):
    path = common / "outcomes.jsonl"
    reading = Reading(path)
    read_as_somebody(reading, ONE)
    path.write_bytes(b"one\n")
    path.chmod(0)
    written(path, at("11:10"))
    read_as_somebody(reading, NOON)
    assert reading.holes() == {str(path): (ONE, NOT_ALLOWED)}
    reading.stop()


def test_of_one_that_was_moved_there_it_is_since_it_was_written(common):
    path = common / "outcomes.jsonl"
    reading = Reading(path)
    read_as_somebody(reading, ONE)
    path.write_bytes(b"one\n")
    path.chmod(0)
    written(path, at("10:00"))
    read_as_somebody(reading, NOON)
    assert reading.holes() == {str(path): (at("10:00"), NOT_ALLOWED)}
    reading.stop()


def test_a_second_file_that_may_not_be_opened_does_not_hide_that_the_first_one_is_gone(common):
    path = common / "outcomes.jsonl"
    reading = Reading(path)
    path.write_bytes(b"one\n")
    path.chmod(0)
    written(path, ONE)
    read_as_somebody(reading, ONE)
    path.rename(common / "kept")
    path.write_bytes(b"two\n")
    path.chmod(0)
    read_as_somebody(reading, NOON)
    assert reading.holes() == {str(path): (ONE, NOT_ALLOWED)}
    reason = "was removed or replaced before it could be read"
    assert reading.losses() == [(str(path), ONE, reason, NOON)]
    reading.stop()


def test_a_path_that_is_not_asked_for_any_more_is_not_named(common):
    path = common / "outcomes.jsonl"
    reading = Reading(path)
    path.write_bytes(b"one\n")
    read_as_somebody(reading, ONE)
    path.chmod(0)
    reading.patterns = [str(common / "other.jsonl")]
    reading.restart()
    read_as_somebody(reading, NOON)
    assert reading.holes() == {}
    reading.stop()


@pytest.mark.parametrize("replaced", [True, False], ids=["replaced", "removed"])
@pytest.mark.parametrize("was_read", [True, False], ids=["read before a restart", "never read"])
def test_a_file_that_goes_before_it_could_be_read_is_lost(common, replaced, was_read):
    path = common / "outcomes.jsonl"
    reading = Reading(path)
    path.write_bytes(b"one\n")
    written(path, ONE)
    if was_read:
        read_as_somebody(reading, ONE)
        reading.restart()
    path.chmod(0)
    read_as_somebody(reading, at("11:30"))
    path.unlink()
    (common / "taken").write_bytes(b"the inode\n")
    if replaced:
        path.write_bytes(b"two\n")
    assert read_as_somebody(reading, NOON) == [b"two"][: int(replaced)]
    reason = "was removed or replaced before it could be read"
    assert reading.holes() == {}
    assert reading.losses() == [(str(path), ONE, reason, NOON)]
    reading.read(at("12:30"))
    assert len(reading.losses()) == 1
    reading.stop()


def test_a_glob_names_each_file_that_may_not_be_opened(common):
    for name in ("alice", "bob"):
        (common / f"{name}.jsonl").write_bytes(name.encode() + b"\n")
    (common / "bob.jsonl").chmod(0)
    reading = Reading(common / "*.jsonl")
    assert read_as_somebody(reading, LATER) == [b"alice"]
    bob = common / "bob.jsonl"
    assert reading.holes() == {str(bob): (mtime(bob), NOT_ALLOWED)}
    reading.stop()


@pytest.fixture
def state(common):
    folder = common / "state"
    folder.mkdir()
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)


def test_a_folder_that_may_not_be_searched_is_named_for_each_of_its_paths(state):
    paths = [state / "a.jsonl", state / "b.jsonl"]
    paths[0].write_bytes(b"a\n")
    reading = Reading(*paths)
    state.chmod(0)
    read_as_somebody(reading, ONE)
    read_as_somebody(reading, at("11:30"))
    assert reading.holes() == {str(path): (ONE, CLOSED) for path in paths}
    state.chmod(0o755)
    with unprivileged():
        [block] = reading.blocks(NOON)
    assert block.earliest == ONE
    assert (reading.holes(), reading.losses()) == ({}, [])
    reading.stop()


def test_an_open_file_in_such_a_folder_is_read_on_and_the_path_is_named_all_the_same(state):
    path = state / "a.jsonl"
    path.write_bytes(b"one\n")
    reading = Reading(path)
    read_as_somebody(reading, ONE)
    append(path, b"two\n")
    state.chmod(0)
    assert read_as_somebody(reading, at("11:10")) == [b"two"]
    state.chmod(0o755)
    append(path, b"three\n")
    state.chmod(0)
    assert read_as_somebody(reading, at("11:20")) == [b"three"]
    assert reading.holes() == {str(path): (ONE, CLOSED)}
    state.chmod(0o755)
    written(path, ONE)
    state.chmod(0)
    read_as_somebody(reading, at("11:30"))  # it is quiet, but did not leave
    assert [mark.over for mark in reading.tail.marks()] == [False]
    state.chmod(0o755)
    append(path, b"four\n")
    assert read_as_somebody(reading, NOON) == [b"four"]
    assert (reading.holes(), reading.losses()) == ({}, [])
    reading.stop()


@pytest.mark.parametrize("rotated", [True, False], ids=["renamed", "in its place"])
def test_whether_a_file_is_gone_is_told_when_its_folder_can_be_searched_again(state, rotated):
    path = state / "a.jsonl"
    path.write_bytes(b"one\n")
    reading = Reading(path)
    read_as_somebody(reading, ONE)
    reading.stop()
    append(path, b"two\n")
    if rotated:
        rotate(path)
    state.chmod(0)
    reading.start()
    for now in (at("11:10"), at("11:20")):
        assert read_as_somebody(reading, now) == []
        assert reading.holes() == {str(path): (ONE, CLOSED)}
    state.chmod(0o755)
    assert read_as_somebody(reading, NOON) == [b"two"]
    assert (reading.holes(), reading.losses()) == ({}, [])
    reading.stop()


def test_a_glob_whose_folder_may_not_be_listed_is_named_by_its_own_text(state):
    pattern = f"{state}/*.jsonl"
    reading = Reading(pattern)
    assert read_as_somebody(reading, ONE) == []
    assert reading.holes() == {}
    state.chmod(0o711)
    (state / "alice.jsonl").write_bytes(b"alice\n")
    for now in (at("11:10"), at("11:20")):
        assert read_as_somebody(reading, now) == []
        assert reading.holes() == {pattern: (ONE, CLOSED)}
    state.chmod(0o755)
    with unprivileged():
        [block] = reading.blocks(NOON)
    assert ([line.data for line in block.lines], block.earliest) == ([b"alice"], ONE)
    assert (reading.holes(), reading.losses()) == ({}, [])
    reading.stop()


def test_so_is_one_whose_first_folder_may_not_be_listed(state):
    pattern = f"{state}/*/outcomes.jsonl"
    reading = Reading(pattern)
    state.chmod(0o711)
    read_as_somebody(reading, ONE)
    assert reading.holes() == {pattern: (ONE, CLOSED)}
    reading.stop()


def test_a_file_that_is_replaced_unseen_where_nobody_may_list_is_lost(state):
    path = state / "a.jsonl"
    path.write_bytes(b"one\n")
    reading = Reading(path)
    read_as_somebody(reading, ONE)
    reading.stop()
    state.chmod(0o711)
    path.rename(state / "kept")
    path.write_bytes(b"two\n")
    reading.start()
    assert read_as_somebody(reading, NOON) == [b"two"]
    reason = "is gone: it was removed or replaced while nobody looked"
    assert (reading.holes(), reading.losses()) == ({}, [(str(path), ONE, reason, NOON)])
    reading.stop()


def test_folders_behind_links_that_lead_nowhere_we_may_go_are_not_to_be_watched(state):
    (state / "inner").mkdir()
    link = state.with_name("link")
    link.symlink_to(state / "inner")
    reading = Reading(link / "a.jsonl")
    state.chmod(0)
    with unprivileged():
        folders = reading.tail.folders()
    assert folders == set()


def test_and_so_is_each_file_that_was_read_there(state):
    reading = Reading(state / "*.jsonl")
    for name, now in (("alice", ONE), ("bob", at("11:10"))):
        (state / f"{name}.jsonl").write_bytes(name.encode() + b"\n")
        read_as_somebody(reading, now)
    reading.keep()
    (state / "alice.jsonl").unlink()
    reading.read(at("11:20"))
    reading.restart()
    state.chmod(0)
    read_as_somebody(reading, NOON)
    [bob, pattern] = [state / "bob.jsonl", state / "*.jsonl"]
    assert reading.holes() == {
        str(bob): (at("11:10"), CLOSED),
        str(pattern): (at("11:10"), CLOSED),
    }
    reading.stop()


def test_folders_that_a_wildcard_matches_and_nobody_may_enter_are_passed_over(common):
    for name in ("alice", "lost+found"):
        (common / name).mkdir()
    (common / "lost+found").chmod(0)
    (common / "alice" / "outcomes.jsonl").write_bytes(b"one\n")
    reading = Reading(common / "*" / "outcomes.jsonl")
    assert read_as_somebody(reading, NOON) == [b"one"]
    assert reading.holes() == {}
    with unprivileged():
        folders = reading.tail.folders()
    assert folders == {common / "alice", common / "lost+found"}
    reading.stop()


# ---- errors of the disk -------------------------------------------------------------------------


@pytest.fixture
def broken(tmp_path):
    """A regular file that can be opened, and read never: /proc/self/mem has nothing at 0."""
    path = tmp_path / "broken.jsonl"
    path.symlink_to("/proc/self/mem")
    return path


def test_a_file_that_fails_to_be_read_is_named_and_keeps_no_other_from_being_read(broken, path):
    reading = Reading(broken, path)
    path.write_bytes(b"one\n")
    since = ONE - seconds(5)
    os.utime(broken, (since.timestamp(),) * 2)
    reading.read(LATER)
    hole = reading.holes()[str(broken)]
    assert hole == (mtime(broken), BROKEN)
    append(path, b"two\n")
    assert reading.read(LATER + seconds(60)) == [b"two"]
    assert reading.holes() == {str(broken): hole}
    assert reading.losses() == []
    reading.stop()


def test_it_is_opened_anew_at_each_look(broken):
    reading = Reading(broken)
    reading.read(ONE)
    reading.read(at("11:10"))
    broken.unlink()
    broken.write_bytes(b"one\n")
    assert reading.read(NOON) == [b"one"]
    assert reading.holes() == {}
    [(path, _, reason, until)] = reading.losses()
    assert (path, reason, until) == (str(broken), f"was removed and {BROKEN}", NOON)
    reading.stop()


@pytest.mark.parametrize("renamed", [True, False], ids=["renamed", "in its place"])
def test_a_file_that_failed_once_is_read_on_from_its_mark(path, reading, renamed):
    path.write_bytes(b"one\n")
    reading.read(ONE)
    [reader] = reading.tail._readers()
    append(path, b"two\n")
    if renamed:
        rotate(path)
        path.write_bytes(b"three\n")
    reading.tail.look(at("11:10"))
    spoil(reader)
    for block in reading.tail.blocks(at("11:10")):
        assert [line.data for line in block.lines] == [b"three"]
    assert reading.holes() == {str(path): (ONE, BROKEN)}
    reading.tail.look(at("11:20"))
    assert reading.holes() == {str(path): (ONE, BROKEN)}
    assert reading.read(NOON)[0] == b"two"
    assert (reading.holes(), reading.losses()) == ({}, [])


def spoil(reader):
    """Let each read of an open file fail from now on, but not its opening."""
    bad = os.open("/proc/self/mem", os.O_RDONLY)
    os.dup2(bad, reader._descriptor)
    os.close(bad)


def test_of_two_files_of_one_path_that_fail_the_longer_blindness_counts(path, reading):
    path.write_bytes(b"one\n")
    reading.read(ONE)
    [old] = reading.tail._readers()
    rotate(path)
    path.write_bytes(b"two\n")
    reading.tail.look(at("11:10"))
    spoil(old)
    for block in reading.tail.blocks(at("11:10")):
        reading.tail.accept(reading._keep(block.mark))
    reading.tail.look(at("11:20"))
    for reader in reading.tail._readers():
        spoil(reader)
    assert list(reading.tail.blocks(at("11:20"))) == []
    assert reading.holes() == {str(path): (ONE, BROKEN)}


def test_a_file_that_was_read_before_and_fails_now_is_not_taken_for_gone(broken):
    status = broken.stat()
    mark = Mark(
        path=str(broken),
        device=status.st_dev,
        inode=status.st_ino,
        position=5,
        probe=b"known",
        looked_at=ONE,
        file_id=1,
    )
    reading = Reading(broken)
    reading.kept = {mark.key: mark}
    reading.restart()
    reading.read(NOON)
    assert (reading.holes(), reading.losses()) == ({str(broken): (ONE, BROKEN)}, [])
    reading.stop()


def test_a_file_that_fails_to_be_closed_is_closed(path, reading):
    path.write_bytes(b"one\n")
    reading.read()
    [reader] = reading.tail._readers()
    os.close(reader._descriptor)
    reading.stop()
    assert reading.tail.marks() == []


def test_one_that_fails_to_be_read_and_was_removed_is_lost(path, reading):
    path.write_bytes(b"one\n")
    reading.read(ONE)
    [reader] = reading.tail._readers()
    path.unlink()
    spoil(reader)
    assert reading.read(NOON) == []
    assert reading.losses() == [(str(path), ONE, f"was removed and {BROKEN}", NOON)]
    assert reading.holes() == {}
    assert [mark.over for mark in reading.kept.values()] == [True]


def test_the_file_number_s_limit_is_named_and_nothing_is_taken_for_lost(path, reading):
    path.write_bytes(b"one\n")
    reading.read(ONE)
    reading.stop()
    append(path, b"two\n")
    rotate(path)
    path.write_bytes(b"three\n")
    reading.start()
    with no_more_files():
        assert reading.read(at("11:10")) == []
        holes = reading.holes()
    assert holes.keys() == {str(path)}
    assert holes[str(path)][1].endswith(": Too many open files")
    assert reading.read(NOON) == [b"two", b"three"]
    assert (reading.holes(), reading.losses()) == ({}, [])


@contextmanager
def no_more_files():
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    probe = os.open("/dev/null", os.O_RDONLY)
    os.close(probe)
    resource.setrlimit(resource.RLIMIT_NOFILE, (probe, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
