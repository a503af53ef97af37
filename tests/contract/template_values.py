"""Templates with their references filled in, as AWS's services would get them from CloudFormation, with ids in AWS's form."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any

from botocore.loaders import Loader
from botocore.model import ServiceModel

from tests.contract.aws_description import complaints_of_shape

ACCOUNT = "123456789012"
_IDS = {
    "AWS::EC2::VPC": "vpc-00000000000000001",
    "AWS::EC2::Subnet": "subnet-00000000000000001",
    "AWS::EC2::SecurityGroup": "sg-00000000000000001",
    "AWS::EC2::LaunchTemplate": "lt-00000000000000001",
    "AWS::EFS::FileSystem": "fs-00000000000000001",
    "AWS::FSx::FileSystem": "fs-00000000000000002",
}
_SERVICES = {
    "AWS::Batch::ComputeEnvironment": "batch:{region}:{account}:compute-environment/{name}",
    "AWS::Batch::JobQueue": "batch:{region}:{account}:job-queue/{name}",
    "AWS::Batch::SchedulingPolicy": "batch:{region}:{account}:scheduling-policy/{name}",
    "AWS::EFS::FileSystem": "elasticfilesystem:{region}:{account}:file-system/fs-00000000000000001",
    "AWS::IAM::InstanceProfile": "iam::{account}:instance-profile/{name}",
    "AWS::IAM::Role": "iam::{account}:role/{name}",
    "AWS::Logs::LogGroup": "logs:{region}:{account}:log-group:{name}:*",
    "AWS::S3::Bucket": "s3:::{name}",
    "AWS::SecretsManager::Secret": "secretsmanager:{region}:{account}:secret:{name}",
}

# What API makes a resource of each type, and what CloudFormation calls otherwise or does with calls of their own
REQUESTS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "AWS::Batch::ComputeEnvironment": ("batch", "CreateComputeEnvironment", {"computeEnvironmentName": "made-up"}),
    "AWS::Batch::JobQueue": ("batch", "CreateJobQueue", {}),
    "AWS::Batch::SchedulingPolicy": ("batch", "CreateSchedulingPolicy", {"name": "made-up"}),
    "AWS::EC2::LaunchTemplate": ("ec2", "CreateLaunchTemplate", {"LaunchTemplateName": "made-up"}),
    "AWS::EFS::FileSystem": ("efs", "CreateFileSystem", {"CreationToken": "made-up"}),
    "AWS::EFS::MountTarget": ("efs", "CreateMountTarget", {}),
    "AWS::FSx::FileSystem": ("fsx", "CreateFileSystem", {}),
    "AWS::FSx::DataRepositoryAssociation": ("fsx", "CreateDataRepositoryAssociation", {}),
}
_OTHER_CALLS = {"ReplaceComputeEnvironment", "UpdatePolicy", "BackupPolicy", "FileSystemPolicy", "LifecyclePolicies"}
_OTHER_NAMES = {"FileSystemTags": "Tags"}


def resolved(template: Mapping[str, Any], value: Any, region: str = "us-east-1") -> Any:
    """A value with `Ref`, `Fn::GetAtt`, `Fn::Sub` and `Fn::Base64` carried out."""
    match value:
        case list():
            return [resolved(template, item, region) for item in value]
        case {"Ref": name}:
            return _ref(template, name, region)
        case {"Fn::GetAtt": [name, attribute]}:
            return _attribute(template, name, attribute, region)
        case {"Fn::Sub": text}:
            return _filled(template, text, region)
        case {"Fn::Base64": text}:
            return base64.b64encode(resolved(template, text, region).encode()).decode()
    return {name: resolved(template, inner, region) for name, inner in value.items()} if isinstance(value, dict) else value


def _ref(template: Mapping[str, Any], name: str, region: str) -> Any:
    pseudo = {"AWS::AccountId": ACCOUNT, "AWS::Region": region, "AWS::Partition": "aws"}
    if name in pseudo:
        return pseudo[name]
    if name in template.get("Parameters", {}):
        return f"{region}a"
    kind = template["Resources"][name]["Type"]
    given = template["Resources"][name]["Properties"]
    if kind in {"AWS::Batch::ComputeEnvironment", "AWS::SecretsManager::Secret"}:
        return _attribute(template, name, "Arn", region)
    return given.get("LogGroupName") or given.get("JobQueueName") or _IDS.get(kind, name.lower())


def _attribute(template: Mapping[str, Any], name: str, attribute: str, region: str) -> Any:
    resource = template["Resources"][name]
    if attribute.endswith("Arn"):
        own = resource["Properties"].get("LogGroupName", name.lower())
        return "arn:aws:" + _SERVICES[resource["Type"]].format(region=region, account=ACCOUNT, name=own)
    made = {"GroupId": _IDS["AWS::EC2::SecurityGroup"], "LatestVersionNumber": "1", "AvailabilityZone": f"{region}a"}
    return made.get(attribute, f"{name}-{attribute}".lower())


def _filled(template: Mapping[str, Any], text: str, region: str) -> str:
    def found(match: re.Match[str]) -> str:
        if match[1].startswith("!"):
            return f"${{{match[1][1:]}}}"
        name, _, attribute = match[1].partition(".")
        return str(_attribute(template, name, attribute, region) if attribute else _ref(template, name, region))

    return re.sub(r"\$\{([^}]+)\}", found, text)


def complaints_of_services(template: Mapping[str, Any]) -> dict[str, list[str]]:
    """What the SDK's validator and the walker each say of the resources, as the requests that would make them."""
    found: dict[str, list[str]] = {"botocore": [], "walker": []}
    for name, resource in template["Resources"].items():
        if resource["Type"] in REQUESTS:
            service, operation, extra = REQUESTS[resource["Type"]]
            shape = ServiceModel(Loader().load_service_model(service, "service-2")).operation_model(operation).input_shape
            kept = {_OTHER_NAMES.get(key, key): value for key, value in resource["Properties"].items() if key not in _OTHER_CALLS}
            request = {**extra, **_request(resolved(template, kept), shape)}
            for judge, complaints in complaints_of_shape(request, shape, operation).items():
                found[judge] += [f"{name}: {text}" for text in complaints]
    return found


def _request(value: Any, shape: Any) -> Any:
    """A resource's properties with the API's own member names; names that it does not have stay, so that it complains."""
    if shape.type_name == "structure" and isinstance(value, dict):
        names = {name.lower(): name for name in shape.members}
        known = {name: names.get(name.lower()) for name in value}
        return {own or name: _request(value[name], shape.members[own]) if own else value[name] for name, own in known.items()}
    if shape.type_name == "list" and isinstance(value, list):
        return [_request(item, shape.member) for item in value]
    return value
