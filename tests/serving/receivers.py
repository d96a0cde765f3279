"""Receivers on this machine for what leaves the house: HTTP servers of every manner, and a mail server."""

import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from aiosmtpd.controller import Controller

Manner = Callable[[BaseHTTPRequestHandler], None]
"""How a request is answered."""


@dataclass(frozen=True, slots=True)
class Received:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Receiver:
    """An HTTP server; `manners` answer the first requests, one each, `usual` answers the rest."""

    usual: Manner
    manners: list[Manner] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    _server: Any = None

    def __enter__(self) -> Self:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.received.append(Received(self.path, headers, body))
                manner = receiver.manners.pop(0) if receiver.manners else receiver.usual
                manner(self)

            do_GET = do_POST  # noqa: N815

            def log_message(self, *_: Any) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def ids(self) -> list[str]:
        return [item.headers["webhook-id"] for item in self.received]


def status(code: int, body: bytes = b"", **headers: str) -> Manner:
    """Answers with this status; header names are given with underscores."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def hang(until: threading.Event) -> Manner:
    """Says nothing until the event is set, then closes."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        until.wait(30)
        handler.close_connection = True

    return answer


def drip(until: threading.Event) -> Manner:
    """Sends its answer's body a byte at a time, for ever."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        handler.close_connection = True
        while not until.wait(0.05):
            try:
                handler.wfile.write(b".")
                handler.wfile.flush()
            except OSError:
                return

    return answer


def reset(handler: BaseHTTPRequestHandler) -> None:
    """Breaks the connection off with a RST."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True
    # the file objects over the socket hold it open as well
    handler.rfile.close()
    handler.connection.close()


@dataclass(slots=True)
class Mailbox:
    """A mail server that keeps what it gets."""

    mails: list[EmailMessage] = field(default_factory=list)
    refuse: bool = False
    _controller: Any = None

    def __enter__(self) -> Self:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self._controller = Controller(self, hostname="127.0.0.1", port=port)
        self._controller.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._controller.stop()

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if self.refuse:
            return "451 try again later"
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        return "250 taken"

    def url(self, to: str = "team@example.com") -> str:
        return f"mailto://127.0.0.1:{self._controller.port}/?from=holos@example.com&to={to}"

    @property
    def subjects(self) -> list[str]:
        return [str(mail["subject"]) for mail in self.mails]

    def text(self, number: int = -1) -> str:
        """The plain text of a mail."""
        part = self.mails[number].get_body(("plain", "html"))
        assert part is not None
        return str(part.get_content())
