"""Signals reach the job once, and the wrapper's end tells of it."""

import os
import signal
import subprocess
import sys

import pytest

from .conftest import ENVIRONMENT, is_running, run, stat_of, until

PASSED_ON = ["TERM", "INT", "HUP", "QUIT", "USR1", "USR2"]

# Tells each signal that it gets, and whether a process (0) or the kernel (128) sent it.
TELLER = """
import signal, sys
wanted = {signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1, signal.SIGTERM}
signal.pthread_sigmask(signal.SIG_BLOCK, wanted)
out = open(sys.argv[1], "w", buffering=1)
print("ready", file=out)
while (got := signal.sigwaitinfo(wanted)).si_signo != signal.SIGTERM:
    print(signal.Signals(got.si_signo).name, got.si_code, file=out)
print("end", file=out)
sys.exit(9)
"""


class Told:
    """The file in which TELLER tells what it got."""

    def __init__(self, path):
        self.path = path
        self.job = [sys.executable, "-c", TELLER, str(path)]

    def words(self):
        return self.path.read_text().splitlines() if self.path.exists() else []

    def wait_for(self, count):
        until(lambda: len(self.words()) >= count)


@pytest.fixture
def told(tmp_path):
    return Told(tmp_path / "told")


@pytest.mark.parametrize("name", PASSED_ON)
def test_a_signal_to_the_wrapper_is_trapped_by_the_job(wrapper, name):
    script = f"trap 'exit 9' {name}; echo ready; while :; do sleep 0.02; done"
    with wrapper.start("sh", "-c", script) as process:
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.Signals[f"SIG{name}"])
        assert process.wait(timeout=10) == 9
    start, finish = wrapper.pair()
    assert stat_of(start["pid"]) is None
    assert (finish["status"], finish["exit_code"]) == ("failed", 9)


@pytest.mark.parametrize("name", PASSED_ON)
def test_a_signal_to_the_wrapper_ends_a_job_without_a_trap(wrapper, name):
    number = signal.Signals[f"SIG{name}"]
    with wrapper.start("sh", "-c", "ulimit -c 0; echo ready; exec sleep 60") as process:
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        assert process.wait(timeout=10) == 128 + number
    start, finish = wrapper.pair()
    assert stat_of(start["pid"]) is None
    assert (finish["status"], finish["signal"]) == ("failed", f"SIG{name}")


@pytest.mark.parametrize("options", [(), ("--capture", "none")], ids=["captured", "not captured"])
def test_a_signal_is_passed_on_as_often_as_it_is_sent(wrapper, told, options):
    with wrapper.start(*told.job, options=options) as process:
        for count in range(1, 4):
            told.wait_for(count)
            process.send_signal(signal.SIGUSR1)
        told.wait_for(4)
        process.terminate()
    assert told.words() == ["ready", *["SIGUSR1 0"] * 3, "end"]
    assert process.returncode == 9


def test_a_signal_that_comes_before_the_job_is_there_is_not_lost(wrapper):
    ended = set()
    for _ in range(15):
        with wrapper.start("sleep", "60") as process:
            until(lambda: waits_for_term(process.pid))
            process.terminate()
            ended.add(process.wait(timeout=10))
    assert ended == {143}


def waits_for_term(pid):
    """Tell whether TERM would not end the wrapper any more, as it does while Python starts."""
    with open(f"/proc/{pid}/status") as status:
        (blocked,) = [line.split()[1] for line in status if line.startswith("SigBlk")]
    with open(f"/proc/{pid}/task/{pid}/children") as children:  # in sigtimedwait it is not blocked
        return int(blocked, 16) >> (signal.SIGTERM - 1) & 1 or children.read()


def terminal(wrapper, *command):
    """Start a wrapped job on a terminal of its own; return its master and the process."""
    master, slave = os.openpty()
    streams = {"stdin": slave, "stdout": slave, "stderr": slave}
    process = subprocess.Popen(["setsid", "--ctty", *command], env=ENVIRONMENT, **streams)
    os.close(slave)
    return master, process


@pytest.mark.parametrize("options", [(), ("--capture", "none")], ids=["captured", "not captured"])
def test_of_one_ctrl_c_the_job_sees_exactly_one_int(wrapper, told, options):
    master, process = terminal(wrapper, *wrapper.argv(*told.job, options=options))
    for count in range(1, 4):
        told.wait_for(count)
        os.write(master, b"\x03")
    told.wait_for(4)
    os.write(master, b"\x1c")  # Ctrl-backslash
    told.wait_for(5)
    process.terminate()
    assert process.wait(timeout=10) == 9
    os.close(master)
    assert told.words() == ["ready", *["SIGINT 128"] * 3, "SIGQUIT 128", "end"]


def test_ctrl_c_ends_a_job_without_a_trap_and_is_recorded(wrapper):
    master, process = terminal(wrapper, *wrapper.argv("sh", "-c", "echo ready; exec sleep 60"))
    assert b"ready" in os.read(master, 100)
    os.write(master, b"\x03")
    assert process.wait(timeout=10) == 130
    os.close(master)
    assert wrapper.finish()["signal"] == "SIGINT"


def test_a_terminal_that_hangs_up_tells_the_job(wrapper, told):
    master, process = terminal(wrapper, *wrapper.argv(*told.job))
    told.wait_for(1)
    os.close(master)
    told.wait_for(2)
    process.terminate()
    assert process.wait(timeout=10) == 9
    assert [word.split()[0] for word in told.words()] == ["ready", "SIGHUP", "end"]


def test_a_job_that_signals_its_own_group_is_not_told_twice(wrapper, tmp_path):
    script = """
        trap 'echo got' USR1
        trap 'exit 9' TERM
        kill -USR1 0; kill -USR1 0; kill -USR1 0
        echo ready
        while :; do sleep 0.02; done
    """
    with wrapper.start("sh", "-c", script, start_new_session=True) as process:
        while process.stdout.readline() != b"ready\n":
            pass
        process.terminate()
        assert process.stdout.read() == b""
    assert process.returncode == 9


def test_a_job_that_stops_is_continued_by_a_signal_to_the_wrapper(wrapper):
    with wrapper.start("sh", "-c", "kill -STOP $$; echo back; exit 3") as process:
        job = wrapper.started()["pid"]
        until(lambda: stat_of(job)[0] == "T")
        assert process.poll() is None
        process.send_signal(signal.SIGCONT)
        assert process.stdout.read() == b"back\n"
    assert process.returncode == 3
    assert wrapper.finish()["exit_code"] == 3


def test_a_job_that_is_stopped_and_continued_by_others_goes_on(wrapper):
    with wrapper.start("sh", "-c", "kill -STOP $$; echo back; exit 3") as process:
        job = wrapper.started()["pid"]
        until(lambda: stat_of(job)[0] == "T")
        os.kill(job, signal.SIGCONT)
        assert process.stdout.read() == b"back\n"
    assert process.returncode == 3


def test_a_whole_group_that_is_stopped_and_continued_goes_on(wrapper):
    with wrapper.start("cat", stdin=subprocess.PIPE, start_new_session=True) as process:
        job = wrapper.started()["pid"]
        os.killpg(process.pid, signal.SIGSTOP)
        until(lambda: stat_of(job)[0] == stat_of(process.pid)[0] == "T")
        os.killpg(process.pid, signal.SIGCONT)
        assert process.communicate(b"all there", timeout=10)[0] == b"all there"
    assert process.returncode == 0


def test_timeout_1_ends_a_wrapped_job_with_124(wrapper):
    assert wrapper.sh("timeout 0.3 W sleep 60").returncode == 124
    start, finish = wrapper.pair()
    assert stat_of(start["pid"]) is None
    assert (finish["status"], finish["signal"]) == ("failed", "SIGTERM")
    assert 0.1 < finish["duration_s"] < 10


def test_a_killed_wrapper_leaves_what_tells_that_the_job_still_runs(wrapper):
    pipes = {"stdin": subprocess.PIPE, "bufsize": 0}
    with wrapper.start("sh", "-c", "echo $$; read x; echo $x; exit 5", **pipes) as process:
        job = int(process.stdout.readline())
        start = wrapper.started()
        process.kill()
        assert process.wait(timeout=10) == -9
        (only,) = wrapper.lines()
        assert (only["event"], only["pid"], only["wrapper_pid"]) == ("start", job, process.pid)
        assert start["pid_start"] == int(stat_of(job)[19])
        with open("/proc/sys/kernel/random/boot_id") as boot:
            assert only["boot"] == boot.read().strip()
        process.stdin.write(b"on it goes\n")
        assert process.stdout.read() == b"on it goes\n"  # the job was not cut off
        until(lambda: not is_running(job))
    assert len(wrapper.lines()) == 1


def test_under_nohup_a_hup_ends_nothing(wrapper, told):
    script = "trap '' HUP; exec W \"$@\""
    words = wrapper.argv()
    teller = "echo ready; read x; exit 4"
    argv = ["sh", "-c", script.replace("W", " ".join(words)), "sh", "sh", "-c", teller]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(argv, env=ENVIRONMENT, **pipes) as process:
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGHUP)
        process.stdin.close()
    assert process.returncode == 4


DISPOSITIONS = [
    pytest.param("set()", "set()", id="as cron has them"),
    pytest.param("{signal.SIGHUP}", "set()", id="nohup"),
    pytest.param("{signal.SIGINT, signal.SIGQUIT}", "set()", id="background of sh"),
    pytest.param("{signal.SIGCHLD}", "set()", id="CHLD ignored"),
    pytest.param("{signal.SIGTERM, signal.SIGUSR1, signal.SIGALRM}", "set()", id="TERM ignored"),
    pytest.param("set()", "{signal.SIGUSR2, signal.SIGPIPE, signal.SIGRTMIN}", id="blocked"),
    pytest.param("set()", "signal.valid_signals()", id="all blocked"),
]
LAUNCHER = """
import os, signal, sys
for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT):
    signal.signal(number, signal.SIG_DFL)
for number in {ignored}:
    signal.signal(number, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, {blocked})
os.execvp(sys.argv[1], sys.argv[1:])
"""


@pytest.mark.parametrize("capture", ["tail", "stderr", "none"])
@pytest.mark.parametrize(("ignored", "blocked"), DISPOSITIONS)
def test_the_job_inherits_mask_and_dispositions(wrapper, ignored, blocked, capture):
    launch = [sys.executable, "-c", LAUNCHER.format(ignored=ignored, blocked=blocked)]
    job = ["grep", "^Sig", "/proc/self/status"]
    wanted = run([*launch, *job]).stdout
    assert b"SigIgn" in wanted
    done = run([*launch, *wrapper.argv(*job, options=["--capture", capture])])
    assert (done.stdout.splitlines()[1:], done.returncode) == (wanted.splitlines()[1:], 0)
    assert wrapper.finish()["exit_code"] == 0


def test_an_ignored_chld_does_not_take_the_exit_status(wrapper):
    done = run(["sh", "-c", "trap '' CHLD; exec \"$@\"", "sh", *wrapper.argv("sh", "-c", "exit 7")])
    assert done.returncode == 7
    assert wrapper.finish()["exit_code"] == 7
