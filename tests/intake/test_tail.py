"""Complete lines of real files that grow, are rotated, replaced, and worse."""

import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from cronverifyd.intake.reader import BLOCK_BYTES, MAX_LINE_BYTES, QUIET
from cronverifyd.intake.tail import Tail
from tests.builders import at, minutes, seconds
from tests.intake.reading import NOON, Reading, append, mtime, rotate

# ---- growth -------------------------------------------------------------------------------------


def test_a_file_that_is_not_there_is_empty(reading):
    assert reading.read() == []


def test_what_is_there_at_the_first_look_is_read_from_the_beginning(path, reading):
    path.write_bytes(b"one\ntwo\n")
    assert reading.read() == [b"one", b"two"]


def test_each_line_is_read_once(path, reading):
    path.write_bytes(b"one\n")
    assert reading.read() == [b"one"]
    assert reading.read() == []
    append(path, b"two\nthree\n")
    assert reading.read() == [b"two", b"three"]


def test_a_line_without_its_newline_waits_for_it(path, reading):
    path.write_bytes(b"one\ntw")
    assert reading.read() == [b"one"]
    append(path, b"o")
    assert reading.read() == []
    append(path, b"\nthree")
    assert reading.read() == [b"two"]


def test_a_line_says_where_it_begins(path, reading):
    path.write_bytes(b"one\n\n   \ntwo\n")
    [block] = reading.blocks()
    assert [(line.data, line.offset, line.cut) for line in block.lines] == [
        (b"one", 0, False),
        (b"two", 9, False),
    ]
    assert block.mark.position == 13


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"a\0b", id="NUL"),
        pytest.param(b"one\r", id="CR before the newline"),
        pytest.param("a\u2028b\u0085c\x0bd\x0ce".encode(), id="what splitlines would cut"),
        pytest.param(b"\xff\xfe\x80", id="no UTF-8"),
        pytest.param(b"\0" * 5000, id="a hole"),
    ],
)
def test_a_line_ends_with_a_newline_and_with_nothing_else(path, reading, data):
    path.write_bytes(data + b"\nnext\n")
    assert reading.read() == [data, b"next"]


def test_a_restart_goes_on_where_the_marks_say(path, reading):
    path.write_bytes(b"one\ntw")
    reading.read()
    reading.stop()
    append(path, b"o\nthree\n")
    reading.start()
    assert reading.read() == [b"two", b"three"]


def test_a_block_that_was_not_accepted_is_offered_again(path, reading):
    path.write_bytes(b"one\n")
    first = reading.blocks(accept=False)
    append(path, b"two\n")
    [again] = reading.blocks(at("13:00"), accept=False)
    assert [line.data for line in first[0].lines] == [b"one"]
    assert [line.data for line in again.lines] == [b"one", b"two"]
    assert again.earliest == first[0].earliest
    assert reading.read() == [b"one", b"two"]
    assert reading.read() == []


def test_the_file_s_number_stays_with_its_marks(path, reading):
    path.write_bytes(b"one\n")
    [first] = reading.blocks()
    append(path, b"two\n")
    [second] = reading.blocks()
    assert (first.mark.file_id, second.mark.file_id) == (None, 1)
    reading.restart()
    append(path, b"three\n")
    assert reading.blocks()[0].mark.file_id == 1


# ---- blocks -------------------------------------------------------------------------------------


@pytest.mark.parametrize("beyond", [-1, 0, 1], ids=["just under", "exactly", "just over"])
def test_lines_around_the_border_of_a_block_are_whole(path, reading, beyond):
    lines = [b"%06d" % number + b"x" * 1017 for number in range(BLOCK_BYTES // 1024 - 1)]
    lines += [b"y" * (1023 + beyond), b"last"]
    path.write_bytes(b"\n".join([*lines, b""]))
    blocks = reading.blocks()
    assert [line.data for block in blocks for line in block.lines] == lines
    assert len(blocks) == 2


def test_what_is_new_comes_block_by_block_and_each_mark_is_after_its_lines(path, reading):
    path.write_bytes((b"x" * 1023 + b"\n") * 3000)
    blocks = reading.blocks()
    assert [len(block.lines) for block in blocks] == [1024, 1024, 952]
    assert [block.mark.position for block in blocks] == [2**20, 2**21, 3000 * 1024]


# ---- overlong lines -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "size",
    [
        pytest.param(MAX_LINE_BYTES + 1, id="64 KiB + 1"),
        pytest.param(BLOCK_BYTES - 1, id="a block with its newline"),
        pytest.param(BLOCK_BYTES, id="a block without"),
        pytest.param(BLOCK_BYTES + 1, id="a block + 1"),
        pytest.param(3 * 2**20, id="3 MiB"),
        pytest.param(3 * 2**20 + 17, id="3 MiB + 17"),
    ],
)
def test_an_overlong_line_is_cut_and_reading_goes_on_after_it(path, reading, size):
    path.write_bytes(b"before\n" + b"x" * size + b"\nafter\n")
    lines = [line for block in reading.blocks() for line in block.lines]
    assert [line.data for line in lines] == [b"before", b"x" * MAX_LINE_BYTES, b"after"]
    assert [line.cut for line in lines] == [False, True, False]
    assert [line.offset for line in lines] == [0, 7, 7 + size + 1]


def test_a_line_of_64_kib_is_whole(path, reading):
    path.write_bytes(b"x" * MAX_LINE_BYTES + b"\n")
    [block] = reading.blocks()
    assert (len(block.lines[0].data), block.lines[0].cut) == (MAX_LINE_BYTES, False)


def test_an_overlong_line_that_grows_for_several_looks_is_one_line(path, reading):
    path.write_bytes(b"before\n")
    reading.read()
    for _ in range(5):
        append(path, b"x" * 700_000)
        assert reading.read() == []
    append(path, b"\nafter\n")
    lines = [line for block in reading.blocks() for line in block.lines]
    assert [(line.data, line.offset) for line in lines] == [
        (b"x" * MAX_LINE_BYTES, 7),
        (b"after", 7 + 3_500_000 + 1),
    ]


def test_two_overlong_lines_one_after_the_other(path, reading):
    path.write_bytes(b"x" * 1_500_000)
    assert reading.read() == []
    append(path, b"\n" + b"y" * 2_500_000)
    assert reading.read() == [b"x" * MAX_LINE_BYTES]
    append(path, b"\nend\n")
    assert reading.read() == [b"y" * MAX_LINE_BYTES, b"end"]


# ---- rotation -----------------------------------------------------------------------------------


def test_a_renamed_file_is_read_to_its_end_and_the_new_one_from_its_beginning(path, reading):
    path.write_bytes(b"one\n")
    reading.read()
    append(path, b"two\n")
    rotate(path)
    path.write_bytes(b"three\n")
    assert reading.read() == [b"two", b"three"]


def test_a_writer_that_still_has_the_renamed_file_open_is_heard(path, reading):
    with path.open("ab", buffering=0) as slow:
        slow.write(b"one\n")
        reading.read()
        rotate(path)
        assert reading.read() == []
        path.write_bytes(b"new\n")
        slow.write(b"two\nthr")
        assert sorted(reading.read()) == [b"new", b"two"]
        slow.write(b"ee\n")
        assert reading.read() == [b"three"]


def test_a_file_is_gone_for_a_while_between_rename_and_recreation(path, reading):
    path.write_bytes(b"one\n")
    reading.read()
    old = rotate(path)
    append(old, b"two\n")
    assert reading.read() == [b"two"]
    assert reading.read() == []
    path.write_bytes(b"three\n")
    assert reading.read() == [b"three"]


def test_rotation_while_nobody_looked(path, reading):
    path.write_bytes(b"one\n")
    reading.read()
    reading.stop()
    append(path, b"two\n")
    rotate(path)
    path.write_bytes(b"three\n")
    reading.start()
    assert reading.read() == [b"two", b"three"]


def test_rotation_while_nobody_looked_with_a_writer_that_goes_on(path, reading):
    with path.open("ab", buffering=0) as slow:
        slow.write(b"one\n")
        reading.read()
        reading.stop()
        rotate(path)
        reading.start()
        assert reading.read() == []
        slow.write(b"two\n")
        assert reading.read() == [b"two"]


def test_several_rotations_one_after_the_other(path, reading):
    for number in range(5):
        path.write_bytes(b"line %d\n" % number)
        assert reading.read() == [b"line %d" % number]
        rotate(path, number)
    assert reading.read() == []


def test_a_file_that_is_put_back_is_not_read_again(path, reading):
    path.write_bytes(b"one\n")
    reading.read()
    old = rotate(path)
    reading.read()
    old.rename(path)
    assert reading.read() == []
    append(path, b"two\n")
    assert reading.read() == [b"two"]


def open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


def quiet(path):
    """Let a file look as if it was written before noon less what counts as quiet."""
    then = (NOON - QUIET - seconds(1)).timestamp()
    os.utime(path, (then, then))


def test_a_renamed_file_that_is_quiet_is_let_go(path, reading):
    path.write_bytes(b"one\n")
    reading.read()
    quiet(rotate(path))
    before = open_files()
    reading.read()
    assert open_files() == before - 1


def test_a_renamed_file_that_was_let_go_and_is_put_back_is_not_read_again(path, reading):
    path.write_bytes(b"one\n")
    reading.read()
    old = rotate(path)
    quiet(old)
    reading.read()
    old.rename(path)
    assert reading.read() == []


def test_an_unfinished_last_line_is_read_when_its_renamed_file_is_quiet(path, reading):
    path.write_bytes(b"one\ntw")
    assert reading.read() == [b"one"]
    old = rotate(path)
    assert reading.read() == []
    quiet(old)
    assert reading.read() == [b"tw"]
    assert reading.read() == []


def test_an_unfinished_overlong_last_line_too(path, reading):
    path.write_bytes(b"x" * 1_500_000)
    reading.read()
    quiet(rotate(path))
    [block] = reading.blocks()
    assert (block.lines[0].cut, block.mark.position) == (True, 1_500_000)


# ---- replaced, rewritten ------------------------------------------------------------------------


def test_a_file_that_is_deleted_and_made_again_is_read_from_its_beginning(path, reading):
    path.write_bytes(b"one\ntwo\n")
    reading.read()
    path.unlink()
    path.write_bytes(b"three\n")
    assert reading.read() == [b"three"]


def test_a_file_that_was_deleted_and_made_again_while_nobody_looked(path, reading):
    path.write_bytes(b"one\ntwo\n")
    reading.read()
    reading.stop()
    path.unlink()
    path.write_bytes(b"three, longer than the one before\n")
    reading.start()
    assert reading.read() == [b"three, longer than the one before"]


@pytest.mark.parametrize("looking", [True, False], ids=["while we look", "while nobody looks"])
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"new\n", id="shorter"),
        pytest.param(b"six\nsix\n", id="of the same length"),
        pytest.param(b"something-longer-than-that\n", id="longer"),
        pytest.param(b"one\nnew\nnew\n", id="with the same first line"),
    ],
)
def test_a_file_that_is_rewritten_in_place_is_read_from_its_beginning(path, reading, looking, data):
    path.write_bytes(b"one\ntwo\n")
    reading.read()
    if not looking:
        reading.stop()
    path.write_bytes(data)
    if not looking:
        reading.start()
    assert reading.read() == data.split()


def test_a_file_that_is_emptied_begins_anew(path, reading):
    path.write_bytes(b"one\ntwo\n")
    reading.read()
    os.truncate(path, 0)
    assert reading.read() == []
    append(path, b"one\n")
    assert reading.read() == [b"one"]
    assert reading.numbered == 2


def test_another_file_with_a_known_inode_is_read_from_its_beginning(path, reading):
    path.write_bytes(b"one\ntwo\n")
    reading.read()
    [mark] = reading.kept.values()
    other = path.with_name("other.jsonl")
    other.write_bytes(b"something else\n")
    known = replace(mark, inode=other.stat().st_ino)
    tail = Tail([str(other)], [known])
    tail.look(NOON)
    [block] = tail.blocks(NOON)
    tail.close()
    assert [line.data for line in block.lines] == [b"something else"]
    assert block.mark.file_id is None


def test_a_stranger_with_a_known_inode_in_the_folder_is_not_taken_for_the_renamed_file(
    path, reading
):
    path.write_bytes(b"one\ntwo\n")
    reading.read()
    [mark] = reading.kept.values()
    stranger = path.with_name("stranger")
    stranger.write_bytes(b"something else\n")
    path.unlink()
    tail = Tail(reading.patterns, [replace(mark, inode=stranger.stat().st_ino)])
    tail.look(NOON)
    assert list(tail.blocks(NOON)) == []
    tail.close()


def test_a_folder_that_is_gone_at_the_start_is_no_trouble(tmp_path):
    folder = tmp_path / "gone"
    folder.mkdir()
    reading = Reading(folder / "a.jsonl")
    (folder / "a.jsonl").write_bytes(b"one\n")
    reading.read()
    reading.stop()
    (folder / "a.jsonl").unlink()
    folder.rmdir()
    reading.start()
    assert reading.read() == []
    reading.stop()


# ---- globs and names ----------------------------------------------------------------------------


def test_a_file_that_matches_a_glob_later_is_read(tmp_path):
    reading = Reading(tmp_path / "outcomes.d" / "*.jsonl")
    assert reading.read() == []
    (tmp_path / "outcomes.d").mkdir()
    assert reading.read() == []
    (tmp_path / "outcomes.d" / "bob.jsonl").write_bytes(b"bob\n")
    assert reading.read() == [b"bob"]
    (tmp_path / "outcomes.d" / "alice.jsonl").write_bytes(b"alice\n")
    (tmp_path / "outcomes.d" / "not.txt").write_bytes(b"no\n")
    assert reading.read() == [b"alice"]
    reading.stop()


@pytest.mark.parametrize("looking", [True, False], ids=["while we look", "while nobody looks"])
def test_a_glob_that_also_matches_the_rotated_name_reads_nothing_twice(tmp_path, looking):
    path = tmp_path / "outcomes.jsonl"
    reading = Reading(f"{path}*")
    path.write_bytes(b"one\n")
    reading.read()
    if not looking:
        reading.stop()
    append(path, b"two\n")
    old = rotate(path)
    path.write_bytes(b"three\n")
    if not looking:
        reading.start()
    assert sorted(reading.read()) == [b"three", b"two"]
    append(old, b"four\n")
    assert reading.read() == [b"four"]
    assert reading.read() == []
    reading.stop()


def test_a_file_with_two_names_is_read_once(tmp_path):
    reading = Reading(tmp_path / "a.jsonl", tmp_path / "b.jsonl", tmp_path / "*.jsonl")
    (tmp_path / "a.jsonl").write_bytes(b"one\n")
    os.link(tmp_path / "a.jsonl", tmp_path / "b.jsonl")
    (tmp_path / "c.jsonl").symlink_to("a.jsonl")
    assert reading.read() == [b"one"]
    append(tmp_path / "b.jsonl", b"two\n")
    assert reading.read() == [b"two"]
    (tmp_path / "a.jsonl").unlink()
    append(tmp_path / "b.jsonl", b"three\n")
    assert reading.read() == [b"three"]
    reading.stop()


def test_it_names_the_folders_to_watch(tmp_path):
    for folder in ("one", "two", "many1", "many2"):
        (tmp_path / folder).mkdir()
    (tmp_path / "many3").write_bytes(b"a file")
    patterns = ["one/a.jsonl", "two/*.jsonl", "absent/a.jsonl", "many*/a.jsonl"]
    tail = Tail([str(tmp_path / pattern) for pattern in patterns], [])
    assert tail.folders() == {tmp_path / name for name in ("one", "two", "many1", "many2")}


# ---- what is no file ----------------------------------------------------------------------------


def fifo(path):
    os.mkfifo(path)


def folder(path):
    path.mkdir()


def dangling(path):
    path.symlink_to("nowhere")


def circle(path):
    path.symlink_to(path.name)


def device(path):
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("make", [fifo, folder, dangling, circle, device])
def test_what_is_no_file_is_passed_over_and_never_blocks(path, reading, make):
    make(path)
    lines = []
    thread = threading.Thread(target=lambda: lines.append(reading.read()), daemon=True)
    thread.start()
    thread.join(5)
    assert lines == [[]]
    path.rmdir() if path.is_dir() else path.unlink()
    path.write_bytes(b"one\n")
    assert reading.read() == [b"one"]


def test_a_link_to_a_file_is_followed(path, reading):
    path.with_name("real.jsonl").write_bytes(b"one\n")
    path.symlink_to("real.jsonl")
    assert reading.read() == [b"one"]


# ---- lines without a time -----------------------------------------------------------------------

LATER = at("2100-01-01T00:00:00")  # so that a file's own time counts


def test_at_the_first_look_nothing_but_the_file_s_time_is_known(path, reading):
    path.write_bytes(b"one\n")
    [block] = reading.blocks(LATER)
    assert (block.earliest, block.latest) == (mtime(path), mtime(path))


def test_a_line_was_written_after_the_last_look_and_not_after_the_file(path, reading):
    path.write_bytes(b"one\n")
    last_look = mtime(path) + seconds(10)
    reading.read(last_look)
    append(path, b"two\n")
    written = (last_look + seconds(5)).timestamp()
    os.utime(path, (written, written))
    [block] = reading.blocks(last_look + minutes(1))
    assert (block.earliest, block.latest) == (last_look, mtime(path))


def test_a_file_is_never_written_later_than_now(path, reading):
    reading.read(at("11:00"))
    path.write_bytes(b"one\n")
    [block] = reading.blocks(NOON)
    assert (block.earliest, block.latest) == (at("11:00"), NOON)


def test_looks_that_found_nothing_count_too(path, reading):
    path.write_bytes(b"one\n")
    reading.read(at("11:00"))
    reading.read(at("11:30"))
    append(path, b"two\n")
    assert reading.blocks(NOON)[0].earliest == at("11:30")


def test_a_file_that_went_back_in_time_gives_no_reversed_interval(path, reading):
    path.write_bytes(b"one\n")
    reading.read(at("11:00"))
    append(path, b"two\n")
    os.utime(path, (0, 0))
    [block] = reading.blocks(NOON)
    assert (block.earliest, block.latest) == (at("11:00"), at("11:00"))


def test_after_a_restart_the_look_that_was_kept_counts(path, reading):
    path.write_bytes(b"one\n")
    reading.read(at("11:00"))
    reading.stop()
    append(path, b"two\n")
    reading.start()
    assert reading.blocks(NOON)[0].earliest == at("11:00")


def test_the_marks_name_the_last_look(path, reading):
    path.write_bytes(b"one\n")
    assert reading.tail.marks() == []
    reading.read(at("11:00"))
    reading.read(at("11:30"))
    assert [(m.file_id, m.position, m.looked_at) for m in reading.tail.marks()] == [
        (1, 4, at("11:30"))
    ]


@pytest.mark.parametrize("looking", [True, False], ids=["while we look", "while nobody looks"])
def test_what_stands_in_a_new_file_was_written_after_the_last_look_at_the_old_one(
    path, reading, looking
):
    path.write_bytes(b"one\n")
    reading.read(at("11:00"))
    if not looking:
        reading.stop()
    rotate(path)
    path.write_bytes(b"two\n")
    if not looking:
        reading.start()
    [block] = reading.blocks(NOON)
    assert block.earliest == at("11:00")


def test_all_that_is_read_in_one_look_has_the_same_interval(path, reading):
    reading.read(at("11:00"))
    path.write_bytes((b"x" * 1023 + b"\n") * 2048)
    assert {(b.earliest, b.latest) for b in reading.blocks(NOON)} == {(at("11:00"), NOON)}
