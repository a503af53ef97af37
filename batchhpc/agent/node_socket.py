"""The Unix socket on which this node's own processes talk to their agent: mpirun's shim, and the ranks' wrappers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

Message = dict[str, Any]


class Peer:
    """One process of this node: JSON lines both ways."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._buffer = b""
        self._sending: asyncio.Queue[bytes] = asyncio.Queue()

    async def receive(self) -> Message | None:
        """The next message; None once the process has closed its end, or died."""
        loop = asyncio.get_running_loop()
        while b"\n" not in self._buffer:
            try:
                data = await loop.sock_recv(self._connection, 1 << 16)
            except OSError:
                return None
            if not data:
                return None
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        message = json.loads(line)
        assert isinstance(message, dict)
        return message

    async def send(self, message: Message, fds: tuple[int, ...] = ()) -> None:
        """Sends a message, and copies of open files with its first byte; nothing if the process is gone."""
        data = json.dumps(message).encode() + b"\n"
        with contextlib.suppress(OSError):
            if fds:
                socket.send_fds(self._connection, [data[:1]], fds)
                data = data[1:]
            await asyncio.get_running_loop().sock_sendall(self._connection, data)


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
