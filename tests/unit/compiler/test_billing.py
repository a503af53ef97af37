"""What of a template is billed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from batchhpc.compiler.billing import HOURS_A_MONTH, Item, Product, idle_items, paid_by_use, volume_items


def resources(*each: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    """A template of these resources."""
    return {"Resources": {f"R{i}": {"Type": kind, "Properties": properties} for i, (kind, properties) in enumerate(each)}}


def volumes(**ebs: Any) -> Any:
    """What a volume of a launch template costs: usage type, quantity, unit."""
    data = {"LaunchTemplateData": {"BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": ebs}, {"DeviceName": "none"}]}}
    items = volume_items(resources(("AWS::EC2::LaunchTemplate", data)))
    return [(each.product.usage, each.quantity, each.unit) for each in items if each.product]


def test_a_network_costs_by_the_hour() -> None:
    """NAT gateways, their addresses, and interface endpoints in each subnet; gateway endpoints cost nothing."""
    endpoint: dict[str, Any] = {"VpcEndpointType": "Interface", "SubnetIds": ["a", "b"]}
    made = resources(
        ("AWS::EC2::NatGateway", {}),
        ("AWS::EC2::EIP", {}),
        ("AWS::EC2::VPCEndpoint", endpoint),
        ("AWS::EC2::VPCEndpoint", endpoint),
        ("AWS::EC2::VPCEndpoint", {"VpcEndpointType": "Gateway"}),
        ("AWS::SecretsManager::Secret", {}),
        ("AWS::Budgets::Budget", {}),
    )
    found: Any = [(each.product and each.product.usage, each.quantity) for each in idle_items(made)]
    assert found == [
        ("NatGateway-Hours", 1),
        ("PublicIPv4:InUseAddress", 1),
        ("VpcEndpoint-Hours", 4),
        ("AWSSecretsManager-Secrets", 1),
    ]


@pytest.mark.parametrize(
    ("properties", "usage"),
    [
        ({"LustreConfiguration": {"DeploymentType": "SCRATCH_2"}}, "Storage"),
        ({"LustreConfiguration": {"DeploymentType": "PERSISTENT_1", "PerUnitStorageThroughput": 50}}, "Storage.SSD.50"),
        ({"LustreConfiguration": {"DeploymentType": "PERSISTENT_2", "PerUnitStorageThroughput": 1000}}, "Storage.SSD.1000"),
    ],
)
def test_lustre_costs_by_deployment_type_and_throughput(properties: dict[str, Any], usage: str) -> None:
    """The capacity is what is paid, at a price that follows from the throughput (R103)."""
    (item,) = idle_items(resources(("AWS::FSx::FileSystem", {"StorageCapacity": 2400, **properties})))
    found: Any = (item.product, item.quantity)
    assert found == (Product("AmazonFSx", usage, "GiB-month"), 2400)


@pytest.mark.parametrize(
    ("properties", "quantity", "unit"),
    [
        ({"StorageType": "HDD", "StorageCapacity": 6000}, 6000, "GiB-month"),
        ({"StorageType": "INTELLIGENT_TIERING", "LustreConfiguration": {"ThroughputCapacity": 4000}}, 4000, "MiB/s-month"),
    ],
)
def test_lustre_whose_product_nobody_verified_has_none(properties: dict[str, Any], quantity: int, unit: str) -> None:
    """What the price list calls disks and intelligent tiering is not known, and not guessed."""
    (item,) = idle_items(resources(("AWS::FSx::FileSystem", properties)))
    found: Any = (item.product, item.quantity, item.unit)
    assert found == (None, quantity, unit)


def test_efs_costs_for_being_there_if_its_throughput_is_provisioned() -> None:
    """Elastic and bursting throughput are paid by use only."""
    fixed = {"ThroughputMode": "provisioned", "ProvisionedThroughputInMibps": 100.0}
    made = resources(("AWS::EFS::FileSystem", fixed), ("AWS::EFS::FileSystem", {"ThroughputMode": "elastic"}))
    found: Any = [(each.product, each.quantity) for each in idle_items(made)]
    assert found == [(Product("AmazonEFS", "ProvisionedTP-MiBpsHrs", "MiB/s-month"), 100)]


@pytest.mark.parametrize(
    ("ebs", "items"),
    [
        (
            {"VolumeType": "gp3", "VolumeSize": 100, "Iops": 3000, "Throughput": 125},
            [("EBS:VolumeUsage.gp3", 100, "GiB-month")],
        ),
        (
            {"VolumeType": "gp3", "VolumeSize": 1, "Iops": 5000, "Throughput": 500},
            [
                ("EBS:VolumeUsage.gp3", 1, "GiB-month"),
                ("EBS:VolumeP-IOPS.gp3", 2000, "IOPS-month"),
                ("EBS:VolumeP-Throughput.gp3", 375, "MiB/s-month"),
            ],
        ),
        (
            {"VolumeType": "io1", "VolumeSize": 4, "Iops": 100},
            [("EBS:VolumeUsage.piops", 4, "GiB-month"), ("EBS:VolumeP-IOPS.piops", 100, "IOPS-month")],
        ),
        (
            {"VolumeType": "io2", "VolumeSize": 500, "Iops": 32000},
            [("EBS:VolumeUsage.io2", 500, "GiB-month"), ("EBS:VolumeP-IOPS.io2", 32000, "IOPS-month")],
        ),
        (
            {"VolumeType": "io2", "VolumeSize": 500, "Iops": 256000},
            [
                ("EBS:VolumeUsage.io2", 500, "GiB-month"),
                ("EBS:VolumeP-IOPS.io2", 32000, "IOPS-month"),
                ("EBS:VolumeP-IOPS.io2.tier2", 32000, "IOPS-month"),
                ("EBS:VolumeP-IOPS.io2.tier3", 192000, "IOPS-month"),
            ],
        ),
        ({"VolumeType": "st1", "VolumeSize": 500}, [("EBS:VolumeUsage.st1", 500, "GiB-month")]),
    ],
)
def test_volumes_cost_by_size_and_by_what_is_provisioned(ebs: dict[str, Any], items: list[tuple[str, int, str]]) -> None:
    """IOPS and throughput above what comes with gp3, all IOPS of io1 and io2, the latter in three steps (R101)."""
    assert volumes(**ebs) == items


def test_a_size_that_is_a_reference_is_not_known() -> None:
    """An overlay may refer to a parameter; how much that is, only the stack knows."""
    assert volumes(VolumeType="gp3", VolumeSize={"Ref": "Size"}) == [("EBS:VolumeUsage.gp3", None, "GiB-month")]
    assert Item("x", None, "hour", None).per_hour(Decimal(1)) is None


def test_a_month_has_730_hours() -> None:
    """What is paid by the month is spread over as many hours as in AWS's calculator; what is paid by the hour is not."""
    assert Item("x", Decimal(2 * HOURS_A_MONTH), "GiB-month", None).per_hour(Decimal("0.5")) == 1
    assert Item("x", Decimal(3), "hour", None).per_hour(Decimal("0.5")) == Decimal("1.5")


def test_what_is_paid_by_use_is_named() -> None:
    """What nobody can say in advance is said to be so, if the template has it."""
    assert paid_by_use({}) == ["data that leave the Region"]
    backups = ("AWS::FSx::FileSystem", {"LustreConfiguration": {"AutomaticBackupRetentionDays": 7}})
    made = resources(
        ("AWS::EC2::NatGateway", {}), ("AWS::EC2::FlowLog", {}), ("AWS::EFS::FileSystem", {"BackupPolicy": {}}), backups
    )
    assert paid_by_use(made) == [
        "data through the NAT gateway",
        "data on EFS, and what is read and written with elastic throughput",
        "backups of EFS",
        "backups of FSx",
        "flow logs of the network",
        "data that leave the Region",
    ]
