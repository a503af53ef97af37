"""Links between agents over real sockets on loopback addresses."""

import asyncio
import secrets
from contextlib import asynccontextmanager

import pytest

from batchhpc.agent.session import ChildSession, Message, WrongSecret, job_key
from batchhpc.agent.transport import Heartbeat, Link, connect, connect_in_time, listen

KEY = job_key("secret", "job", 1)


class Listener:
    """A main node that remembers what it hears."""

    def __init__(self):
        self.address = f"127.{secrets.randbelow(200) + 20}.{secrets.randbelow(250)}.1"
        self.heard: asyncio.Queue[Message] = asyncio.Queue()
        self.lost: asyncio.Queue[Exception | None] = asyncio.Queue()
        self.links = []

    def on_message(self, link, message):
        self.links.append(link)
        self.heard.put_nowait(message)

    def on_lost(self, _, error):
        self.lost.put_nowait(error)


@asynccontextmanager
async def listening():
    main = Listener()
    server = await listen(main.address, 7700, KEY, main.on_message, main.on_lost)
    try:
        async with asyncio.timeout(20):
            yield main
    finally:
        server.close()


async def join(main, lost, key=KEY, heard=lambda _link, _message: None):
    async def once():
        session = ChildSession(key, secrets.token_hex(16), 1, {"hostname": "h", "ranks": 1})
        return await connect(main.address, 7700, None, session, heard, lambda _, error: lost.append(error))

    return await connect_in_time(once)


def test_a_child_joins_and_both_sides_talk():
    """A child's hello arrives with its first bytes; messages go both ways."""

    async def scenario():
        async with listening() as main:
            answers: asyncio.Queue[Message] = asyncio.Queue()
            link = await join(main, [], heard=lambda _, message: answers.put_nowait(message))
            assert (await main.heard.get())["hostname"] == "h"
            link.send({"type": "ranks"})
            assert await main.heard.get() == {"type": "ranks"}
            main.links[0].send({"type": "end"})
            assert await answers.get() == {"type": "end"}
            link.close()
            await main.lost.get()

    asyncio.run(scenario())


def test_a_child_tries_until_the_main_node_listens():
    """The main node may start to listen after the child has started to connect (R36)."""

    async def scenario():
        main = Listener()
        joining = asyncio.create_task(join(main, []))
        await asyncio.sleep(0.1)
        assert not joining.done()
        server = await listen(main.address, 7700, KEY, main.on_message, main.on_lost)
        async with asyncio.timeout(20):
            link = await joining
        link.close()
        server.close()

    asyncio.run(scenario())


def test_a_wrong_secret_is_not_tried_again():
    """A child with another secret gives up at once; the main node hears why."""

    async def scenario():
        async with listening() as main:
            with pytest.raises(WrongSecret):
                await join(main, [], key=job_key("other", "job", 1))
            assert isinstance(await main.lost.get(), WrongSecret)

    asyncio.run(scenario())


def test_a_stranger_on_the_port_does_not_disturb_the_others():
    """Bytes that are no handshake close that connection only."""

    async def scenario():
        async with listening() as main:
            link = await join(main, [])
            reader, writer = await asyncio.open_connection(main.address, 7700)
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
            assert await reader.read() == b""
            writer.close()
            link.send({"type": "still here"})
            await main.heard.get()
            assert await main.heard.get() == {"type": "still here"}
            link.close()

    asyncio.run(scenario())


def test_silence_is_noticed_and_a_beating_peer_is_not_silent():
    """A peer that beats stays; one that stops is reported once."""

    async def scenario():
        async with listening() as main:
            silent: asyncio.Queue[Link] = asyncio.Queue()
            link = await join(main, [])
            await main.heard.get()
            mine, theirs = Heartbeat(0.2, silent.put_nowait), Heartbeat(0.2, silent.put_nowait)
            mine.links.add(link)
            theirs.links.add(main.links[0])
            beating, watching = asyncio.create_task(mine.run()), asyncio.create_task(theirs.run())
            await asyncio.sleep(0.2)
            assert silent.empty()
            beating.cancel()
            assert await silent.get() is main.links[0]
            watching.cancel()
            link.close()

    asyncio.run(scenario())
