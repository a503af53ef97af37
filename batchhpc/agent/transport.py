"""Links between agents: sessions over TCP, heartbeats both ways, silence noticed."""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Awaitable, Callable

from batchhpc.agent.session import ChildSession, LeaderSession, Message, Session, SessionError, WrongSecret

BEATS = 5  # quiet heartbeats in a row that make a silence
HANDSHAKE_TIME = 10.0  # seconds in which a connection must prove itself


class Link(asyncio.Protocol):
    """One TCP connection to another agent.

    Args:
        session: the conversation, not yet begun.
        on_open: called once both sides have proved themselves.
        on_message: called with each message.
        on_lost: called once, with why; never called after `close`.
    """

    def __init__(
        self,
        session: Session,
        on_open: Callable[[Link], None],
        on_message: Callable[[Link, Message], None],
        on_lost: Callable[[Link, Exception | None], None],
    ) -> None:
        self.session = session
        self.local_address = self.remote_address = ""
        self._on_open, self._on_message, self._on_lost = on_open, on_message, on_lost
        self._transport: asyncio.Transport | None = None
        self._quiet_beats = 0
        self._error: Exception | None = None
        self._over = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        connection: socket.socket = transport.get_extra_info("socket")
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.local_address, self.remote_address = connection.getsockname()[0], connection.getpeername()[0]
        self._flush()
        asyncio.get_running_loop().call_later(HANDSHAKE_TIME, self._check_open)

    def data_received(self, data: bytes) -> None:
        self._quiet_beats = 0
        was_open = self.session.open
        try:
            messages = self.session.receive(data)
        except SessionError as error:
            self._flush()
            self._break(error)
            return
        self._flush()
        if self.session.open and not was_open:
            self._on_open(self)
        for message in messages:
            self._on_message(self, message)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._over:
            self._over = True
            self._on_lost(self, self._error or exc)

    def send(self, message: Message | None) -> None:
        """Sends a message, or a heartbeat (None); nothing is sent on a link that is closing."""
        if self._transport and not self._transport.is_closing() and self.session.open:
            self._transport.write(self.session.seal(message))

    def beat(self) -> bool:
        """Sends a heartbeat; False if the other side was silent for more than `BEATS` beats.

        Silence is counted in beats, not in seconds: a machine that stalls does not take its own pause for its peers'.
        """
        self.send(None)
        self._quiet_beats += 1
        return self._quiet_beats <= BEATS

    def close(self) -> None:
        """Closes after what was sent has left; nothing is reported any more."""
        self._over = True
        if self._transport:
            self._transport.close()

    def abort(self) -> None:
        """Closes at once, reporting nothing: the other side does not answer."""
        self._over = True
        if self._transport:
            self._transport.abort()

    def _flush(self) -> None:
        session = self.session
        assert isinstance(session, (LeaderSession, ChildSession))
        outgoing, session.outgoing = session.outgoing, b""
        if outgoing and self._transport:
            self._transport.write(outgoing)

    def _check_open(self) -> None:
        if not self.session.open:
            self._break(SessionError(f"no proof within {HANDSHAKE_TIME:g} s"))

    def _break(self, error: Exception) -> None:
        self._error = error
        if self._transport:
            self._transport.close()


def how_closed(error: Exception | None) -> str:
    """Why a link broke, for a message; a peer that died resets its connections or closes them, which is one thing to us."""
    return "link closed" if error is None or isinstance(error, ConnectionResetError) else f"link closed: {error}"


class Heartbeat:
    """Sends a beat over every link, and says which one has fallen silent.

    Args:
        lost_after: the longest silence, in seconds.
        on_silent: called with a link that was silent for that long.
    """

    def __init__(self, lost_after: float, on_silent: Callable[[Link], None]) -> None:
        self.links: set[Link] = set()
        self._interval = lost_after / (BEATS + 1)
        self._on_silent = on_silent

    async def run(self) -> None:
        """Beats until cancelled."""
        while True:
            await asyncio.sleep(self._interval)
            for link in [link for link in self.links if not link.beat()]:
                self.links.discard(link)
                self._on_silent(link)


async def listen(
    address: str,
    port: int,
    key: bytes,
    on_message: Callable[[Link, Message], None],
    on_lost: Callable[[Link, Exception | None], None],
) -> asyncio.Server:
    """Listens for child nodes; the first message of a link is its ``hello``.

    Raises:
        OSError: the address cannot be listened on.
    """

    def accept() -> Link:
        return Link(LeaderSession(key, secrets.token_hex(16)), lambda _: None, on_message, on_lost)

    loop = asyncio.get_running_loop()
    return await loop.create_server(accept, address, port, family=socket.AF_INET, backlog=4096, reuse_address=True)


async def connect(  # noqa: PLR0917 - two ends and two callbacks
    main_address: str,
    port: int,
    own_address: str | None,
    session: ChildSession,
    on_message: Callable[[Link, Message], None],
    on_lost: Callable[[Link, Exception | None], None],
) -> Link:
    """Connects to the main node.

    Args:
        main_address: where the main node is.
        port: its port.
        own_address: address to connect from; None lets the network decide.
        session: the conversation, not yet begun.
        on_message: called with each message.
        on_lost: called once if the link breaks after it was open.

    Raises:
        OSError: nobody answers there.
        SessionError: whoever does is not this job's main node.
    """
    loop = asyncio.get_running_loop()
    opened: asyncio.Future[Link] = loop.create_future()

    def breaks(link: Link, error: Exception | None) -> None:
        if opened.done():
            on_lost(link, error)
        else:
            opened.set_exception(error or ConnectionResetError("closed before both sides had proved themselves"))

    link = Link(session, opened.set_result, on_message, breaks)
    try:
        await loop.create_connection(lambda: link, main_address, port, local_addr=(own_address, 0) if own_address else None)
        return await opened
    except asyncio.CancelledError:
        link.abort()
        raise


async def connect_in_time(connected: Callable[[], Awaitable[Link]]) -> Link:
    """Connects again and again until cancelled: the main node may not listen yet (R36).

    Raises:
        WrongSecret: the main node is another job's, or knows another secret; trying again cannot help.
    """
    pause = 0.05
    while True:
        try:
            return await connected()
        except WrongSecret:
            raise
        except (OSError, SessionError):
            await asyncio.sleep(pause)
            pause = min(2 * pause, 1.0)
