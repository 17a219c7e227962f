"""What one client may ask of a listener, so that it stays open for all others: the table.

| limit | value | why |
|---|---|---|
| header | 16 KiB, else 431 | CueAPI's has less than 1 KiB, and a proxy may add cookies |
| body | 64 KiB, else 413 | a delivery has about 1 KiB |
| body with framing | 128 KiB, else 413 | else a body in chunks of a byte could take any time |
| a request | 15 s, else 408 | from the connection, or the answer before, to its last byte |
| taking an answer | 15 s | from our last byte to the client's |
| connections | 256 a listener | from 224 on, who has kept it waiting for longest makes room |
| descriptors | a quarter a listener | there may be three; the rest is for files and channels |
| requests at once | 128 a connection | 20 bytes of them make 1.5 KiB here |
| threads | 4 a listener | the main loop answers one at a time anyway |

So all who never finish hold 224 times 80 KiB at most.
"""

from __future__ import annotations

import resource
from dataclasses import dataclass

HEADER_BYTES = 16_384
BODY_BYTES = 65_536
FRAMED_BODY_BYTES = 131_072
PIPELINED = 128
THREADS = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """The limits of time and number, for one listener."""

    wait_s: float = 15.0
    connections: int = 256

    @property
    def spare(self) -> int:
        """How many places are kept free for those who come."""
        return max(1, self.connections // 8)


def within_descriptors(limits: Limits) -> int:
    """Give how many connections the process can afford on one listener.

    By the soft limit of open descriptors (getrlimit(2)); systemd gives a service 1,024.
    """
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if descriptors == resource.RLIM_INFINITY:
        return limits.connections
    return min(limits.connections, max(8, descriptors // 4))
