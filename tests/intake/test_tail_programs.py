"""Random programs of writers, rotations, looks and restarts: no line lost, none doubled."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import seconds
from tests.intake.reading import NOON, Reading

STEPS = st.one_of(
    st.tuples(st.just("write"), st.integers(1, 400), st.integers(0, 2)),
    st.tuples(st.just("rotate")),
    st.tuples(st.just("look")),
    st.tuples(st.just("look and fail")),
    st.tuples(st.just("stop")),
    st.tuples(st.just("start")),
)


class World:
    """Writers with files of their own, the reader, and the list of what was written.

    What the reader cannot know is left out: a file that is made and rotated away while it is
    stopped, or before it has read a line of it.
    """

    def __init__(self, folder):
        self.path = folder / "outcomes.jsonl"
        self.reading = Reading(self.path)
        self.running = True
        self.files = []
        self.written = {}
        self.unsaid = {}
        self.read = {}
        self.now = NOON
        self.open_new()

    def open_new(self):
        number = len(self.files)
        self.files.append(self.path.open("ab", buffering=0))
        self.written[number] = []
        self.unsaid[number] = b""

    def write(self, size, back):
        """Write the next bytes of one of the last three files, cut anywhere."""
        number = max(0, len(self.files) - 1 - back)
        while len(self.unsaid[number]) < size:
            count = len(self.written[number])
            line = b"%d:%d:" % (number, count) + b"x" * (count * 37 % 300)
            self.written[number].append(line)
            self.unsaid[number] += line + b"\n"
        self.say(number, size)

    def say(self, number, size):
        self.files[number].write(self.unsaid[number][:size])
        self.unsaid[number] = self.unsaid[number][size:]

    def rotate(self):
        if self.path.stat().st_ino not in {inode for _, inode in self.reading.kept}:
            return
        self.path.rename(self.path.with_name(f"outcomes.jsonl.{len(self.files)}"))
        self.open_new()

    def look(self):
        if not self.running:
            return
        self.now += seconds(1)
        for line in self.reading.read(self.now):
            number = int(line.split(b":")[0])
            self.read.setdefault(number, []).append(line)

    def look_and_fail(self):
        if self.running:
            self.now += seconds(1)
            self.reading.blocks(self.now, accept=False)

    def stop(self):
        if self.running:
            self.reading.stop()
        self.running = False

    def start(self):
        self.stop()
        self.reading.start()
        self.running = True

    def end(self):
        """Say what is left unsaid, look once more, and close all."""
        for number in list(self.unsaid):
            self.say(number, len(self.unsaid[number]))
        if not self.running:
            self.start()
        self.look()
        self.reading.stop()
        for file in self.files:
            file.close()


@settings(max_examples=150, deadline=None)
@given(st.lists(STEPS, max_size=40))
def test_no_line_is_lost_none_is_doubled_and_each_file_is_read_in_order(tmp_path_factory, steps):
    world = World(tmp_path_factory.mktemp("tail"))
    for name, *given_ in steps:
        getattr(world, name.replace(" ", "_"))(*given_)
    world.end()
    assert world.read == {number: lines for number, lines in world.written.items() if lines}
