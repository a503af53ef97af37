"""The model of an environment: what it takes, gives back and refuses by itself."""

from __future__ import annotations

import pytest

from batchhpc.errors import InvalidSpec
from batchhpc.spec import EnvironmentSpec
from batchhpc.spec.storage import Storage

DATA = {
    "name": "prod",
    "region": "eu-north-1",
    "instance_types": ["hpc7a.96xlarge"],
    "max_nodes": 16,
    "storage": [{"name": "scratch", "mount": "/fsx", "lustre": {"data": [{"s3": "bucket/in"}]}}],
    "queue": {"fair_share": {"shares": {"a": "0.5"}, "decay": "1d"}},
    "network": {"outbound": "endpoints"},
    "overlay": {"Resources": {"Queue": {"Properties": {"State": "DISABLED"}}}},
}


def paths(**change: object) -> list[str]:
    """Where the model finds something wrong."""
    with pytest.raises(InvalidSpec) as caught:
        EnvironmentSpec.from_data({**DATA, **change})
    return [problem.path for problem in caught.value.problems]


def test_round_trip():
    """What is written comes back equal from data, JSON and YAML, with nothing added."""
    spec = EnvironmentSpec.from_data(DATA)
    assert spec.to_data() == DATA
    assert EnvironmentSpec.from_json(spec.to_json()) == EnvironmentSpec.from_yaml(spec.to_yaml()) == spec


def test_a_storage_is_one_thing():
    """The kind of a storage is the one field that is given; several or none are refused."""
    assert Storage(name="a", mount="/a", instance_store={}).kind == "instance_store"
    assert paths(storage=[{"name": "a", "mount": "/a"}]) == ["storage[0]"]
    assert paths(storage=[{"name": "a", "mount": "/a", "ebs": {}, "efs": {}}]) == ["storage[0]"]


def test_all_problems_at_once():
    """Wrong things in several parts are told together, each with its path."""
    found = paths(
        max_nodes=1,
        min_nodes=2,
        kms_key="arn:aws:kms:us-east-1:123456789012:key/0b1c",
        network={"cidr": "10.0.0.1/16"},
        bucket={"keep_versions": "12h", "expire": [{"after": "90m"}]},
    )
    assert sorted(found) == ["bucket.expire[0].after", "bucket.keep_versions", "kms_key", "min_nodes", "network.cidr"]


@pytest.mark.parametrize("cidr", ["10.0.0.0/15", "10.0.0.0/25", "10.0.1.0/16", "10.0.0.0/33", "10.0.300.0/16"])
def test_addresses_of_a_new_network(cidr):
    """A new network has /16 to /24 IPv4 addresses, written from the first one."""
    assert paths(network={"cidr": cidr}) == ["network.cidr"]


def test_the_rest_of_a_wrong_document():
    """A wrong field that decides nothing leaves a spec in which the rules can look on; a decisive one does not."""
    with pytest.raises(InvalidSpec) as caught:
        EnvironmentSpec.from_data({**DATA, "log_days": "many", "name": "Prod"})
    assert isinstance(caught.value.rest, EnvironmentSpec)
    with pytest.raises(InvalidSpec) as caught:
        EnvironmentSpec.from_data({**DATA, "capacity": "free"})
    assert caught.value.rest is None


def test_a_wrong_region_decides():
    """With a wrong Region, what depends on it is not told: no Region can stand in for the user's."""
    assert paths(region="Stockholm", kms_key="arn:aws:kms:eu-north-1:123456789012:key/0b1c") == ["region"]
