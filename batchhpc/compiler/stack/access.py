"""Roles of instances, of the ECS agent on behalf of jobs, and of jobs; and the secret of the environment."""

from __future__ import annotations

from typing import Any, Final

from batchhpc.compiler.environment import EnvironmentPlan
from batchhpc.compiler.stack.bucket import BUCKET
from batchhpc.compiler.stack.compute import spot_fleet
from batchhpc.compiler.stack.efs import MOUNT, ROOT, WRITE, efs_name
from batchhpc.compiler.stack.logs import LOGS
from batchhpc.compiler.stack.policies import Statement, policy, statement, trusted
from batchhpc.compiler.stack.resource import PARTITION, REGION, Resource, Resources, arn, att, ref, sub, tags, unchecked

INSTANCE_ROLE: Final = "InstanceRole"
EXECUTION_ROLE: Final = "ExecutionRole"
JOB_ROLE: Final = "JobRole"
SECRET: Final = "Secret"  # noqa: S105 - a resource's name
_LIST: Final = ("s3:ListBucket",)
_LIST_UPLOADS: Final = ("s3:ListBucketMultipartUploads",)
_CLUSTERS: Final = "cluster/AWSBatch*"  # AWS Batch makes one for each compute environment, and names it so


def access(plan: EnvironmentPlan) -> Resources:
    """All roles, and the secret."""
    made: Resources = {
        SECRET: _secret(plan),
        INSTANCE_ROLE: _role(
            plan,
            "Nodes",
            "ec2.amazonaws.com",
            {"join": _join(), "pull": _pull(plan), "mount": _file_systems(plan, MOUNT, WRITE, ROOT)},
        ),
        "InstanceProfile": {"Type": "AWS::IAM::InstanceProfile", "Properties": {"Roles": [ref(INSTANCE_ROLE)]}},
        EXECUTION_ROLE: _role(
            plan,
            "Secrets and logs of jobs",
            "ecs-tasks.amazonaws.com",
            {"pull": _pull(plan), "secrets": _secrets(plan), "logs": _logs(), "key": _key(plan, "secretsmanager", "kms:Decrypt")},
        ),
        JOB_ROLE: _role(
            plan,
            "Programs",
            "ecs-tasks.amazonaws.com",
            {
                "buckets": _buckets(plan),
                "files": _file_systems(plan, MOUNT, WRITE),
                "key": _key(plan, "s3", "kms:Decrypt", "kms:GenerateDataKey"),
            },
            managed=list(plan.spec.access.job_policies),
        ),
    }
    if spot_fleet(plan):
        # The older policy cannot tag instances (R66)
        tagging = sub(f"arn:{PARTITION}:iam::aws:policy/service-role/AmazonEC2SpotFleetTaggingRole")
        made["SpotFleetRole"] = _role(plan, "Spot fleet", "spotfleet.amazonaws.com", {}, managed=[tagging])
    return made


def _role(
    plan: EnvironmentPlan, what: str, service: str, allowed: dict[str, list[Statement]], *, managed: list[Any] | None = None
) -> Resource:
    # EC2 says not on whose behalf it comes, and only ever uses roles of the instance's own account
    trust = trusted(service, this_account=service != "ec2.amazonaws.com")
    properties: dict[str, Any] = {
        "Description": f"{what} of {plan.stack}",
        "AssumeRolePolicyDocument": trust,
        "Policies": [policy(name, *statements) for name, statements in allowed.items() if statements],
        "ManagedPolicyArns": managed,
        "Tags": tags(plan),
    }
    return {"Type": "AWS::IAM::Role", "Properties": {name: value for name, value in properties.items() if value}}


def _secret(plan: EnvironmentPlan) -> Resource:
    properties: dict[str, Any] = {
        "Description": f"What the agents of jobs of {plan.stack} derive their keys from",
        "GenerateSecretString": {"PasswordLength": 64, "ExcludePunctuation": True},
        "Tags": tags(plan),
    }
    skipped = {"CKV_AWS_149": "kms_key of the spec encrypts it with the user's own key; without one it is encrypted with AWS's"}
    if plan.spec.kms_key is not None:
        properties["KmsKeyId"] = plan.spec.kms_key
        skipped = {}
    made: Resource = {"Type": "AWS::SecretsManager::Secret", "Properties": properties}
    return unchecked(made, skipped) if skipped else made


def _join() -> list[Statement]:
    """What the ECS agent does on behalf of the instance."""
    cluster, members = arn("ecs", _CLUSTERS), arn("ecs", "container-instance/AWSBatch*/*")
    return [
        statement(["ecs:DiscoverPollEndpoint"], ["*"]),  # takes no resource
        statement(
            [
                "ecs:DeregisterContainerInstance",
                "ecs:RegisterContainerInstance",
                "ecs:SubmitAttachmentStateChanges",
                "ecs:SubmitContainerStateChange",
                "ecs:SubmitTaskStateChange",
            ],
            [cluster],
        ),
        statement(["ecs:Poll", "ecs:StartTelemetrySession", "ecs:UpdateContainerInstancesState"], [members]),
        # An instance that brings tags along needs this as well, and only then
        statement(["ecs:TagResource"], [members], {"StringEquals": {"ecs:CreateAction": "RegisterContainerInstance"}}),
    ]


def _pull(plan: EnvironmentPlan) -> list[Statement]:
    repositories = [arn("ecr", f"repository/{name}") for name in plan.spec.access.repositories]
    pull = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    return [statement(["ecr:GetAuthorizationToken"], ["*"]), statement(pull, repositories)]  # the token takes no resource


def _secrets(plan: EnvironmentPlan) -> list[Statement]:
    """This environment's secret, and those that the spec lets jobs refer to (R17)."""
    made = [statement(["secretsmanager:GetSecretValue"], [ref(SECRET), *_of_service(plan, "secretsmanager")])]
    if given := _of_service(plan, "ssm"):
        made.append(statement(["ssm:GetParameters"], given))
    return made


def _of_service(plan: EnvironmentPlan, service: str) -> list[str]:
    return [text for text in plan.spec.access.secrets if text.split(":")[2] == service]


def _logs() -> list[Statement]:
    return [statement(["logs:CreateLogStream", "logs:PutLogEvents"], [att(LOGS, "Arn")])]


def _buckets(plan: EnvironmentPlan) -> list[Statement]:
    """The environment's bucket whole; of the user's buckets what the spec names, to read or to read and write."""
    objects, lists = [sub(f"${{{BUCKET}.Arn}}/*")], [statement([*_LIST, *_LIST_UPLOADS], [att(BUCKET, "Arn")])]
    written, read = list(objects), list(objects)
    for given, kinds in ((plan.spec.access.write, (written, read)), (plan.spec.access.read, (read,))):
        for text in given:
            name, _, key = text.removeprefix("s3://").rstrip("/").partition("/")
            whose = f"arn:{PARTITION}:s3:::{name}"
            for kind in kinds:  # an object, or what is below it; `batch` must not open `batch-of-others`
                kind += [sub(f"{whose}/{each}") for each in ((key, f"{key}/*") if key else ("*",))]
            only = {"StringLike": {"s3:prefix": [key, f"{key}/*"]}} if key else None
            actions = [*_LIST, *(_LIST_UPLOADS if written in kinds else ())]
            lists.append(statement(actions, [sub(f"arn:{PARTITION}:s3:::{name}")], only))
    # Uploads in parts are ended with AbortMultipartUpload when they fail; those of ranks that were killed are looked for
    return [
        *lists,
        statement(["s3:GetObject"], read),
        statement(["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:PutObject"], written),
    ]


def _file_systems(plan: EnvironmentPlan, *actions: str) -> list[Statement]:
    """Use of the environment's EFS file systems: hosts mount them, and jobs may where they name one themselves."""
    made = [att(efs_name(each), "Arn") for each in plan.spec.storage if each.efs is not None]
    through = {"Bool": {"elasticfilesystem:AccessedViaMountTarget": "true"}}
    return [statement(sorted(actions), made, through)] if made else []


def _key(plan: EnvironmentPlan, service: str, *actions: str) -> list[Statement]:
    """Use of the user's key through one service; volumes, file systems and logs are encrypted on AWS's own behalf."""
    via = {"StringEquals": {"kms:ViaService": sub(f"{service}.{REGION}.amazonaws.com")}}
    return [statement(actions, [plan.spec.kms_key], via)] if plan.spec.kms_key is not None else []
