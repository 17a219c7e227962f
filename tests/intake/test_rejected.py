"""Lines that are no outcomes are kept whole."""

import base64
import json
import resource
import signal
from contextlib import contextmanager

import pytest

from cronverifyd.intake.rejected import keep_rejected, rejection
from cronverifyd.model import Mark
from tests.builders import at

MARK = Mark(path="/var/lib/outcomes.jsonl", device=1, inode=2, looked_at=at("03:00"))


def rejected(data, offset=0):
    return rejection(data, MARK, offset, "is not JSON", at("03:04:05.5"))


def kept(folder):
    lines = (folder / "rejected.jsonl").read_bytes().split(b"\n")
    assert lines.pop() == b""
    return [json.loads(line) for line in lines]


def test_a_line_is_kept_with_its_reason_and_its_place(tmp_path):
    keep_rejected(tmp_path, [rejected(b"hello", 42)])
    assert kept(tmp_path) == [
        {
            "at": "2024-05-15T03:04:05.500000Z",
            "file": "/var/lib/outcomes.jsonl",
            "offset": 42,
            "reason": "is not JSON",
            "line": "hello",
        }
    ]


@pytest.mark.parametrize("data", [b'a "quoted"\\\n\r\tword\0', "ü\u2028\U0001f600".encode(), b""])
def test_whatever_it_says_can_be_read_again(tmp_path, data):
    keep_rejected(tmp_path, [rejected(data)])
    assert kept(tmp_path)[0]["line"].encode() == data


def test_bytes_that_are_no_text_are_kept_too(tmp_path):
    keep_rejected(tmp_path, [rejected(b"\xff\0\xfe")])
    [line] = kept(tmp_path)
    assert "line" not in line
    assert base64.b64decode(line["line_base64"]) == b"\xff\0\xfe"


def test_what_was_there_stays(tmp_path):
    keep_rejected(tmp_path, [rejected(b"one"), rejected(b"two")])
    keep_rejected(tmp_path, [rejected(b"three")])
    assert [line["line"] for line in kept(tmp_path)] == ["one", "two", "three"]


def test_nobody_else_may_read_it(tmp_path):
    keep_rejected(tmp_path, [rejected(b"one")])
    assert (tmp_path / "rejected.jsonl").stat().st_mode & 0o777 == 0o600


@contextmanager
def small_files():
    """Let no file of this process grow beyond 1,000 bytes: as a full disk, a write is cut short.

    Not for a whole test: what pytest itself prints may go to a file, too.
    """
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


def test_on_a_full_disk_all_of_it_is_kept_or_nothing(tmp_path):
    keep_rejected(tmp_path, [rejected(b"one")])
    with small_files(), pytest.raises(OSError, match="could not be written to the end"):
        keep_rejected(tmp_path, [rejected(b"x" * 400), rejected(b"y" * 400)])
    assert [line["line"] for line in kept(tmp_path)] == ["one"]


def test_a_folder_that_is_gone_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        keep_rejected(tmp_path / "x", [rejected(b"one")])
