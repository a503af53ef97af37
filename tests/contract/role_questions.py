"""Questions to a simulator of IAM about the roles of the golden environment that has all there is, and the answers meant."""

from __future__ import annotations

from typing import NamedTuple

HERE = "us-east-2:123456789012"
ELSEWHERE = "us-east-2:999999999999"
THROUGH_TARGET = {"elasticfilesystem:AccessedViaMountTarget": "true"}


class Question(NamedTuple):
    """Whether a role may do something to something, with what the request says of itself."""

    role: str
    action: str
    resource: str
    context: dict[str, str]
    allowed: bool


_ASKED: list[tuple[str, str, str, dict[str, str], bool]] = [
    ("InstanceRole", "ecs:RegisterContainerInstance", f"arn:aws:ecs:{HERE}:cluster/AWSBatch-prod", {}, True),
    ("InstanceRole", "ecs:RegisterContainerInstance", f"arn:aws:ecs:{HERE}:cluster/web", {}, False),
    ("InstanceRole", "ecs:RegisterContainerInstance", f"arn:aws:ecs:{ELSEWHERE}:cluster/AWSBatch-prod", {}, False),
    ("InstanceRole", "ecs:Poll", f"arn:aws:ecs:{HERE}:container-instance/AWSBatch-prod/0a1b", {}, True),
    ("InstanceRole", "ecs:Poll", f"arn:aws:ecs:{HERE}:container-instance/web/0a1b", {}, False),
    ("InstanceRole", "ecr:BatchGetImage", f"arn:aws:ecr:{HERE}:repository/genomics/align", {}, True),
    ("InstanceRole", "ecr:BatchGetImage", f"arn:aws:ecr:{HERE}:repository/risk", {}, False),
    ("InstanceRole", "ecr:BatchGetImage", f"arn:aws:ecr:{HERE}:repository/base-of-others", {}, False),
    ("InstanceRole", "secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{HERE}:secret:secret", {}, False),
    ("ExecutionRole", "secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{HERE}:secret:license-AbCdEf", {}, True),
    ("ExecutionRole", "secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{HERE}:secret:license-AbCdEg", {}, False),
    ("ExecutionRole", "ssm:GetParameters", f"arn:aws:ssm:{HERE}:parameter/license", {}, True),
    ("ExecutionRole", "ssm:GetParameters", f"arn:aws:ssm:{HERE}:parameter/license/key", {}, False),
    ("ExecutionRole", "logs:PutLogEvents", f"arn:aws:logs:{HERE}:log-group:/batchhpc/everything:log-stream:a/b", {}, True),
    ("ExecutionRole", "logs:PutLogEvents", f"arn:aws:logs:{HERE}:log-group:/batchhpc/everything/flows:log-stream:a", {}, False),
    ("ExecutionRole", "s3:GetObject", "arn:aws:s3:::bucket/x", {}, False),
    ("JobRole", "s3:PutObject", "arn:aws:s3:::bucket/results/x", {}, True),
    ("JobRole", "s3:GetObject", "arn:aws:s3:::bucket/batchhpc/gangs/0a1b.json", {}, True),
    ("JobRole", "s3:PutObject", "arn:aws:s3:::bucket/batchhpc/gangs/0a1b.json", {}, True),
    ("JobRole", "s3:ListBucket", "arn:aws:s3:::bucket", {}, True),  # without it a record that is not there yet looks forbidden
    ("ExecutionRole", "s3:PutObject", "arn:aws:s3:::bucket/batchhpc/gangs/0a1b.json", {}, False),
    ("InstanceRole", "s3:PutObject", "arn:aws:s3:::bucket/batchhpc/gangs/0a1b.json", {}, False),
    ("JobRole", "s3:PutObject", "arn:aws:s3:::our-results/batch/x", {}, True),
    ("JobRole", "s3:PutObject", "arn:aws:s3:::our-results/other", {}, False),
    ("JobRole", "s3:GetObject", "arn:aws:s3:::1000genomes/release/x", {}, True),
    ("JobRole", "s3:PutObject", "arn:aws:s3:::1000genomes/release/x", {}, False),
    ("JobRole", "s3:DeleteObject", "arn:aws:s3:::reference/x", {}, False),
    ("JobRole", "s3:GetObject", "arn:aws:s3:::1000genomes/drafts/x", {}, False),
    ("JobRole", "s3:GetObject", "arn:aws:s3:::bucket-of-others/x", {}, False),
    ("JobRole", "s3:ListBucket", "arn:aws:s3:::1000genomes", {"s3:prefix": "release/a"}, True),
    ("JobRole", "s3:ListBucket", "arn:aws:s3:::1000genomes", {"s3:prefix": "drafts/"}, False),
    ("JobRole", "s3:DeleteBucket", "arn:aws:s3:::bucket", {}, False),
    ("FlowLogRole", "logs:PutLogEvents", f"arn:aws:logs:{HERE}:log-group:/batchhpc/everything/flows:log-stream:a", {}, True),
    ("FlowLogRole", "logs:PutLogEvents", f"arn:aws:logs:{HERE}:log-group:/batchhpc/everything:log-stream:a", {}, False),
    *(
        (role, f"elasticfilesystem:{action}", f"arn:aws:elasticfilesystem:{HERE}:file-system/{system}", through, allowed)
        for role, action, system, through, allowed in (
            ("InstanceRole", "ClientRootAccess", "fs-00000000000000001", THROUGH_TARGET, True),
            ("InstanceRole", "ClientRootAccess", "fs-00000000000000001", {}, False),
            ("InstanceRole", "ClientRootAccess", "fs-00000000000000009", THROUGH_TARGET, False),
            ("JobRole", "ClientWrite", "fs-00000000000000001", THROUGH_TARGET, True),
            ("JobRole", "ClientRootAccess", "fs-00000000000000001", THROUGH_TARGET, False),
        )
    ),
    *(
        (role, action, f"arn:aws:kms:{HERE}:key/{key}", {"kms:ViaService": f"{service}.us-east-2.amazonaws.com"}, allowed)
        for role, action, key, service, allowed in (
            ("JobRole", "kms:Decrypt", "01234567-89ab-cdef-0123-456789abcdef", "s3", True),
            ("JobRole", "kms:Decrypt", "01234567-89ab-cdef-0123-456789abcdef", "secretsmanager", False),
            ("JobRole", "kms:GenerateDataKey", "99999999-89ab-cdef-0123-456789abcdef", "s3", False),
            ("ExecutionRole", "kms:Decrypt", "01234567-89ab-cdef-0123-456789abcdef", "secretsmanager", True),
            ("ExecutionRole", "kms:Decrypt", "01234567-89ab-cdef-0123-456789abcdef", "s3", False),
        )
    ),
]  # fmt: skip
QUESTIONS = [Question(*asked) for asked in _ASKED]
