#!/usr/bin/python3 -IS
# ruff: noqa: SIM105 - contextlib would cost 3 ms of 9
"""Run a cron job exactly as cron would, and append what became of it to the outcome file.

usage: cronverify-wrap [--outcomes FILE] [--capture tail|stderr|none] [--timeout DURATION]
                       JOB [--] COMMAND [ARG...]
       cronverify-wrap [options] JOB -c 'COMMAND LINE'      run by $SHELL, else /bin/sh

FILE      else $CRONVERIFY_OUTCOMES, else /var/lib/cronverifyd/outcomes.d/%u.jsonl;
          %u is the user's name
--capture tail    keep the last 16 KiB of what the job prints (the default)
          stderr  of its stderr; of its stdout only if stderr stays silent
          none    keep nothing: the job gets the wrapper's own stdout and stderr
DURATION  90, 90s, 15m, 2h, 1d or 500ms: then TERM, 10 s later KILL, and exit 124
JOB       [A-Za-z0-9][A-Za-z0-9._-]{0,99}

The exit status is the job's; 127 not found, 126 not executable, 128+N killed by signal N.
The job finds $CRONVERIFY_JOB, $CRONVERIFY_RUN_ID and $CRONVERIFY_RESULT, a file to which it may
append lines: status=WORD, message=TEXT, and any other KEY=NUMBER, which becomes a metric.
"""

# The script `cronverify-wrap` is made from this file, and runs it from cached bytecode: to compile
# it takes as long as to start Python. As it stands here it runs as well, some milliseconds slower.
#
# Only bare built-in modules: `signal` would cost 5 ms, json 10, subprocess 14.
import _signal  # type: ignore[import-not-found]  # typeshed knows only the slow one
import _thread
import posix
import sys
import time
from posix import _exit as leave  # without the interpreter's own farewell, 1 ms

TYPE_CHECKING = False  # as in typing, which would cost 6 ms
if TYPE_CHECKING:
    from collections.abc import Iterator
    from resource import struct_rusage
    from typing import NoReturn

OUTCOMES = "/var/lib/cronverifyd/outcomes.d/%u.jsonl"  # fixed at installation
DEFAULT_PATH = b"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"  # as in dash

BLOCK_BYTES = 131072  # of output in one turn: with half of it, 1 GiB takes an eighth more CPU
TAIL_BYTES = 16384
SEARCHED_BYTES = TAIL_BYTES + 4096  # a secret that begins before the tail has to be seen whole
LINE_BYTES = 65536  # of a line in the outcome file, its newline included
COMMAND_CHARS = 4096  # These three keep a line without output under LINE_BYTES, even if every
MESSAGE_CHARS = 2048  # character of theirs takes the six bytes of \uXXXX.
METRICS_BYTES = 16384
SYSLOG_BYTES = 8000  # rsyslog cuts a message at 8 KiB

KILL_AFTER_S = 10.0
BACKGROUND_S = 2.0  # how long a background child that holds the pipe may keep us
GONE_S = 1.0  # how long a missing outcome file is waited for
LOCKED_S = 0.5  # how long we wait for whoever holds the outcome file's lock, a line
CREATE_AFTER_S = 0.1  # logrotate renames, then creates: ours in between would be in its way

UNITS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
PASSED_ON = {
    _signal.SIGTERM,
    _signal.SIGINT,
    _signal.SIGHUP,
    _signal.SIGQUIT,
    _signal.SIGUSR1,
    _signal.SIGUSR2,
    _signal.SIGCONT,
}
AWAITED = PASSED_ON | {_signal.SIGCHLD}
ANSWER_NOW = _signal.SIGRTMIN  # to the relay: a signal that nobody sends to a process group

# All that str.splitlines() takes for the end of a line is escaped, for careless readers' sake.
ESCAPES = {n: f"\\u{n:04x}" for n in (*range(32), *range(127, 160), 0x2028, 0x2029)}
ESCAPES.update({9: "\\t", 10: "\\n", 13: "\\r", 34: '\\"', 92: "\\\\"})
# What a shell reads as it stands.
PLAIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%_-+=:,./"

REDACTED = "[redacted]"
UNSEARCHED = "[redacted: there was no means to look for secrets]"
SECRET_NAMES = (b"PASS", b"TOKEN", b"SECRET", b"KEY", b"CRED")
SECRET_CHARS = 6  # a shorter value of such a variable is no secret
SPELLED_CHARS = 4096  # a longer one is looked for as it is, and in no quotes

# What else a character becomes in quotes: in shells, JSON, URLs, HTML.
SPELLINGS = {
    " ": (r"\+",),
    "\n": (r"\r\n", r"\\{1,8}n"),
    "\r": (r"\\{1,8}r",),
    "\t": (r"\\{1,8}t",),
    '"': ("&quot;",),
    "&": ("&amp;",),
    "<": ("&lt;",),
    ">": ("&gt;",),
    "'": ("&apos;", r"'\\{1,8}''", "'\"'\"'"),
}

# How secrets look: of which words one must be in a text, for it to be worth to import `re`, which
# costs 6 ms (words in small letters are looked for in any case), and a pattern whose group 1 stays.
# The daemon looks again before it tells anybody: these are the patterns of tell/redact.py, too.
SHAPES: tuple[tuple[tuple[str, ...], str], ...] = (
    (  # what stands before the host of a URL; `git` is a name, and no secret
        ("@ ://", "@ :\\/"),
        (
            r"(:(?:\\?/){2})(?!git@)(?:[^\s/?#\"<>'`\\]{1,512}"
            r"|[^\s/?#\"<>'`\\@:\[]{1,256}:(?!\d{1,5}[/?#])[^\s\"<>'`@]{1,256})(?=@)"
        ),
    ),
    (  # a header whose value stands in quotes: JSON, a list of pairs
        ("authorization",),
        (
            r"(?im)(authorization(?:\\{0,4}[\"'])?[ \t]*(?:=>|[:=,])[ \t]*[\[(]?[bu]?"
            r"(\\{0,4}[\"'])).*?(?=\2|$)"
        ),
    ),
    (  # a header that stands in quotes whole: a shell's word
        ("authorization",),
        r"(?im)((\\{0,4}[\"'])(?:(?:proxy|x)[-_])?authorization:[ \t]*)(?![ \t\"'\\]).*?(?=\2|$)",
    ),
    (  # a header without quotes; of the schemes that have one word the rest of the line may stay
        ("authorization",),
        (
            r"(?im)(authorization(?:\x1b\[[0-9;]*m)*(?:\\{0,4}[\"'])?[ \t]*(?:=>|[:=])[ \t]*"
            r"(?:\x1b\[[0-9;]*m)*)(?![\[(]?[bu]?\\{0,4}[\"'])(?:\[redacted\](?!\w)"
            r"|(?:bearer|basic|token|negotiate|ntlm|apikey)[ \t]+[^\s\"',;]+|\S.*)"
        ),
    ),
    (  # AWS, a secret key and a session token where they are named
        ("secret", "session_token", "sessiontoken"),
        (
            r"(?i)((?:secret[_ -]?access[_ -]?key|secret[_ -]?key|session[_ -]?token)"
            r"(?: \[\w*\])?\\{0,4}[\"']?\s*(?:=>|[:=>])\s*\\{0,4}[\"']?)[A-Za-z0-9/+=]{40,}"
        ),
    ),
    (("AKIA", "ASIA"), r"()(?:AKIA|ASIA)[A-Z0-9]{16,}"),
    (
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
        r"()(?:gh[pousr]|github_pat)_[A-Za-z0-9_]{22,}(?:\.[A-Za-z0-9_-]+)*",
    ),
    (
        ("glpat-", "gldt-", "glrt", "glptt-", "glcbt-", "glft-", "glimt-", "glsoat-", "glagent-"),
        r"()gl(?:pat|dt|rtr?|ptt|cbt|ft|imt|soat|agent)-[A-Za-z0-9_-]{20,}(?:\.[A-Za-z0-9]+)*",
    ),
    (("xox", "xapp-"), r"()(?:xox[a-z](?:\.xox[a-z])?|xapp)-[A-Za-z0-9-]{10,}"),
    (
        ("hooks.slack",),
        r"(hooks\.slack(?:-gov)?\.com\\?/[a-z]+\\?/)(?:\\?/|[A-Za-z0-9_%+-])+",
    ),
    (
        ("sk_live_", "rk_live_", "sk_test_", "rk_test_", "whsec_"),
        r"()(?:(?<![A-Za-z0-9])|(?<=[\[0-9;]m))(?:[rs]k_(?:live|test)|whsec)_[A-Za-z0-9]{16,}",
    ),
    (  # a JWT; what is in its second part begins with `{"` as well, unless it is encrypted
        ("eyJ",),
        (
            r"()(?:(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,4096}\.[A-Za-z0-9_-]{8,8192}"
            r"|eyJ[A-Za-z0-9_-]{8,4096}\.eyJ[A-Za-z0-9_-]{4,8192})(?:\.[A-Za-z0-9_-]*){1,3}"
        ),
    ),
    (  # a variable of another environment than ours; a number is no secret
        ("PASS =", "TOKEN =", "SECRET =", "KEY =", "CRED ="),
        (
            r"((?<![A-Z0-9_])(?=[A-Z0-9_]{0,99}(?:PASS|TOKEN|SECRET|KEY|CRED))[A-Z0-9_]{2,100}=)"
            r"(?:\"(?!\$[\w{(])(?:[^\"\\\n]|\\.){6,}\"|(?:\$?'[^'\n]{2,}'(?:\\')?)+"
            r"|(?![$=]|[0-9.]+(?![^\s\"',;]))[^\s\"'\\]{6,})"
        ),
    ),
)
KEY_MARK = r"-{4,5} ?(BEGIN|END) [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)? ?-{4,5}"
KEY_LINE = (
    r"(?:.*[^A-Za-z0-9+/=])?[A-Za-z0-9+/=]{32,}[\s\"',\\]*|\s*[A-Za-z0-9+/=]*\s*"
    r"|\s*(?:Proc-Type|DEK-Info|Version|Comment|Hash):.*"
)

Pipes = list[tuple[int, int, list[int]]]  # outlet, inlet, and which of 1 and 2 it is to the job
Signals = tuple[set[int], object]  # the mask, and what SIGCHLD did, before us


# ---- the command line


def encoded(text: str) -> bytes:
    """Return the bytes from which Python made `text`, an argument."""
    return text.encode(sys.getfilesystemencoding(), "surrogateescape")


def variable(name: bytes, default: str) -> str:
    """Return an environment variable; `default` where it is unset or empty."""
    value = posix.environ.get(name, b"").decode(sys.getfilesystemencoding(), "surrogateescape")
    return value or default


def parse(args: list[str]) -> tuple[dict[str, str], str, list[str]]:
    """Return options, job name and command, which is empty if there is none.

    An unknown option is said, taken for one without a value, and left out: the job has to run.
    """
    options = {"--outcomes": variable(b"CRONVERIFY_OUTCOMES", OUTCOMES)}
    options.update({"--capture": "tail", "--timeout": "0"})
    while args and args[0][:1] == "-":
        name, has_value, value = args.pop(0).partition("=")
        if name == "--":
            break
        if name in ("-h", "--help"):
            posix.write(1, (__doc__ or "").encode())
            leave(0)
        if name not in options:
            say(f"unknown option {name}")
            continue
        options[name] = value if has_value else "".join(args[:1])
        del args[: not has_value]
    job, command = "".join(args[:1]), args[1:]
    if command[:1] == ["-c"]:
        command = [variable(b"SHELL", "/bin/sh"), *command] if command[1:] else []
    elif command[:1] == ["--"]:
        del command[0]
    return options, job, command


def is_name(text: str) -> bool:
    """Tell whether `text` is a job name."""
    plain = text.replace("-", "a").replace(".", "a").replace("_", "a")
    return text.isascii() and text[:1].isalnum() and plain.isalnum() and len(text) <= 100


def limit(text: str) -> float:
    """Return --timeout in seconds, 0 for none; what makes no sense is said, and is none."""
    number = text.rstrip("smhd")
    try:
        length_s = float(number) * UNITS[text[len(number) :]]
    except (ValueError, KeyError):
        length_s = -1.0
    if 0 <= length_s < 1e9:
        return length_s
    say(f"--timeout {text}: not a duration such as 90s or 15m; the job runs without a limit")
    return 0.0


def say(text: str) -> None:
    """Print a line on stderr, unless that has to wait: a stuck reader must not hold us."""
    import select

    poll = select.poll()
    poll.register(2, select.POLLOUT)
    try:
        if poll.poll(500):
            posix.write(2, encoded(f"cronverify-wrap: {text}\n"))
    except (OSError, UnicodeError):
        pass  # there is nobody left to tell


# ---- starting the job


def streams() -> list[list[int]]:
    """Return which of 1 and 2 are one file: [[1, 2]] under cron, [[1], [2]] if apart.

    A closed one is in no list, and gets /dev/null, lest a file of ours take its number; exec closes
    that again, so the job finds what we found.
    """
    groups: dict[tuple[int, int], list[int]] = {}
    for fd in (0, 1, 2):
        try:
            stat = posix.fstat(fd)
        except OSError:
            posix.open("/dev/null", posix.O_RDWR)
            continue
        if fd:
            groups.setdefault((stat.st_dev, stat.st_ino), []).append(fd)
    return list(groups.values())


def take_signals() -> Signals:
    """Block the signals that we wait for; return what `give_back` needs.

    They are taken by sigtimedwait, since only that tells who sent them. A blocked signal is kept
    even where it is ignored, so a job under nohup is sent its HUP, to ignore or not.
    """
    on_child = _signal.getsignal(_signal.SIGCHLD)
    _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)  # ignored, it would take the exit status
    return _signal.pthread_sigmask(_signal.SIG_BLOCK, AWAITED | {ANSWER_NOW}), on_child


def give_back(before: Signals) -> None:
    """Undo what Python and we have changed that a job would inherit.

    Python ignores SIGPIPE and SIGXFSZ when it starts, and nothing tells afterwards whether they
    were ignored before. Cron gives its jobs the default; so do we.
    """
    mask, on_child = before
    _signal.signal(_signal.SIGPIPE, _signal.SIG_DFL)
    _signal.signal(_signal.SIGXFSZ, _signal.SIG_DFL)
    _signal.signal(_signal.SIGCHLD, on_child)
    if _signal.getsignal(_signal.SIGINT) == _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    _signal.pthread_sigmask(_signal.SIG_SETMASK, mask)


def restore_locale() -> None:
    """Undo what Python has changed in the environment.

    In the C locale, which is cron's, Python sets LC_CTYPE (PEP 538); the kernel still shows the
    environment with which we were started.
    """
    if posix.environ.get(b"LC_CTYPE") in (b"C.UTF-8", b"C.utf8", b"UTF-8"):
        posix.unsetenv(b"LC_CTYPE")
        for entry in slurp("/proc/self/environ", 1 << 22).split(b"\0"):
            if entry.startswith(b"LC_CTYPE="):
                posix.putenv(b"LC_CTYPE", entry[9:])


def execute(command: list[str]) -> int:
    """Become the command, found as a shell finds it; return the errno if that fails.

    By execv and not execve, which wants a dict: so the environment goes on byte for byte.
    """
    words = [encoded(word) for word in command]
    name = words[0]
    path = posix.environ.get(b"PATH", DEFAULT_PATH)
    reason = 2  # ENOENT
    if not name:
        return reason  # Python does not even try
    for folder in [b""] if b"/" in name else path.split(b":"):
        file = folder + b"/" + name if folder else name
        try:
            posix.execv(file, words)
        except OSError as error:
            if error.errno == 8:  # ENOEXEC: a script without #!, which a shell runs itself
                posix.execv("/bin/sh", [b"/bin/sh", file, *words[1:]])
            if error.errno not in (2, 20):  # ENOENT, ENOTDIR; others count, if nothing is found
                reason = error.errno or reason
    return reason


def exec_failure(command: list[str], reason: int) -> tuple[int, str]:
    """Return the exit status and the words that a shell has for such an errno of execve."""
    missing = reason in (2, 20, 36, 40)  # ENOENT, ENOTDIR, ENAMETOOLONG, ELOOP
    what = "not found" if reason == 2 else posix.strerror(reason)
    return (127 if missing else 126), f"{command[0]}: {what}"


def become(command: list[str], before: Signals, why: str) -> "NoReturn":
    """Run the job in our place, since we cannot do our work."""
    say(f"{why}; the job runs, but it is not recorded")
    give_back(before)
    status, message = exec_failure(command, execute(command))
    say(message)
    leave(status)


def start(
    command: list[str], names: dict[str, str], relay: "Relay | None", before: Signals
) -> tuple[int, int]:
    """Start the job; return its pid, and a pipe that ends once it runs, or says why it does not.

    By fork, since posix_spawn would leave signals 32 and 33 ignored in the job. A relay that could
    not start (no memory, no threads) leaves the job our own stdout and stderr.
    """
    failed, fail = posix.pipe()  # a good exec closes it, a bad one writes its errno
    pid = posix.fork()
    if not pid:
        try:
            if relay and relay.is_ready():
                relay.take_streams()
            for name, value in names.items():
                posix.putenv(name, encoded(value))
            give_back(before)
            posix.write(fail, b"%d" % execute(command))
        finally:
            leave(127)
    posix.close(fail)
    return pid, failed


# ---- the relay


class Relay:
    """A process of its own that copies the job's output and keeps the end of it.

    Of its own, because so we can wait for signals, and their senders, and nothing else; a blocked
    reader holds up no signal; the job keeps its pipe when we are killed; and what a background
    child prints after our end is still copied.
    """

    def __init__(self, capture: str, pipes: Pipes) -> None:
        """Fork; we go on with `pid` and `outlet`, from which to read the relay's answer."""
        self.apart = capture == "stderr"
        self.pipes = pipes
        self.kept = [b"", b"", b""]  # by stream; all in the first unless apart
        self.total = self.newlines = 0
        self.unended = False
        self.outlet, self.inlet = posix.pipe()
        self.pid = posix.fork()
        if not self.pid:
            try:
                self.copy_all()
            finally:
                leave(0)
        posix.close(self.inlet)

    def is_ready(self) -> bool:
        """Tell, for the job alone, whether the relay is at work; wait for it, or for its end."""
        return posix.read(self.outlet, 1) == b"!"

    def take_streams(self) -> None:
        """Put the pipes in the place of the job's stdout and stderr."""
        for _, inlet, fds in self.pipes:
            for fd in fds:
                posix.dup2(inlet, fd)

    def copy_all(self) -> None:
        """Copy to the last end of file, and answer then, or before if ANSWER_NOW asks for it."""
        _signal.signal(ANSWER_NOW, self.answer)
        # What a terminal sends, or anybody to the process group, is not for us.
        _signal.pthread_sigmask(_signal.SIG_SETMASK, _signal.valid_signals() - {ANSWER_NOW})
        self.keeping = _thread.allocate_lock()
        # A thread for a second stream: a stuck reader of one must not hold up the other.
        done = _thread.allocate_lock()
        for outlet, _, fds in self.pipes[:-1]:
            done.acquire()
            _thread.start_new_thread(self.copy, (outlet, fds[0], done))
        posix.write(self.inlet, b"!")
        self.let_go()
        self.copy(self.pipes[-1][0], self.pipes[-1][2][0])
        done.acquire()
        self.answer()

    def let_go(self) -> None:
        """Close what is not ours: the lock file of a script, the pipe of a producer."""
        needed = {self.inlet}
        for outlet, inlet, fds in self.pipes:
            needed |= {outlet, fds[0]}
            posix.close(inlet)
        try:
            for fd in map(int, posix.listdir("/proc/self/fd")):
                if fd not in needed:
                    close(fd)
        except OSError:
            pass  # no /proc here: then they end with us

    def copy(self, source: int, target: int, done: "_thread.LockType | None" = None) -> None:
        """Copy a stream to its end; if its reader has gone, leave SIGPIPE to the job."""
        block = bytearray(BLOCK_BYTES)  # one for all: a new one each time would cost speed
        view = memoryview(block)
        try:
            while size := posix.readv(source, [block]):
                self.keep(target, block, size)
                deliver(target, view[:size])
        except BrokenPipeError:
            pass
        close(source)
        close(target)  # the reader's end of file comes from the job, not from us
        if done:
            done.release()

    def keep(self, stream: int, block: bytearray, size: int) -> None:
        """Count what was printed, and keep the end of it."""
        place = stream if self.apart else 0
        end = bytes(memoryview(block)[max(0, size - SEARCHED_BYTES) : size])
        # To find is ten times as fast as to count, and binary output may have no lines at all.
        lines = block.count(10, 0, size) if block.find(10, 0, size) >= 0 else 0
        with self.keeping:
            self.total += size
            self.newlines += lines
            self.unended = end[-1] != 10
            whole = len(end) == SEARCHED_BYTES
            self.kept[place] = end if whole else (self.kept[place] + end)[-SEARCHED_BYTES:]

    def answer(self, *_: object) -> None:
        """Tell the wrapper, once, how much was printed and how it ended."""
        if self.inlet < 0:
            return
        tail = self.kept[0] or self.kept[2] or self.kept[1]
        head = b"%d %d\n" % (self.total, self.newlines + self.unended)
        try:
            posix.write(self.inlet, head + tail)
        except OSError:
            pass  # the wrapper was killed; the copying goes on
        close(self.inlet)
        self.inlet = -1

    def hear(self) -> dict[str, object]:
        """Wait for the answer, for 2 s at most, and return what the record says of the output."""
        import select

        poll = select.poll()
        poll.register(self.outlet)
        if not poll.poll(BACKGROUND_S * 1000):
            posix.kill(self.pid, ANSWER_NOW)
            self.pid = 0  # it outlives us, and is reaped by init
        said = b""
        while poll.poll(300) and (data := posix.read(self.outlet, LINE_BYTES)):
            said += data
        head, _, tail = said.lstrip(b"!").partition(b"\n")  # a job that died early left the `!`
        return printed(tail, *map(int, head.split())) if head else {}


def wide_pipe() -> tuple[int, int]:
    """Make a pipe that holds a block; one as usual where the user has too many of them."""
    outlet, inlet = posix.pipe()
    try:
        import fcntl

        fcntl.fcntl(inlet, fcntl.F_SETPIPE_SZ, BLOCK_BYTES)
    except (ImportError, OSError):
        pass  # then its blocks are smaller
    return outlet, inlet


def deliver(fd: int, view: memoryview) -> None:
    """Write all of it, whether `fd` blocks or not; raise BrokenPipeError without a reader.

    Any other error (a full disk, a terminal that went away) costs this piece only: so much the
    job's own write would have lost. The next is tried again.
    """
    while view:
        try:
            view = view[posix.write(fd, view) :]
        except BlockingIOError:
            import select

            poll = select.poll()
            poll.register(fd, select.POLLOUT)
            poll.poll()
        except BrokenPipeError:
            raise
        except OSError:
            return


def close(fd: int) -> None:
    """Close a file that may be closed already."""
    try:
        posix.close(fd)
    except OSError:
        pass


# ---- what is in a line


def slurp(path: str, size: int = 4096) -> bytes:
    """Return the start of a file; nothing where it cannot be read."""
    try:
        fd = posix.open(path, posix.O_RDONLY | posix.O_NOFOLLOW | posix.O_NONBLOCK)
    except OSError:
        return b""
    data = b""
    try:  # in pieces: a buffer for all of it is more than a job's limit of memory may allow
        while len(data) < size and (piece := posix.read(fd, min(size - len(data), LINE_BYTES))):
            data += piece
    except OSError:
        pass  # what there is of it
    finally:
        posix.close(fd)
    return data


def describe(pid: int, command: list[str]) -> dict[str, object]:
    """Return what the start and the finish line both say: who runs what, and where."""
    uid = posix.geteuid()  # by this one the kernel names the owner of a file
    # The second field of stat is the program's name, which may hold anything, `)` included.
    stat = slurp(f"/proc/{pid}/stat")
    ticks = stat[stat.rfind(b")") + 2 :].split()[19:20]
    return {
        "host": posix.uname().nodename,
        "user": user_name(uid),
        "uid": uid,
        "pid": pid,
        "pid_start": int(ticks[0]) if ticks else None,
        "wrapper_pid": posix.getpid(),
        "boot": slurp("/proc/sys/kernel/random/boot_id").decode().strip() or None,
        "command": told(command),
    }


def told(command: list[str]) -> str:
    """Return a command as a shell has it, without its secrets: those of its words, and of it all.

    A word is searched before it is quoted, for that would change it.
    """
    ends = "\n\0"  # what neither a secret nor a word goes on after
    text = without_secrets(ends.join(command)[:TAIL_BYTES])
    return without_secrets(" ".join(map(quoted, text.split(ends))))[:COMMAND_CHARS]


def quoted(word: str) -> str:
    """Return a word as it would stand in a shell's command line."""
    return word if word and not word.strip(PLAIN) else "'" + word.replace("'", "'\\''") + "'"


def user_name(uid: int) -> str:
    """Return the name of a user; the number of one without a name."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OSError):
        return str(uid)


def instant(at: float) -> str:
    """Return `at`, seconds since 1970, as RFC 3339 in UTC with milliseconds."""
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at))
    return f"{whole}.{int(at * 1000) % 1000:03d}Z"


def printed(tail: bytes, total: int, lines: int) -> dict[str, object]:
    """Return what the record says of the job's output; `output_cut`: the tail is not all of it.

    A character that was cut in two at the start is left out; what is no UTF-8 becomes U+FFFD.
    """
    cut = total > len(tail)
    if cut:
        tail = tail[:3].lstrip(bytes(range(128, 192))) + tail[3:]
    found = tail.decode("utf-8", "replace")
    clean = without_secrets(found)
    text = (whole_lines(clean) if cut and clean != found else clean).encode()
    return {
        "output_tail": text[-TAIL_BYTES:].decode("utf-8", "ignore"),
        "output_bytes": total,
        "output_lines": lines,
        "output_cut": cut or len(text) > TAIL_BYTES,
    }


def whole_lines(text: str) -> str:
    """Leave out a first line that is not whole: half a secret is not known as one.

    One that does not end soon is left out in part, as far as such a secret might reach.
    """
    room = SEARCHED_BYTES - TAIL_BYTES
    return text[text.find("\n", 0, room) + 1 or room :]


# ---- secrets


def without_secrets(text: str) -> str:
    """Return `text` with [redacted] in the place of each secret that is known, or looks like one.

    A text with nothing suspicious in it costs some microseconds. Where `re` cannot be had (no
    memory, no descriptors), a suspicious text is not told at all.
    """
    if not text:
        return text
    try:
        for value in secrets():
            text = without_value(text, value)
        patterns = patterns_for(text)
        if not patterns and "PRIVATE KEY" not in text:
            return text
        import re

        text = without_keys(text)
        for pattern in patterns:
            text = re.sub(pattern, r"\1" + REDACTED, text)
    except Exception:  # noqa: BLE001 - whatever it is, no secret may be told
        return UNSEARCHED
    return text


def patterns_for(text: str) -> list[str]:
    """Return the patterns that may be found in `text`."""
    found, small = [], text.lower()
    for needles, pattern in SHAPES:
        for needle in needles:  # loops, since generators would take three times as long
            where = small if needle.islower() else text
            first, _, second = needle.partition(" ")
            if first in where and second in where:
                found.append(pattern)
                break
    return found


def secrets() -> list[str]:
    """Return the values of the environment that are secret by their names, the longest first."""
    found: set[str] = set()
    for name, raw in posix.environ.items():
        if len(raw) >= SECRET_CHARS and any(map(name.upper().__contains__, SECRET_NAMES)):
            found.add(raw.decode("utf-8", "replace").strip())
    return sorted((value for value in found if len(value) >= SECRET_CHARS), key=len, reverse=True)


def without_value(text: str, value: str) -> str:
    """Take out a secret value, also as shells, JSON, URLs and HTML spell it.

    All of them leave letters and digits as they are, so its longest word tells whether to look.
    """
    words = "".join(c if c.isascii() and c.isalnum() else " " for c in value).split()
    word = max(words, key=len, default="")
    if word not in text:
        return text
    if word == value or len(value) > SPELLED_CHARS:
        return text.replace(value, REDACTED)
    import re

    return re.sub("".join(map(spelling, " " + value, value)), REDACTED, text)


def spelling(before: str, char: str) -> str:
    """Return a pattern for a character of a secret value, however it is quoted.

    A backslash stands for all that follow on it: quoted, there are any number of them.
    """
    import re

    if char.isascii() and char.isalnum():
        return char
    if before == char == "\\":
        return ""
    units = char.encode("utf-16-be", "replace").hex()
    ways = [
        ("" if before == "\\" else r"\\{0,8}") + re.escape(char),
        "".join(f"%{byte:02x}" for byte in char.encode("utf-8", "replace")),
        "".join(rf"\\{{1,8}}u{units[at : at + 4]}" for at in range(0, len(units), 4)),
        f"&#(?:0*{ord(char)}|x0*{ord(char):x});",
        *SPELLINGS.get(char, ()),
    ]
    return f"(?i:{'|'.join(ways)})"


def without_keys(text: str) -> str:
    """Take out the blocks of private keys, also of those whose beginning or end is missing."""
    import re

    kept, done = "", 0  # what is told, and up to where it has been searched
    begin = None
    for mark in [*re.finditer(KEY_MARK, text), None]:
        if begin and (not mark or mark[1] == "BEGIN"):  # a beginning without an end
            kept += text[done : begin.start()] + REDACTED
            done = begin.end() + key_size(text[begin.end() : mark.start() if mark else None], 1)
        if mark and mark[1] == "END":
            size = key_size(text[done : mark.start()], -1)
            kept += text[done : begin.start() if begin else mark.start() - size] + REDACTED
            done = mark.end()
        begin = mark if mark and mark[1] == "BEGIN" else None
    return kept + text[done:]


def key_size(text: str, step: int) -> int:
    """Return how many characters at the start (step 1) or the end (-1) of `text` are of a key."""
    import re

    beside, *lines = text.split("\n")[::step]
    size = len(beside) - len(re.sub(r"^\S+", "", beside[::step], count=1))
    if step > 0 and beside[size:].strip():
        return size
    above = 0
    for line in lines:
        if not re.fullmatch(KEY_LINE, line):
            break
        above += len(line) + 1
    return len(beside) + above if above else size


def ended(status: int, usage: "struct_rusage", ours: "int | None") -> dict[str, object]:
    """Return what wait4 says of the job; `ours` is the exit code that we give a failure.

    A peak of memory that is not above ours is unknown: it may be that of the copy of us which
    became the job.
    """
    code = posix.waitstatus_to_exitcode(status)
    end: dict[str, object] = {"status": "failed" if code or ours else "success"}
    end["exit_code"] = ours or (code if code >= 0 else None)
    if code < 0:
        names = [n for n in dir(_signal) if n[:3] == "SIG" and getattr(_signal, n) == -code]
        end["signal"] = names[0] if names else f"SIG{-code}"
    end["cpu_s"] = round(usage.ru_utime + usage.ru_stime, 6)
    pages = slurp("/proc/self/statm").split()[1:2]
    if pages and usage.ru_maxrss > int(pages[0]) * posix.sysconf("SC_PAGE_SIZE") // 1024:
        end["max_rss_kb"] = usage.ru_maxrss
    return end


def reported(path: str) -> dict[str, object]:
    """Return what the job has written to $CRONVERIFY_RESULT, and remove that."""
    report: dict[str, object] = {}
    metrics: dict[str, object] = {}
    text = slurp(path, LINE_BYTES)
    if len(text) == LINE_BYTES:
        text = text[: text.rfind(b"\n") + 1]  # half a number would be a wrong number
    for line in text.decode("utf-8", "replace").split("\n"):
        key, _, value = map(str.strip, line.partition("="))
        if key == "status":
            report["status"] = without_secrets(value)[:40]
        elif key == "message":
            report["error"] = without_secrets(value)[:MESSAGE_CHARS]
        elif key:
            metrics.update(number(key, value))
    try:
        posix.unlink(path)
    except OSError:
        pass  # the usual case: the job had nothing to say
    while len(to_line(metrics)) > METRICS_BYTES:
        for _ in range(len(metrics) // 8 + 1):
            metrics.popitem()
    if without_secrets("\n".join(metrics)) != "\n".join(metrics):
        metrics = {without_secrets(key): value for key, value in metrics.items()}
    if metrics:
        report["metrics"] = metrics
    return report


def number(key: str, text: str) -> dict[str, object]:
    """Return {key: the number that `text` is}; nothing if it is none, or one JSON cannot hold."""
    try:
        value = float(text)
    except ValueError:
        return {}
    if value - value != 0:  # infinite, or not a number
        return {}
    return {key: int(value) if value.is_integer() and abs(value) < 1 << 53 else value}


def to_json(value: object) -> str:
    """Return `value` as JSON on one line."""
    if isinstance(value, str):
        return '"' + value.translate(ESCAPES) + '"'
    if isinstance(value, dict):
        return "{" + ",".join(f"{to_json(k)}:{to_json(v)}" for k, v in value.items()) + "}"
    return "null" if value is None else repr(value).lower()


def to_line(record: dict[str, object]) -> bytes:
    """Return a record as a line; a byte of an argument that is no UTF-8 becomes `?`."""
    return (to_json(record) + "\n").encode("utf-8", "replace")


def lines_of(record: dict[str, object]) -> "Iterator[bytes]":
    """Yield the line of a record, then, for where there is no room for it, one without output."""
    line = to_line(record)
    while len(line) > LINE_BYTES:
        text = str(record["output_tail"])
        record.update(output_tail=text[len(text) // 8 + 1 :], output_cut=True)
        line = to_line(record)
    yield line
    if record.pop("output_tail", ""):
        record["output_cut"] = True
        yield to_line(record)


# ---- the outcome file


class Outcomes:
    """The outcome file, with the records that are not in it yet. It never raises, nor waits."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.pending: list[dict[str, object]] = []
        self.gone_since = 0.0  # monotonic; 0 while the file is there
        self.trouble = ""  # what stderr is to be told at the end

    def add(self, record: dict[str, object]) -> None:
        """Append a record, or keep it for `flush` while the file is gone."""
        self.pending.append(record)
        self.flush()

    def flush(self) -> bool:
        """Append what is pending; return False if that is to be tried again."""
        while self.pending:
            try:
                self.append(self.pending[0])
                self.gone_since = 0.0
            except FileNotFoundError as error:
                if self.may_come_back():
                    return False
                self.give_up(self.pending[0], error)
            except Exception as error:  # noqa: BLE001 - whatever it is, it costs the record only
                self.give_up(self.pending[0], error)
            del self.pending[0]
        return True

    def may_come_back(self) -> bool:
        """Tell whether the file may be gone for a moment only, by a rotation."""
        now = time.monotonic()
        self.gone_since = self.gone_since or now
        if now - self.gone_since > GONE_S:
            return False
        try:
            posix.stat(self.path[: self.path.rfind("/") + 1] or ".")
        except OSError:
            return False  # the folder is missing
        try:
            posix.readlink(self.path)
        except OSError:
            return True
        return False  # a link that leads nowhere

    def open(self) -> int:
        """Open the file, whatever it is, without waiting; make it, but not before CREATE_AFTER_S.

        At first without O_CREAT, with which fs.protected_regular forbids another user's file in a
        sticky folder even to root; then with O_EXCL, which follows no symbolic link.
        """
        flags = posix.O_APPEND | posix.O_NONBLOCK | posix.O_NOCTTY
        try:
            return posix.open(self.path, flags | posix.O_RDWR)
        except PermissionError:
            return posix.open(self.path, flags | posix.O_WRONLY)
        except FileNotFoundError:
            if not 0 < self.gone_since < time.monotonic() - CREATE_AFTER_S:
                raise
            try:
                flags |= posix.O_RDWR | posix.O_CREAT | posix.O_EXCL
                return posix.open(self.path, flags, 0o600)
            except OSError:
                pass  # only root may make it, and will
            raise

    def append(self, record: dict[str, object]) -> None:
        """Append a record with its output, or at least without."""
        fd = self.open()
        try:
            if posix.fstat(fd).st_mode & 0o170000 != 0o100000:
                raise OSError(22, "not a regular file")
            full, *shorter = lines_of(record)
            try:
                append_line(fd, full)
            except OSError:
                if not shorter:
                    raise
                append_line(fd, shorter[0])
        finally:
            posix.close(fd)

    def give_up(self, record: dict[str, object], error: Exception) -> None:
        """Give a record to syslog, and keep what stderr is to be told at the end."""
        full, *shorter = lines_of(record)
        line = shorter[0] if shorter and len(full) > SYSLOG_BYTES else full
        self.trouble = f"cannot append to {self.path}: {getattr(error, 'strerror', error)}"
        if not to_syslog(line):
            self.trouble += f", nor tell syslog: {line.decode().rstrip()}"


def append_line(fd: int, line: bytes) -> None:
    """Append a line by one write(2), on a line of its own; take back what is only a part of it.

    Under a lock, since a longer write shows its pages one by one: to another wrapper the file would
    seem to end within a line. If somebody without a lock has appended to the part, it stays.
    """
    lock(fd)
    size = posix.lseek(fd, 0, 2)
    try:
        if size and posix.pread(fd, 1, size - 1) not in (b"\n", b""):
            line = b"\n" + line
    except OSError:
        pass  # we may write it, but not read it
    written = posix.write(fd, line)
    if written < len(line):
        end = posix.lseek(fd, 0, 1)
        if posix.fstat(fd).st_size == end:
            posix.ftruncate(fd, end - written)
        raise OSError(28, "no room for the line")


def lock(fd: int) -> None:
    """Lock a file until it is closed, or do without after LOCKED_S."""
    import fcntl

    deadline = time.monotonic() + LOCKED_S
    while time.monotonic() < deadline:
        try:
            return fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.002)
        except OSError:
            return None  # a file system without locks
    return None


def to_syslog(line: bytes) -> bool:
    """Send a line to syslog as one of cron's; return whether it went.

    Not by syslog(3), which waits for as long as the reader of /dev/log hangs.
    """
    import _socket

    stamp = time.strftime("%b %e %H:%M:%S").encode()
    message = b"<75>%s cronverify-wrap[%d]: %s" % (stamp, posix.getpid(), line.rstrip())
    try:
        log = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM | _socket.SOCK_NONBLOCK)
        log.sendto(message, "/dev/log")
    except OSError:
        return False
    return True


# ---- from start to end


def watch(pid: int, limit_s: float, outcomes: Outcomes) -> "tuple[int, struct_rusage, bool]":
    """Wait for the job; return its wait status, what it used, and whether --timeout struck."""
    due = [(limit_s, _signal.SIGTERM), (limit_s + KILL_AFTER_S, _signal.SIGKILL)] if limit_s else []
    steps, start_s = len(due), time.monotonic()
    while True:
        done, status, usage = posix.wait4(pid, posix.WNOHANG)
        if done:
            return status, usage, len(due) < steps
        left_s = due[0][0] + start_s - time.monotonic() if due else 3600.0
        if left_s <= 0:
            stop(pid, due.pop(0)[1])
        again_s = 3600.0 if outcomes.flush() else 0.02
        got = _signal.sigtimedwait(AWAITED, max(0.0, min(left_s, again_s)))
        if got and got.si_signo in PASSED_ON and is_for_job(got, pid):
            send(pid, got.si_signo)


def is_for_job(got: "_signal.struct_siginfo", pid: int) -> bool:
    """Tell whether the job, `pid`, has not been sent this signal, too.

    A process sent it to us (si_code is not above 0), or a terminal that hung up: that tells the
    leader of its session only, while Ctrl-C goes to the whole foreground, the job included. What
    comes from the job itself (`kill 0`) went to the process group that we share.
    """
    hung_up = got.si_signo == _signal.SIGHUP and posix.getsid(0) == posix.getpid()
    return bool(hung_up or (got.si_code <= 0 and got.si_pid != pid))


def stop(pid: int, number: int) -> None:
    """Send a signal to the job and to all that it has started, and wake what is stopped.

    To each, since the process group is not the job's own: cron's shell is in it, and we are.
    """
    family = [pid]
    for parent in family:
        children = slurp(f"/proc/{parent}/task/{parent}/children", LINE_BYTES)
        family += map(int, children.split())
    for member in family:
        send(member, number)
        send(member, _signal.SIGCONT)


def send(pid: int, number: int) -> None:
    """Send a signal, if the process is there and lets us."""
    try:
        posix.kill(pid, number)
    except OSError:
        pass


class Run:
    """One run of a job, from its start to its last line."""

    def __init__(self, job: str, command: list[str], outcomes: Outcomes) -> None:
        self.job = job
        self.command = command
        self.outcomes = outcomes
        # By time, so that the index of whoever keeps runs grows at its end.
        self.id = f"{int(time.time() * 1000):012x}{posix.urandom(10).hex()}"
        self.about: dict[str, object] = {}
        self.reason = b""  # the errno of a job that could not start
        # No file is made: most jobs have nothing to say, and one that becomes another user could
        # not write to ours. The name is random, for what strangers may put into /tmp.
        folder = variable(b"TMPDIR", "/tmp")
        folder = folder if folder[0] == "/" else "/tmp"
        self.result = f"{folder}/cronverify-{posix.urandom(16).hex()}"

    def start(self, capture: str, before: Signals) -> None:
        """Start the relay and the job; raise OSError if that cannot be."""
        groups = streams()
        pipes = [(*wide_pipe(), fds) for fds in groups if capture != "none"]
        self.relay = Relay(capture, pipes) if pipes else None
        names = {"CRONVERIFY_JOB": self.job, "CRONVERIFY_RUN_ID": self.id}
        names["CRONVERIFY_RESULT"] = self.result
        self.started_at, self.start_s = time.time(), time.monotonic()
        self.pid, self.failed = start(self.command, names, self.relay, before)
        for outlet, inlet, _ in pipes:
            posix.close(outlet)
            posix.close(inlet)
        # A job may close its stdin and stdout long before it ends: whoever is behind them sees it.
        posix.close(0)
        posix.close(1)

    def record_start(self) -> None:
        """Append the start line; what it says of the job is found out while that starts."""
        self.about = describe(self.pid, self.command)
        self.reason = posix.read(self.failed, 9)
        self.outcomes.path = self.outcomes.path.replace("%u", str(self.about["user"]))
        self.record("start", self.started_at, {})

    def record_finish(self, end: dict[str, object], why: str) -> None:
        """Append the finish line; `why` is our word on a failure, which the job cannot change."""
        at, duration_s = time.time(), round(time.monotonic() - self.start_s, 6)
        report = reported(self.result)
        heard = self.relay.hear() if self.relay else {}
        word = report.pop("status", "")
        if why:
            why = without_secrets(why)
            report["error"] = f"{why}: {report['error']}" if "error" in report else why
        # A job that was killed, or says success and exits with something else, has failed.
        elif word and (end["exit_code"] == 0 or (end["exit_code"] and word != "success")):
            end["status"] = word
        more = {"started_at": instant(self.started_at), "duration_s": duration_s}
        self.record("finish", at, {**more, **end, **report, **heard})
        while not self.outcomes.flush():
            time.sleep(0.02)
        if self.relay and self.relay.pid:
            posix.waitpid(self.relay.pid, 0)  # it is at its end; not every init reaps

    def record(self, event: str, at: float, more: dict[str, object]) -> None:
        """Append a line of this run."""
        line = {"v": 1, "job": self.job, "event": event, "run": self.id, "at": instant(at)}
        self.outcomes.add({**line, **self.about, **more})


def main() -> None:
    """Run the job of the command line, and exit as it does."""
    options, job, command = parse(sys.argv[1:])
    if not command:
        posix.write(2, (__doc__ or "").encode())
        leave(2)
    capture, timeout = options["--capture"], options["--timeout"]
    limit_s = limit(timeout)
    if capture not in ("tail", "stderr", "none"):
        say(f"--capture {capture}: not one of tail, stderr, none; taken for tail")
    before = take_signals()
    restore_locale()
    if not is_name(job):
        become(command, before, f"not a job name: {job}")
    outcomes = Outcomes(options["--outcomes"])
    run = Run(job, command, outcomes)
    try:
        run.start(capture, before)
    except OSError as error:
        become(command, before, f"cannot watch over it: {error.strerror}")
    try:
        run.record_start()
    except Exception as error:  # noqa: BLE001 - whatever it is, the job must not know
        outcomes.trouble = f"cannot record the start: {error!r}"
    status, usage, timed_out = watch(run.pid, limit_s, outcomes)
    code, why = posix.waitstatus_to_exitcode(status), ""
    if run.reason:
        code, why = exec_failure(command, int(run.reason))
        say(why)
    elif timed_out:
        code, why = 124, f"timed out after {timeout}"
    try:
        run.record_finish(ended(status, usage, code if why else None), why)
    except Exception as error:  # noqa: BLE001 - whatever it is, the exit status is the job's
        outcomes.trouble = f"cannot record the end: {error!r}"
    if outcomes.trouble:
        say(outcomes.trouble)
    leave(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
