"""What each role of an environment may do and may not, judged by AWS's list of actions and by a simulator of IAM."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from policy_sentry.querying.actions import get_action_data

from tests.contract.golden.regenerate import ENVIRONMENTS, compiled_environment, environment_names, environment_roles
from tests.contract.role_questions import QUESTIONS, Question
from tests.contract.roles import granted, roles, statements

NAMES = environment_names("good")
MINISTACK = Path(__file__).parents[2] / ".venv-validators" / "bin" / "ministack"
EVERYTHING = "everything"

# Nothing here starts with these, whatever the role
NEVER = ("iam", "sts", "batch", "cloudformation", "ec2", "organizations", "lambda", "fsx", "budgets")
SERVICES = {
    "InstanceRole": {"ecs", "ecr", "elasticfilesystem"},
    "ExecutionRole": {"ecr", "logs", "secretsmanager", "ssm", "kms"},
    "JobRole": {"s3", "elasticfilesystem", "kms"},
    "FlowLogRole": {"logs"},
    "SpotFleetRole": set(),
}
FORBIDDEN = {
    "InstanceRole": {
        "ecs:CreateCluster", "ecs:DeleteCluster", "ecs:RunTask", "ecs:StopTask", "ecs:RegisterTaskDefinition", "ecr:PutImage",
        "ecr:DeleteRepository", "secretsmanager:GetSecretValue", "s3:GetObject", "logs:PutLogEvents", "ssm:GetParameters",
        "elasticfilesystem:DeleteFileSystem",
    },
    "ExecutionRole": {
        "secretsmanager:PutSecretValue", "secretsmanager:ListSecrets", "ssm:PutParameter", "logs:CreateLogGroup",
        "logs:DeleteLogGroup", "logs:PutRetentionPolicy", "ecr:PutImage", "kms:Encrypt", "kms:CreateGrant", "s3:GetObject",
    },
    "JobRole": {
        "s3:DeleteBucket", "s3:PutBucketPolicy", "s3:ListAllMyBuckets", "s3:DeleteObjectVersion", "s3:PutLifecycleConfiguration",
        "secretsmanager:GetSecretValue", "elasticfilesystem:ClientRootAccess", "kms:CreateGrant", "kms:ScheduleKeyDeletion",
        "ecr:GetAuthorizationToken", "ecs:Poll", "logs:PutLogEvents", "batch:SubmitJob",
    },
    "FlowLogRole": {"logs:CreateLogGroup", "logs:DeleteLogGroup", "logs:DeleteLogStream", "logs:GetLogEvents"},
    "SpotFleetRole": {"ec2:RunInstances", "iam:PassRole"},
}  # fmt: skip


@cache
def _roles(name: str) -> dict[str, dict[str, Any]]:
    made = compiled_environment(name)
    return roles(made.template, made.plan.spec.region)


@cache
def _described(action: str) -> list[dict[str, Any]]:
    """What AWS's list says of an action, once for each type of resource it takes."""
    service, _, name = action.partition(":")
    found: Any = get_action_data(service, name)
    return list(found[service]) if found else []


def _kinds(action: str) -> list[str]:
    """ARNs of the resources an action takes; none if it takes no resource."""
    return [each["resource_arn_format"] for each in _described(action) if each["resource_arn_format"] != "*"]


def _is_of(resource: str, kind: str) -> bool:
    """Whether an ARN, with or without wildcards, is one of a kind; a wildcard at the end stands for any rest."""
    pattern = re.sub(r"\\\$\\\{\w+\\\}", "[^:]*", re.escape(kind))
    whole = resource.removesuffix(":*") if ":log-group:" in resource else resource
    return re.fullmatch(pattern, resource) is not None or re.fullmatch(pattern, f"{whole}:log-stream:x") is not None \
        or re.fullmatch(pattern, whole) is not None  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_the_roles_may_do_exactly_what_was_agreed_on(name):
    """What each role may do, on what, when, and who may take it are the lines that were read and agreed on."""
    assert environment_roles(name) == (ENVIRONMENTS / "good" / f"{name}.roles.txt").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_every_action_is_one_and_can_be_done_on_its_resource(name):
    """Each action is a whole name on AWS's list, and its resource is of a type the action takes: nothing is granted in vain."""
    for role, properties in _roles(name).items():
        for action, resource, _ in granted(properties):
            assert "*" not in action, (role, action)
            assert _described(action), (role, action)
            # AWS's list has no resource for it, while its guide wants this one: CloudWatch Logs, "Logs sent to CloudWatch Logs"
            if (action, resource.split(":", 5)[-1]) != ("logs:DescribeLogGroups", "log-group:*"):
                assert resource == "*" or any(_is_of(resource, kind) for kind in _kinds(action)), (role, action, resource)


@pytest.mark.parametrize("name", NAMES)
def test_everything_that_can_be_narrowed_is(name):
    """Only actions that take no resource are allowed on everything, and nothing is allowed by exception."""
    for role, properties in _roles(name).items():
        assert not any({"NotAction", "NotResource"} & each.keys() for each in statements(properties)), role
        assert [action for action, resource, _ in granted(properties) if resource == "*" and _kinds(action)] == []


@pytest.mark.parametrize("name", NAMES)
def test_no_role_may_do_what_is_not_its_work(name):
    """No role manages permissions or infrastructure, uses another service than its own, or does what is on its list."""
    for role, properties in _roles(name).items():
        actions = {action for action, _, _ in granted(properties)}
        services = {action.partition(":")[0] for action in actions}
        assert not services & set(NEVER), role
        assert services <= SERVICES[role]
        assert not actions & FORBIDDEN[role]
        levels = {each["access_level"] for action in actions for each in _described(action)}
        assert "Permissions management" not in levels, role


def test_what_is_forbidden_exists():
    """Each action that a role must not have is one on AWS's list, so that a slip of the pen forbids nothing in vain."""
    assert [action for actions in FORBIDDEN.values() for action in actions if not _described(action)] == []


@pytest.mark.parametrize("name", NAMES)
def test_each_role_is_taken_by_one_service_for_this_account(name):
    """One service may take each role, and on behalf of this account only; EC2 alone does not say on whose behalf it comes."""
    takers = {
        "InstanceRole": "ec2",
        "ExecutionRole": "ecs-tasks",
        "JobRole": "ecs-tasks",
        "FlowLogRole": "vpc-flow-logs",
        "SpotFleetRole": "spotfleet",
    }
    for role, properties in _roles(name).items():
        (trust,) = properties["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Principal"] == {"Service": f"{takers[role]}.amazonaws.com"}
        assert ("Condition" in trust) == (role != "InstanceRole")


def test_every_kind_of_role_is_in_a_golden_environment():
    """Each role that an environment can have is looked at, that of the Spot fleet included."""
    assert {role for name in NAMES for role in _roles(name)} == set(SERVICES) == set(FORBIDDEN)


@pytest.fixture(scope="module")
def iam(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A client of a simulator of IAM, which runs as long as this module's tests."""
    if not MINISTACK.exists():
        pytest.skip("needs ministack: make validators")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("ministack")
    environment = {**os.environ, "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port)}
    with (
        (log / "log").open("wb") as out,
        subprocess.Popen([str(MINISTACK)], cwd=log, env=environment, stdout=out, stderr=out) as process,
    ):
        try:
            _wait_for(f"http://127.0.0.1:{port}/_ministack/health", process)
            session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-2")
            client = session.client("iam", endpoint_url=f"http://127.0.0.1:{port}")
            if _decided(client, {"Policies": []}, "s3:GetObject", "*", {}):
                pytest.skip("needs ministack 1.5.33, since older ones allow everything: make validators")
            yield client
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - on loopback
                return
        except OSError:
            assert process.poll() is None, "the simulator ended"
            assert time.monotonic() < deadline, "the simulator does not answer"
            time.sleep(0.1)


def _holds(condition: Mapping[str, Mapping[str, Any]], context: Mapping[str, str]) -> bool:
    """Whether a request meets a statement's conditions; each key must be there, as IAM wants it of these operators."""
    how: dict[str, Callable[[str, str], bool]] = {"StringEquals": str.__eq__, "Bool": str.__eq__, "StringLike": fnmatchcase}
    return all(
        key in context and any(how[operator](context[key], value) for value in ([wanted] if isinstance(wanted, str) else wanted))
        for operator, each in condition.items()
        for key, wanted in each.items()
    )


def _decided(iam: Any, role: Mapping[str, Any], action: str, resource: str, context: Mapping[str, str]) -> bool:
    """What the simulator says of the statements whose conditions are met; it takes no ContextEntries itself."""
    met = [each for each in statements(role) if _holds(each.get("Condition", {}), context)]
    document = {"Version": "2012-10-17", "Statement": [{key: each[key] for key in each if key != "Condition"} for each in met]}
    answer = iam.simulate_custom_policy(PolicyInputList=[json.dumps(document)], ActionNames=[action], ResourceArns=[resource])
    (result,) = answer["EvaluationResults"]
    return bool(result["EvalDecision"] == "allowed")


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda each: f"{each.role}-{each.action}-{each.resource}-{each.allowed}")
def test_the_simulator_decides_as_it_was_meant(iam, question: Question):
    """Asked of IAM's simulator, each role may do what it must on its own resources, and nothing next to them."""
    assert (
        _decided(iam, _roles(EVERYTHING)[question.role], question.action, question.resource, question.context) is question.allowed
    )


@pytest.mark.parametrize("role", sorted(set(SERVICES) - {"SpotFleetRole"}))
def test_the_simulator_denies_what_is_forbidden(iam, role):
    """Asked of IAM's simulator, no role may do what is on its list, on anything."""
    assert [action for action in FORBIDDEN[role] if _decided(iam, _roles(EVERYTHING)[role], action, "*", {})] == []
