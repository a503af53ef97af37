"""The authenticated conversation between two agents, without sockets: bytes in, messages out, and the reverse.

Each side proves that it knows the job's key by answering the other's nonce; the two nonces then give a key for the
session, and every frame carries an HMAC over its direction, its number and its content. A frame that was changed,
replayed, reordered or sent by a stranger ends the session. Nothing is encrypted: rendezvous carries no secrets.

    child  -> leader   node, nonce
    leader -> child    nonce, proof over both nonces
    child  -> leader   proof over both nonces, and what the leader must know of the node
    then, both ways    length (4 bytes) | HMAC-SHA256 (32) | JSON, or nothing: a heartbeat
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterator
from typing import Any

Message = dict[str, Any]

LONGEST = 1 << 20  # bytes of one frame
_VERSION = 1


class SessionError(Exception):
    """The other side broke the protocol; the link must be closed."""


class WrongSecret(SessionError):
    """The other side does not know the job's secret, or is another job or attempt."""


def job_key(secret: str, job_id: str, attempt: int) -> bytes:
    """The key of one attempt of one job, or of all attempts (0): no agent of another can join it."""
    return hmac.digest(secret.encode(), f"batchhpc/{_VERSION}\0{job_id}\0{attempt}".encode(), "sha256")


class Session:
    """One side of one link. Feed it the bytes that arrive; send the bytes it gives."""

    def __init__(self, key: bytes, nonce: str) -> None:
        self._key = key
        self._nonce = nonce
        self._buffer = bytearray()
        self._session_key: bytes | None = None
        self._sent = self._received = 0
        self._send_label, self._receive_label = b"", b""

    @property
    def open(self) -> bool:
        """Whether both sides have proved themselves."""
        return self._session_key is not None

    def receive(self, data: bytes) -> list[Message]:
        """Messages that the bytes complete; heartbeats are swallowed.

        Raises:
            SessionError: the link must be closed.
        """
        self._buffer += data
        return list(self._messages())

    def seal(self, message: Message | None) -> bytes:
        """The frame of a message, or of a heartbeat (None)."""
        assert self._session_key is not None, "the session is not open"
        body = b"" if message is None else json.dumps(message, separators=(",", ":")).encode()
        tag = self._tag(self._send_label, self._sent, body)
        self._sent += 1
        return len(body).to_bytes(4, "big") + tag + body

    def _messages(self) -> Iterator[Message]:
        while len(self._buffer) >= 4:
            length = int.from_bytes(self._buffer[:4], "big")
            if length > LONGEST:
                raise SessionError(f"a frame of {length} bytes, more than {LONGEST}")
            start = 36 if self.open else 4
            if len(self._buffer) < start + length:
                return
            tag, body = bytes(self._buffer[4:start]), bytes(self._buffer[start : start + length])
            del self._buffer[: start + length]
            if not self.open:
                message = self._handshake(_decode(body))
                if message is not None:
                    yield message
                continue
            if not hmac.compare_digest(tag, self._tag(self._receive_label, self._received, body)):
                raise SessionError("a frame whose HMAC is wrong")
            self._received += 1
            if body:
                yield _decode(body)

    def _handshake(self, message: Message) -> Message | None:
        raise NotImplementedError

    def _proof(self, role: str, child_nonce: str, leader_nonce: str, node: int) -> str:
        return hmac.new(self._key, f"{role}\0{child_nonce}\0{leader_nonce}\0{node}".encode(), "sha256").hexdigest()

    def _start(self, me: str, other: str, child_nonce: str, leader_nonce: str) -> None:
        self._session_key = hmac.digest(self._key, f"session\0{child_nonce}\0{leader_nonce}".encode(), "sha256")
        self._send_label, self._receive_label = me.encode(), other.encode()

    def _tag(self, label: bytes, number: int, body: bytes) -> bytes:
        assert self._session_key is not None
        return hmac.digest(self._session_key, label + number.to_bytes(8, "big") + body, "sha256")


class LeaderSession(Session):
    """The main node's side of a link to one child."""

    def __init__(self, key: bytes, nonce: str) -> None:
        super().__init__(key, nonce)
        self.node: int | None = None
        self._child_nonce = ""
        self.outgoing = b""

    def _handshake(self, message: Message) -> Message | None:
        if self.node is None:
            if message.get("version") != _VERSION:
                raise SessionError(f"an agent of protocol version {message.get('version')}, this one speaks {_VERSION}")
            self.node, self._child_nonce = _whole(message, "node"), _text(message, "nonce")
            proof = self._proof("leader", self._child_nonce, self._nonce, self.node)
            self.outgoing = _plain({"nonce": self._nonce, "proof": proof})
            return None
        expected = self._proof("child", self._child_nonce, self._nonce, self.node)
        if not hmac.compare_digest(_text(message, "proof"), expected):
            raise WrongSecret(f"the agent that says it is node {self.node} does not know this job's secret")
        self._start("leader", "child", self._child_nonce, self._nonce)
        return {"type": "hello", "node": self.node, **_mapping(message, "about")}


class ChildSession(Session):
    """A child node's side of its link to the main node. ``about`` is what the leader is told of this node."""

    def __init__(self, key: bytes, nonce: str, node: int, about: Message) -> None:
        super().__init__(key, nonce)
        self._node, self._about = node, about
        self.outgoing = _plain({"version": _VERSION, "node": node, "nonce": nonce})

    def _handshake(self, message: Message) -> Message | None:
        leader_nonce = _text(message, "nonce")
        expected = self._proof("leader", self._nonce, leader_nonce, self._node)
        right = hmac.compare_digest(_text(message, "proof"), expected)
        proof = self._proof("child", self._nonce, leader_nonce, self._node) if right else ""
        self.outgoing = _plain({"proof": proof, "about": self._about})  # an empty proof tells the leader why we leave
        if not right:
            raise WrongSecret("the main node does not know this job's secret")
        self._start("child", "leader", self._nonce, leader_nonce)
        return None


def _plain(message: Message) -> bytes:
    body = json.dumps(message, separators=(",", ":")).encode()
    return len(body).to_bytes(4, "big") + body


def _decode(body: bytes) -> Message:
    try:
        message = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise SessionError("a frame that is not JSON") from error
    if not isinstance(message, dict):
        raise SessionError("a frame that is not a JSON object")
    return message


def _text(message: Message, name: str) -> str:
    value = message.get(name)
    if not isinstance(value, str) or len(value) > 200 or not value.isascii():
        raise SessionError(f"a handshake without {name}")
    return value


def _whole(message: Message, name: str) -> int:
    value = message.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1_000_000:
        raise SessionError(f"a handshake without {name}")
    return value


def _mapping(message: Message, name: str) -> Message:
    value = message.get(name)
    if not isinstance(value, dict):
        raise SessionError(f"a handshake without {name}")
    return value
