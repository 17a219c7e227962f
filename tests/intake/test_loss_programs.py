"""Random programs of rotations, truncations, removals and restarts: a line is read, or reported."""

import os
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import minutes, seconds
from tests.intake.reading import NOON, Reading, inode, written

STEPS = st.one_of(
    st.tuples(st.just("write"), st.integers(0, 2), st.integers(1, 300)),
    st.tuples(st.just("rotate")),
    st.tuples(st.just("create")),
    st.tuples(st.just("truncate"), st.integers(0, 2)),
    st.tuples(st.just("remove"), st.integers(0, 2)),
    st.tuples(st.just("look")),
    st.tuples(st.just("look and fail")),
    st.tuples(st.just("stop")),
    st.tuples(st.just("start")),
    st.tuples(st.just("wait")),
)
PATTERNS = st.sampled_from(["outcomes.jsonl", "*.jsonl", "outcomes.jsonl*"])


@dataclass
class File:
    """A file, where it is now, and when what stands in it was written."""

    path: object
    renamed: bool = False
    written_at: object = None
    lines: dict = field(default_factory=dict)


class World:
    """Files, the reader, and the list of what was written.

    What no reader can know is left out: what happens to a file of which it has read nothing, and
    what is written to a renamed file after it was quiet.
    """

    def __init__(self, folder, pattern):
        self.path = folder / "outcomes.jsonl"
        self.reading = Reading(folder / pattern)
        self.running = True
        self.now = NOON
        self.files = []
        self.rotations = 0
        self.written = {}
        self.exposed = set()
        self.harms = 0
        self.read = []

    # ---- what happens -----------------------------------------------------------------------

    def create(self):
        if not self.path.exists():
            self.path.touch()
            written(self.path, self.now)
            self.files.append(File(self.path))

    def write(self, back, size):
        file = self.file(back)
        if file is None or (file.renamed and self.now - file.written_at > minutes(9)):
            return
        line = b"%06d:" % len(self.written) + b"x" * size
        self.written[line] = file.lines[line] = file.written_at = self.now
        with file.path.open("ab") as opened:
            opened.write(line + b"\n")
        written(file.path, self.now)

    def rotate(self):
        """Rename the file; beside one that was read, the next process finds an unknown one, too."""
        if not self.path.exists():
            return
        file = self.files[-1]
        is_found = file.lines and self.reading.kept and (not self.running or self.is_open(file))
        if not self.is_known(file) and not is_found:
            return
        self.rotations += 1
        file.path = self.path.rename(f"{self.path}.{self.rotations}")
        file.renamed, file.written_at = True, file.written_at or self.now

    def truncate(self, back):
        file = self.file(back)
        if file is None or not self.is_known(file):
            return
        self.harm(file)
        os.truncate(file.path, 0)
        written(file.path, self.now)

    def remove(self, back):
        file = self.file(back)
        if file is None or (file.lines and not self.is_known(file)):
            return
        self.harm(file)
        file.path.unlink()
        self.files.remove(file)

    def harm(self, file):
        self.harms += 1
        self.exposed |= file.lines.keys()
        file.lines = {}

    def look(self):
        if self.running:
            self.read += self.reading.read(self.now)

    def look_and_fail(self):
        if self.running:
            self.reading.blocks(self.now, accept=False)

    def stop(self):
        if self.running:
            self.reading.stop()
        self.running = False

    def start(self):
        self.stop()
        self.reading.start()
        self.running = True

    def wait(self):
        self.now += minutes(11)

    # ---- what is so -------------------------------------------------------------------------

    def file(self, back):
        return self.files[-1 - back] if len(self.files) > back else None

    def is_open(self, file):
        number = inode(file.path)
        return any(reader.mark.inode == number for reader in self.reading.tail._readers())

    def is_known(self, file):
        """Say whether the reader would notice: it has read something of the file as it is now."""
        marks = self.reading.tail.marks() if self.running else self.reading.kept.values()
        return any(mark.inode == inode(file.path) and not mark.over for mark in marks)

    def end(self):
        for _ in range(3):
            self.now += seconds(1)
            if not self.running:
                self.start()
            self.look()
        self.reading.stop()

    def is_reported(self, line):
        return any(loss.since <= self.written[line] <= loss.until for loss in self.reading.lost)


@settings(max_examples=400, deadline=None)
@given(st.lists(STEPS, max_size=50), PATTERNS)
def test_each_line_is_read_once_or_lies_within_a_loss(tmp_path_factory, steps, pattern):
    world = World(tmp_path_factory.mktemp("tail"), pattern)
    world.create()
    for name, *given_ in steps:
        world.now += seconds(1)
        getattr(world, name.replace(" ", "_"))(*given_)
    world.end()
    whole = [line for line in world.read if line in world.written]
    assert len(whole) == len(set(whole))
    unread = world.written.keys() - set(whole)
    assert unread <= world.exposed
    assert all(world.is_reported(line) for line in unread)
    assert len(world.reading.lost) <= world.harms
    assert world.reading.tail.losses() == []
    assert world.reading.holes() == {}
