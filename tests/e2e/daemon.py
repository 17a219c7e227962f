"""The real daemon as a process, with a service manager's end of NOTIFY_SOCKET."""

import http.client
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
import uuid

STARTS_WITHIN_S = 30.0
STOPS_WITHIN_S = 2.0
SECRET = "a secret of the tests"

_OURS = ("NOTIFY_SOCKET", "CRONVERIFYD_CONFIG", "SLACK_WEBHOOK_URL", "CREDENTIALS_DIRECTORY")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def environment(**extra):
    """Give the tests' own environment without what would steer the program, and with `extra`."""
    given = {k: v for k, v in os.environ.items() if k not in _OURS and "proxy" not in k.lower()}
    return given | {k: v for k, v in extra.items() if v is not None}


def cronverifyd(*arguments):
    """Give the command that starts the program with this interpreter."""
    return [sys.executable, "-m", "cronverifyd", *map(str, arguments)]


def run_cronverifyd(*arguments, before=(), env=None, **given):
    """Run a command to its end; both streams are text. `before`: words in front of it."""
    return subprocess.run(
        [*before, *cronverifyd(*arguments)],
        env=environment(**(env or {})),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=30,
        check=False,
        **given,
    )


class Daemon:
    """One daemon on one folder: `config.toml`, and `state/` beside it.

    `status`: where the status listener listens. `jobs`: the text below the tables that every test
    needs. `slack`: whom it tells; None: the console.
    """

    def __init__(self, folder, jobs, slack=None, *, port=None, status="off", cueapi=None, **env):
        self._status = status
        self.folder = folder
        self.state = folder / "state"
        self.outcomes = self.state / "outcomes.jsonl"
        self.config = folder / "config.toml"
        self.port = port or free_port()
        self._slack = slack
        self._cueapi = cueapi or f'[cueapi]\nshared_secret = "{SECRET}"\n'
        self._env = env
        self._manager = None
        self.process = None
        self.state.mkdir(exist_ok=True)
        self.configure(jobs)

    def configure(self, jobs, *, gather="0s"):
        """Write the configuration, as an editor does: a new file renamed over the old one."""
        new = self.config.with_suffix(".new")
        new.touch(mode=0o600)
        new.write_text(self._head(gather) + jobs)
        new.replace(self.config)

    def restart(self):
        self.stop()
        self.start()

    def _head(self, gather):
        url = f'url = "{self._slack.url}"\n' if self._slack else ""
        return (
            '[daemon]\ntimezone = "UTC"\ninstance = "testhost"\n\n'
            f'[alerts]\ngather = "{gather}"\n\n'
            f'[listen]\ntrigger = "127.0.0.1:{self.port}"\nstatus = "{self._status}"\n\n'
            f"{self._cueapi}\n"
            f'[channels.ops]\nkind = "{"slack" if self._slack else "console"}"\n{url}\n'
        )

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                self.stop()
        finally:
            self._end()

    def start(self):
        """Start it and wait until it says that it is ready."""
        self.spawn()
        self.wait_for_notice("READY=1", STARTS_WITHIN_S)

    def spawn(self):
        """Start it and wait for nothing."""
        # In the abstract name space: a path below tmp_path may be too long for a socket.
        name = f"cronverifyd-test-{uuid.uuid4().hex}"
        self._manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._manager.bind(f"\0{name}")
        with (self.folder / "stdout").open("ab") as out, (self.folder / "stderr").open("ab") as err:
            self.process = subprocess.Popen(
                cronverifyd("run", "--config", self.config),
                env=environment(NOTIFY_SOCKET=f"@{name}", **self._env),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )

    def wait_for_notice(self, word, within_s):
        """Wait for a datagram of sd_notify(3) with this line in it; older ones are read past."""
        deadline = time.monotonic() + within_s
        while (left := deadline - time.monotonic()) > 0:
            if select.select([self._manager], [], [], min(left, 0.1))[0]:
                if word in self._manager.recv(4096).decode().splitlines():
                    return
            elif self.process.poll() is not None:
                break
        code = self.process.poll()
        raise AssertionError(f"no {word} within {within_s} s (exit code {code}):\n{self.log}")

    def stop(self):
        """Stop it as systemd does. It has to end well, and soon."""
        begun = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(10)
        except subprocess.TimeoutExpired:
            code = "none within 10 s"
        took = time.monotonic() - begun
        assert code == 0, f"exit code {code}:\n{self.log}"
        assert took < STOPS_WITHIN_S, f"stopping took {took:.2f} s:\n{self.log}"
        self._close_manager()

    def kill(self):
        self.process.kill()
        self.process.wait()
        self._close_manager()

    def _end(self):
        if self.process is not None and self.process.poll() is None:
            self.kill()
        self._close_manager()

    def _close_manager(self):
        if self._manager is not None:
            self._manager.close()

    @property
    def log(self):
        return (self.folder / "stderr").read_text()

    @property
    def printed(self):
        return (self.folder / "stdout").read_text()

    def append(self, *events, **keys):
        """Append lines to the outcome file, each in one write."""
        with self.outcomes.open("ab", buffering=0) as file:
            for event in events or (keys,):
                file.write(json.dumps(event).encode() + b"\n")

    def verify(self, body=b"", **headers):
        """POST /verify; give the status and the answer. Without other headers, with the secret."""
        given = {k.replace("_", "-"): v for k, v in headers.items()} or {"X-Cue-Secret": SECRET}
        return self.request("POST", "/verify", body, {"Content-Type": "application/json"} | given)

    def request(self, method, path, body=b"", headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def status(self):
        """Ask `status --json`, whatever its exit code."""
        done = run_cronverifyd("status", "--json", "--config", self.config, env=self._env)
        return json.loads(done.stdout)

    def wait_until_delivered(self, within_s):
        """Wait until nothing is left to send."""
        wait_until(lambda: self.status()["undelivered"] == 0, within_s, "messages are undelivered")


def wait_until(condition, within_s, what):
    """Wait for what cannot call us; look 50 times a second."""
    deadline = time.monotonic() + within_s
    while not (result := condition()):
        assert time.monotonic() < deadline, f"after {within_s} s: {what}"
        time.sleep(0.02)
    return result
