"""Who is told, on this machine: a program that takes webhooks and checks their signatures, and a mail server."""

import hmac
import json
import socketserver
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from serving.scenario.tools import standard_signature

TOLERANCE = timedelta(minutes=5)
"""How old a signed time may be, as Standard Webhooks advises."""
POLL_SECONDS = 0.02
LOCAL = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Call:
    """One POST of a webhook: what it brought, when by the scenario's clock, and whether it was taken."""

    id: str
    type: str
    body: bytes
    at: datetime
    genuine: bool
    taken: bool


@dataclass(slots=True)
class _Server(ABC):
    """A server in a thread, for as long as the context lasts."""

    server: Any = field(default=None, init=False)

    def __enter__(self) -> Self:
        self.server = self.make()
        self.server.daemon_threads = True
        self.server.block_on_close = False
        threading.Thread(target=self.server.serve_forever, args=(POLL_SECONDS,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.server.shutdown()
        self.server.server_close()

    @abstractmethod
    def make(self) -> Any:
        """The server, not yet started."""

    @property
    def port(self) -> int:
        return int(self.server.server_address[1])


@dataclass(slots=True)
class Program(_Server):
    """A receiver of webhooks; while it is `down` it answers 503."""

    clock: Callable[[], datetime]
    secret: str = ""
    down: bool = False
    calls: list[Call] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://{LOCAL}:{self.port}/holos"

    def take(self, headers: Any, body: bytes) -> int:
        """The status to answer with."""
        id, seconds = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "0")
        expected = standard_signature(self.secret, id, seconds, body)
        given = headers.get("webhook-signature", "").split(" ")
        recent = abs(self.clock().timestamp() - int(seconds)) <= TOLERANCE.total_seconds()
        genuine = recent and any([hmac.compare_digest(expected, each) for each in given])
        taken = genuine and not self.down
        self.calls.append(Call(id, json.loads(body)["type"], body, self.clock(), genuine, taken))
        return 204 if taken else 503 if genuine else 401

    def make(self) -> Any:
        program = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                status = program.take(self.headers, self.rfile.read(int(self.headers.get("content-length", 0))))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Says nothing."""

        return ThreadingHTTPServer((LOCAL, 0), Handler)


@dataclass(slots=True)
class Post(_Server):
    """A mail server that takes everything: as much of SMTP as a client that sends mail speaks."""

    mails: list[EmailMessage] = field(default_factory=list)

    def address(self, mailbox: str) -> str:
        """The address of a channel that sends to this mailbox."""
        return f"mailto://{LOCAL}:{self.port}/?from=holos@meridian.example&to={mailbox}"

    def to(self, mailbox: str) -> list[EmailMessage]:
        return [mail for mail in self.mails if mailbox in str(mail["to"])]

    def make(self) -> Any:
        post = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.say("220 post")
                while line := self.rfile.readline():
                    word = line[:4].upper().strip()
                    if word == b"DATA":
                        self.say("354 go on")
                        post.mails.append(self.mail())
                        self.say("250 taken")
                    elif word == b"QUIT":
                        return self.say("221 bye")
                    else:
                        self.say("250 post")

            def mail(self) -> EmailMessage:
                lines = iter(self.rfile.readline, b".\r\n")
                # a line that begins with a dot was sent with two
                raw = b"".join(line[1:] if line.startswith(b"..") else line for line in lines)
                found = message_from_bytes(raw, policy=policy.default)
                assert isinstance(found, EmailMessage)
                return found

            def say(self, line: str) -> None:
                self.wfile.write(f"{line}\r\n".encode())

        return socketserver.ThreadingTCPServer((LOCAL, 0), Handler)
