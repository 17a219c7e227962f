"""What the kernel says of real processes: alive, gone, orphaned, or of an earlier boot."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cronverifyd.host.processes import Processes
from cronverifyd.model import Loss, Run

HOST = os.uname().nodename
PARENT = "import os, time\npid = os.fork()\nif pid:\n    print(pid, flush=True)\ntime.sleep(100)"


def ticks(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


@pytest.fixture
def family():
    """A wrapper and its job: a process with a child."""
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE) as parent:
        child = int(parent.stdout.readline())
        yield parent, child
        for pid in (child, parent.pid):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue


@pytest.fixture
def host():
    return Processes()


@pytest.fixture
def run(host, family):
    parent, child = family
    return Run(
        run="r1",
        job="db-backup",
        host=HOST,
        boot=host.boot,
        pid=child,
        pid_start=ticks(child),
        wrapper_pid=parent.pid,
    )


def end(process, pid=None):
    """Kill a process, and wait until it is no more."""
    os.kill(pid or process.pid, signal.SIGKILL)
    if pid is None:
        process.wait()
    deadline = time.monotonic() + 10
    while pid is not None and _lives(pid) and time.monotonic() < deadline:
        time.sleep(0.01)


def _lives(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"


def test_a_run_that_is_under_way_is_not_lost(host, run):
    assert host.loss_of(run) is None
    assert host.is_running(run) is True


def test_a_job_whose_wrapper_is_gone_is_orphaned(host, run, family):
    end(family[0])
    assert host.loss_of(run) is Loss.ORPHANED
    assert host.is_running(run) is True


def test_when_both_are_gone_the_run_is(host, run, family):
    end(family[0])
    end(None, family[1])
    assert host.loss_of(run) is Loss.GONE
    assert host.is_running(run) is False


def test_while_the_wrapper_lives_it_may_still_write(host, run, family):
    """The job has ended and is a zombie, or reaped: its line comes."""
    end(None, family[1])
    assert host.loss_of(run) is None
    assert host.is_running(run) is False


def test_a_number_that_was_given_again_is_another_process(host, run):
    assert host.loss_of(replace(run, pid_start=run.pid_start - 1, wrapper_pid=None)) is Loss.GONE
    older = replace(run, pid_start=1)  # then the wrapper's number belongs to a younger process
    assert host.loss_of(older) is Loss.GONE


def test_a_job_without_a_wrapper_goes_by_its_own_process(host, run, family):
    bare = replace(run, wrapper_pid=None)
    assert host.loss_of(bare) is None
    end(None, family[1])
    assert host.loss_of(bare) is Loss.GONE


@pytest.mark.parametrize(
    ("changed", "loss"),
    [
        pytest.param({"boot": "another"}, Loss.REBOOTED, id="of an earlier boot"),
        pytest.param({"boot": "another", "host": "db7"}, None, id="of another host"),
        pytest.param({"boot": "another", "host": None}, None, id="who knows which host"),
        pytest.param({"boot": None}, None, id="no boot"),
        pytest.param({"pid": None}, None, id="no process"),
        pytest.param({"pid_start": None}, None, id="no start time"),
        pytest.param({"host": "db7"}, None, id="a container on this kernel"),
    ],
)
def test_what_cannot_be_known_here_is_not_lost(host, run, family, changed, loss):
    end(family[0])
    end(None, family[1])
    assert host.loss_of(replace(run, **changed)) is loss


def test_a_name_with_brackets_and_spaces_is_read_past(host, run, family, tmp_path):
    odd = tmp_path / "a) Z 1 (b"
    odd.symlink_to("/bin/sleep")
    with subprocess.Popen([odd, "100"]) as process:
        named = replace(run, pid=process.pid, pid_start=ticks(process.pid), wrapper_pid=None)
        assert host.loss_of(named) is None
        process.kill()
    assert host.loss_of(named) is Loss.GONE


def test_the_boot_was_before_now_and_is_named_as_the_kernel_does(host):
    assert host.boot == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    now = datetime.now(UTC)
    assert timedelta() < now - host.booted_at < timedelta(days=3650)
    assert Processes().booted_at == host.booted_at
