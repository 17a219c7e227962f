"""What a job leaves running neither holds the wrapper up nor is harmed by its end."""

import os
import signal
import subprocess
import time

import pytest

from .conftest import is_running, run, until

HOLD_S = 2.0  # how long a background child may keep the wrapper


def test_a_background_child_that_holds_the_pipe_keeps_the_wrapper_two_seconds(wrapper, tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    began = time.monotonic()
    with wrapper.start("sh", "-c", f"cat {fifo} & echo $!; exit 5") as process:
        child = int(process.stdout.readline())
        code = process.wait(timeout=20)
        took_s = time.monotonic() - began
        assert is_running(child)
        fifo.write_bytes(b"late\n")
        assert process.stdout.read() == b"late\n"  # to the end of file
    assert code == 5
    assert HOLD_S - 0.1 < took_s < HOLD_S + 0.5
    finish = wrapper.finish()
    assert (finish["exit_code"], finish["output_tail"]) == (5, f"{child}\n")
    assert finish["duration_s"] < 1.5


def test_a_background_child_that_holds_a_file_keeps_it_no_longer_and_no_lock_of_the_script_s(
    wrapper, tmp_path
):
    lock, out = tmp_path / "lock", tmp_path / "out"
    job = "sh -c 'sleep 30 9>&- & echo $!; exit 5'"
    began = time.monotonic()
    script = f"exec 9> {lock}; flock 9; W {job} > {out} 2> /dev/null"
    assert wrapper.sh(script).returncode == 5
    assert time.monotonic() - began < HOLD_S + 0.5
    child = int(out.read_text())
    assert is_running(child)
    assert run(["flock", "--nonblock", str(lock), "true"]).returncode == 0
    os.kill(child, signal.SIGKILL)


def test_a_background_child_without_the_pipe_does_not_keep_the_wrapper(wrapper):
    began = time.monotonic()
    done = wrapper.run("sh", "-c", "sleep 30 > /dev/null 2>&1 & echo $!; exit 5")
    took_s = time.monotonic() - began
    child = int(done.stdout)
    assert is_running(child)
    os.kill(child, signal.SIGKILL)
    assert done.returncode == 5
    assert took_s < 1.0


def test_without_capture_a_background_child_does_not_keep_the_wrapper(wrapper, tmp_path):
    script = f"W sh -c 'sleep 30 & echo $!; exit 5' > {tmp_path}/out 2> /dev/null"
    began = time.monotonic()
    assert wrapper.sh(script, options=["--capture", "none"]).returncode == 5
    assert time.monotonic() - began < 1.0
    os.kill(int((tmp_path / "out").read_text()), signal.SIGKILL)


LATE = "read x < {fifo}; echo late; echo too >&2; touch {flag}"


@pytest.mark.parametrize("streams", ["", "2>&1"], ids=["apart", "one file"])
def test_what_a_background_child_prints_after_the_wrapper_s_end_arrives(wrapper, tmp_path, streams):
    fifo, flag = tmp_path / "fifo", tmp_path / "flag"
    os.mkfifo(fifo)
    late = LATE.format(fifo=fifo, flag=flag)
    script = f"W sh -c '({late}) & exit 5' > {tmp_path}/out 2> {tmp_path}/err {streams}"
    done = wrapper.sh(script)
    assert done.returncode == 5
    assert wrapper.finish()["exit_code"] == 5
    fifo.write_text("\n")
    until(flag.exists)  # a SIGPIPE would have killed it before
    said = "late\ntoo\n" if streams else "late\n"
    until(lambda: (tmp_path / "out").read_text() == said)
    assert wrapper.finish()["output_tail"] == ""


def test_a_child_that_floods_the_pipe_meanwhile_changes_nothing(wrapper):
    began = time.monotonic()
    with wrapper.start("sh", "-c", "yes & echo $!; exit 5", stderr=subprocess.DEVNULL) as process:
        child = int(next(line for line in process.stdout if line != b"y\n"))
        while process.poll() is None:
            process.stdout.read(1 << 16)
        took_s = time.monotonic() - began
        os.kill(child, signal.SIGKILL)
        process.stdout.read()
    assert process.returncode == 5
    assert took_s < HOLD_S + 1.0
    finish = wrapper.finish()
    assert finish["output_cut"] is True
    assert finish["output_bytes"] > 1 << 20


def test_no_process_of_ours_is_left_when_the_job_leaves_none(wrapper):
    with wrapper.start("sh", "-c", "echo x; exit 5", start_new_session=True) as process:
        process.wait(timeout=10)
        left = run(["ps", "-s", str(process.pid), "-o", "pid="]).stdout.split()
        assert [pid for pid in left if is_running(int(pid))] == []


def test_a_killed_relay_costs_the_output_and_no_more(wrapper):
    script = "read x; exit 6"
    with wrapper.start("sh", "-c", script, stdin=subprocess.PIPE) as process:
        job = wrapper.started()["pid"]
        with open(f"/proc/{process.pid}/task/{process.pid}/children") as file:
            (relay,) = {*map(int, file.read().split())} - {job}
        os.kill(relay, signal.SIGKILL)
        process.stdin.close()
        assert process.wait(timeout=10) == 6
    finish = wrapper.finish()
    assert finish["exit_code"] == 6
    assert "output_tail" not in finish
