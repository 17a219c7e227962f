"""What the daemon costs while nothing happens: 500 jobs, both listeners, watcher, timer.

    python bench/idle.py [--jobs 500] [--seconds 60]

Resident memory, processor time and wake-ups a second (voluntary context switches of all threads),
as the kernel counts them; gates: 60 MB, 1 ms of a second, 3 a second.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

GATES = {"MB resident": 60.0, "ms of a core a second": 1.0, "wake-ups a second": 3.0}
SETTLES_S = 15.0


def main() -> int:
    """Measure, print, and say whether the gates hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=60.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cronverifyd-bench-") as folder:
        config = Path(folder) / "config.toml"
        config.write_text(configuration(given.jobs), encoding="utf-8")
        found = measured(config, given.seconds)
    print(f"{given.jobs} jobs, {given.seconds:g} s")
    for name, value in found.items():
        print(f"{value:8.2f}  {name} (at most {GATES[name]:g})")
    return 0 if all(found[name] <= gate for name, gate in GATES.items()) else 1


def configuration(jobs: int) -> str:
    """Configure so many jobs, due once a day at times of their own, none of them while we look."""
    trigger, status = free_port(), free_port()
    hour = (time.gmtime().tm_hour + 12) % 24
    lines = [
        '[daemon]\ntimezone = "UTC"',
        f'[listen]\ntrigger = "127.0.0.1:{trigger}"\nstatus = "127.0.0.1:{status}"',
        '[channels.console]\nkind = "console"',
    ]
    lines += [
        f'[jobs.job-{number}]\nschedule = "{number % 60} {(hour + number // 60 % 4) % 24} * * *"'
        for number in range(jobs)
    ]
    return "\n\n".join(lines) + "\n"


def measured(config: Path, seconds: float) -> dict[str, float]:
    """Run the daemon and look at it over a time in which nothing happens."""
    command = [sys.executable, "-m", "cronverifyd", "run", "--config", str(config)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as daemon:
        try:
            time.sleep(SETTLES_S)
            cpu, woken, began = cpu_s(daemon.pid), wake_ups(daemon.pid), time.monotonic()
            time.sleep(seconds)
            lasted = time.monotonic() - began
            return {
                "MB resident": resident_mb(daemon.pid),
                "ms of a core a second": (cpu_s(daemon.pid) - cpu) * 1_000 / lasted,
                "wake-ups a second": (wake_ups(daemon.pid) - woken) / lasted,
            }
        finally:
            daemon.send_signal(signal.SIGTERM)


def cpu_s(pid: int) -> float:
    """Read the time that all threads have spent on a processor, in seconds."""
    spent = ((task / "schedstat").read_text(encoding="ascii").split()[0] for task in tasks(pid))
    return sum(map(int, spent)) / 1e9


def wake_ups(pid: int) -> int:
    """Count the voluntary context switches of all threads: each is a wait that came to its end."""
    return sum(status(thread, "voluntary_ctxt_switches") for thread in tasks(pid))


def resident_mb(pid: int) -> float:
    """Read the resident memory, in MB."""
    return status(Path(f"/proc/{pid}"), "VmRSS") / 1_000


def tasks(pid: int) -> list[Path]:
    """List the threads of a process."""
    return list(Path(f"/proc/{pid}/task").iterdir())


def status(place: Path, key: str) -> int:
    """Read a number of a `status` file."""
    for line in (place / "status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1])
    raise KeyError(key)


def free_port() -> int:
    """Find a port that nobody holds."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    os.environ.pop("NOTIFY_SOCKET", None)
    sys.exit(main())
