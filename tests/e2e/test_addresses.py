"""Whether a container's address is one that its peers can reach, asked from a real metadata service on loopback (R62)."""

import asyncio
import re

import pytest

from batchhpc.agent.network import reachable_address
from batchhpc.errors import Misconfigured
from batchhpc.local.metadata import MetadataService


def address_if_the_instance_has(address):
    service = MetadataService("127.0.0.1")
    service.add("i-1", address)
    try:
        return asyncio.run(reachable_address(service.endpoint("i-1")))
    finally:
        service.close()


@pytest.mark.parametrize("address", ["127.0.0.1", "127.1.2.3"])
def test_a_container_that_shares_its_host_s_network_has_the_host_s_address(address):
    """The instance's own address is taken, whichever of this machine's the way to the service would have."""
    assert address_if_the_instance_has(address) == address


def test_a_container_with_a_network_of_its_own_is_told_so():
    """Both addresses are named, why that cannot work, and what would."""
    text = "this container's address is 127.0.0.1, its instance's 192.0.2.7: .* cannot reach it (R62); it must run with the host"
    with pytest.raises(Misconfigured, match=re.escape(text).replace(r"\.\*", ".*")):
        address_if_the_instance_has("192.0.2.7")


def test_without_a_metadata_service_its_own_address_is_what_there_is():
    """The leader then sees from where its children come."""
    assert asyncio.run(reachable_address("http://127.0.0.1:9")) == "127.0.0.1"
