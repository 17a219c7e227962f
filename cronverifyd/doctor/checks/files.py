"""Modes and owners: who gets in, and who cannot write what has to be written."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from cronverifyd.doctor.checks.access import READ, SEARCH, WRITE, closed_to, may
from cronverifyd.doctor.facts import Kind
from cronverifyd.doctor.finding import bad, ok, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cronverifyd.doctor.facts import Account, Entry, Files, Outcomes
    from cronverifyd.doctor.finding import Finding

_OTHERS_WRITE = 0o002
_OTHERS_READ = 0o004
_STICKY = 0o1000
_SECRET = frozenset({"trigger.secret", "control.sock"})


def check(files: Files) -> Iterator[Finding]:
    """Say what is wrong with modes and owners."""
    yield from _config(files)
    yield from _state(files)
    if files.state is not None:
        yield from _kept(files)
    yield from _outcomes(files)


def _config(files: Files) -> Iterator[Finding]:
    config = files.config
    if config is None:
        return
    shown = f"{config.path} has mode {config.mode:04o}"
    trusted = {0, files.me.uid, files.daemon.uid if files.daemon else 0}
    if config.mode & _OTHERS_WRITE:
        yield bad("config", f"{shown}: anybody can change it", f"chmod o-w {quote(config.path)}")
    elif config.uid not in trusted:
        yield warning(
            "config",
            f"{config.path} belongs to uid {config.uid}, who can change what is watched",
            f"chown root {quote(config.path)}",
        )
    elif files.daemon and not may(files.daemon, config, READ) and not files.reads_all:
        yield bad(
            "config",
            f"{shown}: {files.daemon.name}, who owns the state folder, cannot read it",
            _for_the_group(files.daemon, "g+r", config),
        )
    else:
        yield ok("config", shown)


def _state(files: Files) -> Iterator[Finding]:
    state, path = files.state, quote(files.state_path)
    if state is None:
        closed = closed_to(files.me, files.way)
        if closed is not None:
            text = f"{files.state_path} cannot be seen: {closed.path} is closed to {files.me.name}"
            yield warning("state", text, "sudo cronverifyd doctor")
        else:
            text = f"there is no state folder {files.state_path} yet: the daemon makes it"
            yield warning("state", text, f"install -d -m 0750 {path}")
        return
    shown = f"{files.state_path} has mode {state.mode:04o}"
    if state.kind is not Kind.FOLDER:
        yield bad("state", f"{files.state_path} is no folder", f"mv {path} {path}.old")
    elif state.mode & _OTHERS_WRITE:
        text = f"{shown}: anybody can put a database or a journal of their own there"
        yield bad("state", text, f"chmod o-w {path}")
    elif files.daemon and not may(files.daemon, state, WRITE | SEARCH):
        text = f"{shown}: its owner {files.daemon.name} cannot write there"
        yield bad("state", text, f"chmod u+rwx {path}")
    else:
        yield ok("state", f"{shown} and belongs to {files.daemon.name if files.daemon else '?'}")


def _kept(files: Files) -> Iterator[Finding]:
    """Look at what the daemon keeps; those of which nothing is to be said are one finding."""
    faults = [fault for entry in files.kept.items() for fault in _of_kept(*entry, files)]
    yield from faults
    if files.kept and not faults:
        yield ok("state", f"{', '.join(files.kept)}: owners and modes are right")


def _of_kept(name: str, entry: Entry, files: Files) -> Iterator[Finding]:
    daemon, path = files.daemon, quote(entry.path)
    shown = f"{entry.path} has mode {entry.mode:04o}"
    if daemon and entry.uid != daemon.uid:
        text = f"{entry.path} belongs to uid {entry.uid}, not to {daemon.name}, who has to write it"
        yield bad("state", text, f"chown {daemon.name} {path}")
    elif daemon and not may(daemon, entry, READ | WRITE):
        yield bad("state", f"{shown}: {daemon.name} cannot write it", f"chmod u+rw {path}")
    if name in _SECRET and entry.mode & 0o077:
        text = f"{shown}: others can use it to command the daemon"
        yield bad("state", text, f"chmod 0600 {path}")
    elif entry.mode & _OTHERS_WRITE:
        yield bad("state", f"{shown}: anybody can change it", f"chmod o-rwx {path}")
    elif entry.mode & _OTHERS_READ:
        text = f"{shown}: anybody can read the output of jobs in it"
        yield warning("state", text, f"chmod o-rwx {path}")


def _outcomes(files: Files) -> Iterator[Finding]:
    for pattern in files.empty_globs:
        yield warning("outcomes", f"no file matches {pattern} yet: no job has written", None)
    for each in files.outcomes:
        faults = [*_folder(each, files), *_file(each, files)]
        yield from faults
        if not faults:
            there = f"has mode {each.file.mode:04o}" if each.file else "is not there yet"
            yield ok("outcomes", f"{each.path} {there}")


def _folder(each: Outcomes, files: Files) -> Iterator[Finding]:
    path = each.path.rpartition("/")[0] or "/"
    folder = each.way[-1]
    if folder.path != path:
        yield from _lost_folder(path, folder, files)
        return
    if not folder.mode & _OTHERS_WRITE:
        return
    if not folder.mode & _STICKY:
        text = f"{path} has mode {folder.mode:04o}: anybody can replace the outcomes of others"
        yield bad("outcomes", text, f"chmod o-w {quote(path)}")
    elif files.sticky_guard:
        text = (
            f"{path} is sticky and open to all, and fs.protected_regular is {files.sticky_guard}:"
            f" not even root can append there with >> to another user's file"
        )
        yield warning("outcomes", text, f"chmod o-w,-t {quote(path)}")


def _lost_folder(path: str, last: Entry, files: Files) -> Iterator[Finding]:
    """Tell of a folder that is not there, or that this user cannot see."""
    if not may(files.me, last, SEARCH):
        text = f"{path} cannot be seen: {last.path} is closed to {files.me.name}"
        yield warning("outcomes", text, "sudo cronverifyd doctor")
    else:
        text = f"there is no folder {path}: no job can write its outcomes there"
        yield bad("outcomes", text, f"install -d -m 0755 {quote(path)}")


def _file(each: Outcomes, files: Files) -> Iterator[Finding]:
    file = each.file
    if file is None:
        return
    shown, path = f"{each.path} has mode {file.mode:04o}", quote(each.path)
    if file.kind is not Kind.FILE:
        yield bad("outcomes", f"{each.path} is no plain file", f"mv {path} {path}.old")
        return
    if file.mode & _OTHERS_WRITE:
        text = f"{shown}: anybody can write there, so it proves nobody to be the writer"
        yield warning("outcomes", text, f"chmod o-w {path}")
    if each.named and each.named.uid != file.uid:
        text = f"{each.path} belongs to uid {file.uid}, not to {each.named.name}, whose name it has"
        yield bad("outcomes", text, f"chown {each.named.name} {path}")
    elif each.owner:
        yield from _for_the_owner(each.owner, each)
    yield from _for_the_daemon(each, files)


def _for_the_owner(owner: Account, each: Outcomes) -> Iterator[Finding]:
    """See that the owner, whose jobs write there, can."""
    closed, file = closed_to(owner, each.way), each.file
    if closed is not None:
        text = f"{owner.name} cannot write {each.path}: {closed.path} is closed ({closed.mode:04o})"
        yield bad("outcomes", text, f"chmod o+x {quote(closed.path)}")
    elif file and not may(owner, file, WRITE):
        text = f"{each.path} has mode {file.mode:04o}: its owner {owner.name} cannot write it"
        yield bad("outcomes", text, f"chmod u+w {quote(each.path)}")


def _for_the_daemon(each: Outcomes, files: Files) -> Iterator[Finding]:
    daemon, file = files.daemon, each.file
    if daemon is None or file is None or files.reads_all:
        return
    closed = closed_to(daemon, each.way) or (None if may(daemon, file, READ) else file)
    if closed is None:
        return
    # Its group alone, and not all others: the lines hold the output of jobs.
    right = "g+x" if closed.kind is Kind.FOLDER else "g+r"
    remedy = _for_the_group(daemon, right, closed)
    text = f"{each.path} cannot be read by {daemon.name}: {closed.path} has mode {closed.mode:04o}"
    if files.reads_all is None:
        text += ", and only a daemon with CAP_DAC_READ_SEARCH passes over that"
        yield warning("outcomes", text, remedy)
    else:
        yield bad("outcomes", text, remedy)


def _for_the_group(account: Account, right: str, entry: Entry) -> str:
    path = quote(entry.path)
    return f'chgrp "$(id -gn {account.name})" {path} && chmod {right} {path}'
