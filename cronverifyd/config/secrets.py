"""Secrets: found by name when they are needed, and shown in no error.

No error is chained to its cause here: a UnicodeDecodeError carries the bytes that it stumbled over.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from cronverifyd.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cronverifyd.model import Secret

# The owner may read and write, the group may read.
_PRIVATE_MODE = 0o640


class UnreadableSecretError(ConfigError):
    """A secret that exists, but that this user may not read."""


def find(secret: Secret, environ: Mapping[str, str]) -> str | None:
    """Give the secret: the literal, or the first of credential, variable and file that exists.

    None when none of them exists. Raises ConfigError when the first that exists is empty, not text
    or a file that others can read; UnreadableSecretError when this user cannot read it. A line
    break at the end is not part of a secret.
    """
    value = next(_values(secret, environ), None)
    if value is None:
        return None
    value = value.rstrip("\r\n")
    if not value.strip():
        raise ConfigError(f"{secret.place}: empty secret")
    return value


def resolve(secret: Secret, environ: Mapping[str, str]) -> str:
    """Give the secret, as `find` does; raise ConfigError with its place where there is none."""
    value = find(secret, environ)
    if value is None:
        raise ConfigError(
            f"{secret.place}: {not_found(secret)}",
            remedy="provide it, then start the daemon again",
        )
    return value


def not_found(secret: Secret) -> str:
    """Say where a secret was looked for in vain."""
    named = {
        "credential": secret.credential,
        "environment variable": secret.env,
        "file": secret.file,
    }
    tried = [f"no {kind} {name}" for kind, name in named.items() if name is not None]
    return f"secret not found: there is {' and '.join(tried)}"


def too_open(mode: int) -> bool:
    """Say whether a file's permissions go beyond 0640, so that it may not hold a secret."""
    return bool(mode & ~_PRIVATE_MODE)


def _values(secret: Secret, environ: Mapping[str, str]) -> Iterator[str]:
    """Go through the secret's sources lazily: what comes after the first value is not looked at."""
    if secret.literal is not None:
        yield secret.literal
    # systemd.exec(5): the folder of a unit's credentials is named by this variable.
    folder = environ.get("CREDENTIALS_DIRECTORY")
    if secret.credential is not None and folder:
        yield from _content(Path(folder) / secret.credential, secret.place)
    if secret.env is not None and secret.env in environ:
        yield environ[secret.env]
    if secret.file is not None:
        yield from _content(Path(secret.file), secret.place, private=True)


def _content(path: Path, place: str, *, private: bool = False) -> tuple[str, ...]:
    """Read a file: its one value, or none where there is no such file.

    `private`: refuse it where others can read it; systemd sets the modes of credentials itself.
    """
    try:
        with path.open(encoding="utf-8") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if private and too_open(mode):
                sentence = f"{place}: {path} holds a secret, and its mode {mode:04o} is too open"
                raise ConfigError(sentence, remedy=f"chmod 0640 {path}")
            return (file.read(),)
    except FileNotFoundError:
        return ()
    except OSError as error:
        sentence = f"{place}: {path} cannot be read: {error.strerror}"
        raise UnreadableSecretError(sentence) from None
    except UnicodeDecodeError:
        raise ConfigError(f"{place}: {path} is not UTF-8 text") from None
