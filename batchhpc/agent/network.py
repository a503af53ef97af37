"""Which address this node has for its peers, and which interface and network an address of it belongs to."""

from __future__ import annotations

import contextlib
import fcntl
import ipaddress
import socket
import struct
from urllib.parse import urlsplit

from batchhpc.agent.instance_metadata import InstanceMetadata
from batchhpc.errors import Misconfigured

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


async def reachable_address(endpoint: str) -> str:
    """This node's address, as its peers reach it: the instance's own, which its container must see as one of its own, too.

    A container of an array has the host's network, or one of its own behind the host's; nothing says which (R62). In the
    latter case nobody could reach it.

    Args:
        endpoint: the instance metadata service.

    Raises:
        Misconfigured: the container has a network of its own.
    """
    own = _address_towards(urlsplit(endpoint).hostname or "")
    try:
        of_instance = await InstanceMetadata(endpoint).get("local-ipv4")
    except (OSError, TimeoutError, ValueError):
        of_instance = None  # not an instance, or it hides: the leader sees from where its children come
    if of_instance is None or of_instance == own or _is_own(of_instance):
        return of_instance or own
    raise Misconfigured(
        f"this container's address is {own}, its instance's {of_instance}: the container has a network of its own, in which the"
        " other nodes of a gang cannot reach it (R62); it must run with the host's network"
    )


def _address_towards(address: str) -> str:
    """This node's own address on the way to that one; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((address, 9))
        except OSError as error:
            raise Misconfigured("this node has no route to other nodes") from error
        return str(probe.getsockname()[0])


def _is_own(address: str) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


def _ask(probe: socket.socket, request: int, name: str) -> str:
    answer = fcntl.ioctl(probe, request, struct.pack("256s", name.encode()[:15]))
    return socket.inet_ntoa(answer[20:24])
