from __future__ import annotations

from batchhpc.compiler.instances import InstanceType, catalogue, close_match, from_csv, instance_type, search, to_csv
from batchhpc.spec import Memory
from batchhpc.spec.environment_spec import Requirements


def test_the_catalogue_has_every_type_of_the_capture():
    """1,395 types, 303 of them with EFA, each of them once and in name order."""
    types = list(catalogue())
    assert len(types) == 1395
    assert sum(1 for kind in types if kind.efa) == 303
    assert [kind.name for kind in types] == sorted({kind.name for kind in types})


def test_every_type_makes_sense():
    """Every type has vCPUs that its cores can carry, memory, an architecture, and a slot on some network card."""
    for kind in catalogue():
        assert kind.vcpus >= kind.cores >= 1, kind.name
        assert kind.memory_mib >= 512, kind.name
        assert set(kind.arch) <= {"x86_64", "arm64", "i386", "x86_64_mac", "arm64_mac"}, kind.name
        assert kind.slots >= 1, kind.name
        assert kind.efa <= len(kind.efa_cards), kind.name
        assert (kind.disks > 0) == (kind.disk_gb > 0), kind.name


def _known(name: str) -> InstanceType:
    kind = instance_type(name)
    assert kind
    return kind


def test_what_is_known_of_some_types():
    """Numbers read in AWS's documentation hold for types of each sort."""
    p5, hpc7a, c7i, b300 = (_known(name) for name in ("p5.48xlarge", "hpc7a.96xlarge", "c7i.8xlarge", "p6-b300.48xlarge"))
    assert (p5.gpus, p5.efa, len(p5.card_slots), p5.slots, p5.gbps) == (8, 32, 32, 64, 3200)
    assert (hpc7a.vcpus, hpc7a.cores, hpc7a.memory_mib, hpc7a.efa, hpc7a.spot, hpc7a.gbps) == (192, 192, 786432, 2, False, 300)
    assert (c7i.vcpus, c7i.cores, c7i.memory_mib, c7i.efa, c7i.spot, c7i.cluster) == (32, 16, 65536, 0, True, True)
    assert (b300.efa, b300.efa_cards[0]) == (16, 1)


def test_interfaces_leave_a_slot_for_the_container():
    """A multi-node job's node gets all EFA interfaces of its type, less where that would fill the last slot (R32)."""
    names = ("p5.48xlarge", "hpc7a.96xlarge", "hpc6id.32xlarge", "c7i.large", "p6-b300.48xlarge")
    beside = {name: _known(name).efa_beside_task for name in names}
    assert beside == {"p5.48xlarge": 32, "hpc7a.96xlarge": 2, "hpc6id.32xlarge": 1, "c7i.large": 0, "p6-b300.48xlarge": 16}


def test_a_search_meets_every_condition():
    """A search gives exactly the types that meet all conditions, smallest first within each family."""
    found = search("c*", Requirements(min_vcpus=64, min_memory=Memory.parse("128 GiB"), arch="arm64", min_efa=1, max_vcpus=96))
    assert found
    assert all(kind.efa and 64 <= kind.vcpus <= 96 and kind.memory_mib >= 131072 for kind in found)
    assert all(kind.name.startswith("c") and "arm64" in kind.arch for kind in found)
    anything = Requirements()
    assert [kind.name for kind in search("hpc7a.*", anything)] == [f"hpc7a.{size}xlarge" for size in (12, 24, 48, 96)]
    assert search("hpc7a", anything) == search("hpc7a.*", anything)
    assert all(kind.gpus >= 8 for kind in search("*", Requirements(gpus=8)))
    assert not any(kind.gpu for kind in search("*", Requirements(gpus=0)))
    assert all(kind.cores >= 96 for kind in search("*", Requirements(min_cores=96)))
    assert len(search("*", anything)) == 1395
    assert search("nothing*", anything) == []


def test_a_wrong_name_has_a_near_one():
    """A misspelt type is answered with one of the same family if there is one, else with a near name, else with none."""
    assert close_match("hpc7a.98xlarge") == "hpc7a.96xlarge"
    assert close_match("c7i.9xlarge") in {kind.name for kind in search("c7i", Requirements())}
    assert close_match("hpc7x.12xlarge") == "hpc7a.12xlarge"
    assert close_match("zzz") is None
    assert instance_type("c7i.9xlarge") is None


def test_the_file_is_its_own_inverse():
    """Written and read again, the types are the same."""
    types = {kind.name: kind for kind in catalogue()}
    assert from_csv(to_csv(types.values())) == types
