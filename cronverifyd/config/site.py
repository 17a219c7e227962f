"""What the values of a configuration file stand in, and the secrets that they name."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cronverifyd.config import secrets
from cronverifyd.config.secrets import UnreadableSecretError
from cronverifyd.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cronverifyd.config.locate import Keys
    from cronverifyd.config.sheet import Sheet
    from cronverifyd.model import Secret


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """What the values stand in: the file, and the environment that secrets may come from.

    `mode`: the permissions of the file.
    """

    sheet: Sheet
    path: Path
    mode: int
    environ: Mapping[str, str]

    @property
    def folder(self) -> Path:
        """Where relative paths start, as an absolute path."""
        return self.path.absolute().parent

    def secret(self, named: Secret, keys: Keys) -> tuple[Secret, str | None]:
        """Give a secret its place, and look for its value; report what is wrong with it."""
        file = named.file and str(self.folder / named.file)
        secret = replace(named, place=self.sheet.place(keys), file=file)
        if secret.literal is not None and secrets.too_open(self.mode):
            sentence = f"this file holds a secret, and its mode {self.mode:04o} is too open"
            self.sheet.problem(keys, f"{sentence}; try: chmod 0640 {self.path}")
        return secret, self._look_for(secret, keys)

    def _look_for(self, secret: Secret, keys: Keys) -> str | None:
        try:
            value = secrets.find(secret, self.environ)
        except UnreadableSecretError as error:
            self.sheet.warning(keys, _without_place(error, secret))
            return None
        except ConfigError as error:
            self.sheet.problem(keys, _without_place(error, secret))
            return None
        if value is None:
            self.sheet.warning(keys, secrets.not_found(secret))
        return value


def _without_place(error: ConfigError, secret: Secret) -> str:
    sentence = str(error).removeprefix(f"{secret.place}: ")
    return f"{sentence}; try: {error.remedy}" if error.remedy else sentence
