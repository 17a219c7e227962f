"""The real wrapper, run for drills and canaries."""

import json

import pytest

from cronverifyd.host import rehearsal
from cronverifyd.host.rehearsal import find_wrapper, rehearse, writable_file
from cronverifyd.model import Rehearsal


@pytest.mark.parametrize(("fails", "status"), [(True, "failed"), (False, "success")])
def test_it_writes_two_lines_that_bear_the_drills_id(tmp_path, fails, status):
    file = tmp_path / "outcomes.jsonl"
    done = rehearse(Rehearsal(run="abc123", fails=fails), [str(file)])
    assert (done.run, done.file, done.fault) == ("abc123", str(file), "")
    start, end = (json.loads(line) for line in file.read_text().splitlines())
    assert (start["event"], start["job"]) == ("start", "cronverifyd-drill")
    assert (end["status"], end["output_tail"], end["exit_code"]) == (status, "abc123\n", int(fails))


def test_a_file_that_cannot_be_written_is_what_went_wrong(tmp_path):
    done = rehearse(Rehearsal(run="abc123", fails=True), [str(tmp_path / "no" / "outcomes.jsonl")])
    assert done.fault == "this user may write no outcome file"


def test_what_the_wrapper_says_is_what_went_wrong(tmp_path, monkeypatch):
    broken = tmp_path / "cronverify-wrap"
    broken.write_text("#!/bin/sh\necho 'no space left' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(rehearsal, "find_wrapper", lambda: broken)
    done = rehearse(Rehearsal(run="abc123", fails=True), [str(tmp_path / "outcomes.jsonl")])
    assert done.fault == f"{broken} ended with 1: no space left"


def test_the_wrapper_beside_this_interpreter_is_taken():
    assert find_wrapper().name == "cronverify-wrap"


def test_a_file_that_is_there_is_taken_before_one_that_would_be_made(tmp_path):
    known = tmp_path / "alice.jsonl"
    known.touch()
    (tmp_path / "bob.jsonl").mkdir()
    outcomes = [str(tmp_path / "new.jsonl"), str(tmp_path / "*.jsonl")]
    assert writable_file(outcomes) == known
    assert writable_file(outcomes[:1]) == tmp_path / "new.jsonl"
    assert writable_file([str(tmp_path / "*.none")]) is None
