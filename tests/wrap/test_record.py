"""What the two lines of a run say, and that it is true."""

import os
import pwd
import re
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cronverifyd.judge.outcome import decode
from cronverifyd.model import EventKind

from .conftest import ENVIRONMENT, stat_of

NUMBER = (int, float)
BOTH = {
    "v": int,
    "job": str,
    "event": str,
    "run": str,
    "at": str,
    "host": str,
    "user": str,
    "uid": int,
    "pid": int,
    "pid_start": int,
    "wrapper_pid": int,
    "boot": str,
    "command": str,
}
FINISH = BOTH | {
    "started_at": str,
    "duration_s": NUMBER,
    "status": str,
    "exit_code": int,
    "cpu_s": NUMBER,
    "max_rss_kb": int,
    "output_tail": str,
    "output_bytes": int,
    "output_lines": int,
    "output_cut": bool,
}
ALLOCATE = "x = bytearray(64 << 20)"


def instant(text):
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text)
    return datetime.fromisoformat(text)


def test_the_two_lines_have_the_keys_that_are_promised_and_no_others(wrapper):
    wrapper.run(sys.executable, "-I", "-S", "-c", ALLOCATE)
    start, finish = wrapper.pair()
    assert {key: type(value) for key, value in start.items()} == BOTH
    assert finish.keys() == FINISH.keys()
    assert all(isinstance(finish[key], FINISH[key]) for key in FINISH)
    assert not any(isinstance(finish[key], bool) for key in FINISH.keys() - {"output_cut"})


def test_the_two_lines_say_who_ran_what_where(wrapper):
    before = datetime.now(UTC)
    with wrapper.start("sh", "-c", "read x; exit 3", stdin=subprocess.PIPE) as process:
        start = wrapper.started()
        assert start["pid_start"] == int(stat_of(start["pid"])[19])
        process.stdin.close()
    start, finish = wrapper.pair()
    assert start["v"] == 1
    assert start["job"] == "job"
    assert start["host"] == socket.gethostname()
    assert (start["uid"], start["user"]) == (os.geteuid(), pwd.getpwuid(os.geteuid()).pw_name)
    assert start["wrapper_pid"] == process.pid
    assert start["boot"] == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert start["command"] == "sh -c 'read x; exit 3'"
    assert {key: finish[key] for key in BOTH.keys() - {"event", "at"}} == {
        key: start[key] for key in BOTH.keys() - {"event", "at"}
    }
    assert finish["started_at"] == start["at"]
    times = [instant(start["at"]), instant(finish["at"])]
    assert before.timestamp() - 0.001 <= times[0].timestamp()
    assert times == sorted(times)
    assert times[1] <= datetime.now(UTC)


def test_the_daemon_reads_both_lines(wrapper):
    wrapper.run("sh", "-c", 'echo "rows=12" >> "$CRONVERIFY_RESULT"; echo caf\u00e9; kill -9 $$')
    start, finish = map(decode, wrapper.outcomes.read_bytes().splitlines(keepends=True))
    assert (start.kind, finish.kind) == (EventKind.START, EventKind.FINISH)
    assert start.run == finish.run
    assert start.job == finish.job == "job"
    assert finish.started_at == start.at
    assert (finish.status, finish.exit_code, finish.signal) == ("failed", None, "SIGKILL")
    assert finish.metrics == {"rows": 12}
    assert finish.output_tail == "caf\u00e9\n"


def test_the_start_is_recorded_once_the_job_has_started(wrapper):
    with wrapper.start("sleep", "60") as process:
        job = wrapper.started()["pid"]
        assert Path(f"/proc/{job}/comm").read_text() == "sleep\n"
        (line,) = wrapper.lines()
        process.terminate()
    assert (line["event"], line["pid"]) == ("start", job)
    assert "status" not in line
    assert "exit_code" not in line


def test_run_ids_are_unique_and_sort_by_time(wrapper):
    for _ in range(6):
        wrapper.run("true")
    lines = wrapper.lines()
    runs = [line["run"] for line in lines if line["event"] == "start"]
    assert len(lines) == 12
    assert len(set(runs)) == 6
    assert runs == sorted(runs)
    assert all(re.fullmatch(r"[0-9a-f]{32}", run) for run in runs)


def test_the_job_is_told_its_name_its_run_and_where_to_report(wrapper):
    said = wrapper.run(
        "sh", "-c", 'echo "$CRONVERIFY_JOB" "$CRONVERIFY_RUN_ID" "$CRONVERIFY_RESULT"'
    ).stdout.decode()
    job, run, result = said.split()
    assert (job, run) == ("job", wrapper.finish()["run"])
    assert result.startswith("/tmp/cronverify-")
    assert not Path(result).exists()


def test_the_duration_is_that_of_the_job(wrapper):
    began = time.monotonic()
    wrapper.run("sleep", "0.3")
    took_s = time.monotonic() - began
    finish = wrapper.finish()
    assert 0.3 <= finish["duration_s"] <= took_s
    spread = (instant(finish["at"]) - instant(finish["started_at"])).total_seconds()
    assert abs(spread - finish["duration_s"]) < 0.05


FAKETIME = Path(
    "/usr/lib", sysconfig.get_config_var("MULTIARCH") or "", "faketime/libfaketime.so.1"
)


@pytest.mark.parametrize("step_s", [3600, -3600], ids=["forward", "back"])
def test_a_step_of_the_clock_does_not_change_the_duration(wrapper, tmp_path, step_s):
    if not FAKETIME.exists():
        pytest.skip(f"NOT TESTED: {FAKETIME} is absent (Debian package libfaketime)")
    clock = tmp_path / "clock"
    clock.write_text("+0")
    env = ENVIRONMENT | {
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    with wrapper.start("sh", "-c", "read x", stdin=subprocess.PIPE, env=env) as process:
        wrapper.started()
        (tmp_path / "new").write_text(f"{step_s:+d}")
        (tmp_path / "new").rename(clock)
        process.stdin.close()
    finish = wrapper.finish()
    assert 0 < finish["duration_s"] < 60
    spread = (instant(finish["at"]) - instant(finish["started_at"])).total_seconds()
    assert abs(spread - step_s) < 60


def test_the_time_on_the_cpu_and_the_peak_of_memory_are_the_job_s(wrapper):
    burn = f"import time\n{ALLOCATE}\nwhile time.process_time() < 0.25: pass"
    wrapper.run(sys.executable, "-I", "-S", "-c", burn)
    finish = wrapper.finish()
    assert 0.25 <= finish["cpu_s"] < 5
    assert 64 << 10 < finish["max_rss_kb"] < 120 << 10


def test_a_peak_of_memory_below_our_own_is_unknown(wrapper):
    wrapper.run("true")
    assert "max_rss_kb" not in wrapper.finish()


# ---- the output


@pytest.mark.parametrize(
    ("script", "tail", "size", "lines"),
    [
        pytest.param("true", "", 0, 0, id="nothing"),
        pytest.param("printf 'a\\n'", "a\n", 2, 1, id="a line"),
        pytest.param("printf 'a\\nb'", "a\nb", 3, 2, id="the last line without its end"),
        pytest.param("printf '\\n\\n'", "\n\n", 2, 2, id="empty lines"),
        pytest.param(r"printf '\377\0\033'", "\ufffd\0\x1b", 3, 1, id="no text"),
        pytest.param(r"printf '\342\200\250\302\205'", "\u2028\u0085", 5, 1, id="other line ends"),
    ],
)
def test_the_output_is_counted_and_kept(wrapper, script, tail, size, lines):
    wrapper.run("sh", "-c", script)
    finish = wrapper.finish()
    assert finish["output_tail"] == tail
    assert (finish["output_bytes"], finish["output_lines"]) == (size, lines)
    assert finish["output_cut"] is False


def test_of_long_output_the_last_16_kib_are_kept(wrapper):
    wrapper.run("sh", "-c", "seq 100000")
    whole = "".join(f"{n}\n" for n in range(1, 100001))
    finish = wrapper.finish()
    assert finish["output_tail"] == whole[-16384:]
    assert (finish["output_bytes"], finish["output_lines"]) == (len(whole), 100000)
    assert finish["output_cut"] is True


def test_a_character_is_not_cut_in_two(wrapper):
    code = "import sys; sys.stdout.buffer.write('\u20ac'.encode() * 10000)"
    wrapper.run(sys.executable, "-c", code)
    finish = wrapper.finish()
    assert finish["output_tail"] == "\u20ac" * (16384 // 3)
    assert finish["output_bytes"] == 30000


@pytest.mark.parametrize("byte", [0, 1, 0x1F, 0x22, 0x5C, 0x7F, 0x80, 0xFF])
def test_the_line_stays_under_64_kib_whatever_the_output(wrapper, byte):
    code = f"import os; os.write(1, bytes([{byte}]) * 20000)"
    wrapper.run(sys.executable, "-c", code)
    finish = wrapper.finish()
    assert finish["output_tail"].strip(chr(byte) if byte < 128 else "\ufffd") == ""
    assert len(finish["output_tail"].encode()) > 4096
    assert finish["output_cut"] is True
    assert max(map(len, wrapper.outcomes.read_bytes().split(b"\n"))) < 65536


def test_a_long_command_is_cut(wrapper):
    wrapper.run("true", "\x01" * 100000)
    finish = wrapper.finish()
    assert len(finish["command"]) == 4096
    assert finish["command"].startswith("true '\x01\x01")


@pytest.mark.parametrize(
    ("capture", "script", "tail", "size"),
    [
        pytest.param("tail", "echo out; echo err >&2", {"out", "err"}, 8, id="both"),
        pytest.param("stderr", "echo out; echo err >&2", {"err"}, 8, id="stderr"),
        pytest.param("stderr", "echo out", {"out"}, 4, id="stderr is silent"),
    ],
)
def test_the_tail_is_of_the_stream_that_was_asked_for(wrapper, capture, script, tail, size):
    wrapper.run("sh", "-c", script, options=["--capture", capture])
    finish = wrapper.finish()
    assert set(finish["output_tail"].split()) == tail
    assert finish["output_bytes"] == size


def test_where_both_streams_are_one_the_tail_holds_both(wrapper):
    how = {"options": ["--capture=stderr"], "stderr": subprocess.STDOUT}
    assert wrapper.run("sh", "-c", "echo out; echo err >&2", **how).stdout == b"out\nerr\n"
    assert wrapper.finish()["output_tail"] == "out\nerr\n"


def test_without_capture_nothing_of_the_output_is_recorded(wrapper):
    done = wrapper.run("sh", "-c", "echo out", options=["--capture", "none"])
    assert done.stdout == b"out\n"
    assert not [key for key in wrapper.finish() if key.startswith("output")]


# ---- what the job reports


def report(wrapper, text, code=0):
    """Have a job report `text` and exit; return its finish line."""
    script = f'printf "$TEXT" >> "$CRONVERIFY_RESULT"; exit {code}'
    done = wrapper.run("sh", "-c", script, env=ENVIRONMENT | {"TEXT": text})
    assert done.returncode == code
    assert done.stderr == b""
    assert not list(Path("/tmp").glob("cronverify-" + "[0-9a-f]" * 32))
    return wrapper.finish()


def test_a_job_reports_status_message_and_metrics(wrapper):
    text = r"status=partial\nmessage= two = of three \nrows=1423\nratio=0.5\nbig=1e300\nneg=-7\n"
    finish = report(wrapper, text)
    assert finish["status"] == "partial"
    assert finish["error"] == "two = of three"
    assert finish["metrics"] == {"rows": 1423, "ratio": 0.5, "big": 1e300, "neg": -7}
    assert type(finish["metrics"]["rows"]) is int


def test_of_a_key_the_last_line_counts(wrapper):
    assert report(wrapper, r"rows=1\nrows=2\n")["metrics"] == {"rows": 2}


@pytest.mark.parametrize(
    ("word", "code", "status"),
    [
        pytest.param("success", 0, "success", id="success and 0"),
        pytest.param("success", 1, "failed", id="success and 1 stays failed"),
        pytest.param("failed", 0, "failed", id="failed and 0"),
        pytest.param("skipped", 75, "skipped", id="a word of its own and 75"),
        pytest.param("", 0, "success", id="empty and 0"),
        pytest.param("", 3, "failed", id="empty and 3"),
    ],
)
def test_the_job_s_word_counts_but_makes_no_success(wrapper, word, code, status):
    finish = report(wrapper, f"status={word}\n", code)
    assert (finish["status"], finish["exit_code"]) == (status, code)


def test_a_job_that_was_killed_has_failed_whatever_it_says(wrapper):
    script = 'echo status=done >> "$CRONVERIFY_RESULT"; kill -9 $$'
    assert wrapper.run("sh", "-c", script).returncode == 137
    assert wrapper.finish()["status"] == "failed"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(r"no equals sign\n=5\n\n\n   \n", id="no key"),
        pytest.param(r"rows=many\nrows=\nrows=nan\nrows=inf\nrows=1e999\n", id="no number"),
        pytest.param(r"\377\376\0\1=\377\n", id="no text"),
    ],
)
def test_junk_in_the_report_is_passed_over(wrapper, text):
    finish = report(wrapper, text)
    assert "metrics" not in finish
    assert finish["status"] == "success"


def test_a_metric_s_name_may_be_anything(wrapper):
    finish = report(wrapper, r'a \342\200\250 "x"\134=1\n')
    assert finish["metrics"] == {'a \u2028 "x"\\': 1}


def test_a_number_too_large_for_an_integer_is_read_by_the_daemon(wrapper):
    report(wrapper, r"a=9007199254740993\nb=99999999999999999999\nc=1_000\n")
    metrics = decode(wrapper.outcomes.read_bytes().splitlines()[1]).metrics
    assert metrics == {"a": 9007199254740992.0, "b": 1e20, "c": 1000}


def test_long_words_are_cut(wrapper):
    finish = report(wrapper, f"status={'s' * 99}\nmessage={'m' * 9999}\n")
    assert (finish["status"], finish["error"]) == ("s" * 40, "m" * 2048)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param("ln -s /etc/passwd $CRONVERIFY_RESULT", id="a symbolic link"),
        pytest.param("ln -s /nowhere $CRONVERIFY_RESULT", id="a link to nowhere"),
        pytest.param("mkfifo $CRONVERIFY_RESULT", id="a pipe"),
        pytest.param("mkdir $CRONVERIFY_RESULT", id="a folder"),
    ],
)
def test_what_is_no_plain_file_reports_nothing_and_holds_up_nothing(wrapper, tmp_path, make):
    env = ENVIRONMENT | {"TMPDIR": str(tmp_path)}
    began = time.monotonic()
    assert wrapper.run("sh", "-c", f"{make}; exit 4", env=env).returncode == 4
    assert time.monotonic() - began < 1
    finish = wrapper.finish()
    assert (finish["status"], finish["exit_code"]) == ("failed", 4)
    assert "metrics" not in finish
    assert "root" not in finish.get("error", "")


def test_a_huge_report_is_read_in_part_and_costs_no_time(wrapper):
    code = """if True:
        import os
        with open(os.environ["CRONVERIFY_RESULT"], "w") as file:
            for number in range(200000):
                file.write(f"k{number:06d}={number:06d}123456\\n")
    """
    began = time.monotonic()
    assert wrapper.run(sys.executable, "-I", "-S", "-c", code).returncode == 0
    assert time.monotonic() - began < 2
    metrics = wrapper.finish()["metrics"]
    assert len(metrics) > 100
    assert all(value == int(f"{key[1:]}123456") for key, value in metrics.items())
    assert max(map(len, wrapper.outcomes.read_bytes().split(b"\n"))) < 65536


def test_a_number_that_the_limit_cuts_in_two_is_no_metric(wrapper):
    text = "#" * 65530 + r"\nrow=1234567\n"
    assert "metrics" not in report(wrapper, text)


def test_the_report_is_found_where_the_job_changed_its_folder(wrapper, tmp_path):
    env = ENVIRONMENT | {"TMPDIR": "relative"}
    script = 'cd /; echo rows=3 >> "$CRONVERIFY_RESULT"'
    wrapper.run("sh", "-c", script, env=env, cwd=tmp_path)
    assert wrapper.finish()["metrics"] == {"rows": 3}


def test_a_job_that_became_another_user_can_report(wrapper, root):
    if not shutil.which("setpriv"):
        pytest.skip("NOT TESTED: setpriv (util-linux) is not installed")
    script = 'echo rows=3 >> "$CRONVERIFY_RESULT"'
    change = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
    assert wrapper.run(*change, "sh", "-c", script).returncode == 0
    assert wrapper.finish()["metrics"] == {"rows": 3}
    assert wrapper.finish()["user"] == "root"
