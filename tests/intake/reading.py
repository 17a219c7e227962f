"""A tail with what the store does for it: marks are kept, files are numbered."""

from dataclasses import replace
from datetime import UTC, datetime

from cronverifyd.intake.tail import Tail
from tests.builders import at

NOON = at("12:00")


class Reading:
    """Looks at files; `restart` begins anew with no more than the marks that were kept."""

    def __init__(self, *patterns):
        self.patterns = [str(pattern) for pattern in patterns]
        self.kept = {}
        self.numbered = 0
        self.tail = Tail(self.patterns, [])

    def blocks(self, now=NOON, *, accept=True):
        """Look once; give the blocks."""
        self.tail.look(now)
        found = []
        for block in self.tail.blocks(now):
            found.append(block)
            if accept:
                self.tail.accept(self._keep(block.mark))
        return found

    def read(self, now=NOON):
        """Look once; give the bytes of the lines that are new."""
        return [line.data for block in self.blocks(now) for line in block.lines]

    def stop(self):
        self.tail.close()

    def start(self):
        self.tail = Tail(self.patterns, self.kept.values())

    def restart(self):
        self.stop()
        self.start()

    def _keep(self, mark):
        if mark.file_id is None:
            self.numbered += 1
            mark = replace(mark, file_id=self.numbered)
        self.kept[mark.key] = mark
        return mark


def append(path, data):
    with path.open("ab") as file:
        file.write(data)


def mtime(path):
    """Say when a file was written, as precisely as the tail reads it."""
    return datetime.fromtimestamp(path.stat().st_mtime_ns / 1e9, UTC)
