"""The wrapper's own command line: what is wrong with it is said, and the job runs."""

import os
import subprocess
import time

import pytest

from .conftest import ENVIRONMENT, Wrapper, is_running, run, stat_of, until

USAGE = b"Run a cron job exactly as cron would"


@pytest.fixture(scope="module", autouse=True)
def deaf(program, tmp_path_factory):
    """Start a job that needs its ten seconds to be killed while the other tests run."""
    wrapper = Wrapper(program, tmp_path_factory.mktemp("deaf") / "outcomes.jsonl")
    wrapper.outcomes.touch()
    script = "trap '' TERM; while :; do sleep 0.05; done"
    with wrapper.start("sh", "-c", script, options=["--timeout", "0.2"]) as process:
        yield wrapper, process


@pytest.mark.parametrize("number", ["0.2", "0.2s", "200ms", "0.0034m"])
def test_timeout_ends_the_job_with_124(wrapper, number):
    done = wrapper.run("sleep", "60", options=["--timeout", number])
    assert done.returncode == 124
    start, finish = wrapper.pair()
    assert stat_of(start["pid"]) is None
    assert (finish["status"], finish["exit_code"]) == ("failed", 124)
    assert finish["signal"] == "SIGTERM"
    assert finish["error"] == f"timed out after {number}"
    assert 0.19 < finish["duration_s"] < 5


@pytest.mark.parametrize("number", ["90", "90s", "15m", "2h", "1d", "500000ms", "0", "1.5h"])
def test_a_job_within_its_timeout_is_left_alone(wrapper, number):
    done = wrapper.run("sh", "-c", "exit 3", options=[f"--timeout={number}"])
    assert (done.returncode, done.stderr) == (3, b"")
    assert "error" not in wrapper.finish()


@pytest.mark.parametrize("number", ["abc", "", "-5", "5w", "1e400", "nan", "5 s s", "m", "5mm"])
def test_a_timeout_that_makes_no_sense_is_said_and_the_job_runs(wrapper, number):
    done = wrapper.run("sh", "-c", "exit 3", options=[f"--timeout={number}"])
    assert done.returncode == 3
    assert done.stderr.startswith(f"cronverify-wrap: --timeout {number}: not a duration".encode())
    assert wrapper.finish()["exit_code"] == 3


def test_timeout_reaches_all_that_the_job_has_started(wrapper):
    script = "sh -c 'sleep 60 & echo $!; sleep 60; true' & wait"
    with wrapper.start("sh", "-c", script, options=["--timeout", "0.3"]) as process:
        grandchild = int(process.stdout.readline())
        assert process.wait(timeout=10) == 124
        until(lambda: not is_running(grandchild))
        assert process.stdout.read() == b""


def test_timeout_wakes_a_job_that_is_stopped(wrapper):
    done = wrapper.run("sh", "-c", "kill -STOP $$", options=["--timeout", "0.2"])
    assert done.returncode == 124
    assert wrapper.finish()["signal"] == "SIGTERM"


def test_a_job_that_ends_by_itself_on_the_term_of_its_timeout_has_timed_out(wrapper):
    script = "trap 'echo bye; exit 0' TERM; while :; do sleep 0.02; done"
    done = wrapper.run("sh", "-c", script, options=["--timeout", "0.3"])
    assert (done.returncode, done.stdout) == (124, b"bye\n")
    finish = wrapper.finish()
    assert (finish["status"], finish["exit_code"]) == ("failed", 124)


def test_the_message_of_a_job_that_timed_out_follows_ours(wrapper):
    script = 'printf "status=success\nmessage=at row 7\n" >> "$CRONVERIFY_RESULT"; sleep 60'
    assert wrapper.run("sh", "-c", script, options=["--timeout=0.3"]).returncode == 124
    finish = wrapper.finish()
    assert finish["error"] == "timed out after 0.3: at row 7"
    assert finish["status"] == "failed"


# ---- the command


def line(wrapper, *after, **how):
    """Run `W job AFTER`, without the -- that argv() sets."""
    return run([*wrapper.argv()[:-1], *after], **how)


def test_the_two_dashes_before_the_command_may_be_left_out(wrapper):
    assert line(wrapper, "echo", "--", "-c").stdout == b"-- -c\n"
    assert wrapper.finish()["command"] == "echo -- -c"


def test_only_the_first_two_dashes_are_ours(wrapper):
    assert line(wrapper, "--", "echo", "--").stdout == b"--\n"


def test_options_after_the_job_s_name_are_the_command_s(wrapper):
    done = line(wrapper, "echo", "--capture", "none", "--help", "-h")
    assert done.stdout == b"--capture none --help -h\n"


def test_c_runs_a_line_by_sh(wrapper):
    done = line(wrapper, "-c", "echo $0 | cat; exit 4")
    assert (done.returncode, done.stdout) == (4, b"/bin/sh\n")
    assert wrapper.finish()["command"] == "/bin/sh -c 'echo $0 | cat; exit 4'"


@pytest.mark.parametrize(
    ("shell", "said"),
    [
        pytest.param("/bin/bash", b"/bin/bash\n", id="bash"),
        pytest.param("", b"/bin/sh\n", id="empty"),
    ],
)
def test_c_runs_a_line_by_the_shell_of_the_environment(wrapper, shell, said):
    env = ENVIRONMENT | {"SHELL": shell}
    assert line(wrapper, "-c", "echo $0", env=env).stdout == said


def test_c_hands_further_words_on_to_the_shell(wrapper):
    assert line(wrapper, "-c", 'echo "$0:$1"', "a", "b c").stdout == b"a:b c\n"


def test_a_missing_shell_is_a_command_that_is_not_found(wrapper):
    done = line(wrapper, "-c", "echo x", env=ENVIRONMENT | {"SHELL": "/no/shell"})
    assert done.returncode == 127
    assert wrapper.finish()["error"] == "/no/shell: not found"


# ---- usage


@pytest.mark.parametrize(
    "words",
    [
        pytest.param([], id="nothing"),
        pytest.param(["job"], id="no command"),
        pytest.param(["job", "--"], id="no command after --"),
        pytest.param(["job", "-c"], id="no line after -c"),
        pytest.param(["--capture", "none"], id="options only"),
        pytest.param(["--capture"], id="an option without its value"),
        pytest.param(["--"], id="dashes only"),
    ],
)
def test_without_a_command_the_usage_is_on_stderr_and_the_status_is_2(program, words):
    done = run([*program, *words])
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(USAGE)


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_is_on_stdout(program, option):
    done = run([*program, option])
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(USAGE)
    assert b"--timeout" in done.stdout


def test_an_unknown_option_is_said_and_the_job_runs(wrapper):
    done = wrapper.run("sh", "-c", "exit 3", options=["--frobnicate", "--foo=bar", "-x"])
    assert done.returncode == 3
    for name in (b"--frobnicate", b"--foo", b"-x"):
        assert b"cronverify-wrap: unknown option " + name + b"\n" in done.stderr
    assert wrapper.finish()["exit_code"] == 3


def test_an_unknown_way_to_capture_is_said_and_taken_for_tail(wrapper):
    done = wrapper.run("sh", "-c", "echo x; exit 3", options=["--capture", "all"])
    assert (done.returncode, done.stdout) == (3, b"x\n")
    assert done.stderr.startswith(b"cronverify-wrap: --capture all: not one of")
    assert wrapper.finish()["output_tail"] == "x\n"


@pytest.mark.parametrize("name", ["a", "9", "db-backup", "A.b_c-9", "x" * 100])
def test_a_job_name_is_recorded(wrapper, name):
    assert run(wrapper.argv("true", job=name)).returncode == 0
    assert wrapper.finish()["job"] == name


@pytest.mark.parametrize(
    "name", ["", "a b", ".hidden", "_x", "a/b", "a\n", "caf\u00e9", "\u0663", b"\xff", "x" * 101]
)
def test_with_a_name_that_is_none_the_job_runs_unrecorded(wrapper, name):
    done = run(wrapper.argv("sh", "-c", "cat; exit 3", job=name), input=b"in\n")
    assert (done.returncode, done.stdout) == (3, b"in\n")
    assert done.stderr.startswith(b"cronverify-wrap: not a job name: ")
    assert done.stderr.rstrip().endswith(b"the job runs, but it is not recorded")
    assert wrapper.lines() == []


def test_with_a_name_that_is_none_the_wrapper_becomes_the_job(wrapper):
    argv = wrapper.argv("sh", "-c", "echo $$; grep ^Sig /proc/self/status", job="a b")
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(argv, env=ENVIRONMENT, **pipes) as process:
        assert process.stdout.readline() == b"%d\n" % process.pid
        signals = process.stdout.read()
    assert (
        signals.splitlines()[1:]
        == run(["grep", "^Sig", "/proc/self/status"]).stdout.splitlines()[1:]
    )


def test_with_a_name_that_is_none_a_missing_command_is_still_127(wrapper):
    done = run(wrapper.argv("nosuchcmd", job="a b"))
    assert done.returncode == 127
    assert done.stderr.endswith(b"nosuchcmd: not found\n")


def test_the_outcome_file_is_taken_from_the_environment(program, tmp_path):
    file = tmp_path / "from-environment"
    file.touch()
    env = ENVIRONMENT | {"CRONVERIFY_OUTCOMES": str(file)}
    assert run([*program, "job", "true"], env=env).returncode == 0
    assert len(Wrapper(program, file).lines()) == 2


def test_the_outcome_file_of_the_command_line_comes_first(wrapper, tmp_path):
    env = ENVIRONMENT | {"CRONVERIFY_OUTCOMES": str(tmp_path / "other")}
    assert wrapper.run("true", env=env).returncode == 0
    assert wrapper.finish()["status"] == "success"
    assert not (tmp_path / "other").exists()


def test_u_in_the_outcome_file_s_name_is_the_user_s_name(program, tmp_path):
    name = run(["id", "-un"]).stdout.decode().strip()
    file = tmp_path / f"{name}.jsonl"
    file.touch()
    wrapper = Wrapper(program, tmp_path / "%u.jsonl")
    assert wrapper.run("true").returncode == 0
    assert len(Wrapper(program, file).lines()) == 2


def test_a_stuck_stderr_does_not_hold_up_the_job(wrapper, tmp_path):
    outlet, inlet = os.pipe()
    os.set_blocking(inlet, False)
    try:
        while True:
            os.write(inlet, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(inlet, True)
    began = time.monotonic()
    options = ["--timeout", "nonsense"]
    with wrapper.start("sh", "-c", "exit 3", options=options, stderr=inlet) as process:
        assert process.wait(timeout=10) == 3
    assert time.monotonic() - began < 2
    os.close(inlet)
    os.close(outlet)
    assert wrapper.finish()["exit_code"] == 3


def test_a_job_deaf_to_the_term_of_its_timeout_is_killed_ten_seconds_later(deaf):
    wrapper, process = deaf
    assert process.wait(timeout=30) == 124
    start, finish = wrapper.pair()
    assert stat_of(start["pid"]) is None
    assert (finish["signal"], finish["exit_code"]) == ("SIGKILL", 124)
    assert 10.1 < finish["duration_s"] < 12
