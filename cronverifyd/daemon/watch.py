"""Watch folders through inotify (watchdog); the handler only rings.

What the kernel says here is never needed: the timer's tick looks at the files too. watchdog can go
deaf (a folder deleted and made again) or lose events (a queue overflow) without a word.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from watchdog.events import (
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer

from cronverifyd.intake.rejected import REJECTED
from cronverifyd.model import TriggeredBy
from cronverifyd.state import CONTROL_SOCKET, LOCK
from cronverifyd.store.reader import DATABASE
from cronverifyd.store.sqlite import JOURNAL

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cronverifyd.daemon.bell import Bell

_EVENTS: list[type[FileSystemEvent]] = [
    FileCreatedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileDeletedEvent,
    FileClosedEvent,
]
_OURS = frozenset({JOURNAL, REJECTED, LOCK, CONTROL_SOCKET})
"""What we write ourselves into the state folder: to look because of it would never end.

The database has companions (-wal, -shm, -journal); other names are compared whole, for an outcome
file may well be called `lockmgr.jsonl`.
"""


class Watch:
    """Rings the bell when something happens in the folders that it follows."""

    def __init__(self, bell: Bell) -> None:
        self._observer = Observer()
        self._handler = _Ringer(bell)
        self._followed: dict[Path, int] = {}

    def start(self) -> None:
        """Start to listen."""
        self._observer.start()

    def follow(self, folders: Iterable[Path]) -> None:
        """Follow these folders and no others; one that was made anew is followed anew."""
        wanted = dict(_inodes(folders))
        if wanted == self._followed:
            return
        self._observer.unschedule_all()
        self._followed = wanted
        for folder in wanted:
            # Gone, or no inotify watches left: the tick sees its files all the same.
            with suppress(OSError):
                self._observer.schedule(self._handler, str(folder), event_filter=_EVENTS)

    def stop(self, timeout_s: float) -> bool:
        """Stop; False if that took longer than `timeout_s`."""
        self._observer.stop()
        self._observer.join(timeout_s)
        return not self._observer.is_alive()


class _Ringer(FileSystemEventHandler):
    def __init__(self, bell: Bell) -> None:
        self._bell = bell

    def on_any_event(self, event: FileSystemEvent) -> None:
        names = [Path(str(path)).name for path in (event.src_path, event.dest_path) if path]
        if not all(name in _OURS or name.startswith(DATABASE) for name in names):
            self._bell.ring(TriggeredBy.FILE)


def _inodes(folders: Iterable[Path]) -> Iterable[tuple[Path, int]]:
    for folder in sorted(folders):
        try:
            yield folder, folder.stat().st_ino
        except OSError:
            continue
