"""Whose outcomes count for a job."""

import pytest

from cronverifyd.judge.writers import counts, spoofed_id
from tests.builders import job

ALICE, MALLORY = 1001, 1002


@pytest.mark.parametrize(
    ("user", "user_uid", "writer_uid", "expected"),
    [
        pytest.param(None, None, MALLORY, True, id="a job of nobody's takes anybody's"),
        pytest.param(None, None, None, True, id="even what nobody knows who wrote"),
        pytest.param("alice", ALICE, ALICE, True, id="the user's own"),
        pytest.param("alice", ALICE, 0, True, id="root's"),
        pytest.param("alice", ALICE, MALLORY, False, id="somebody else's"),
        pytest.param("alice", ALICE, None, False, id="what nobody knows who wrote"),
        pytest.param("alice", None, 0, True, id="root's, of a user that does not exist"),
        pytest.param("alice", None, None, False, id="nobody's, of a user that does not exist"),
        pytest.param("root", 0, ALICE, False, id="not a user's, of a job of root's"),
    ],
)
def test_what_counts(user, user_uid, writer_uid, expected):
    assert counts(job(user=user, user_uid=user_uid), writer_uid) is expected


def test_a_run_that_does_not_count_has_a_name_of_its_own():
    names = {spoofed_id("r1", 1001), spoofed_id("r1", 1002), spoofed_id("r1", None)}
    assert len(names) == 3
    assert all(name.startswith("~") and name.endswith(".r1") for name in names)
