"""The authenticated conversation between two agents."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchhpc.agent.session import ChildSession, LeaderSession, SessionError, WrongSecret, job_key

KEY = job_key("secret", "job", 1)


def pair(child_key=KEY, leader_key=KEY):
    return LeaderSession(leader_key, "L" * 32), ChildSession(child_key, "C" * 32, 3, {"hostname": "h", "ranks": 2})


def take(session):
    data, session.outgoing = session.outgoing, b""
    return data


def opened():
    leader, child = pair()
    assert leader.receive(take(child)) == []
    assert child.receive(take(leader)) == []
    assert leader.receive(take(child)) == [{"type": "hello", "node": 3, "hostname": "h", "ranks": 2}]
    assert leader.open
    assert child.open
    return leader, child


def test_two_sides_with_the_same_secret_open_a_session():
    """The handshake opens both sides and tells the leader which node it is."""
    leader, child = opened()
    assert leader.node == 3
    assert child.receive(leader.seal({"a": 1})) == [{"a": 1}]
    assert leader.receive(child.seal({"b": "ü"})) == [{"b": "ü"}]


@pytest.mark.parametrize(
    "other",
    [job_key("Secret", "job", 1), job_key("secret", "joc", 1), job_key("secret", "job", 2)],
    ids=["another secret", "another job", "an earlier attempt"],
)
def test_a_child_with_another_key_is_told_and_refused(other):
    """Another secret, job or attempt makes both sides raise WrongSecret, the child first, and opens neither."""
    leader, child = pair(child_key=other)
    leader.receive(take(child))
    with pytest.raises(WrongSecret, match="the main node does not know"):
        child.receive(take(leader))
    with pytest.raises(WrongSecret, match="says it is node 3"):
        leader.receive(take(child))
    assert not leader.open
    assert not child.open


@given(st.lists(st.dictionaries(st.text(max_size=5), st.integers() | st.text(), max_size=3), max_size=8), st.data())
def test_messages_arrive_whole_however_the_bytes_are_cut(messages, data):
    """Any cutting of the stream gives the same messages in the same order; heartbeats give none."""
    leader, child = opened()
    stream = b"".join(leader.seal(message) + leader.seal(None) for message in messages)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert [message for piece in pieces for message in child.receive(piece)] == messages


@given(st.integers(0), st.integers(1, 255))
def test_a_changed_byte_is_refused(where, change):
    """No changed byte of a frame gets through as a message."""
    leader, child = opened()
    frame = bytearray(leader.seal({"type": "end", "code": 0}))
    frame[where % len(frame)] ^= change
    with suppress(SessionError):
        assert child.receive(bytes(frame)) == []  # a longer length: it waits for bytes that never come


def test_a_replayed_frame_is_refused():
    """A frame sent twice, or out of order, ends the session."""
    leader, child = opened()
    frame = leader.seal({"type": "kill"})
    child.receive(frame)
    with pytest.raises(SessionError, match="HMAC"):
        child.receive(frame)


def test_a_frame_reflected_to_its_sender_is_refused():
    """A side does not take its own frames for the other's."""
    leader, _ = opened()
    with pytest.raises(SessionError, match="HMAC"):
        leader.receive(leader.seal({"type": "ranks"}))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\xff\xff\xff\xff", "a frame of 4294967295 bytes"),
        (b"\0\0\0\x03abc", "not JSON"),
        (b"\0\0\0\x02[]", "not a JSON object"),
        (b"\0\0\0\x02{}", "protocol version None"),
        (b'\0\0\0\x1e{"version":1,"node":-1}       ', "without node"),
        (b'\0\0\0\x1e{"version":1,"node":true}     ', "without node"),
        (b'\0\0\0\x1e{"version":1,"node":1}        ', "without nonce"),
    ],
)
def test_a_stranger_is_refused_with_the_reason(data, why):
    """Whatever else connects to the port is turned away, and the reason says what it sent."""
    leader, _ = pair()
    with pytest.raises(SessionError, match=why):
        leader.receive(data)
