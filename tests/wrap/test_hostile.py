"""Crowds, shortages, and the ways in which a crontab calls: the job runs, its record is true."""

import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import bare_sh, run, stat_of

CROWD = 200


def test_200_at_once_lose_and_tear_no_line(wrapper):
    script = f"""
        i=0
        while [ $i -lt {CROWD} ]; do
            W sh -c "head -c 20000 /dev/urandom; exit $i" > /dev/null &
            i=$((i + 1))
        done
        wait
    """
    assert wrapper.sh(script, timeout=60).returncode == 0
    lines = wrapper.lines(crowd=True)
    starts = {line["run"]: line for line in lines if line["event"] == "start"}
    finishes = {line["run"]: line for line in lines if line["event"] == "finish"}
    assert len(lines) == 2 * CROWD
    assert starts.keys() == finishes.keys()
    assert sorted(line["exit_code"] for line in finishes.values()) == list(range(CROWD))
    for name, finish in finishes.items():
        assert f"exit {finish['exit_code']}'" in starts[name]["command"]
        assert finish["output_bytes"] == 20000
        assert finish["output_cut"] is True
        assert 0 < len(finish["output_tail"].encode()) <= 16384
    assert max(map(len, wrapper.outcomes.read_bytes().split(b"\n"))) < 65536


# ---- what a crontab's line may look like


@pytest.mark.parametrize(
    "script",
    [
        pytest.param("W echo one; W echo two", id="one after the other"),
        pytest.param("W false && W echo two", id="and"),
        pytest.param("W false || W echo two", id="or"),
        pytest.param("W false; W sh -c 'exit 3'", id="the last counts"),
        pytest.param("! W false", id="not"),
        pytest.param("W echo one | W cat | W tr a-z A-Z", id="a pipeline"),
        pytest.param("(W echo one; W sh -c 'exit 3')", id="a subshell"),
        pytest.param("x=$(W echo one); echo $? $x", id="a substitution"),
        pytest.param("exec W sh -c 'exit 3'", id="exec"),
        pytest.param("cd / && W pwd", id="cd"),
        pytest.param("A=b W printenv A", id="a variable for one command"),
        pytest.param("nice -n 3 W nice", id="nice"),
        pytest.param("env -i W /bin/echo one", id="env -i"),
        pytest.param("nohup W echo one", id="nohup"),
        pytest.param("setsid -w W sh -c 'exit 3'", id="setsid"),
        pytest.param("timeout 20 W sh -c 'exit 3'", id="timeout"),
        pytest.param("W date +%F", id="a percent sign"),
        pytest.param("W W echo one", id="wrapped twice"),
        pytest.param("set -e; W false; echo not here", id="set -e"),
        pytest.param("W cat <<END\none\ntwo\nEND", id="a here document"),
        pytest.param("W sh -c 'cat; exit 3' < /dev/null", id="no stdin"),
    ],
)
def test_a_crontab_line_does_what_it_does_without_us(wrapper, script):
    done, wanted = wrapper.sh(script), bare_sh(script)
    assert (done.returncode, done.stdout) == (wanted.returncode, wanted.stdout)
    assert done.stderr == wanted.stderr
    lines = wrapper.lines()
    starts, finishes = ([e for e in lines if e["event"] == kind] for kind in ("start", "finish"))
    assert {line["run"] for line in starts} == {line["run"] for line in finishes}
    assert len(lines) == 2 * len({line["run"] for line in lines}) > 0


@pytest.mark.parametrize("stream", ["2>&1", "2>> {log}"], ids=["2>&1", "opened twice"])
def test_a_log_to_which_both_streams_append_is_the_same(wrapper, tmp_path, stream):
    for name, shell in (("with", wrapper.sh), ("without", bare_sh)):
        log = tmp_path / name
        script = "for i in 1 2 3; do echo out $i; echo err $i >&2; done; exit 3"
        line = f"W sh -c '{script}' >> {log} {stream.format(log=log)}"
        assert shell(f"{line}; {line}").returncode == 3
    assert (tmp_path / "with").read_text() == (tmp_path / "without").read_text() != ""


# ---- shortages


@pytest.mark.parametrize("files", range(4, 14))
def test_with_few_descriptors_the_job_runs_all_the_same(wrapper, files):
    done = wrapper.sh(f"ulimit -n {files}; exec W /bin/sh -c 'echo out; exit 6'")
    assert (done.returncode, done.stdout) == (6, b"out\n")
    lines = wrapper.lines()
    assert lines == [] or (len(lines) == 2 and lines[1]["exit_code"] == 6)
    assert lines or b"cronverify-wrap: cannot" in done.stderr


def test_where_nothing_can_be_forked_the_wrapper_becomes_the_job(wrapper, root):
    limit = ["prlimit", "--nproc=1"]
    if run([*limit, "true"]).returncode:
        pytest.skip("NOT TESTED: prlimit (util-linux) is not installed")
    how = {"user": 54321, "group": 54321, "extra_groups": [], "cwd": "/"}
    done = run([*limit, *wrapper.argv("/bin/echo", "ran")], **how)
    assert done.stdout == b"ran\n"
    assert done.returncode == 0
    assert b"cannot watch over it: Resource temporarily unavailable" in done.stderr
    assert wrapper.lines() == []


@pytest.mark.parametrize("kib", [20000, 30000, 60000])
def test_with_little_memory_the_job_runs_and_is_recorded(wrapper, kib):
    done = wrapper.sh(f"ulimit -v {kib}; exec W sh -c 'echo out; exit 6'")
    assert (done.returncode, done.stdout) == (6, b"out\n")
    assert wrapper.finish()["exit_code"] == 6


def test_a_job_may_be_as_long_as_the_kernel_lets_it(wrapper):
    words = ["x" * 100000] * 10
    done = wrapper.run("sh", "-c", 'echo $# "${#1}"', "sh", *words)
    assert done.stdout == b"10 100000\n"
    assert len(wrapper.outcomes.read_bytes()) < 20000


def test_a_job_whose_name_looks_like_a_line_of_proc_is_found_there(wrapper, tmp_path):
    odd = tmp_path / "a) S 1 (b"
    odd.symlink_to("/usr/bin/sleep")
    with wrapper.start(str(odd), "60") as process:
        start = wrapper.started()
        assert start["pid_start"] == int(stat_of(start["pid"])[19])
        assert Path(f"/proc/{start['pid']}/comm").read_text() == "a) S 1 (b\n"
        process.terminate()


def test_a_job_that_prints_and_dies_at_once_is_recorded_whole(wrapper):
    for _ in range(10):
        assert wrapper.run("sh", "-c", "echo last words; kill -9 $$").returncode == 137
    finishes = [line for line in wrapper.lines() if line["event"] == "finish"]
    assert [line["output_tail"] for line in finishes] == ["last words\n"] * 10


def test_a_job_that_rewrites_the_outcome_file_harms_itself_only(wrapper):
    script = f"read x; printf '{{torn' > {wrapper.outcomes}; exit 6"
    with wrapper.start("sh", "-c", script, stdin=subprocess.PIPE) as process:
        wrapper.started()
        process.stdin.close()
    assert process.returncode == 6
    torn, finish, end = wrapper.outcomes.read_bytes().split(b"\n")
    assert torn == b"{torn"
    assert b'"exit_code":6' in finish
    assert end == b""


def test_a_job_that_kills_its_parent_leaves_a_start_line(wrapper):
    with wrapper.start(
        "sh", "-c", "read x; kill -9 $PPID; echo on", stdin=subprocess.PIPE
    ) as process:
        wrapper.started()
        process.stdin.close()
        assert process.stdout.read() == b"on\n"
    assert process.returncode == -9
    (line,) = wrapper.lines()
    assert line["event"] == "start"


def test_a_job_that_changes_its_session_is_waited_for(wrapper):
    code = "import os, sys; os.setsid(); print(os.getsid(0) == os.getpid()); sys.exit(6)"
    done = wrapper.run(sys.executable, "-c", code)
    assert (done.returncode, done.stdout) == (6, b"True\n")


def test_output_that_looks_like_our_own_answers_is_only_output(wrapper):
    text = "!\n5 1\n!12 3\n"
    done = wrapper.run("printf", text)
    assert done.stdout == text.encode()
    assert wrapper.finish()["output_tail"] == text
