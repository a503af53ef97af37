"""How the emulator's CloudFormation makes and deletes resources: real ones in moto for kinds that tests look at, else names."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

ACCOUNT = "123456789012"  # moto's
ROLE = f"arn:aws:iam::{ACCOUNT}:role/service"
_LOCK = threading.Lock()


class Made:
    """A resource that is there: its physical id, which Ref gives, and what GetAtt gives."""

    def __init__(self, physical: str, **attributes: Any) -> None:
        self.physical, self.attributes = physical, attributes


class Resources:
    """Makes and deletes resources through moto's API, as any client would."""

    def __init__(self, endpoint: str, region: str) -> None:
        self._endpoint, self._region = endpoint, region
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """A client that speaks to the emulator itself."""
        import boto3

        with _LOCK:
            if service not in self._clients:
                self._clients[service] = boto3.client(  # type: ignore[call-overload]
                    service,
                    region_name=self._region,
                    endpoint_url=self._endpoint,
                    aws_access_key_id="testing",
                    aws_secret_access_key="testing",
                )
            return self._clients[service]

    def call(self, service: str, operation: str, **arguments: Any) -> Any:
        """A call with those of its arguments that the operation knows; CloudFormation's properties are sometimes more."""
        client = self.client(service)
        known = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[operation]).input_shape.members
        return getattr(client, operation)(**{name: value for name, value in arguments.items() if name in known})

    def make(self, kind: str, stack: str, logical: str, properties: dict[str, Any]) -> Made:
        """Makes a resource."""
        maker = _MAKERS.get(kind)
        suffix = hashlib.sha256(f"{stack}/{logical}/{properties}".encode()).hexdigest()[:12]
        name = next((str(value) for key, value in properties.items() if key.endswith("Name") and isinstance(value, str)), "")
        name = name or f"{stack}-{logical}-{suffix}"
        if maker is None:
            return Made(name, Arn=f"arn:aws:{kind.split('::')[1].lower()}:{self._region}:{ACCOUNT}:{name}")
        return maker(self, name, properties)

    def delete(self, kind: str, physical: str) -> None:
        """Deletes a resource; one that is gone already counts as deleted, as CloudFormation has it."""
        from botocore.exceptions import ClientError

        if (eraser := _ERASERS.get(kind)) is None:
            return
        try:
            eraser(self, physical)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if not any(word in code for word in ("NotFound", "NoSuch")):
                raise


def lowered(value: Any) -> Any:
    """CloudFormation's names as AWS Batch's API has them."""
    if isinstance(value, dict):
        return {
            f"{name[:1].lower()}{name[1:]}": item if name in ("Tags", "Parameters") else lowered(item)
            for name, item in value.items()
        }
    return [lowered(item) for item in value] if isinstance(value, list) else value


def _tags(properties: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    tags = properties.get("Tags")
    return [{"ResourceType": kind, "Tags": tags}] if tags else []


def _vpc(at: Resources, name: str, properties: dict[str, Any]) -> Made:
    vpc = at.call("ec2", "create_vpc", CidrBlock=properties["CidrBlock"], TagSpecifications=_tags(properties, "vpc"))["Vpc"][
        "VpcId"
    ]
    for field in ("EnableDnsSupport", "EnableDnsHostnames"):
        if field in properties:
            at.call("ec2", "modify_vpc_attribute", VpcId=vpc, **{field: {"Value": properties[field] in (True, "true")}})
    return Made(vpc, VpcId=vpc, CidrBlock=properties["CidrBlock"], DefaultSecurityGroup="sg-default")


def _subnet(at: Resources, name: str, properties: dict[str, Any]) -> Made:
    made = at.call("ec2", "create_subnet", **{**properties, "TagSpecifications": _tags(properties, "subnet")})["Subnet"]
    return Made(made["SubnetId"], SubnetId=made["SubnetId"], AvailabilityZone=made["AvailabilityZone"])


def _security_group(at: Resources, name: str, properties: dict[str, Any]) -> Made:
    made = at.call("ec2", "create_security_group", GroupName=name, Description="x", VpcId=properties["VpcId"])["GroupId"]
    return Made(made, GroupId=made)


def _gateway(at: Resources, name: str, properties: dict[str, Any]) -> Made:
    made = at.call("ec2", "create_internet_gateway")["InternetGateway"]["InternetGatewayId"]
    return Made(made, InternetGatewayId=made)


def _route_table(at: Resources, name: str, properties: dict[str, Any]) -> Made:
    made = at.call("ec2", "create_route_table", VpcId=properties["VpcId"])["RouteTable"]["RouteTableId"]
    return Made(made, RouteTableId=made)


def _launch_template(at: Resources, name: str, properties: dict[str, Any]) -> Made:
    data = properties["LaunchTemplateData"]
    made = at.call("ec2", "create_launch_template", LaunchTemplateName=name, LaunchTemplateData=data)["LaunchTemplate"]
    return Made(
        made["LaunchTemplateId"], LaunchTemplateId=made["LaunchTemplateId"], LatestVersionNumber="1", DefaultVersionNumber="1"
    )


def _role(at: Resources, name: str, properties: dict[str, Any]) -> Made:
    import json

    trust = json.dumps(properties["AssumeRolePolicyDocument"])
    made = at.call("iam", "create_role", RoleName=name[-64:], AssumeRolePolicyDocument=trust)["Role"]
    return Made(made["RoleName"], Arn=made["Arn"], RoleId=made["RoleId"])


def _profile(at: Resources, name: str, properties: dict[str, Any]) -> Made:
    made = at.call("iam", "create_instance_profile", InstanceProfileName=name)["InstanceProfile"]
    for role in properties["Roles"]:
        at.call("iam", "add_role_to_instance_profile", InstanceProfileName=name, RoleName=role)
    return Made(name, Arn=made["Arn"])


def _compute_environment(at: Resources, name: str, properties: dict[str, Any]) -> Made:
    request = {"state": "ENABLED", "serviceRole": ROLE, **lowered(properties), "computeEnvironmentName": name}
    with suppress(at.client("iam").exceptions.EntityAlreadyExistsException):
        at.call(
            "iam", "create_role", RoleName=ROLE.rpartition("/")[2], AssumeRolePolicyDocument="{}"
        )  # moto asks for one, AWS does not
    arn = at.call("batch", "create_compute_environment", **request)["computeEnvironmentArn"]
    return Made(arn, ComputeEnvironmentArn=arn)


def _queue(at: Resources, name: str, properties: dict[str, Any]) -> Made:
    arn = at.call("batch", "create_job_queue", **{"state": "ENABLED", **lowered(properties), "jobQueueName": name})["jobQueueArn"]
    return Made(arn, JobQueueArn=arn)


def _bucket(at: Resources, name: str, properties: dict[str, Any]) -> Made:
    bucket = name.lower()[:63]
    at.call("s3", "create_bucket", Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": at._region})
    if properties.get("Tags"):
        at.call("s3", "put_bucket_tagging", Bucket=bucket, Tagging={"TagSet": properties["Tags"]})
    if properties.get("VersioningConfiguration"):
        at.call("s3", "put_bucket_versioning", Bucket=bucket, VersioningConfiguration=properties["VersioningConfiguration"])
    return Made(bucket, Arn=f"arn:aws:s3:::{bucket}", RegionalDomainName=f"{bucket}.s3.{at._region}.amazonaws.com")


def _efs(at: Resources, name: str, properties: dict[str, Any]) -> Made:
    made = at.call("efs", "create_file_system", CreationToken=name, Encrypted=True, Tags=properties.get("FileSystemTags", []))
    return Made(made["FileSystemId"], FileSystemId=made["FileSystemId"], Arn=made["FileSystemArn"])


def _mount_target(at: Resources, name: str, properties: dict[str, Any]) -> Made:
    made = at.call("efs", "create_mount_target", **properties)
    return Made(made["MountTargetId"], Id=made["MountTargetId"])


def _fsx(at: Resources, name: str, properties: dict[str, Any]) -> Made:
    made = at.call("fsx", "create_file_system", **{"StorageCapacity": 1200, **properties})["FileSystem"]
    return Made(made["FileSystemId"], LustreMountName="fsx", DNSName=f"{made['FileSystemId']}.fsx", ResourceARN=made["ResourceARN"])


def _association(at: Resources, name: str, properties: dict[str, Any]) -> Made:
    made = at.call("fsx", "create_data_repository_association", **properties)["Association"]["AssociationId"]
    return Made(made, AssociationId=made)


def _log_group(at: Resources, name: str, properties: dict[str, Any]) -> Made:
    at.call("logs", "create_log_group", logGroupName=name)
    return Made(name, Arn=f"arn:aws:logs:{at._region}:{ACCOUNT}:log-group:{name}:*")


def _secret(at: Resources, name: str, properties: dict[str, Any]) -> Made:
    arn = at.call("secretsmanager", "create_secret", Name=name, SecretString="made up")["ARN"]
    return Made(arn, Id=arn)


def _policy(at: Resources, name: str, properties: dict[str, Any]) -> Made:
    arn = f"arn:aws:iam::{ACCOUNT}:policy/{name}"
    return Made(arn, PolicyArn=arn)


def _scheduling_policy(at: Resources, name: str, properties: dict[str, Any]) -> Made:
    arn = f"arn:aws:batch:{at._region}:{ACCOUNT}:scheduling-policy/{name}"
    return Made(arn, Arn=arn)


def _erase_profile(at: Resources, name: str) -> None:
    profile = at.call("iam", "get_instance_profile", InstanceProfileName=name)["InstanceProfile"]
    for role in profile["Roles"]:
        at.call("iam", "remove_role_from_instance_profile", InstanceProfileName=name, RoleName=role["RoleName"])
    at.call("iam", "delete_instance_profile", InstanceProfileName=name)


def _erase_environment(at: Resources, arn: str) -> None:
    at.call("batch", "update_compute_environment", computeEnvironment=arn, state="DISABLED")
    at.call("batch", "delete_compute_environment", computeEnvironment=arn)


def _erase_queue(at: Resources, arn: str) -> None:
    at.call("batch", "update_job_queue", jobQueue=arn, state="DISABLED")
    at.call("batch", "delete_job_queue", jobQueue=arn)


def _eraser(service: str, operation: str, argument: str, **more: Any) -> Callable[[Resources, str], Any]:
    return lambda at, physical: at.call(service, operation, **{argument: physical, **more})


_MAKERS: dict[str, Callable[[Resources, str, dict[str, Any]], Made]] = {
    "AWS::EC2::VPC": _vpc,
    "AWS::EC2::Subnet": _subnet,
    "AWS::EC2::SecurityGroup": _security_group,
    "AWS::EC2::InternetGateway": _gateway,
    "AWS::EC2::RouteTable": _route_table,
    "AWS::EC2::LaunchTemplate": _launch_template,
    "AWS::IAM::Role": _role,
    "AWS::IAM::InstanceProfile": _profile,
    "AWS::IAM::ManagedPolicy": _policy,
    "AWS::Batch::ComputeEnvironment": _compute_environment,
    "AWS::Batch::JobQueue": _queue,
    "AWS::Batch::SchedulingPolicy": _scheduling_policy,
    "AWS::S3::Bucket": _bucket,
    "AWS::EFS::FileSystem": _efs,
    "AWS::EFS::MountTarget": _mount_target,
    "AWS::FSx::FileSystem": _fsx,
    "AWS::FSx::DataRepositoryAssociation": _association,
    "AWS::Logs::LogGroup": _log_group,
    "AWS::SecretsManager::Secret": _secret,
}
_ERASERS: dict[str, Callable[[Resources, str], Any]] = {
    "AWS::EC2::VPC": _eraser("ec2", "delete_vpc", "VpcId"),
    "AWS::EC2::Subnet": _eraser("ec2", "delete_subnet", "SubnetId"),
    "AWS::EC2::SecurityGroup": _eraser("ec2", "delete_security_group", "GroupId"),
    "AWS::EC2::InternetGateway": _eraser("ec2", "delete_internet_gateway", "InternetGatewayId"),
    "AWS::EC2::RouteTable": _eraser("ec2", "delete_route_table", "RouteTableId"),
    "AWS::EC2::LaunchTemplate": _eraser("ec2", "delete_launch_template", "LaunchTemplateId"),
    "AWS::IAM::Role": _eraser("iam", "delete_role", "RoleName"),
    "AWS::IAM::InstanceProfile": _erase_profile,
    "AWS::Batch::ComputeEnvironment": _erase_environment,
    "AWS::Batch::JobQueue": _erase_queue,
    "AWS::S3::Bucket": _eraser("s3", "delete_bucket", "Bucket"),
    "AWS::EFS::FileSystem": _eraser("efs", "delete_file_system", "FileSystemId"),
    "AWS::EFS::MountTarget": _eraser("efs", "delete_mount_target", "MountTargetId"),
    "AWS::FSx::FileSystem": _eraser("fsx", "delete_file_system", "FileSystemId"),
    "AWS::FSx::DataRepositoryAssociation": _eraser("fsx", "delete_data_repository_association", "AssociationId"),
    "AWS::Logs::LogGroup": _eraser("logs", "delete_log_group", "logGroupName"),
    "AWS::SecretsManager::Secret": _eraser("secretsmanager", "delete_secret", "SecretId", ForceDeleteWithoutRecovery=True),
}
