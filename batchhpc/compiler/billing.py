"""What of an environment costs money while no job runs, and what of each node beside its instance; how much, and of which unit.

What is billed is what the template says, overlay included. Prices are none of the compiler's business: each item names the
product of AWS's Price List that prices it, and ``batchhpc.aws.prices.prices`` asks for it. An item of which nobody could verify the
product says so, and stays without a price.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

HOURS_A_MONTH: Final = 730  # by which AWS's own calculator turns prices a month into prices an hour
_GP3_IOPS, _GP3_MIBPS = 3000, 125  # come with a gp3 volume (R101)
_IO2_TIERS = ((0, 32_000, ""), (32_000, 64_000, ".tier2"), (64_000, None, ".tier3"))  # IOPS above are cheaper
_EBS_USAGE = {"io1": "piops"}  # usage types have the older name


@dataclass(frozen=True, slots=True)
class Product:
    """One product of AWS's Price List.

    Attributes:
        service: its service code, ``AmazonEC2``.
        usage: its usage type without the prefix of the Region, ``NatGateway-Hours``.
        unit: what the price must be for, in our words: ``hour``, ``GiB-month``.
    """

    service: str
    usage: str
    unit: str


@dataclass(frozen=True, slots=True)
class Item:
    """So much of something that is billed.

    Attributes:
        quantity: how many units; None if the template does not tell.
        unit: ``hour``, or what is paid by the month: ``GiB-month``, ``IOPS-month``, ``MiB/s-month``, ``secret-month``.
        product: what prices it; None if that is not known.
    """

    text: str
    quantity: Decimal | None
    unit: str
    product: Product | None

    def per_hour(self, unit_price: Decimal) -> Decimal | None:
        """US dollars an hour at that price of one unit."""
        if self.quantity is None:
            return None
        cost = self.quantity * unit_price
        return cost / HOURS_A_MONTH if self.unit.endswith("-month") else cost


def idle_items(template: Mapping[str, Any]) -> list[Item]:
    """What a stack costs for being there, nodes aside."""
    found: list[Item] = []
    kinds = [(each.get("Type", ""), each.get("Properties", {})) for each in template.get("Resources", {}).values()]
    if count := sum(kind == "AWS::EC2::NatGateway" for kind, _ in kinds):
        found.append(_item("NAT gateway", count, Product("AmazonEC2", "NatGateway-Hours", "hour")))
    if count := sum(kind == "AWS::EC2::EIP" for kind, _ in kinds):
        found.append(_item("public IPv4 address", count, Product("AmazonVPC", "PublicIPv4:InUseAddress", "hour")))
    if count := sum(len(each.get("SubnetIds", [0])) for kind, each in kinds if _is_interface(kind, each)):
        found.append(_item("interface endpoint", count, Product("AmazonVPC", "VpcEndpoint-Hours", "hour")))
    if count := sum(kind == "AWS::SecretsManager::Secret" for kind, _ in kinds):
        found.append(_item("secret", count, Product("AWSSecretsManager", "AWSSecretsManager-Secrets", "secret-month")))
    for kind, each in kinds:
        if kind == "AWS::FSx::FileSystem":
            found += _lustre(each)
        if kind == "AWS::EFS::FileSystem" and each.get("ThroughputMode") == "provisioned":
            product = Product("AmazonEFS", "ProvisionedTP-MiBpsHrs", "MiB/s-month")
            found.append(_item("EFS, provisioned throughput", each.get("ProvisionedThroughputInMibps"), product))
        if kind == "AWS::EC2::Volume":
            found += _volume(each.get("VolumeType", "gp2"), each.get("Size"), each)
    return found


def volume_items(template: Mapping[str, Any]) -> list[Item]:
    """The EBS volumes of each node: those of the launch template."""
    found: list[Item] = []
    for each in template.get("Resources", {}).values():
        if each.get("Type") == "AWS::EC2::LaunchTemplate":
            data = each.get("Properties", {}).get("LaunchTemplateData", {})
            for device in data.get("BlockDeviceMappings", []):
                if volume := device.get("Ebs"):
                    found += _volume(volume.get("VolumeType", "gp2"), volume.get("VolumeSize"), volume)
    return found


def paid_by_use(template: Mapping[str, Any]) -> list[str]:
    """What is paid by use, so that nobody can say in advance how much."""
    kinds = [(each.get("Type", ""), each.get("Properties", {})) for each in template.get("Resources", {}).values()]
    types = {kind for kind, _ in kinds}
    texts = (
        ("AWS::EC2::NatGateway" in types, "data through the NAT gateway"),
        (any(_is_interface(*each) for each in kinds), "data through the interface endpoints"),
        ("AWS::S3::Bucket" in types, "objects and requests of the bucket"),
        ("AWS::EFS::FileSystem" in types, "data on EFS, and what is read and written with elastic throughput"),
        (any("BackupPolicy" in each for kind, each in kinds if kind == "AWS::EFS::FileSystem"), "backups of EFS"),
        (any(_keeps_backups(*each) for each in kinds), "backups of FSx"),
        ("AWS::FSx::DataRepositoryAssociation" in types, "requests of FSx to the bucket"),
        ("AWS::EC2::FlowLog" in types, "flow logs of the network"),
        ("AWS::Logs::LogGroup" in types, "logs of jobs"),
        (True, "data that leave the Region"),
    )
    return [text for there, text in texts if there]


def _item(text: str, quantity: Any, product: Product) -> Item:
    return Item(text, _number(quantity), product.unit, product)


def _number(value: Any) -> Decimal | None:
    """A number of the template; None for a reference to something, which only AWS can look up."""
    return Decimal(str(value)) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _is_interface(kind: str, properties: Mapping[str, Any]) -> bool:
    return kind == "AWS::EC2::VPCEndpoint" and properties.get("VpcEndpointType") == "Interface"


def _keeps_backups(kind: str, properties: Mapping[str, Any]) -> bool:
    lustre = properties.get("LustreConfiguration", {})
    return kind == "AWS::FSx::FileSystem" and bool(lustre.get("AutomaticBackupRetentionDays"))


def _lustre(properties: Mapping[str, Any]) -> Iterator[Item]:
    """Capacity by deployment type and throughput (R103). Usage types of disks and of intelligent tiering could not be verified."""
    lustre = properties.get("LustreConfiguration", {})
    deployment, media = lustre.get("DeploymentType", "SCRATCH_1"), properties.get("StorageType", "SSD")
    throughput, capacity = lustre.get("PerUnitStorageThroughput"), properties.get("StorageCapacity")
    name = f"FSx for Lustre, {str(deployment).lower().replace('_', '-')}"
    if media != "SSD":
        amount = (capacity, "GiB-month") if capacity else (lustre.get("ThroughputCapacity"), "MiB/s-month")
        yield Item(f"{name}, {str(media).lower().replace('_', '-')}", _number(amount[0]), amount[1], None)
    elif throughput is None:
        yield _item(name, capacity, Product("AmazonFSx", "Storage", "GiB-month"))
    else:
        yield _item(f"{name}, {throughput} MB/s per TiB", capacity, Product("AmazonFSx", f"Storage.SSD.{throughput}", "GiB-month"))
    if iops := lustre.get("MetadataConfiguration", {}).get("Iops"):  # how many of them come with the capacity is not documented
        yield Item(f"{name}, metadata IOPS", _number(iops), "IOPS-month", None)


def _volume(kind: Any, size: Any, properties: Mapping[str, Any]) -> Iterator[Item]:
    """A volume's size, and the IOPS and throughput that are paid beside it (R101)."""
    name, usage = f"EBS {kind}", _EBS_USAGE.get(kind, kind)
    yield _item(name, size, Product("AmazonEC2", f"EBS:VolumeUsage.{usage}", "GiB-month"))
    iops, throughput = _number(properties.get("Iops")), _number(properties.get("Throughput"))
    if iops is not None and kind == "gp3" and iops > _GP3_IOPS:
        product = Product("AmazonEC2", "EBS:VolumeP-IOPS.gp3", "IOPS-month")
        yield Item(f"{name}, IOPS above {_GP3_IOPS:,}", iops - _GP3_IOPS, "IOPS-month", product)
    if iops is not None and kind == "io1":
        yield Item(f"{name}, IOPS", iops, "IOPS-month", Product("AmazonEC2", "EBS:VolumeP-IOPS.piops", "IOPS-month"))
    if iops is not None and kind == "io2":
        for above, most, tier in _IO2_TIERS:
            if iops > above:
                product = Product("AmazonEC2", f"EBS:VolumeP-IOPS.io2{tier}", "IOPS-month")
                text = f"{name}, IOPS above {above:,}" if above else f"{name}, IOPS"
                yield Item(text, min(iops, Decimal(most or iops)) - above, "IOPS-month", product)
    if throughput is not None and kind == "gp3" and throughput > _GP3_MIBPS:
        product = Product("AmazonEC2", "EBS:VolumeP-Throughput.gp3", "MiB/s-month")
        yield Item(f"{name}, throughput above {_GP3_MIBPS} MiB/s", throughput - _GP3_MIBPS, "MiB/s-month", product)
