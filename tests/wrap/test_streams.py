"""What goes into a job and comes out of it passes the wrapper unchanged."""

import fcntl
import hashlib
import os
import struct
import subprocess
import sys
import termios

import pytest

from .conftest import ENVIRONMENT, bare, bare_sh, peak_kb, stat_of, until

ODD = [b"a b", b" lead", b"", b'"', b"it's", b"n\nl", b"%d", b"$HOME", b"--", b"-c", b"\xff\xfe"]
ALTERNATE = "import os\nfor i in range(2000): os.write(1 + i % 2, b'%d\\n' % i)"
IN_ORDER = b"".join(b"%d\n" % i for i in range(2000))
MIB = 1 << 20


def unread(fd):
    """Return how many bytes wait in a pipe."""
    return struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, b"\0" * 4))[0]


def test_odd_arguments_reach_the_job_byte_for_byte(wrapper):
    done = wrapper.run("printf", r"%s\0", *ODD)
    assert done.stdout == b"".join(word + b"\0" for word in ODD)
    assert done.stdout == bare("printf", r"%s\0", *ODD).stdout
    command = wrapper.finish()["command"]
    assert command.startswith(r"""printf '%s\0' 'a b' ' lead' '' '"' 'it'\''s' 'n""")
    assert command.endswith("%d '$HOME' -- -c '??'")


def test_odd_arguments_reach_the_job_in_a_utf_8_locale_too(wrapper):
    env = ENVIRONMENT | {"LC_ALL": "C.UTF-8"}
    words = [*ODD, "caf\u00e9 \u2028 \U0001f600".encode(), b"caf\xe9"]
    done = wrapper.run("printf", r"%s\0", *words, env=env)
    assert done.stdout == b"".join(word + b"\0" for word in words)
    assert wrapper.finish()["command"].endswith("'caf\u00e9 \u2028 \U0001f600' 'caf?'")


def test_a_loop_over_stdin_is_not_robbed_of_its_lines(wrapper):
    script = r"printf '1\n2\n3\n' | while read x; do W true; echo got $x; done"
    assert wrapper.sh(script).stdout == b"got 1\ngot 2\ngot 3\n" == bare_sh(script).stdout
    assert len(wrapper.lines()) == 6


def test_stdin_is_the_job_s(wrapper):
    data = bytes(range(256)) * 1024
    assert wrapper.run("cat", input=data).stdout == data
    assert wrapper.sh(r"printf 'a\0b' | W cat").stdout == b"a\0b"


def test_what_the_job_leaves_of_stdin_is_there_for_the_next(wrapper):
    script = r"printf '1\n2\n3\n' | { W sh -c 'read x; echo $x'; cat; }"
    assert wrapper.sh(script).stdout == b"1\n2\n3\n"


def test_stdout_and_stderr_stay_apart(wrapper):
    done = wrapper.run("sh", "-c", "echo out; echo err >&2; echo out")
    assert (done.stdout, done.stderr) == (b"out\nout\n", b"err\n")
    assert sorted(wrapper.finish()["output_tail"].split()) == ["err", "out", "out"]


@pytest.mark.parametrize("capture", ["tail", "stderr", "none"])
def test_two_streams_that_are_one_pipe_keep_their_order(wrapper, capture):
    done = wrapper.run(
        sys.executable, "-c", ALTERNATE, options=["--capture", capture], stderr=subprocess.STDOUT
    )
    assert done.stdout == IN_ORDER


def test_two_streams_that_are_one_file_keep_their_order(wrapper, tmp_path):
    log = tmp_path / "log"
    log.write_bytes(b"before\n")
    script = f'W {sys.executable} -c "$ALTERNATE" >> {log} 2>&1'
    assert wrapper.sh(script, env=ENVIRONMENT | {"ALTERNATE": ALTERNATE}).returncode == 0
    assert log.read_bytes() == b"before\n" + IN_ORDER


def test_a_file_is_overwritten_from_its_start_as_the_shell_opened_it(wrapper, tmp_path):
    script = f"(echo one; W echo two; echo three) > {tmp_path}/log"
    wrapper.sh(script)
    assert (tmp_path / "log").read_bytes() == b"one\ntwo\nthree\n"


def test_a_pipe_that_does_not_block_gets_every_byte(wrapper):
    outlet, inlet = os.pipe()
    os.set_blocking(inlet, False)
    size = 2 * MIB
    with wrapper.start("head", "-c", str(size), "/dev/zero", stdout=inlet) as process:
        os.close(inlet)
        until(lambda: unread(outlet) == 65536)
        with open(outlet, "rb") as reader:
            assert len(reader.read()) == size
    assert process.returncode == 0
    assert wrapper.finish()["output_bytes"] == size


@pytest.mark.parametrize(
    "capture", [pytest.param("tail", id="captured"), pytest.param("none", id="not captured")]
)
def test_a_full_stdout_keeps_the_status_of_the_job(wrapper, capture):
    done = wrapper.sh("W sh -c 'echo hi; exit 6' > /dev/full", options=["--capture", capture])
    assert done.returncode == 6
    assert wrapper.finish()["exit_code"] == 6


def test_each_piece_arrives_at_once(wrapper):
    with wrapper.start("cat", stdin=subprocess.PIPE, bufsize=0) as process:
        for piece in (b"x", b"yz", b"\n", b"\0"):
            process.stdin.write(piece)
            assert process.stdout.read(len(piece)) == piece
        process.stdin.close()
    assert process.returncode == 0


def test_a_reader_that_goes_away_stops_the_job_as_it_would_bare(wrapper):
    script = "{ W yes; echo $? >&2; } | head -n 1"
    done = wrapper.sh(script)
    assert (done.stdout, done.stderr) == (b"y\n", b"141\n")
    assert done.stderr == bare_sh(script).stderr
    assert wrapper.finish()["signal"] == "SIGPIPE"


def test_a_job_that_closes_its_stdout_is_seen_to_by_the_reader(wrapper):
    script = "read x; exec >&-; read x; exit 3"
    with wrapper.start("sh", "-c", script, stdin=subprocess.PIPE, bufsize=0) as process:
        process.stdin.write(b"go\n")
        assert process.stdout.read() == b""
        assert process.poll() is None
        process.stdin.write(b"end\n")
    assert process.returncode == 3


@pytest.mark.parametrize("capture", ["tail", "none"])
@pytest.mark.parametrize(
    "closed", ["<&-", ">&-", "2>&-", ">&- 2>&-", "<&- >&-", "<&- 2>&-", "<&- >&- 2>&-"]
)
def test_a_closed_stream_is_closed_to_the_job_too(wrapper, tmp_path, closed, capture):
    script = f"W sh -c 'ls -l /proc/$$/fd > {{}}; exit 5' {closed}"
    done = wrapper.sh(script.format(tmp_path / "with"), options=["--capture", capture])
    wanted = bare_sh(script.format(tmp_path / "without"))
    assert done.returncode == wanted.returncode == 5
    with_it, without = ((tmp_path / name).read_text() for name in ("with", "without"))
    assert open_numbers(with_it) == open_numbers(without)
    assert wrapper.finish()["exit_code"] == 5


def open_numbers(listing):
    """Return the numbers that `ls -l /proc/PID/fd` shows."""
    return [line.split(" -> ")[0].split()[-1] for line in listing.splitlines()[1:]]


def test_a_slow_reader_gets_all_and_holds_up_the_job_meanwhile(wrapper):
    size = 1 * MIB
    outlet, inlet = os.pipe()
    with wrapper.start("head", "-c", str(size), "/dev/zero", stdout=inlet) as process:
        os.close(inlet)
        got = 0
        while size - got > 6 * 65536:  # the pipe before us; the job's and a block, twice as much
            until(lambda: unread(outlet) == 65536)
            assert process.poll() is None
            got += len(os.read(outlet, 65536))
        with open(outlet, "rb") as reader:
            got += len(reader.read())
    assert got == size
    assert process.returncode == 0
    assert wrapper.finish()["output_bytes"] == size


def test_a_stuck_reader_of_one_stream_does_not_hold_up_the_other(wrapper):
    script = "echo more; read x; head -c 300000 /dev/zero >&2"
    pipes = {"stdin": subprocess.PIPE, "stderr": subprocess.PIPE}
    with wrapper.start("sh", "-c", script, **pipes) as process:
        assert process.stdout.readline() == b"more\n"
        process.stdin.close()
        until(lambda: unread(process.stderr.fileno()) == 65536)
        assert len(process.stderr.read()) == 300000
    assert process.returncode == 0


def test_a_stuck_reader_does_not_keep_a_signal_from_the_job(wrapper):
    outlet, inlet = os.pipe()
    with wrapper.start("yes", stdout=inlet) as process:
        os.close(inlet)
        until(lambda: unread(outlet) == 65536)
        process.terminate()
        until(lambda: stat_of(wrapper.started()["pid"]) is None)
        assert process.wait(timeout=10) == 143
        os.close(outlet)
    assert wrapper.finish()["signal"] == "SIGTERM"


def relay_of(wrapper_pid, job_pid):
    """Return the pid of the wrapper's other child."""
    with open(f"/proc/{wrapper_pid}/task/{wrapper_pid}/children") as file:
        (relay,) = {*map(int, file.read().split())} - {job_pid}
    return relay


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("head -c 268435456 /dev/zero", id="one line of 256 MiB"),
        pytest.param("yes abcdefg | head -c 268435456", id="33 million lines"),
    ],
)
def test_a_flood_of_output_passes_whole_and_takes_no_memory(wrapper, source):
    script = f"{source}; echo end >&2; read x"
    pipes = {"stdin": subprocess.PIPE, "stderr": subprocess.PIPE}
    total = 0
    seen = hashlib.blake2b(digest_size=8)
    with wrapper.start("sh", "-c", script, **pipes) as process:
        while total < 256 * MIB:
            data = process.stdout.read(min(MIB, 256 * MIB - total))
            total += len(data)
            if not total % (64 * MIB):
                seen.update(data)
        assert process.stderr.readline() == b"end\n"
        job = wrapper.started()["pid"]
        peaks = peak_kb(process.pid), peak_kb(relay_of(process.pid, job))
        process.stdin.close()
        assert process.stdout.read() == b""
    assert process.returncode == 1  # of `read` at the end of file
    sample = (b"\0" if "zero" in source else b"abcdefg\n") * MIB
    wanted = hashlib.blake2b(sample[:MIB] * 4, digest_size=8)
    assert seen.hexdigest() == wanted.hexdigest()
    assert max(peaks) < 12 * 1024, peaks
    finish = wrapper.finish()
    assert finish["output_bytes"] == 256 * MIB + 4
    assert finish["output_cut"] is True


def test_a_terminal_is_passed_through(wrapper):
    master, slave = os.openpty()
    with wrapper.start("sh", "-c", "echo out; echo err >&2", stdout=slave, stderr=slave) as process:
        os.close(slave)
        got = b""
        while got.count(b"\n") < 2:
            got += os.read(master, 100)
    os.close(master)
    assert got == b"out\r\nerr\r\n"
    assert process.returncode == 0
