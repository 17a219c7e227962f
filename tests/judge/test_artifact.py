"""What is said of an artifact, and what is not."""

from datetime import timedelta

import pytest

from cronverifyd.judge.artifact import broken
from cronverifyd.model import Artifact, ArtifactRule
from tests.builders import at, run

GLOB = "/backups/db-*.sql.gz"
FILE = "/backups/db-1.sql.gz"
MB = 1_000_000


def rule(**changed):
    return ArtifactRule(**({"path": GLOB} | changed))


def made(**changed):
    """Build an artifact of 11 MB that the run from 03:00 to 03:05 wrote at 03:04."""
    given = {"rule": GLOB, "found": FILE, "size": 11 * MB, "modified_at": at("03:04")}
    return Artifact(**(given | changed))


def said(the_rule, artifact, the_run=None, zone="UTC", **more):
    return broken(the_rule, artifact, the_run or run("03:00", "03:05"), zone, **more)


STRICT = rule(min_size=10 * MB, shrink=0.5, changed=True, opens=True)


def test_of_a_good_artifact_nothing_is_said():
    assert said(STRICT, made(usual_size=11.5 * MB, digest="a", same_as_last=False)) == []


def test_a_first_artifact_has_nothing_to_be_compared_with():
    assert said(STRICT, made(digest="a")) == []


@pytest.mark.parametrize(
    ("the_rule", "artifact", "sentence"),
    [
        pytest.param(rule(), Artifact(rule=GLOB), f"no file matches {GLOB}", id="no file"),
        pytest.param(
            rule(),
            Artifact(rule=GLOB, fault="could not be looked at: /backups: Permission denied"),
            f"{GLOB} could not be looked at: /backups: Permission denied",
            id="no way to look",
        ),
        pytest.param(rule(), made(size=0), f"{FILE} is empty", id="empty, without any rule"),
        pytest.param(
            STRICT,
            made(size=0, usual_size=11.0 * MB, digest="a", same_as_last=True),
            f"{FILE} is empty",
            id="empty says it all",
        ),
        pytest.param(
            rule(min_size=10 * MB),
            made(size=13_000),
            f"{FILE} is 13 kB, expected at least 10 MB",
            id="too small",
        ),
        pytest.param(
            rule(min_size=10 * MB),
            made(size=10 * MB - 1),
            f"{FILE} is 9999999 bytes, expected at least 10000000 bytes",
            id="one byte too small",
        ),
        pytest.param(
            rule(shrink=0.5),
            made(size=13_000, usual_size=11.0 * MB),
            f"{FILE} is 13 kB, less than 0.5 of the usual 11 MB"
            " (median of the last good ones, up to 10)",
            id="shrunk",
        ),
        pytest.param(
            rule(shrink=1),
            made(size=11 * MB - 1, usual_size=11.0 * MB),
            f"{FILE} is 10999999 bytes, less than 1 of the usual 11000000 bytes"
            " (median of the last good ones, up to 10)",
            id="shrunk by a byte",
        ),
        pytest.param(
            rule(changed=True),
            made(digest="a", same_as_last=True),
            f"{FILE} is byte-identical to the last one",
            id="the same bytes",
        ),
        pytest.param(
            rule(opens=True),
            made(fault="is not gzip"),
            f"{FILE} is not gzip",
            id="broken",
        ),
        pytest.param(
            rule(changed=True),
            made(fault="cannot be read: Permission denied"),
            f"{FILE} cannot be read: Permission denied",
            id="unreadable, so nobody knows whether it changed",
        ),
        pytest.param(
            rule(),
            made(modified_at=at("2024-05-14T03:00:10")),
            f"{FILE} was last written 2024-05-14 03:00:10, before this run started at 03:00:00",
            id="of yesterday",
        ),
        pytest.param(
            rule(),
            made(modified_at=at("02:50")),
            f"{FILE} was last written 02:50:00, before this run started at 03:00:00",
            id="of another job, ten minutes ago",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_numbers(the_rule, artifact, sentence):
    assert said(the_rule, artifact) == [sentence]


@pytest.mark.parametrize(
    ("the_rule", "artifact"),
    [
        pytest.param(rule(min_size=10 * MB), made(size=10 * MB), id="just large enough"),
        pytest.param(rule(shrink=0.5), made(usual_size=22.0 * MB), id="just half the usual size"),
        pytest.param(rule(shrink=0.5), made(), id="no usual size yet"),
        pytest.param(rule(), made(same_as_last=True), id="the same, which nobody minds"),
        pytest.param(rule(changed=True), made(digest="a"), id="never compared"),
        pytest.param(rule(), made(fault="is not gzip"), id="broken, which nobody minds"),
        pytest.param(
            rule(changed=True),
            made(fault="is not gzip", digest="a", same_as_last=False),
            id="broken, once the rule no longer asks for it",
        ),
        pytest.param(rule(), made(modified_at=at("02:59:58")), id="two seconds before the start"),
        pytest.param(rule(), made(modified_at=at("03:30")), id="written after the end"),
        pytest.param(
            STRICT, Artifact(rule=GLOB, found=FILE, replaced=True), id="replaced before anyone saw"
        ),
    ],
)
def test_what_is_not_wrong_is_not_said(the_rule, artifact):
    assert said(the_rule, artifact) == []


def test_a_file_that_was_not_written_by_this_run_is_not_judged_further():
    old = made(
        modified_at=at("02:50"), size=13_000, usual_size=11.0 * MB, digest="a", same_as_last=True
    )
    assert said(STRICT, old) == [
        f"{FILE} was last written 02:50:00, before this run started at 03:00:00"
    ]


def test_a_file_that_is_old_and_empty_is_both():
    assert said(rule(), made(modified_at=at("02:50"), size=0)) == [
        f"{FILE} was last written 02:50:00, before this run started at 03:00:00",
        f"{FILE} is empty",
    ]


def test_all_that_is_wrong_with_a_file_of_this_run_is_said_at_once():
    wrong = made(
        size=13_000, usual_size=11.0 * MB, digest="a", same_as_last=True, fault="is not gzip"
    )
    assert [sentence.removeprefix(f"{FILE} ")[:25] for sentence in said(STRICT, wrong)] == [
        "is 13 kB, expected at lea",
        "is 13 kB, less than 0.5 o",
        "is byte-identical to the ",
        "is not gzip",
    ]


def test_times_are_said_in_the_zone_of_the_job():
    (sentence,) = said(rule(), made(modified_at=at("02:50")), zone="Asia/Tokyo")
    assert sentence.endswith("last written 11:50:00, before this run started at 12:00:00")


# ---- when nobody knows the start


@pytest.mark.parametrize(
    ("the_run", "longest_s", "start"),
    [
        pytest.param(run(None, "03:05"), 0.0, "03:05", id="only an end"),
        pytest.param(run(None, "03:05"), 3_600.0, "02:05", id="an end, and an hour at most"),
        pytest.param(
            run(None, "03:05", duration_s=300.0), 3_600.0, "03:00", id="an end and a duration"
        ),
        pytest.param(
            run(None, "03:05", untimed_since=at("03:01")), 0.0, "03:01", id="a line without a time"
        ),
        pytest.param(
            run(None, "03:05", untimed_since=at("03:01"), duration_s=60.0),
            3_600.0,
            "03:00",
            id="a line without a time, and a duration",
        ),
        pytest.param(
            run("02:58", "03:05", untimed_since=at("03:01"), duration_s=60.0),
            3_600.0,
            "02:58",
            id="a start, and an end without a time",
        ),
    ],
)
def test_a_run_gets_the_benefit_of_its_earliest_possible_start(the_run, longest_s, start):
    in_time = made(modified_at=at(start) - timedelta(seconds=2))
    too_old = made(modified_at=at(start) - timedelta(seconds=3))
    assert said(rule(), in_time, the_run, longest_s=longest_s) == []
    (sentence,) = said(rule(), too_old, the_run, longest_s=longest_s)
    assert sentence.endswith(f"at {start}:00")


def test_a_start_that_nobody_saw_is_called_possible():
    (sentence,) = said(rule(), made(modified_at=at("01:00")), run(None, "03:05"), longest_s=3_600)
    assert sentence == (
        f"{FILE} was last written 01:00:00, before this run can have started, at 02:05:00"
    )


# ---- hostile names


def test_a_name_of_many_lines_is_said_on_one():
    (sentence,) = said(rule(), made(found="/backups/a\nb\r\n.gz", size=0))
    assert sentence == "/backups/a b .gz is empty"


def test_of_a_very_long_name_the_end_is_said():
    (sentence,) = said(rule(), made(found=f"/{'x' * 4_000}/db.gz", size=0))
    assert sentence.endswith("x/db.gz is empty")
    assert len(sentence) < 220
