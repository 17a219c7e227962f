"""When an edit of the configuration file is over."""

from cronverifyd.daemon.edits import Edits, edition_of

OLD, TRUNCATED, NEW = (100, 286, 7), (100, 0, 7), (900, 310, 7)


def test_an_edition_counts_once_it_has_stood_for_a_second():
    edits = Edits(OLD)
    assert [edits.is_new(NEW, now_s) for now_s in (50.0, 50.9, 51.0)] == [False, False, True]


def test_the_edition_that_was_read_is_not_new_however_long_it_stands():
    edits = Edits(OLD)
    assert [edits.is_new(OLD, now_s) for now_s in (50.0, 60.0)] == [False, False]


def test_a_truncated_file_with_its_old_time_is_not_read_before_the_rest_is_written():
    edits = Edits(OLD)
    assert not edits.is_new(TRUNCATED, 50.0)
    assert not edits.is_new(NEW, 51.5)
    assert edits.is_new(NEW, 52.5)


def test_a_file_that_is_absent_for_a_moment_as_editors_do_is_not_missed():
    edits = Edits(OLD)
    assert not edits.is_new(None, 50.0)
    assert not edits.is_new(OLD, 50.1)
    assert not edits.is_new(None, 60.0)
    assert edits.is_new(None, 61.0)


def test_a_new_edition_that_was_read_is_known_from_then_on():
    edits = Edits(OLD)
    edits.is_new(NEW, 50.0)
    edits.known = NEW
    assert not edits.is_new(NEW, 60.0)


def test_an_edition_is_told_by_time_size_and_file(tmp_path):
    path = tmp_path / "config.toml"
    assert edition_of(path) is None
    path.write_text("a")
    first = edition_of(path)
    assert first == edition_of(path)
    path.write_text("ab")
    second = edition_of(path)
    path.with_suffix(".new").write_text("ab")
    path.with_suffix(".new").replace(path)
    assert len({first, second, edition_of(path)}) == 3
