"""What the wrapper costs: start-up beside its floor and its peers, throughput, memory.

The gates: what it adds to /bin/true is at most 1.4 times what `python3 -I -S -c pass` takes, and
1 GiB through its pipe keeps 0.7 of the speed without it. All commands take turns, so that whatever
else the machine does falls upon each of them alike.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
PYTHON = "/usr/bin/python3"
ENVIRONMENT = {"PATH": "/usr/bin:/bin"}
MAX_ADDED = 1.4
MIN_SPEED = 0.7
MAX_RSS_KB = 12 * 1024
BLOCKS = 16384
BLOCK_BYTES = 65536
ROUNDS = 5

# The tutorial's: a row when it starts, a row when it ends.
TUTORIAL = """#!/bin/bash
psql -qc "INSERT INTO cron_outcomes (job_name, run_date, status) \
VALUES ('bench', CURRENT_DATE, 'running')"
"$@"
status=$?
psql -qc "UPDATE cron_outcomes SET status = 'done', completed_at = now() \
WHERE job_name = 'bench' AND run_date = CURRENT_DATE"
exit $status
"""

Commands = dict[str, list[str] | None]  # None: absent here


def built_script(folder: Path) -> Path:
    """Make the script as the wheel has it, and its bytecode."""
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    script = folder / "cronverify-wrap"
    script.write_text(module.script_of((ROOT / "cronverifyd" / "wrap.py").read_text()))
    script.chmod(0o755)
    subprocess.run([script, "--help"], check=True, stdout=subprocess.DEVNULL)
    return script


def tutorial(folder: Path) -> list[str] | None:
    """Write the tutorial's shell wrapper; None without bash, psql and its table in a server."""
    if not (shutil.which("bash") and shutil.which("psql")):
        return None
    reach = ["psql", "-qc", "SELECT 1 FROM cron_outcomes LIMIT 1"]
    if subprocess.run(reach, check=False, capture_output=True, timeout=10).returncode:
        return None
    script = folder / "tutorial"
    script.write_text(TUTORIAL)
    script.chmod(0o755)
    return [str(script), "/bin/true"]


def commands(script: Path, folder: Path) -> Commands:
    """Name what is measured; each has to print nothing and exit with 0."""
    wrap = [str(script), "--outcomes", str(folder / "outcomes.jsonl")]
    chronic = shutil.which("chronic")
    return {
        "python3 -I -S -c pass": [PYTHON, "-I", "-S", "-c", "pass"],
        "true": ["/bin/true"],
        "cronverify-wrap true": [*wrap, "bench", "--", "/bin/true"],
        "cronverify-wrap --capture none true": [*wrap, "--capture", "none", "bench", "/bin/true"],
        "chronic true": [chronic, "/bin/true"] if chronic else None,
        "the tutorial's bash + 2 psql": tutorial(folder),
    }


def elapsed_ms(argv: list[str]) -> float:
    """Run a command, its streams on pipes as under cron; return how long it took."""
    environment = os.environ if "tutorial" in argv[0] else ENVIRONMENT
    outlet, inlet = os.pipe()
    began = time.perf_counter()
    actions = [(os.POSIX_SPAWN_DUP2, inlet, 1), (os.POSIX_SPAWN_DUP2, inlet, 2)]
    pid = os.posix_spawn(argv[0], argv, environment, file_actions=actions)
    _, status = os.waitpid(pid, 0)
    took_s = time.perf_counter() - began
    os.close(outlet)
    os.close(inlet)
    if status:
        sys.exit(f"{shlex.join(argv)} ended with status {os.waitstatus_to_exitcode(status)}")
    return took_s * 1000


def start_ups(named: Commands, count: int) -> dict[str, float | None]:
    """Return the median of each command over `count` rounds, in which all take their turn."""
    present = {name: argv for name, argv in named.items() if argv}
    times: dict[str, list[float]] = {name: [] for name in present}
    for _ in range(count):
        for name, argv in present.items():
            times[name].append(elapsed_ms(argv))
    return {name: statistics.median(times[name]) if name in times else None for name in named}


def flow_s(prefix: list[str]) -> float:
    """Return how long 1 GiB takes from dd through a pipe into cat."""
    dd = f"{shlex.join(prefix)} dd if=/dev/zero bs={BLOCK_BYTES} count={BLOCKS} status=none"
    began = time.perf_counter()
    subprocess.run(["/bin/sh", "-c", f"{dd} | cat > /dev/null"], env=ENVIRONMENT, check=True)
    return time.perf_counter() - began


def throughput(wrap: list[str]) -> tuple[float, float]:
    """Return GiB/s without and with the wrapper, the medians of alternating rounds."""
    rounds = [(flow_s([]), flow_s(wrap)) for _ in range(ROUNDS)]
    bare_s, wrapped_s = (statistics.median(times) for times in zip(*rounds, strict=True))
    size_gib = BLOCKS * BLOCK_BYTES / (1 << 30)
    return size_gib / bare_s, size_gib / wrapped_s


def peaks_kb(wrap: list[str]) -> dict[str, int]:
    """Return the peak of memory of the wrapper and of its relay after 1 GiB."""
    flood = f"dd if=/dev/zero bs={BLOCK_BYTES} count={BLOCKS} status=none; echo $$ >&2; read x"
    pipe = subprocess.PIPE
    with (
        open(os.devnull, "wb") as null,
        subprocess.Popen(["cat"], stdin=pipe, stdout=null) as reader,
        subprocess.Popen(
            [*wrap, "sh", "-c", flood],
            stdin=pipe,
            stdout=reader.stdin,
            stderr=pipe,
            env=ENVIRONMENT,
        ) as process,
    ):
        job = int(process.stderr.readline())
        (relay,) = children(process.pid) - {job}
        peaks = {"wrapper": peak_kb(process.pid), "relay": peak_kb(relay)}
        process.stdin.close()
        reader.stdin.close()
    return peaks


def children(pid: int) -> set[int]:
    return {*map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())}


def peak_kb(pid: int) -> int:
    return int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1])


def measure(count: int) -> dict:
    """Measure all; return it as --json prints it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        script = built_script(folder)
        (folder / "outcomes.jsonl").touch()
        wrap = [str(script), "--outcomes", str(folder / "outcomes.jsonl"), "bench", "--"]
        medians = start_ups(commands(script, folder), count)
        bare, wrapped = throughput(wrap)
        peaks = peaks_kb(wrap)
    floor, true = medians["python3 -I -S -c pass"], medians["true"]
    added = {name: None if ms is None else ms - true for name, ms in medians.items()}
    return {
        "rounds": count,
        "median_ms": medians,
        "added_ms": added,
        "added_ratio": {name: None if ms is None else ms / floor for name, ms in added.items()},
        "gib_per_s": {"bare": bare, "wrapped": wrapped, "ratio": wrapped / bare},
        "peak_rss_kb": peaks,
    }


def broken(result: dict) -> Iterator[str]:
    """Yield a sentence for each gate that does not hold."""
    ratio = result["added_ratio"]["cronverify-wrap true"]
    if ratio > MAX_ADDED:
        yield f"the wrapper adds {ratio:.2f} times Python's own start (at most {MAX_ADDED})"
    speed = result["gib_per_s"]["ratio"]
    if speed < MIN_SPEED:
        yield f"1 GiB keeps {speed:.2f} of its speed (at least {MIN_SPEED})"
    for who, peak in result["peak_rss_kb"].items():
        if peak >= MAX_RSS_KB:
            yield f"the {who} takes {peak} KiB of memory (under {MAX_RSS_KB})"


def show(result: dict) -> None:
    print(f"start-up, median of {result['rounds']} rounds in turn")
    print(f"{'':38}{'ms':>8}{'added ms':>10}{'added / python':>16}")
    for name, ms in result["median_ms"].items():
        if ms is None:
            print(f"{name:38}{'absent':>8}")
            continue
        added, ratio = result["added_ms"][name], result["added_ratio"][name]
        print(f"{name:38}{ms:8.2f}{added:10.2f}{ratio:16.2f}")
    flow, peaks = result["gib_per_s"], result["peak_rss_kb"]
    print(f"\n1 GiB of dd | cat: {flow['bare']:.2f} GiB/s bare, ", end="")
    print(f"{flow['wrapped']:.2f} with the wrapper: {flow['ratio']:.2f}")
    print(f"peak memory: wrapper {peaks['wrapper']} KiB, relay {peaks['relay']} KiB")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("-n", type=int, default=100, help="rounds (default 100)")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--gate", action="store_true", help="exit 1 if a gate is broken")
    options = parser.parse_args()
    result = measure(options.n)
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        show(result)
    sentences = list(broken(result))
    for sentence in sentences:
        print(f"gate: {sentence}", file=sys.stderr)
    return 1 if options.gate and sentences else 0


if __name__ == "__main__":
    sys.exit(main())
