"""A mail server on loopback that keeps what it was handed, and answers as a test tells it."""

import socket
import ssl
import subprocess
import warnings
from contextlib import contextmanager
from email import message_from_bytes, policy

# aiosmtpd names the methods, and what they are called with.
# ruff: noqa: N802, ARG002
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult


class PostOffice:
    """`answers`: SMTP command → what it is answered. `letters`: (recipients, letter), in order.

    `logins`: (user, password, whether it came encrypted).
    """

    def __init__(self) -> None:
        self.answers = {}
        self.letters = []
        self.logins = []
        self.port = None

    @property
    def server(self):
        return "127.0.0.1", self.port

    async def handle_RCPT(self, server, session, envelope, address, options):
        answer = self.answers.get(f"RCPT {address}", self.answers.get("RCPT", "250 OK"))
        if answer.startswith("2"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server, session, envelope):
        answer = self.answers.get("DATA", "250 taken")
        if answer.startswith("2"):
            letter = message_from_bytes(envelope.content, policy=policy.default)
            self.letters.append((envelope.rcpt_tos, letter))
        return answer

    async def handle_QUIT(self, server, session, envelope):
        if self.answers.get("QUIT") == "hang up":
            server.transport.abort()
        return self.answers.get("QUIT", "221 bye")

    def authenticate(self, server, session, envelope, mechanism, auth_data):
        user, password = auth_data.login.decode(), auth_data.password.decode()
        self.logins.append((user, password, session.ssl is not None))
        answer = self.answers.get("AUTH")
        if answer is not None:
            return AuthResult(success=False, handled=False, message=answer.format(password))
        return AuthResult(success=True)


def certificate(folder):
    """Make a certificate for loopback that nobody has signed; give a server's context, its path."""
    key, cert = folder / "key.pem", folder / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout", key, "-out", cert]
    command += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    return context, cert


@contextmanager
def open_office(*, starttls=None, tls=None, auth=False):
    """Serve until the end of the block. `starttls`, `tls`: a context; `auth`: users sign in."""
    office = PostOffice()
    with socket.create_server(("127.0.0.1", 0)) as free:
        office.port = free.getsockname()[1]
    options = {"tls_context": starttls, "ssl_context": tls, "hostname": "127.0.0.1"}
    if auth:
        options |= {"authenticator": office.authenticate, "auth_required": True}
        options |= {"auth_require_tls": starttls is not None}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # aiosmtpd warns of sign-ins in the open, which we test
        controller = Controller(office, port=office.port, **options)
        controller.start()
        try:
            yield office
        finally:
            controller.stop()
