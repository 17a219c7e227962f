"""A crowd of clients that never come to an end, in a process of its own.

usage: python -m tests.e2e.crowd PORT SLOW HALF

SLOW of them send a header, a byte a second; HALF send half of a body of 64 KiB, then a byte a
second. Who is turned away comes again, 1,000 a second at most. It says "come" when all are there.
At a line on its standard input all stop sending; it says how many are connected, and "alone" when
the server has closed the last of them.
"""

import select
import socket
import sys
import time

TICKS = 20  # a second

_HEAD = b"POST /verify HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
_HALF = _HEAD + b"Content-Length: 65536\r\n\r\n" + b" " * 32_768


class Crowd:
    """`openings`: what each of them sends before it slows down."""

    def __init__(self, port, openings):
        self._address = ("127.0.0.1", port)
        self._openings = openings
        self._open = {}
        self._gone = list(range(len(openings)))
        self._poll = select.poll()

    def come(self, most):
        """Let those who are outside connect, so many at most, and send what they begin with."""
        for _ in range(min(most, len(self._gone))):
            member = self._gone.pop(0)
            client = socket.create_connection(self._address, timeout=10)
            client.setblocking(False)
            self._open[client.fileno()] = (member, client)
            self._poll.register(client, select.POLLIN)
            self._send(client, self._openings[member])

    def drip(self, tick):
        """Let those send a byte whose turn it is."""
        for member, client in list(self._open.values()):
            if member % TICKS == tick % TICKS:
                self._send(client, b"x")

    def notice(self):
        """Count those that the server has closed as gone; say how many are left."""
        for descriptor, _ in self._poll.poll(0):
            self._leave(descriptor)
        return len(self._open)

    def _send(self, client, data):
        try:
            client.send(data)
        except OSError:
            self._leave(client.fileno())

    def _leave(self, descriptor):
        self._poll.unregister(descriptor)
        member, client = self._open.pop(descriptor)
        client.close()
        self._gone.append(member)


def main(port, slow, half):
    crowd = Crowd(port, [_HEAD + b"X-Slow: "] * slow + [_HALF] * half)
    crowd.come(slow + half)
    print("come", flush=True)
    tick = 0
    while not select.select([sys.stdin], [], [], 1 / TICKS)[0]:
        tick += 1
        crowd.drip(tick)
        crowd.notice()
        crowd.come(1_000 // TICKS)
    print(crowd.notice(), flush=True)
    while crowd.notice():
        time.sleep(0.05)
    print("alone", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
