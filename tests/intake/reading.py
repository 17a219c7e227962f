"""A tail with what the engine and the store do for it: marks and losses are kept."""

import os
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cronverifyd.intake.tail import Tail
from tests.builders import at

NOON = at("12:00")


class Reading:
    """Looks at files; `restart` begins anew with no more than the marks that were kept."""

    def __init__(self, *patterns):
        self.patterns = [str(pattern) for pattern in patterns]
        self.kept = {}
        self.lost = []
        self.numbered = 0
        self.tail = Tail(self.patterns, [])

    def blocks(self, now=NOON, *, accept=True):
        """Look once; give the blocks. `accept` False: no transaction succeeds."""
        self.tail.look(now)
        if accept and self.tail.has_news():
            self.keep()
        found = []
        for block in self.tail.blocks(now):
            found.append(block)
            if accept:
                self.tail.accept(self._keep(block.mark))
        return found

    def read(self, now=NOON):
        """Look once; give the bytes of the lines that are new."""
        return [line.data for block in self.blocks(now) for line in block.lines]

    def keep(self):
        """Keep, in one transaction, what is lost and how far each file was read."""
        losses, marks = self.tail.losses(), self.tail.marks()
        self.lost += losses
        for mark in marks:
            self._keep(mark)
        for mark in marks:
            self.tail.accept(mark)
        self.tail.forget_losses(losses)

    def losses(self):
        """Give the losses that were kept, each as path, since, reason and until."""
        return [(hole.path, hole.since, hole.reason, hole.until) for hole in self.lost]

    def holes(self):
        """Give what cannot be read, each as since and reason."""
        found = self.tail.unreadable()
        assert all(path == hole.path and hole.until is None for path, hole in found.items())
        return {path: (hole.since, hole.reason) for path, hole in found.items()}

    def stop(self):
        self.tail.close()

    def start(self):
        self.tail = Tail(self.patterns, self.kept.values())

    def restart(self):
        self.stop()
        self.start()

    def _keep(self, mark):
        """Keep a mark as the store does: a new file takes the place of its inode."""
        if mark.file_id is None:
            self.numbered += 1
            mark = replace(mark, file_id=self.numbered)
            self.kept[mark.key] = mark
        for key, known in self.kept.items():
            if known.file_id == mark.file_id:
                self.kept[key] = mark
        return mark


def append(path, data):
    with path.open("ab") as file:
        file.write(data)


def mtime(path):
    """Say when a file was written, as precisely as the tail reads it."""
    return datetime.fromtimestamp(path.stat().st_mtime_ns / 1e9, UTC)


def written(path, when):
    """Let a file look as if it was last written at an instant."""
    os.utime(path, (when.timestamp(),) * 2)


def rotate(path, number=1):
    return path.rename(path.with_name(f"{path.name}.{number}"))


def inode(path):
    return path.stat().st_ino


@contextmanager
def unprivileged():
    """Be somebody who may not read everything; no assertion in here, for that reads our sources."""
    if os.geteuid() != 0:
        yield
        return
    try:
        os.seteuid(65534)
    except OSError:
        pytest.skip("this root cannot be anybody else")
    try:
        yield
    finally:
        os.seteuid(0)
