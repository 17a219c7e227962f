"""What CueAPI refuses, and when its cron fires: croniter's way, in a zone.

Refusals are `Refused`: a status, a code and a message, as the service words its errors.
"""

import ipaddress
import json
from datetime import UTC, datetime, timedelta
from itertools import islice
from urllib.parse import urlsplit, urlunsplit
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

_LONGEST_SHIFT = timedelta(hours=3)
_MINUTE = timedelta(minutes=1)
_NAME, _RESULT, _SUMMARY, _METADATA_BYTES, _PAYLOAD_BYTES = 255, 2_000, 500, 10_240, 1_048_576


class Refused(Exception):  # noqa: N818 - the service's word
    def __init__(self, status, code, message, field=None, **headers):
        super().__init__(message)
        self.status, self.headers = status, headers
        details = [{"field": field, "message": message}] if field else []
        said = {"code": code, "message": message, "status": status}
        self.document = {"error": said | ({"details": details} if details else {})}


def invalid(field, message):
    return Refused(422, "validation_error", message, field)


# ---- cron -----------------------------------------------------------------------------------


def next_fire(cron, timezone, after):
    """Find the first fire after an instant. Raises CronSimError for what nobody can read.

    Where both fields of the day are given, one of them is enough (`*/2` counts as given). A local
    time that comes twice fires twice; one that the clocks jump over fires right after the jump.
    """
    minute, hour, dom, month, dow = cron.split()
    if "*" in {dom, dow}:
        return _next_fire(cron, timezone, after)
    either = (f"{minute} {hour} {dom} {month} *", f"{minute} {hour} * {month} {dow}")
    return min(_next_fire(each, timezone, after) for each in either)


def _next_fire(cron, timezone, after):
    zone = ZoneInfo(timezone)
    wall = after.astimezone(zone).replace(tzinfo=None)
    found = []
    for match in CronSim(cron, wall - _LONGEST_SHIFT):
        found += [come for come in _instants(match, zone) if come > after]
        if found and match > wall:
            return min(found)
    raise CronSimError("failed to find next date")


def _instants(wall, zone):
    first, second = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    while first > second:  # the clocks jump over it
        wall += _MINUTE
        first, second = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    return (first, second)


def fires(cron, timezone, after, count):
    """Give the next fires after an instant."""

    def walk():
        at = after
        while True:
            at = next_fire(cron, timezone, at)
            yield at

    return list(islice(walk(), count))


# ---- bodies ---------------------------------------------------------------------------------


def read_name(value):
    if not isinstance(value, str) or len(value) > _NAME:
        raise invalid("body.name", f"String should have at most {_NAME} characters")
    return value


def read_schedule(value, now):
    """Give the schedule and its next fire; one without a time zone is UTC's."""
    if not isinstance(value, dict) or not isinstance(value.get("type"), str):
        raise invalid("body.schedule", "Field required")
    zone = value.get("timezone", "UTC")
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, TypeError, OSError):
        raise Refused(422, "invalid_timezone", f"Unknown timezone: '{zone}'") from None
    if value["type"] != "recurring" or not value.get("cron"):
        raise Refused(400, "invalid_schedule", "Cron expression is required here")
    if not _can_be_read(value["cron"]):
        raise Refused(400, "invalid_schedule", "Invalid cron expression")
    schedule = {"type": "recurring", "timezone": zone, "cron": value["cron"]}
    try:
        return schedule, next_fire(value["cron"], zone, now)
    except CronSimError:  # well formed, and never comes
        raise Refused(500, "internal_error", "An internal error occurred") from None


def _can_be_read(cron):
    fields = cron.split()
    alone = [
        " ".join(field if at == place else "*" for at in range(5))
        for place, field in enumerate(fields)
    ]
    try:
        return len(fields) == 5 and all(CronSim(each, datetime(2024, 1, 1)) for each in alone)  # noqa: DTZ001
    except CronSimError:
        return False


def read_callback(value, *, allow_loopback):
    """Give the callback; its method and its headers are replaced with it."""
    if not isinstance(value, dict):
        raise invalid("body.callback", "Input should be a valid dictionary")
    if "transport" in value:
        raise invalid("body.callback", "transport must be specified at the top level")
    method, headers = value.get("method", "POST"), value.get("headers") or {}
    if method != "POST":  # misleading, and so is the service
        raise Refused(409, "duplicate_cue_name", "A cue of this name already exists")
    if not all(isinstance(text, str) for pair in headers.items() for text in pair):
        raise invalid("body.callback.headers", "Input should be a valid string")
    found = {"method": method, "headers": headers}
    return found | ({"url": _url(value["url"], allow_loopback)} if value.get("url") else {})


def _url(text, allow_loopback):
    parts = urlsplit(text)
    host = parts.hostname or ""
    if not host or parts.scheme not in {"http", "https"}:
        raise invalid("body.callback.url", "Input should be a valid URL")
    if parts.username or parts.password:
        raise Refused(400, "invalid_callback_url", "Credentials in callback URLs are not allowed")
    if not (_is_loopback(host) and allow_loopback):
        if parts.scheme != "https":
            raise Refused(400, "invalid_callback_url", "URL must use https:// in production")
        if _is_private(host):
            raise Refused(400, "invalid_callback_url", "resolves to blocked address range")
    return urlunsplit(parts._replace(netloc=parts.netloc.lower(), path=parts.path or "/"))


def _is_loopback(host):
    return host in {"localhost", "127.0.0.1", "::1"}


def _is_private(host):
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return host == "localhost" or "." not in host


def read_payload(value):
    if not isinstance(value, dict):
        raise invalid("body.payload", "Input should be a valid dictionary")
    if len(json.dumps(value).encode()) > _PAYLOAD_BYTES:
        raise Refused(400, "invalid_payload_size", "Payload must be under 1MB")
    return value


def read_retry(value):
    attempts, backoff = value.get("max_attempts", 3), value.get("backoff_minutes", [1, 5, 15])
    if type(attempts) is not int or not 1 <= attempts <= 10:
        raise invalid("body.retry.max_attempts", "Input should be from 1 to 10")
    if not isinstance(backoff, list) or not all(type(minutes) is int for minutes in backoff):
        raise invalid("body.retry.backoff_minutes", "Input should be a valid list of integers")
    return {"max_attempts": attempts, "backoff_minutes": backoff}


def read_on_failure(value):
    found = {"email": True, "webhook": None, "pause": False} | value
    return {key: found[key] for key in ("email", "webhook", "pause")}


def read_outcome(value):
    if type(value.get("success")) is not bool:
        raise invalid("body.success", "Input should be a valid boolean")
    longest = {"result": _RESULT, "error": _RESULT, "summary": _SUMMARY, "external_id": 255}
    for key, most in (longest | {"result_type": 50}).items():
        text = value.get(key)
        if text is not None and not (isinstance(text, str) and len(text) <= most):
            raise invalid(f"body.{key}", f"String should have at most {most} characters")
    metadata = value.get("metadata")
    if metadata is not None and not isinstance(metadata, dict):
        raise invalid("body.metadata", "Input should be a valid dictionary")
    if len(json.dumps(metadata).encode()) > _METADATA_BYTES:
        raise Refused(400, "metadata_too_large", "Outcome metadata must be under 10KB")
    return value
