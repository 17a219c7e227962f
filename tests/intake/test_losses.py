"""What is lost for good is reported, once, with the time it was written in; and nothing else is."""

import gzip
import os
import shutil
from dataclasses import replace

import pytest

from cronverifyd.intake.reader import BLOCK_BYTES, QUIET, probe
from cronverifyd.intake.tail import Tail
from tests.builders import at, minutes, seconds
from tests.intake.reading import NOON, Reading, append, inode, rotate, written

ONE = at("11:00")
"""When a test looked first."""
GONE = "is gone: it was removed or replaced while nobody looked"


def let_go(path):
    """Let a file look as if it was quiet for long enough at noon, and not written since ONE."""
    written(path, NOON - QUIET - seconds(1))


@pytest.fixture
def readers(tmp_path):
    """Build readings of files in a folder; close them."""
    built = []

    def build(*names):
        built.append(Reading(*(tmp_path / name for name in names)))
        return built[-1]

    yield build
    for reading in built:
        reading.stop()


# ---- truncated, rewritten -----------------------------------------------------------------------


def emptied(path):
    os.truncate(path, 0)


def shrunk(path):
    os.truncate(path, 5)


def regrown(path):
    path.write_bytes(b"six\nseven\n")


def of_the_same_size(path):
    path.write_bytes(b"six\nten\n")


def with_fewer_lines(path):
    path.write_bytes(b"one\n")


CHANGES = [
    pytest.param(emptied, [], "was truncated from 8 to 0 bytes", id="emptied"),
    pytest.param(shrunk, [b"one"], "was truncated from 8 to 5 bytes", id="shrunk"),
    pytest.param(with_fewer_lines, [b"one"], "was truncated from 8 to 4 bytes", id="fewer lines"),
    pytest.param(regrown, [b"six", b"seven"], "was rewritten in place", id="grown again"),
    pytest.param(of_the_same_size, [b"six", b"ten"], "was rewritten in place", id="same size"),
]


@pytest.mark.parametrize(("change", "lines", "reason"), CHANGES)
def test_what_is_truncated_or_rewritten_is_lost_since_the_last_look(
    path, reading, change, lines, reason
):
    path.write_bytes(b"one\ntwo\n")
    reading.read(at("10:00"))
    reading.read(ONE)
    append(path, b"never seen\n")
    change(path)
    assert reading.read(NOON) == lines
    assert reading.losses() == [(str(path), ONE, reason, NOON)]
    reading.read(at("12:30"))
    assert len(reading.losses()) == 1


@pytest.mark.parametrize(("change", "lines", "reason"), CHANGES)
def test_so_is_a_file_that_was_renamed(path, reading, change, lines, reason):
    path.write_bytes(b"one\ntwo\n")
    reading.read(at("10:00"))
    old = rotate(path)
    path.write_bytes(b"new\n")
    reading.read(ONE)
    change(old)
    assert reading.read(NOON) == lines
    assert reading.losses() == [(str(path), ONE, reason, NOON)]
    append(old, b"\nmore\n")
    assert reading.read(at("12:10"))[-1] == b"more"
    assert len(reading.losses()) == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param(
            emptied, "was truncated from 8 to 0 bytes, or replaced, while nobody looked", id="empty"
        ),
        pytest.param(
            shrunk, "was truncated from 8 to 5 bytes, or replaced, while nobody looked", id="shrunk"
        ),
        pytest.param(regrown, GONE, id="grown again"),
        pytest.param(of_the_same_size, GONE, id="same size"),
    ],
)
def test_what_happened_while_nobody_looked_is_reported_by_the_next_process_once(
    path, reading, change, reason
):
    path.write_bytes(b"one\ntwo\n")
    reading.read(ONE)
    reading.stop()
    change(path)
    for now in (NOON, at("12:30")):
        reading.start()
        reading.read(now)
        assert reading.losses() == [(str(path), ONE, reason, NOON)]
        reading.stop()


def test_a_file_that_was_emptied_and_stays_empty_is_reported_once_by_all_processes(path, reading):
    path.write_bytes(b"one\n")
    reading.read(ONE)
    os.truncate(path, 0)
    for now in (NOON, at("12:30")):
        reading.read(now)
        reading.restart()
    reading.read(at("13:00"))
    assert len(reading.losses()) == 1


def test_a_file_is_emptied_again_and_again(path, reading):
    for hour in range(3):
        path.write_bytes(b"line %d\n" % hour)
        assert reading.read(at(f"0{hour}:00")) == [b"line %d" % hour]
        reading.restart()
    assert [since for _, since, _, _ in reading.losses()] == [at("00:00"), at("01:00")]


@pytest.mark.parametrize("was_read", [b"one\n", b""], ids=["a line was read", "none was"])
def test_an_unfinished_line_that_is_taken_back_is_no_loss(path, reading, was_read):
    path.write_bytes(was_read + b"a short wri")
    reading.read(ONE)
    os.truncate(path, len(was_read))
    assert reading.read(at("11:30")) == []
    append(path, b"two\n")
    assert reading.read(NOON) == [b"two"]
    assert reading.losses() == []


def test_a_file_that_shrinks_from_zeros_that_nobody_wrote_loses_nothing(path, reading):
    path.write_bytes(b"one\n")
    reading.read(ONE)
    for size in (BLOCK_BYTES * 3, BLOCK_BYTES * 2, 4):
        os.truncate(path, size)
        assert reading.read(ONE + seconds(size)) == []
    append(path, b"two\n")
    assert reading.read(ONE + seconds(BLOCK_BYTES * 4)) == [b"two"]
    assert reading.losses() == []


@pytest.mark.parametrize("looks", [1, 2])
def test_the_size_before_is_that_of_all_that_was_seen(path, reading, looks):
    path.write_bytes(b"one\nunfinished")
    for look in range(looks):
        reading.read(ONE + seconds(look))
    os.truncate(path, 0)
    reading.read(NOON)
    [(_, _, reason, _)] = reading.losses()
    assert reason == "was truncated from 14 to 0 bytes"


def test_and_after_a_restart_it_is_what_was_read(path, reading):
    path.write_bytes(b"one\n")
    reading.read(ONE)
    reading.restart()
    reading.tail.look(at("11:30"))
    os.truncate(path, 0)
    reading.read(NOON)
    assert reading.losses() == [(str(path), ONE, "was truncated from 4 to 0 bytes", NOON)]


def test_a_long_line_is_found_after_one_that_was_longer_still_and_is_gone(path, reading):
    path.write_bytes(b"one\n" + b"x" * 3 * BLOCK_BYTES)
    assert reading.read(ONE) == [b"one"]
    path.write_bytes(b"y" * 2 * BLOCK_BYTES + b"\ntwo\n")
    assert [line[:3] for line in reading.read(NOON)] == [b"yyy", b"two"]


def test_a_file_is_known_again_by_the_bytes_that_were_read(path):
    path.write_bytes(b"one\ntwo\n")
    with path.open("rb") as file:
        known = probe(file.fileno(), 8)
        assert probe(file.fileno(), 8, b"one\ntwo\n") == known
        path.write_bytes(b"one\nten\n")
        assert probe(file.fileno(), 8, b"one\ntwo\n") != probe(file.fileno(), 8)


def test_an_empty_file_has_nothing_to_lose(path, reading):
    path.touch()
    reading.read(ONE)
    os.truncate(path, 0)
    path.touch()
    reading.read(NOON)
    reading.restart()
    path.unlink()
    reading.read(at("13:00"))
    assert reading.losses() == []


def test_lines_that_could_not_be_kept_and_are_cut_off_are_lost(path, reading):
    path.write_bytes(b"one\n")
    reading.read(ONE)
    append(path, b"two\n")
    assert len(reading.blocks(at("11:30"), accept=False)) == 1
    os.truncate(path, 4)
    assert reading.read(NOON) == []
    assert reading.losses() == [(str(path), ONE, "was truncated from 8 to 4 bytes", NOON)]


def test_even_if_nothing_of_the_file_was_kept(path, reading):
    reading.read(ONE)
    path.write_bytes(b"one\n")
    assert len(reading.blocks(at("11:30"), accept=False)) == 1
    os.truncate(path, 0)
    assert reading.read(NOON) == []
    assert reading.losses() == [(str(path), ONE, "was truncated from 4 to 0 bytes", NOON)]


@pytest.mark.parametrize("renamed", [True, False], ids=["renamed", "in its place"])
def test_a_file_that_is_emptied_between_a_look_and_its_blocks_hides_nothing(path, reading, renamed):
    path.write_bytes(b"one\n")
    reading.read(ONE)
    append(path, b"never seen\n")
    old = rotate(path) if renamed else path
    reading.tail.look(at("11:30"))
    os.truncate(old, 0)
    assert list(reading.tail.blocks(at("11:30"))) == []
    reading.read(NOON)
    [(_, since, _, until)] = reading.losses()
    assert (since, until) == (ONE, NOON)


@pytest.mark.parametrize("more", [b"", b"nine\n"], ids=["as long", "longer"])
def test_nor_does_one_that_has_grown_again(path, reading, more):
    path.write_bytes(b"one\ntwo\n")
    reading.read(ONE)
    reading.tail.look(at("11:30"))
    path.write_bytes(b"six\nten\n" + more)
    assert list(reading.tail.blocks(at("11:30"))) == []
    assert reading.read(NOON) == [b"six", b"ten", *more.split()]
    assert reading.losses() == [(str(path), ONE, "was rewritten in place", NOON)]


def test_nor_does_one_that_is_filled_anew_between_two_blocks(path, reading):
    line = b"x" * 1023 + b"\n"
    path.write_bytes(line * 1500)
    reading.tail.look(ONE)
    blocks = reading.tail.blocks(ONE)
    reading.tail.accept(reading._keep(next(blocks).mark))
    path.write_bytes(b"y" * 1023 + b"\n" + line * 1999)
    assert list(blocks) == []
    assert len(reading.read(NOON)) == 2000
    [(_, _, reason, _)] = reading.losses()
    assert reason == "was rewritten in place"


# ---- gone while nobody looked -------------------------------------------------------------------


def remove(path):
    path.unlink()


def replace_by_another(path):
    path.with_name("new").write_bytes(b"new\n")
    path.with_name("new").rename(path)


def move_away(path):
    archive = path.parent / "archive"
    archive.mkdir()
    path.rename(archive / path.name)


def compress(path):
    old = rotate(path)
    with gzip.open(f"{old}.gz", "wb") as file:
        file.write(old.read_bytes())
    path.touch()  # before the inode is free again
    old.unlink()


def remove_with_its_folder(path):
    shutil.rmtree(path.parent)


@pytest.mark.parametrize(
    "go", [remove, replace_by_another, move_away, compress, remove_with_its_folder]
)
def test_a_file_that_goes_while_nobody_looks_is_lost_since_it_was_last_read(tmp_path, go):
    path = tmp_path / "state" / "outcomes.jsonl"
    path.parent.mkdir()
    path.write_bytes(b"one\n")
    reading = Reading(path)
    reading.read(at("10:00"))
    reading.read(ONE)
    reading.keep()
    reading.stop()
    go(path)
    for now in (NOON, at("12:30")):
        reading.start()
        reading.read(now)
        assert reading.losses() == [(str(path), ONE, GONE, NOON)]
        reading.stop()


def test_a_file_whose_inode_another_one_has_by_now_is_lost(path, reading):
    path.write_bytes(b"one\n")
    reading.read(ONE)
    reading.stop()
    path.unlink()
    path.write_bytes(b"six\nseven\n")
    [mark] = reading.kept.values()
    mark = replace(mark, inode=inode(path))  # ext4 does so nearly always, but not always
    reading.kept = {mark.key: mark}
    for now in (NOON, at("12:30")):
        reading.start()
        reading.read(now)
        assert reading.losses() == [(str(path), ONE, GONE, NOON)]
        reading.stop()


def test_so_is_one_whose_inode_a_stranger_in_the_folder_has(path, reading):
    path.write_bytes(b"one\n")
    reading.read(ONE)
    reading.stop()
    path.unlink()
    stranger = path.with_name("stranger")
    stranger.write_bytes(b"six\nseven\n")
    [mark] = reading.kept.values()
    mark = replace(mark, inode=inode(stranger))
    reading.kept = {mark.key: mark}
    reading.start()
    assert reading.read(NOON) == []
    assert reading.losses() == [(str(path), ONE, GONE, NOON)]


def test_what_could_not_be_kept_is_reported_until_it_is(path, reading):
    path.write_bytes(b"one\n")
    reading.read(ONE)
    reading.stop()
    path.unlink()
    reading.start()
    reading.blocks(at("11:30"), accept=False)
    [loss] = reading.tail.losses()
    reading.blocks(at("11:40"), accept=False)
    assert reading.tail.losses() == [loss]
    reading.restart()
    reading.read(NOON)
    assert reading.losses() == [(str(path), ONE, GONE, NOON)]
    assert reading.tail.losses() == []


def test_only_what_was_kept_is_forgotten(tmp_path, readers):
    reading = readers("a.jsonl", "b.jsonl")
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / name).write_bytes(b"one\n")
    reading.read(ONE)
    os.truncate(tmp_path / "a.jsonl", 0)
    reading.tail.look(at("11:30"))
    early = reading.tail.losses()
    os.truncate(tmp_path / "b.jsonl", 0)
    reading.tail.look(NOON)
    reading.tail.forget_losses(early)
    assert [loss.path for loss in reading.tail.losses()] == [str(tmp_path / "b.jsonl")]


def test_a_lost_file_that_turns_up_again_is_read_on(path, reading):
    path.write_bytes(b"one\n")
    reading.read(ONE)
    reading.stop()
    move_away(path)
    away = path.parent / "archive" / path.name
    reading.start()
    assert reading.read(at("11:30")) == []
    reading.restart()
    append(away, b"two\n")
    away.rename(path)
    assert reading.read(NOON) == [b"two"]
    assert len(reading.losses()) == 1


# ---- false alarms -------------------------------------------------------------------------------


@pytest.fixture
def read_once(path, reading):
    """A file of which one line was read at ONE, and another one was written since."""
    path.write_bytes(b"one\n")
    reading.read(ONE)
    append(path, b"two\n")
    return reading


def nothing(path):
    assert path.exists()


def rotate_and_create(path):
    rotate(path)
    path.write_bytes(b"three\n")


def rotate_with_a_date(path):
    path.rename(f"{path}-20240515")
    path.touch()


def rotate_twice(path):
    rotate(path).rename(path.with_name("outcomes.jsonl.2"))
    path.touch()
    rotate(path)
    path.write_bytes(b"three\n")


def replace_and_keep(path):
    os.link(path, path.with_name("kept"))
    replace_by_another(path)


def move_away_and_back(path):
    rotate(path).rename(path)


def touch(path):
    path.touch()


def grow_by_a_hole(path):
    os.truncate(path, 100)
    append(path, b"three\n")


def give_another_name(path):
    os.link(path, path.with_name("second"))
    path.unlink()


def write_the_same(path):
    path.write_bytes(b"one\ntwo\n")


@pytest.mark.parametrize("looking", [True, False], ids=["while we look", "while nobody looks"])
@pytest.mark.parametrize(
    ("change", "lines"),
    [
        (nothing, [b"two"]),
        (rotate, [b"two"]),
        (rotate_and_create, [b"two", b"three"]),
        (rotate_with_a_date, [b"two"]),
        (rotate_twice, [b"two", b"three"]),
        (replace_and_keep, [b"two", b"new"]),
        (move_away_and_back, [b"two"]),
        (touch, [b"two"]),
        (grow_by_a_hole, [b"two", bytes(92) + b"three"]),
        (give_another_name, [b"two"]),
        (write_the_same, [b"two"]),
    ],
)
def test_nothing_is_lost_by_what_programs_do(path, read_once, looking, change, lines):
    if not looking:
        read_once.stop()
    change(path)
    if not looking:
        read_once.start()
    assert read_once.read(NOON) == lines
    read_once.read(NOON + minutes(1))
    read_once.restart()
    read_once.read(NOON + minutes(2))
    assert read_once.losses() == []
    assert read_once.holes() == {}


def test_rotations_with_delayed_compression_lose_nothing_while_we_look(path, reading):
    for day in range(1, 5):
        path.write_bytes(b"line %d\n" % day)
        then = at(f"2024-05-{day:02}T12:00:00+00:00")
        assert reading.read(then) == [b"line %d" % day]
        written(path, then)
        if day > 1:
            before = path.with_name("outcomes.jsonl.1")
            with gzip.open(f"{path}.{day}.gz", "wb") as file:
                file.write(before.read_bytes())
            before.unlink()
        rotate(path)
        path.touch()
        reading.read(then + minutes(1))
        reading.read(then + minutes(20))
        reading.restart()
    assert reading.losses() == []


@pytest.mark.parametrize("go", [compress, remove, move_away, replace_by_another])
def test_a_file_that_was_seen_to_go_and_read_to_its_end_is_not_missed_by_the_next_process(
    path, reading, go
):
    path.write_bytes(b"one\n")
    reading.read(ONE)
    append(path, b"two\n")
    go(path)
    assert reading.read(at("11:01"))[0] == b"two"
    reading.read(at("11:02"))
    reading.restart()
    reading.read(NOON)
    assert reading.losses() == []


def test_such_a_file_is_read_on_as_long_as_somebody_writes(path, reading):
    with path.open("ab", buffering=0) as slow:
        slow.write(b"one\n")
        reading.read(ONE)
        path.unlink()
        for minute in (10, 20, 30):
            reading.read(ONE + minutes(minute - 5))
            slow.write(b"at %d\n" % minute)
            assert reading.read(ONE + minutes(minute)) == [b"at %d" % minute]
    assert reading.losses() == []
    assert [mark.over for mark in reading.kept.values()] == [True]


def test_a_file_that_was_let_go_is_not_missed(path, reading):
    path.write_bytes(b"one\n")
    reading.read(ONE)
    old = rotate(path)
    reading.read(at("11:10"))
    assert [mark.over for mark in reading.kept.values()] == [False]
    let_go(old)
    reading.read(NOON)
    assert [mark.over for mark in reading.kept.values()] == [True]
    old.unlink()
    reading.restart()
    reading.read(at("12:30"))
    assert reading.losses() == []


def test_that_a_file_is_over_is_said_until_it_was_kept(path, reading):
    path.write_bytes(b"one\n")
    reading.read(ONE)
    let_go(rotate(path))
    for _ in range(2):
        reading.blocks(NOON, accept=False)
        assert [mark.over for mark in reading.tail.marks()] == [True]
        assert reading.tail.has_news()
    reading.keep()
    assert reading.tail.marks() == []
    assert not reading.tail.has_news()


@pytest.mark.parametrize("kept", [True, False], ids=["known to be over", "not yet"])
@pytest.mark.parametrize("looking", [True, False], ids=["while we look", "while nobody looks"])
def test_a_file_that_is_put_back_is_not_over_any_more(path, reading, kept, looking):
    path.write_bytes(b"one\n")
    reading.read(ONE)
    old = rotate(path)
    let_go(old)
    reading.blocks(NOON, accept=kept)
    if not looking:
        reading.restart()
    old.rename(path)
    reading.tail.look(at("12:05"))
    assert [mark.over for mark in reading.tail.marks()] == [False]
    append(path, b"two\n")
    assert reading.read(at("12:10")) == [b"two"]
    assert [(mark.over, mark.position) for mark in reading.tail.marks()] == [(False, 8)]
    reading.stop()
    path.unlink()
    reading.start()
    reading.read(at("12:20"))
    assert reading.losses() == [(str(path), at("12:10"), GONE, at("12:20"))]


def test_nor_is_one_that_comes_back_from_elsewhere(path, reading):
    path.write_bytes(b"one\n")
    reading.read(ONE)
    move_away(path)
    reading.read(at("11:10"))
    assert [mark.over for mark in reading.kept.values()] == [True]
    (path.parent / "archive" / path.name).rename(path)
    reading.read(at("11:20"))
    assert [mark.over for mark in reading.tail.marks()] == [False]


def test_a_path_that_is_not_asked_for_any_more_is_not_missed(tmp_path, readers):
    reading = readers("a.jsonl", "b*.jsonl", "c.jsonl")
    for name in ("a.jsonl", "b1.jsonl", "c.jsonl"):
        (tmp_path / name).write_bytes(b"one\n")
    reading.read(ONE)
    reading.stop()
    for name in ("a.jsonl", "b1.jsonl", "c.jsonl"):
        (tmp_path / name).unlink()
    reading.patterns = [str(tmp_path / "c.jsonl")]
    reading.start()
    reading.read(NOON)
    assert [path for path, *_ in reading.losses()] == [str(tmp_path / "c.jsonl")]
    assert all(mark.over for mark in reading.kept.values())


def test_what_a_glob_matched_is_missed(tmp_path, readers):
    reading = readers("*.jsonl")
    (tmp_path / "a.jsonl").write_bytes(b"one\n")
    reading.read(ONE)
    reading.stop()
    (tmp_path / "a.jsonl").unlink()
    reading.start()
    reading.read(NOON)
    assert reading.losses() == [(str(tmp_path / "a.jsonl"), ONE, GONE, NOON)]


def test_a_file_under_two_patterns_is_missed_once(tmp_path, readers):
    reading = readers("a.jsonl", "*.jsonl")
    (tmp_path / "a.jsonl").write_bytes(b"one\n")
    os.link(tmp_path / "a.jsonl", tmp_path / "b.jsonl")
    reading.read(ONE)
    os.truncate(tmp_path / "a.jsonl", 0)
    reading.read(NOON)
    assert reading.losses() == [
        (str(tmp_path / "a.jsonl"), ONE, "was truncated from 4 to 0 bytes", NOON)
    ]


@pytest.mark.parametrize("looking", [True, False], ids=["while we look", "while nobody looks"])
def test_a_file_that_moves_from_one_configured_path_to_another_goes_on(tmp_path, readers, looking):
    for folder in ("old", "new"):
        (tmp_path / folder).mkdir()
    reading = readers("old/a.jsonl", "new/b.jsonl")
    [old, new] = [tmp_path / "old" / "a.jsonl", tmp_path / "new" / "b.jsonl"]
    old.write_bytes(b"one\n")
    reading.read(ONE)
    if not looking:
        reading.stop()
    append(old, b"two\n")
    old.rename(new)
    if not looking:
        reading.start()
    assert reading.read(NOON) == [b"two"]
    assert [mark.path for mark in reading.tail.marks()] == [str(new)]
    reading.restart()
    rotate(new)
    reading.read(at("12:30"))
    assert reading.losses() == []


def test_a_restored_copy_misses_nothing(path, read_once):
    read_once.stop()
    copy = path.with_name("copy")
    shutil.copy(path, copy)
    copy.rename(path)
    read_once.start()
    assert read_once.read(NOON) == [b"one", b"two"]
    rotate(path)
    read_once.restart()
    read_once.read(at("12:30"))
    assert read_once.losses() == []


def test_a_file_system_that_has_another_number_since_a_boot_misses_nothing(path, reading):
    path.write_bytes(b"one\n")
    reading.read(ONE)
    reading.stop()
    [mark] = reading.kept.values()
    mark = replace(mark, device=mark.device + 1)
    reading.kept = {mark.key: mark}
    reading.start()
    reading.read(NOON)
    assert reading.losses() == []


def test_a_link_that_leads_to_another_file_by_now_is_followed_back(tmp_path, readers):
    (tmp_path / "log").mkdir()
    reading = readers("outcomes.jsonl")
    link = tmp_path / "outcomes.jsonl"
    link.symlink_to("log/monday")
    (tmp_path / "log" / "monday").write_bytes(b"one\n")
    reading.read(ONE)
    reading.stop()
    append(tmp_path / "log" / "monday", b"two\n")
    (tmp_path / "log" / "tuesday").write_bytes(b"three\n")
    link.unlink()
    link.symlink_to("log/tuesday")
    reading.start()
    assert reading.read(NOON) == [b"two", b"three"]
    assert reading.losses() == []


def test_marks_of_a_clock_that_went_back_make_no_reversed_interval(path, reading):
    path.write_bytes(b"one\n")
    reading.read(NOON)
    os.truncate(path, 0)
    reading.read(ONE)
    assert reading.losses() == [(str(path), NOON, "was truncated from 4 to 0 bytes", NOON)]


# ---- made and rotated away while nobody looked --------------------------------------------------


def test_what_was_rotated_more_than_once_while_nobody_looked_is_read_in_order(path, read_once):
    read_once.stop()
    path.rename(f"{path}.4")
    for number, line in ((3, b"three\n"), (2, b"four\n"), (1, b"five\n")):
        path.write_bytes(line)
        written(path, NOON - minutes(number))
        rotate(path, number)
    path.write_bytes(b"six\n")
    read_once.start()
    blocks = read_once.blocks(NOON)
    lines = [line.data for block in blocks for line in block.lines]
    assert lines == [b"two", b"three", b"four", b"five", b"six"]
    assert {block.earliest for block in blocks} == {ONE}
    read_once.restart()
    assert read_once.read(NOON) == []
    assert read_once.losses() == []


def test_so_it_is_if_the_oldest_one_is_gone(path, read_once):
    read_once.stop()
    compress(path)
    path.write_bytes(b"three\n")
    rotate(path)
    read_once.start()
    assert read_once.read(NOON) == [b"three"]
    assert read_once.losses() == [(str(path), ONE, GONE, NOON)]


def test_so_it_is_if_the_last_file_that_was_read_was_over(path, reading):
    path.write_bytes(b"one\n")
    reading.read(ONE)
    old = rotate(path)
    let_go(old)
    reading.read(NOON)
    reading.stop()
    old.rename(f"{path}.2")
    path.write_bytes(b"two\n")
    rotate(path)
    path.write_bytes(b"three\n")
    reading.start()
    assert reading.read(at("13:00")) == [b"two", b"three"]


def test_a_new_file_that_has_the_inode_of_one_that_is_over_hides_nothing(path, reading):
    path.write_bytes(b"one\n")
    reading.read(ONE)
    let_go(rotate(path))
    reading.read(NOON)
    reading.stop()
    path.write_bytes(b"two\n")
    rotate(path)
    path.write_bytes(b"three\n")
    [mark] = reading.kept.values()
    mark = replace(mark, inode=inode(path))
    reading.kept = {mark.key: mark}
    reading.start()
    assert reading.read(at("13:00")) == [b"two", b"three"]


@pytest.mark.parametrize(
    ("name", "when"),
    [
        pytest.param("outcomes.jsonl.2", "10:59", id="older than the last look"),
        pytest.param("outcomes.jsonl.bak", "11:30", id="a backup"),
        pytest.param("outcomes.jsonl~", "11:30", id="an editor's copy"),
        pytest.param("outcomes.jsonl.2.gz", "11:30", id="compressed"),
        pytest.param("outcomes.jsonl2", "11:30", id="another name"),
        pytest.param("2024-outcomes.jsonl", "11:30", id="a date before"),
    ],
)
def test_nothing_else_that_lies_there_is_read(path, read_once, name, when):
    read_once.stop()
    rotate(path)
    path.with_name(name).write_bytes(b"no\n")
    written(path.with_name(name), at(when))
    read_once.start()
    assert read_once.read(NOON) == [b"two"]


def test_nor_is_anything_if_the_file_is_still_in_its_place(path, read_once):
    read_once.stop()
    shutil.copy(path, f"{path}.1")
    os.truncate(path, 0)
    append(path, b"three\n")
    read_once.start()
    assert read_once.read(NOON) == [b"three"]
    assert len(read_once.losses()) == 1


def test_nor_if_its_path_is_not_asked_for_any_more(path, read_once):
    read_once.stop()
    path.rename(f"{path}.2")
    path.with_name("outcomes.jsonl.1").write_bytes(b"no\n")
    tail = Tail([str(path.with_name("other.jsonl"))], read_once.kept.values())
    tail.look(NOON)
    assert [line.data for block in tail.blocks(NOON) for line in block.lines] == [b"two"]
    tail.close()
