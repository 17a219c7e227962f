"""Waitress's parser of requests, made strict."""

from __future__ import annotations

import re
from typing import Any

from waitress.parser import HTTPRequestParser, ParsingError
from waitress.utilities import RequestEntityTooLarge

from cronverifyd.web.limits import BODY_BYTES

_ENCODING = re.compile(rb"^transfer-encoding:(.*?)\r?$", re.IGNORECASE | re.MULTILINE)


class StrictRequest(HTTPRequestParser):  # type: ignore[misc]  # waitress bears no types
    """A request, as far as it has come."""

    error: Any

    def received(self, data: bytes) -> int:
        """Take in more of it; what is complete or refused is not asked to continue.

        Waitress would ask, and then wait for a body that never comes (RFC 9110, 10.1.1).
        """
        consumed: int = super().received(data)
        if self.error is None and self._body_bytes() > BODY_BYTES:
            self.error = RequestEntityTooLarge("body")
            self.completed = True
        if self.completed:
            self.expect_continue = False
        return consumed

    def parse_header(self, header_plus: bytes) -> None:
        """Read the header; raise ParsingError for one that two servers may read in two ways.

        A body in chunks that has a length too, that is encoded twice, or that comes before HTTP/1.1
        smuggles a request past whoever stands in front (RFC 9112, 6.1 and 6.3).
        """
        try:
            super().parse_header(header_plus)
        except ValueError as error:  # "http://[", or a length of more than 4,300 digits
            raise ParsingError("unreadable") from error
        encodings = [each.strip(b" \t").lower() for each in _ENCODING.findall(header_plus)]
        plainly = ([b"chunked"], "1.1", False)
        if encodings and (encodings, self.version, "CONTENT_LENGTH" in self.headers) != plainly:
            raise ParsingError("unclear where the body ends")
        if "close" in re.split(r"[ \t,]+", self.headers.get("CONNECTION", "").lower()):
            self.headers["CONNECTION"] = "close"  # waitress wants it to stand alone

    def _body_bytes(self) -> int:
        """Count what has come of the body, and what is promised."""
        if self.body_rcv is None:
            return 0
        if not self.chunked:
            return int(self.content_length)
        return len(self.body_rcv) + int(self.body_rcv.chunk_remainder)
