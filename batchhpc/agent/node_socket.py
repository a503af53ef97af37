"""The Unix socket on which this node's own processes talk to their agent: mpirun's shim, and the ranks' wrappers.

A message is its length (4 bytes) and its fields with a NUL between them; the first field says what it is. Plainer than JSON,
since the shim and the wrapper start a thousand times and must not spend their time on imports.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path


class Peer:
    """One process of this node."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._buffer = b""
        self._turn = asyncio.Lock()  # sock_sendall takes one caller at a time

    async def receive(self) -> list[str] | None:
        """Fields of the next message; None once the process has closed its end, or died."""
        head = await self._take(4)
        body = await self._take(int.from_bytes(head, "big")) if head else None
        return None if body is None else [field.decode(errors="surrogateescape") for field in body.split(b"\0")]

    async def send(self, *fields: str | bytes, fds: tuple[int, ...] = ()) -> None:
        """Sends a message, and copies of open files with its first byte; nothing if the process is gone."""
        body = b"\0".join(field if isinstance(field, bytes) else field.encode(errors="surrogateescape") for field in fields)
        data = len(body).to_bytes(4, "big") + body
        with contextlib.suppress(OSError):
            async with self._turn:
                if fds:
                    socket.send_fds(self._connection, [data[:1]], fds)
                    data = data[1:]
                await asyncio.get_running_loop().sock_sendall(self._connection, data)

    async def _take(self, size: int) -> bytes | None:
        while len(self._buffer) < size:
            try:
                data = await asyncio.get_running_loop().sock_recv(self._connection, 1 << 16)
            except OSError:
                return None
            if not data:
                return None
            self._buffer += data
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken


async def serve(path: Path, handle: Callable[[Peer], Awaitable[None]]) -> None:
    """Accepts processes until cancelled; each is handled in a task of its own."""
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()

    async def attend(connection: socket.socket) -> None:
        with connection:
            await handle(Peer(connection))

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))  # in a directory that only this user can enter
        listener.listen(4096)
        listener.setblocking(False)
        try:
            while True:
                connection, _ = await loop.sock_accept(listener)
                connection.setblocking(False)
                task = loop.create_task(attend(connection))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
        finally:
            for task in tasks:
                task.cancel()
