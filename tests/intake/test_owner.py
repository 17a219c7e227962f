"""The writer of a file: its owner, where nobody else can have written it or put it there."""

import os

import pytest

from cronverifyd.intake.owner import name_of, writer_of
from tests.intake.reading import Reading, append

ALICE, MALLORY = 54321, 54322

needs_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="NOT TESTED: only root can give files to other users"
)


def writer(path):
    return writer_of(str(path), path.stat())


@pytest.fixture
def folder(common):
    """A folder of root's (or ours) that others may enter and not write."""
    common.chmod(0o755)
    return common


@pytest.fixture
def file(folder):
    path = folder / "alice.jsonl"
    path.touch()
    path.chmod(0o600)
    if os.geteuid() == 0:
        os.chown(path, ALICE, ALICE)
    return path


def test_it_is_the_owner(file):
    assert writer(file) == (ALICE if os.geteuid() == 0 else os.geteuid())


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666, 0o660])
def test_what_others_may_write_proves_nobody(file, mode):
    file.chmod(mode)
    assert writer(file) is None


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o400])
def test_what_others_may_read_does(file, mode):
    file.chmod(mode)
    assert writer(file) is not None


@pytest.mark.parametrize("mode", [0o775, 0o757, 0o777])
def test_nor_does_what_others_may_replace(folder, file, mode):
    folder.chmod(mode)
    assert writer(file) is None


def test_in_a_sticky_folder_others_may_not_replace_it(folder, file):
    folder.chmod(0o1777)
    assert writer(file) is not None


@pytest.mark.parametrize("mode", [0o775, 0o777])
def test_any_folder_on_the_way_counts(folder, mode):
    inner = folder / "a" / "b"
    inner.mkdir(parents=True)
    path = inner / "o.jsonl"
    path.touch(0o600)
    assert writer(path) == os.geteuid()
    inner.parent.chmod(mode)
    assert writer(path) is None


def test_a_folder_that_is_gone_proves_nobody(folder, file):
    assert writer_of(str(folder / "gone" / "o.jsonl"), file.stat()) is None


@needs_root
def test_a_folder_of_somebody_else_proves_nobody(folder, file):
    os.chown(folder, MALLORY, MALLORY)
    assert writer(file) is None
    os.chown(folder, ALICE, ALICE)
    assert writer(file) == ALICE


@needs_root
def test_root_s_file_in_a_user_s_folder_proves_nobody(folder, file):
    os.chown(folder, ALICE, ALICE)
    os.chown(file, 0, 0)
    assert writer(file) is None


@needs_root
def test_the_folders_that_a_link_leads_to_count_too(folder, file):
    aside = folder / "aside"
    aside.mkdir()
    link = aside / "link.jsonl"
    link.symlink_to(file)
    assert writer(link) == ALICE
    os.chown(aside, MALLORY, MALLORY)
    assert writer(link) is None


@pytest.fixture
def reading(file):
    found = Reading(file)
    yield found
    found.stop()


@needs_root
def test_a_block_bears_it_as_it_is_when_it_is_read(file, reading):
    append(file, b"one\n")
    assert [block.mark.writer_uid for block in reading.blocks()] == [ALICE]
    file.chmod(0o666)
    append(file, b"two\n")
    assert [block.mark.writer_uid for block in reading.blocks()] == [None]


@needs_root
def test_a_loss_says_whose_file_it_was(file, reading):
    append(file, b"one\n")
    reading.read()
    os.truncate(file, 0)
    reading.read()
    assert [hole.writer_uid for hole in reading.lost] == [ALICE]


def test_a_user_without_a_name_is_called_by_the_number():
    assert name_of(0) == "root"
    assert name_of(3_999_999_999) == "user 3999999999"
