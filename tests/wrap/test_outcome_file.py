"""Whatever the outcome file is, it costs the job nothing, and no line in it is broken."""

import fcntl
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .conftest import ENVIRONMENT, NOBODY, WRAP, Wrapper, run

# A /dev with the usual nodes and ours as /dev/log, seen by one command only.
PRIVATE_DEV = """
set -e
mount -t tmpfs none "$DEV"
for node in null zero full random urandom; do
    touch "$DEV/$node"
    mount --bind "/dev/$node" "$DEV/$node"
done
ln -s "$LOG" "$DEV/log"
mount --move "$DEV" /dev
exec "$@"
"""


@pytest.fixture
def syslog(private_mounts, open_folder):
    """Return a reader of /dev/log, and the words that make it so to a command."""
    path = open_folder / "log"
    (open_folder / "dev").mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as reader:
        reader.bind(str(path))
        path.chmod(0o666)
        env = ["env", f"DEV={open_folder}/dev", f"LOG={path}"]
        yield reader, [*private_mounts, *env, "sh", "-c", PRIVATE_DEV, "sh", "env", "-i"]


def told(reader):
    """Return the messages that syslog has got."""
    messages = []
    try:
        while True:
            messages.append(reader.recv(1 << 17))
    except BlockingIOError:
        return messages


def a_missing_folder(folder):
    return folder / "missing" / "outcomes.jsonl"


def a_folder(folder):
    (folder / "outcomes.jsonl").mkdir()
    return folder / "outcomes.jsonl"


def a_link_to_nowhere(folder):
    (folder / "outcomes.jsonl").symlink_to(folder / "target")
    return folder / "outcomes.jsonl"


def a_link_to_itself(folder):
    (folder / "outcomes.jsonl").symlink_to("outcomes.jsonl")
    return folder / "outcomes.jsonl"


def a_pipe(folder):
    os.mkfifo(folder / "outcomes.jsonl")
    return folder / "outcomes.jsonl"


def a_device(_):
    return Path("/dev/full")


def a_file_below_a_file(folder):
    (folder / "file").touch()
    return folder / "file" / "outcomes.jsonl"


def no_name(_):
    return Path("/")


def too_long_a_name(folder):
    return folder / ("x" * 300)


PLACES = [
    a_missing_folder,
    a_folder,
    a_link_to_nowhere,
    a_link_to_itself,
    a_pipe,
    a_device,
    a_file_below_a_file,
    no_name,
    too_long_a_name,
]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
def test_a_place_that_takes_no_line_costs_the_line_and_not_the_job(
    program, syslog, place, tmp_path
):
    reader, words = syslog
    wrapper = Wrapper(program, place(tmp_path))
    before = sorted(tmp_path.iterdir())
    argv = wrapper.argv("sh", "-c", "echo out; exit 6")
    done = run([*words, "PATH=/usr/bin:/bin", *argv])
    assert (done.returncode, done.stdout) == (6, b"out\n")
    start, finish = told(reader)
    assert start.startswith(b"<75>")
    assert b" cronverify-wrap[" in start
    start, finish = (json.loads(message.split(b"]: ", 1)[1]) for message in (start, finish))
    assert (start["event"], finish["event"], finish["exit_code"]) == ("start", "finish", 6)
    assert finish["output_tail"] == "out\n"
    said = done.stderr.decode()
    assert said.startswith(f"cronverify-wrap: cannot append to {wrapper.outcomes}: ")
    assert said.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before  # above all: no target of the link


def fastest_s(wrapper):
    """Return how long the fastest of some runs takes; the others waited for a processor."""
    times = []
    for _ in range(4):
        began = time.monotonic()
        assert wrapper.run("sh", "-c", "exit 6").returncode == 6
        times.append(time.monotonic() - began)
    return min(times)


def test_no_such_place_makes_anybody_wait(wrapper, tmp_path):
    """A file that is gone for a moment is tried again for a second; these are not."""
    usual_s = fastest_s(wrapper)
    for number, place in enumerate(PLACES):
        (tmp_path / str(number)).mkdir()
        lost = Wrapper(wrapper.program, place(tmp_path / str(number)))
        assert fastest_s(lost) < usual_s + 0.5, place.__name__


def test_without_syslog_the_record_is_on_stderr(program, private_mounts, open_folder):
    wrapper = Wrapper(program, open_folder / "missing" / "outcomes.jsonl")
    (open_folder / "dev").mkdir()
    env = ["env", f"DEV={open_folder}/dev", "LOG=/nowhere"]
    script = ["sh", "-c", PRIVATE_DEV, "sh", *wrapper.argv("sh", "-c", "exit 6")]
    done = run([*private_mounts, *env, *script])
    assert done.returncode == 6
    said = done.stderr.decode().split(", nor tell syslog: ")
    assert len(said) == 2
    assert json.loads(said[1])["exit_code"] == 6


def test_a_syslog_that_is_stuck_holds_up_nothing(program, syslog, tmp_path):
    reader, words = syslog
    wrapper = Wrapper(program, tmp_path / "missing" / "outcomes.jsonl")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as writer:
        with pytest.raises(BlockingIOError):
            while True:
                writer.sendto(b"x" * 100, reader.getsockname())
        began = time.monotonic()
        done = run([*words, "PATH=/usr/bin:/bin", *wrapper.argv("sh", "-c", "exit 6")])
        assert time.monotonic() - began < 2
    assert done.returncode == 6
    assert b", nor tell syslog: {" in done.stderr


def test_a_record_too_long_for_syslog_goes_there_without_its_output(program, syslog, tmp_path):
    reader, words = syslog
    wrapper = Wrapper(program, tmp_path / "missing" / "outcomes.jsonl")
    done = run([*words, "PATH=/usr/bin:/bin", *wrapper.argv("seq", "5000")])
    assert done.returncode == 0
    _, finish = told(reader)
    assert len(finish) < 8192
    record = json.loads(finish.split(b"]: ", 1)[1])
    assert "output_tail" not in record
    assert (record["output_lines"], record["output_cut"]) == (5000, True)


@pytest.fixture
def public(open_folder, python, root):
    """Return a wrapper that any user can run, and an outcome file of root's own."""
    shutil.copy(WRAP, open_folder / "wrap.py")
    (open_folder / "outcomes.jsonl").touch(mode=0o600)
    words = [python, "-I", "-S", str(open_folder / "wrap.py")]
    return Wrapper(words, open_folder / "outcomes.jsonl")


AS_NOBODY = {"user": NOBODY, "group": NOBODY, "extra_groups": []}


def test_another_user_s_file_costs_the_line_and_not_the_job(public):
    done = public.run("sh", "-c", "id -u; exit 6", **AS_NOBODY)
    assert (done.returncode, done.stdout) == (6, b"65534\n")
    assert b"Permission denied" in done.stderr
    assert public.lines() == []


def test_a_user_s_own_file_is_written_by_that_user(public):
    os.chown(public.outcomes, NOBODY, NOBODY)
    assert public.run("true", **AS_NOBODY).returncode == 0
    assert {line["uid"] for line in public.lines()} == {NOBODY}


def test_a_file_that_may_be_written_but_not_read_gets_its_lines(public):
    public.outcomes.chmod(0o622)
    assert public.run("true", **AS_NOBODY).returncode == 0
    assert public.finish()["uid"] == NOBODY


def test_another_user_s_file_in_a_sticky_folder_is_written_by_root(public):
    folder = public.outcomes.parent
    folder.chmod(0o1777)
    os.chown(public.outcomes, NOBODY, NOBODY)
    public.outcomes.chmod(0o666)
    assert public.run("true").returncode == 0
    assert len(public.lines()) == 2


def test_a_user_without_a_name_is_recorded_by_number(public):
    public.outcomes.chmod(0o622)
    how = {"user": 54321, "group": 54321, "extra_groups": []}
    assert public.run("true", **how).returncode == 0
    assert {line["user"] for line in public.lines()} == {"54321"}


def test_a_file_larger_than_ulimit_f_costs_the_line_and_not_the_job(wrapper):
    filler = b'{"filler":1}\n' * 2000
    wrapper.outcomes.write_bytes(filler)
    done = wrapper.sh("ulimit -f 8; W sh -c 'ulimit -f; exit 6'")
    assert (done.returncode, done.stdout) == (6, b"8\n")
    assert b"File too large" in done.stderr
    assert wrapper.outcomes.read_bytes() == filler


def test_a_file_that_reaches_ulimit_f_within_a_line_holds_no_part_of_it(wrapper):
    filler = b'{"filler":1}\n' * 290  # 3770 bytes: room for the start line's first half
    wrapper.outcomes.write_bytes(filler)
    done = wrapper.sh("ulimit -f 8; W sh -c 'exit 6'")
    assert done.returncode == 6
    events = [line.get("event") for line in wrapper.lines()[290:]]
    assert events in ([], ["start"])


# ---- a full file system

FULL_DISK = """
set -e
mount -t tmpfs -o size=64k none "$DISK"
: > "$DISK/outcomes.jsonl"
head -c 16384 /dev/zero > "$DISK/ballast"
i=0
while [ $i -lt 40 ]; do
    i=$((i + 1))
    code=0
    "$@" sh -c "head -c 3000 /dev/zero | tr '\\\\0' x; exit $i" > /dev/null 2>&1 || code=$?
    [ $code = $i ]
    cp "$DISK/outcomes.jsonl" "$OUT/$i"
done
rm "$DISK/ballast"
"$@" sh -c 'exit 41' || [ $? = 41 ]
cp "$DISK/outcomes.jsonl" "$OUT/41"
"""


def test_on_a_full_file_system_no_line_is_torn_and_later_ones_are_good(
    program, private_mounts, tmp_path
):
    for name in ("disk", "out"):
        (tmp_path / name).mkdir()
    env = ENVIRONMENT | {"DISK": str(tmp_path / "disk"), "OUT": str(tmp_path / "out")}
    argv = Wrapper(program, tmp_path / "disk" / "outcomes.jsonl").argv()
    done = run([*private_mounts, "sh", "-c", FULL_DISK, "sh", *argv], env=env)
    assert done.returncode == 0, done.stderr
    states = [Wrapper(program, tmp_path / "out" / str(n)).lines() for n in range(1, 42)]
    full, freed = states[39], states[40]
    assert len(full) < 80
    assert freed[: len(full)] == full
    assert [line["event"] for line in freed[len(full) :]] == ["start", "finish"]
    assert freed[-1]["exit_code"] == 41
    finishes = [line for line in full if line["event"] == "finish"]
    bare = [line for line in finishes if "output_tail" not in line]
    assert bare  # kept without the output, where there was room for that
    assert all(line["output_cut"] and line["output_bytes"] == 3000 for line in bare)
    assert {line["exit_code"] for line in finishes} <= set(range(1, 41))


# ---- what is in it already


def test_a_torn_line_before_ours_stays_alone(wrapper):
    wrapper.outcomes.write_bytes(b'{"job":"other","status":"success"}\n{"torn":tr')
    assert wrapper.run("true").returncode == 0
    lines = wrapper.outcomes.read_bytes().split(b"\n")
    assert lines[1] == b'{"torn":tr'
    assert [json.loads(line)["event"] for line in lines[2:4]] == ["start", "finish"]
    assert lines[4:] == [b""]


def test_a_tail_of_all_bytes_and_odd_line_ends_parses(wrapper):
    code = r"import os; os.write(1, bytes(range(256)) + 'a\u0085b\u2028c\u2029d'.encode())"
    assert wrapper.run(sys.executable, "-c", code).returncode == 0
    finish = wrapper.finish()
    assert "a\u0085b\u2028c\u2029d" in finish["output_tail"]
    assert finish["output_tail"].startswith("".join(map(chr, range(128))))
    assert finish["output_bytes"] == 256 + 12
    assert len(wrapper.outcomes.read_text(encoding="utf-8").splitlines()) == 2


def test_a_lock_that_somebody_holds_delays_neither_the_job_nor_much_the_end(wrapper, tmp_path):
    with wrapper.outcomes.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        began = time.monotonic()
        with wrapper.start("sh", "-c", "echo started; exit 6") as process:
            assert process.stdout.readline() == b"started\n"
            assert time.monotonic() - began < 0.4
            assert process.wait(timeout=10) == 6
        assert time.monotonic() - began < 2
    assert wrapper.finish()["exit_code"] == 6


def test_a_lock_that_somebody_holds_delays_no_signal_for_long(wrapper):
    with wrapper.outcomes.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with wrapper.start("sh", "-c", "echo ready; exec sleep 60") as process:
            assert process.stdout.readline() == b"ready\n"
            began = time.monotonic()
            process.terminate()
            assert process.wait(timeout=10) == 143
            assert time.monotonic() - began < 2


# ---- rotation


def test_a_file_renamed_during_the_run_is_made_anew_by_its_writer(wrapper, tmp_path):
    with wrapper.start("sh", "-c", "read x; exit 6", stdin=subprocess.PIPE) as process:
        start = wrapper.started()
        wrapper.outcomes.rename(tmp_path / "outcomes.jsonl.1")
        process.stdin.close()
        assert process.wait(timeout=10) == 6
    (finish,) = wrapper.lines()
    assert (finish["event"], finish["run"]) == ("finish", start["run"])
    assert wrapper.outcomes.stat().st_mode & 0o777 == 0o600


def test_a_file_that_comes_back_within_a_second_gets_the_line(public):
    public.outcomes.rename(public.outcomes.with_suffix(".new"))
    pipes = {"stdin": subprocess.PIPE, **AS_NOBODY}
    with public.start("sh", "-c", "echo go; read x; exit 6", **pipes) as process:
        assert process.stdout.readline() == b"go\n"
        os.chown(public.outcomes.with_suffix(".new"), NOBODY, NOBODY)
        public.outcomes.with_suffix(".new").rename(public.outcomes)
        process.stdin.close()
        assert process.wait(timeout=10) == 6
    assert public.finish()["exit_code"] == 6


def test_a_file_that_a_user_may_not_make_is_given_up_after_a_second(public):
    public.outcomes.unlink()
    began = time.monotonic()
    done = public.run("sh", "-c", "exit 6", **AS_NOBODY)
    assert 0.9 < time.monotonic() - began < 2
    assert done.returncode == 6
    assert b"No such file or directory" in done.stderr


def test_a_first_run_makes_the_file(program, tmp_path):
    wrapper = Wrapper(program, tmp_path / "outcomes.jsonl")
    assert wrapper.run("sh", "-c", "exit 6").returncode == 6
    assert wrapper.finish()["exit_code"] == 6
    assert wrapper.outcomes.stat().st_mode & 0o777 == 0o600


def test_a_link_to_a_file_is_followed(program, tmp_path):
    (tmp_path / "target").touch()
    (tmp_path / "outcomes.jsonl").symlink_to("target")
    wrapper = Wrapper(program, tmp_path / "outcomes.jsonl")
    assert wrapper.run("true").returncode == 0
    assert len(wrapper.lines()) == 2


def test_a_relative_path_is_that_of_the_folder_at_the_start(program, tmp_path):
    (tmp_path / "outcomes.jsonl").touch()
    wrapper = Wrapper(program, "outcomes.jsonl")
    assert wrapper.run("sh", "-c", "cd /; exit 6", cwd=tmp_path).returncode == 6
    assert len(Wrapper(program, tmp_path / "outcomes.jsonl").lines()) == 2
