"""The least a main node could do: ``echo.py ADDRESS PORT`` accepts connections and sends every line back."""

import asyncio
import socket
import sys


class Echo(asyncio.Protocol):
    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


async def main(address: str, port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Echo, address, port, family=socket.AF_INET, backlog=4096)
    sys.stdout.write("listening\n")
    sys.stdout.flush()
    await server.serve_forever()


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
