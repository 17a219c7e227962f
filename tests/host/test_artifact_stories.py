"""Eight ways in which a job says success and has made nothing of use, and one in which all is well.

Each is a series of daily runs, from 03:00 to 03:05, that really wrote their files; each is measured
and judged at its end, with what was measured before.
"""

import gzip
import os
import random
from datetime import timedelta

import pytest

from cronverifyd.host.artifacts import measure
from cronverifyd.judge.artifact import broken
from cronverifyd.model import ArtifactRule, Measure, Past
from tests.builders import at, run

NOISE = random.Random(2).randbytes(11_000_000)
MEDIAN = "(median of the last good ones, up to 10)"
BEFORE = "before this run started at 03:00:00"
FIRST = at("2024-05-15T03:00")


class Days:
    """A job that runs daily. What was good, and what was last, is remembered from run to run."""

    def __init__(self, folder, name="db-*.sql.gz", **rule):
        given = {"min_size": 10_000, "shrink": 0.5, "changed": True, "opens": True}
        self.folder = folder
        self.rule = ArtifactRule(path=f"{folder}/{name}", **(given | rule))
        self.start = FIRST
        self.sizes = []
        self.digest = None

    def write(self, name, data, after=timedelta(minutes=4)):
        """Write a file so long after this day's run began."""
        path = self.folder / name
        path.write_bytes(data)
        stamp = (self.start + after).timestamp()
        os.utime(path, (stamp, stamp))

    def dump(self, data):
        """Write the file of the day, which is called by its date."""
        self.write(f"db-{self.start:%F}.sql.gz", data)

    def judge(self, superseded=False):
        """End the run, say what is wrong with what it made, and go on to the next day."""
        ended = run(None, None, started_at=self.start, ended_at=self.start + timedelta(minutes=5))
        past = {self.rule.path: Past(sizes=tuple(self.sizes[-10:]), digest=self.digest)}
        request = Measure(run=ended, rules=(self.rule,), past=past, superseded=superseded)
        (artifact,) = measure(request).artifacts
        sentences = broken(self.rule, artifact, ended, "UTC")
        if not sentences:
            self.sizes.append(artifact.size)
        self.digest = artifact.digest or self.digest
        self.start += timedelta(days=1)
        return [sentence.replace(f"{self.folder}/", "") for sentence in sentences]

    def be_well(self, count, size=1_000_000):
        for number in range(count):
            self.dump(packed(size + number * size // 40))
            assert self.judge() == []


def packed(size, of=NOISE):
    return gzip.compress(of[:size], compresslevel=1, mtime=0)


@pytest.fixture
def days(tmp_path):
    return Days(tmp_path)


def test_thirty_dumps_of_different_sizes_are_well(days):
    sizes = random.Random(3)
    for _ in range(30):
        days.dump(packed(sizes.randrange(700_000, 1_300_000)))
        assert days.judge() == []


def test_an_empty_dump(days):
    days.be_well(3)
    days.dump(b"")
    assert days.judge() == ["db-2024-05-18.sql.gz is empty"]


def test_ninety_one_dumps_of_equal_size_and_bytes(days):
    same = packed(200_000)
    said = []
    for _ in range(91):
        days.dump(same)
        said.append(days.judge())
    assert said[0] == []
    assert said[1] == ["db-2024-05-16.sql.gz is byte-identical to the last one"]
    assert [len(sentences) for sentences in said] == [0] + [1] * 90
    days.dump(packed(200_001))
    assert days.judge() == []


@pytest.mark.parametrize("lost", [1, 8, 9, 400_000], ids="{} bytes lost".format)
def test_a_truncated_gzip(days, lost):
    days.be_well(3)
    days.dump(packed(1_000_000)[:-lost])
    assert days.judge() == ["db-2024-05-18.sql.gz is cut off: its gzip data has no end"]
    days.be_well(1)


def test_13_kb_instead_of_11_mb(days):
    for number in range(11):
        days.dump(gzip.compress(NOISE[number:], compresslevel=0))
        assert days.judge() == []
    days.dump(packed(13_000))
    assert days.judge() == [
        f"db-2024-05-26.sql.gz is 13 kB, less than 0.5 of the usual 11 MB {MEDIAN}"
    ]
    days.dump(packed(9_000))
    assert days.judge()[0] == "db-2024-05-27.sql.gz is 9 kB, expected at least 10 kB"
    assert len(days.sizes) == 11


def test_a_compressed_nothing(tmp_path):
    days = Days(tmp_path, min_size=None, shrink=None)
    days.be_well(3)
    days.dump(gzip.compress(b""))
    assert days.judge() == ["db-2024-05-18.sql.gz is whole but holds nothing"]


def test_a_compressed_nothing_is_too_small_as_well(days):
    days.be_well(3)
    days.dump(gzip.compress(b""))
    assert days.judge()[:2] == [
        "db-2024-05-18.sql.gz is 20 bytes, expected at least 10 kB",
        f"db-2024-05-18.sql.gz is 20 bytes, less than 0.5 of the usual 1 MB {MEDIAN}",
    ]


def test_the_old_file_of_yesterday(days):
    days.be_well(3)
    assert days.judge() == [f"db-2024-05-17.sql.gz was last written 2024-05-17 03:04:00, {BEFORE}"]


def test_the_old_file_of_yesterday_under_the_same_name(tmp_path):
    days = Days(tmp_path, name="latest.sql.gz")
    days.write("latest.sql.gz", packed(1_000_000))
    assert days.judge() == []
    assert days.judge() == [
        "latest.sql.gz was last written 2024-05-15 03:04:00, before this run started at 03:00:00"
    ]


def test_no_file(days):
    assert days.judge() == ["no file matches db-*.sql.gz"]
    days.be_well(1)


def test_no_folder(tmp_path):
    assert Days(tmp_path, name="gone/db-*.gz").judge() == ["no file matches gone/db-*.gz"]


def test_a_file_of_another_job_that_ran_before(tmp_path):
    days = Days(tmp_path, name="*.sql.gz")
    days.be_well(3)
    days.write("other-job.sql.gz", packed(1_000_000), after=timedelta(minutes=-50))
    assert days.judge() == [
        "other-job.sql.gz was last written 02:10:00, before this run started at 03:00:00"
    ]


def test_a_file_of_another_job_that_ran_after_and_before_anyone_looked(tmp_path):
    days = Days(tmp_path, name="*.sql.gz")
    days.be_well(3)
    days.write("other-job.sql.gz", packed(1_000_000), after=timedelta(minutes=7))
    assert days.judge() == [f"db-2024-05-17.sql.gz was last written 2024-05-17 03:04:00, {BEFORE}"]


def test_a_file_that_the_next_run_has_replaced_before_anyone_looked_is_not_held_against_a_run(
    tmp_path,
):
    days = Days(tmp_path, name="latest.sql.gz")
    days.write("latest.sql.gz", packed(1_000), after=timedelta(days=1, minutes=4))
    assert days.judge(superseded=True) == []
