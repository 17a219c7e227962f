"""What a job inherits is what it would have without the wrapper."""

import ctypes
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import ENVIRONMENT, bare, bare_sh, run

OURS = (b"CRONVERIFY_JOB=", b"CRONVERIFY_RUN_ID=", b"CRONVERIFY_RESULT=")


def theirs(environment):
    """Return the entries of an environment, but for our three."""
    entries = environment.split(b"\0")
    assert len([entry for entry in entries if entry.startswith(OURS)]) in (0, 3)
    return sorted(entry for entry in entries if not entry.startswith(OURS))


@pytest.mark.parametrize(
    "env",
    [
        pytest.param({}, id="empty"),
        pytest.param({b"PATH": b"/usr/bin:/bin", b"HOME": b"/", b"SHELL": b"/bin/sh"}, id="cron's"),
        pytest.param({b"LC_CTYPE": b"C.UTF-8"}, id="LC_CTYPE as Python would set it"),
        pytest.param({b"LC_CTYPE": b"C.utf8", b"LANG": b"C"}, id="LC_CTYPE spelt otherwise"),
        pytest.param({b"LC_CTYPE": b""}, id="LC_CTYPE empty"),
        pytest.param({b"LC_CTYPE": b"POSIX"}, id="LC_CTYPE POSIX"),
        pytest.param({b"LC_ALL": b"C"}, id="LC_ALL"),
        pytest.param({b"LANG": b"de_DE.ISO-8859-1"}, id="a locale that is not there"),
        pytest.param({b"LANG": b"C.UTF-8"}, id="UTF-8"),
        pytest.param({b"RAW": b"\xff\xfe\x80", b"N\xe9": b"caf\xe9"}, id="not UTF-8"),
        pytest.param({b"LONG": b"x" * 100000, b"LINES": b"a\nb\n", b"EQ": b"=="}, id="odd values"),
        pytest.param({b"PYTHONHOME": b"/no", b"PYTHONPATH": b"/no"}, id="Python's home astray"),
        pytest.param({b"PYTHONSTARTUP": b"/no", b"PYTHONVERBOSE": b"1"}, id="Python verbose"),
        pytest.param({b"MALLOC_ARENA_MAX": b"1", b"TZ": b":/no"}, id="the C library's"),
        pytest.param({b"IFS": b"x", b"ENV": b"/no", b"BASH_ENV": b"/no"}, id="the shell's"),
    ],
)
def test_the_environment_is_the_same_byte_for_byte(wrapper, env):
    done = wrapper.run("/usr/bin/env", "-0", env=env)
    assert (done.returncode, done.stderr) == (0, b"")
    assert theirs(done.stdout) == theirs(bare("/usr/bin/env", "-0", env=env).stdout)
    assert wrapper.finish()["exit_code"] == 0


def test_entries_that_no_shell_could_make_are_handed_on_too(wrapper):
    entries = [b"A=1", b"NOEQUALS", b"A=2", b"=x", b"", b"PATH=/usr/bin:/bin", b"LC_CTYPE"]
    job = [b"/bin/cat", b"/proc/self/environ"]

    def with_odd_entries(argv):
        pid = os.fork()
        if not pid:
            os.dup2(inlet, 1)
            words = (ctypes.c_char_p * (len(argv) + 1))(*map(os.fsencode, argv), None)
            environ = (ctypes.c_char_p * (len(entries) + 1))(*entries, None)
            ctypes.CDLL(None).execve(words[0], words, environ)
            os._exit(99)
        os.close(inlet)
        with open(outlet, "rb") as reader:
            said = reader.read()
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        return said

    outlet, inlet = os.pipe()
    wanted = with_odd_entries(job)
    outlet, inlet = os.pipe()
    got = with_odd_entries(wrapper.argv(*job))
    assert wanted.startswith(b"A=1\0NOEQUALS\0A=2\0")
    assert theirs(got) == theirs(wanted)


def test_names_of_ours_that_were_there_are_replaced(wrapper):
    env = ENVIRONMENT | {"CRONVERIFY_JOB": "outer", "CRONVERIFY_RUN_ID": "outer"}
    said = wrapper.run("sh", "-c", "echo $CRONVERIFY_JOB $CRONVERIFY_RUN_ID", env=env).stdout
    assert said.decode().split() == ["job", wrapper.finish()["run"]]


@pytest.mark.parametrize("capture", ["tail", "none"])
@pytest.mark.parametrize(
    "job",
    [
        pytest.param("cat /proc/self/limits", id="limits"),
        pytest.param("sh -c umask", id="umask"),
        pytest.param("nice", id="nice"),
        pytest.param("/bin/pwd", id="folder"),
        pytest.param("ps -o pgid=,sid=,tpgid=,tty= -p $$", id="group, session, terminal"),
        pytest.param("cat /proc/self/oom_score_adj", id="OOM score"),
        pytest.param("cat /proc/self/timerslack_ns", id="timer slack"),
        pytest.param("cat /proc/self/personality", id="personality"),
        pytest.param("chrt -p $$ | cut -d: -f2", id="scheduling"),
        pytest.param("ionice", id="I/O priority"),
        pytest.param('grep -E "^(Cap|NoNew|Sec|Cpus|Uid|Gid|Gr)" /proc/self/status', id="rights"),
        pytest.param("cat /proc/self/cgroup", id="cgroup"),
    ],
)
def test_what_a_process_hands_to_its_children_is_the_same(wrapper, tmp_path, job, capture):
    setting = f"cd {tmp_path}; umask 027; ulimit -n 77; ulimit -c 0; exec nice -n 5"
    script = f"{setting} W sh -c '{job}'"
    done = wrapper.sh(script, options=["--capture", capture])
    wanted = bare_sh(script)
    assert (wanted.returncode, wanted.stderr) == (0, b"")
    assert done.stdout == wanted.stdout != b""
    assert done.returncode == 0


OPEN_FILES = """
import json, os
found = {}
for fd in os.listdir("/proc/self/fd"):
    try:
        found[fd] = os.readlink(f"/proc/self/fd/{fd}")
    except FileNotFoundError:
        pass  # of listdir itself
os.write(7, b"x")
print(json.dumps(found))
"""


@pytest.mark.parametrize("capture", ["tail", "stderr", "none"])
def test_open_files_are_the_same(wrapper, tmp_path, capture):
    opening = f"exec 3< /dev/null 7>> {tmp_path}/log 8<> {tmp_path}/both"
    script = f"{opening}; W {sys.executable} -c '{OPEN_FILES}'"
    done = wrapper.sh(script, options=["--capture", capture])
    with_it, without = (json.loads(each.stdout) for each in (done, bare_sh(script)))
    assert with_it.keys() == without.keys() == {"0", "1", "2", "3", "7", "8"}
    assert all(with_it[fd] == without[fd] for fd in ("0", "3", "7", "8"))
    assert (tmp_path / "log").read_text() == "xx"


def test_ls_of_its_own_descriptors_lists_the_same(wrapper):
    assert wrapper.run("ls", "/proc/self/fd").stdout == bare("ls", "/proc/self/fd").stdout


def test_a_deleted_working_folder_is_as_without_us(wrapper, tmp_path):
    gone = f"mkdir {tmp_path}/d; cd {tmp_path}/d; rmdir ../d"
    script = f"{gone}; W sh -c 'readlink /proc/$$/cwd; exit 4'"
    done = wrapper.sh(script)
    assert (done.returncode, done.stdout) == (4, bare_sh(script).stdout)
    assert done.stdout.endswith(b"/d (deleted)\n")
    assert wrapper.finish()["exit_code"] == 4


def test_without_any_environment_the_job_runs_and_is_recorded(wrapper):
    done = wrapper.sh("env -i W /bin/sh -c 'echo $HOME:$USER; exit 4'")
    assert (done.returncode, done.stdout) == (4, b":\n")
    assert wrapper.finish()["exit_code"] == 4


def test_a_folder_full_of_modules_with_our_names_is_not_imported_from(wrapper, tmp_path):
    for name in ("posix", "_signal", "select", "pwd", "fcntl", "time", "encodings"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('astray')\n")
    env = ENVIRONMENT | {"PYTHONPATH": str(tmp_path)}
    done = wrapper.run("sh", "-c", "exit 4", cwd=tmp_path, env=env)
    assert (done.returncode, done.stderr) == (4, b"")
    assert wrapper.finish()["exit_code"] == 4


def test_no_process_of_ours_is_a_child_of_the_job(wrapper):
    code = """if True:
        import os
        try:
            os.wait()
        except ChildProcessError:
            os._exit(5)
    """
    assert run(wrapper.argv(sys.executable, "-I", "-S", "-c", code)).returncode == 5


def test_the_parent_of_the_job_is_the_wrapper_in_its_group(wrapper):
    how = {"stdin": subprocess.PIPE, "start_new_session": True}
    with wrapper.start("sh", "-c", "echo $PPID; read x", **how) as process:
        assert int(process.stdout.readline()) == process.pid
        job = wrapper.started()["pid"]
        assert os.getpgid(job) == os.getsid(job) == process.pid
        process.stdin.close()


def test_the_wrapper_itself_leaves_no_file_behind(wrapper, tmp_path):
    env = ENVIRONMENT | {"TMPDIR": str(tmp_path), "HOME": str(tmp_path)}
    before = set(Path(__file__).parents[2].rglob("wrap*.pyc"))
    assert wrapper.run("true", env=env, cwd=tmp_path).returncode == 0
    assert list(tmp_path.iterdir()) == [wrapper.outcomes]
    assert set(Path(__file__).parents[2].rglob("wrap*.pyc")) == before
