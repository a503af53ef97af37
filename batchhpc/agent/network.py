"""Which interface and network an address of this node belongs to."""

from __future__ import annotations

import contextlib
import fcntl
import ipaddress
import socket
import struct

_SIOCGIFADDR, _SIOCGIFNETMASK = 0x8915, 0x891B  # linux/sockios.h


def interface_of(address: str) -> tuple[str, str]:
    """Name and network of the interface with that IPv4 address: ``("eth0", "10.0.1.0/24")``.

    Open MPI must be told the network, and Intel MPI the interface, since nodes with EFA have several.
    """
    if ipaddress.ip_address(address).is_loopback:
        return "lo", "127.0.0.0/8"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            with contextlib.suppress(OSError):  # an interface without an IPv4 address
                if _ask(probe, _SIOCGIFADDR, name) == address:
                    network = ipaddress.ip_network(f"{address}/{_ask(probe, _SIOCGIFNETMASK, name)}", strict=False)
                    return name, str(network)
    raise OSError(f"no interface of this node has the address {address}")


def _ask(probe: socket.socket, request: int, name: str) -> str:
    answer = fcntl.ioctl(probe, request, struct.pack("256s", name.encode()[:15]))
    return socket.inet_ntoa(answer[20:24])
