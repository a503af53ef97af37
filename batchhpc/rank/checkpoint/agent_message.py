"""Tells this node's agent, if there is one, that a checkpoint is whole. It never fails the program."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from batchhpc.agent.contract import AGENT_SOCKET, GENERATION

_PATIENCE: Final = 2.0  # seconds


def tell_agent(environ: Mapping[str, str], step: int, size: int, seconds: float) -> None:
    """``checkpoint generation step bytes seconds``, in the framing of ``agent.node_socket``; silence if nobody listens."""
    path = environ.get(AGENT_SOCKET)
    if path is None:
        return
    body = "\0".join(["checkpoint", environ.get(GENERATION, ""), str(step), str(size), f"{seconds:.3f}"]).encode()
    with suppress(OSError), socket.socket(socket.AF_UNIX) as agent:
        agent.settimeout(_PATIENCE)
        agent.connect(path)
        agent.sendall(len(body).to_bytes(4, "big") + body)
