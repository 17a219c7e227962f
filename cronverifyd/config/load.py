"""From a configuration file to frozen pieces, or to all that is wrong with it."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from typing import TYPE_CHECKING, Any

from cronverifyd.config.build import build
from cronverifyd.config.schema import SCHEMA
from cronverifyd.config.sheet import Sheet
from cronverifyd.config.site import Site
from cronverifyd.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cronverifyd.config.pieces import Config

# What tomllib says of a place: "Invalid value (at line 3, column 7)", "… (at end of document)".
_TOML_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


def load(path: Path, *, environ: Mapping[str, str] = os.environ) -> Config:
    """Read a configuration file.

    1. Read and parse the file; what fails here is the only problem told.
    2. Read every value by the schema.
    3. Build the pieces; check what takes more than one value, or a look at the host.
    4. Raise ConfigError with all problems, one a line, in the order of the file's lines.

    A secret that cannot be found is a warning only: people ask for the status without the
    credentials that the daemon has.
    """
    text, mode = _read(path)
    sheet = Sheet(str(path), text)
    values = sheet.read(_parse(text, path), SCHEMA)
    site = Site(sheet=sheet, path=path, mode=mode, environ=environ)
    config = build(values, site)
    sheet.raise_problems()
    return config


def _read(path: Path) -> tuple[str, int]:
    """Read the file's text and its permissions."""
    try:
        with path.open("rb") as file:
            content, mode = file.read(), stat.S_IMODE(os.fstat(file.fileno()).st_mode)
    except FileNotFoundError:
        remedy = "name the file with --config PATH, or make one with: cronverifyd config import"
        raise ConfigError(f"{path}: there is no such file", remedy=remedy) from None
    except OSError as error:
        remedy = f"let this user read it (see: ls -l {path}), or run as one who can"
        raise ConfigError(f"{path}: cannot be read: {error.strerror}", remedy=remedy) from None
    try:
        return content.decode("utf-8-sig"), mode
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
    raise ConfigError(f"{path}:{line}: is not UTF-8 text", remedy="save the file as UTF-8")


def _parse(text: str, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except ValueError as error:  # a TOMLDecodeError, or a number of more than 4,300 digits
        what = str(error)
    except RecursionError:
        what = "nested too deeply"
    place = _TOML_PLACE.search(what)
    line, column = place.groups() if place else (None, None)
    where = f"{path}:{line or text.rstrip().count(chr(10)) + 1}: not valid TOML"
    where += f" at column {column}" if column else ""
    raise ConfigError(f"{where}: {_TOML_PLACE.sub('', what)}")
