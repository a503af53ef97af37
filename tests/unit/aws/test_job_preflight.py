"""A job is held against the queue as it is now before anything is registered."""

from collections.abc import Callable
from typing import Any

import pytest

from batchhpc.errors import InvalidSpec
from batchhpc.spec import Environment
from tests.unit.aws.fake_batch import FakeBatch
from tests.unit.aws.jobs_on_aws import ENVIRONMENT, Aws, compiled

NAME = "batchhpc-test"


def broken(change: Callable[[FakeBatch], Any], nodes: int = 2, **changes: Any) -> str:
    """What a submission says after AWS has been changed; nothing was registered."""
    aws = Aws()
    change(aws.fake)
    with pytest.raises(InvalidSpec) as error:
        aws.submit(nodes, **changes)
    assert aws.fake.calls["RegisterJobDefinition"] == 0
    return str(error.value)


def environment(fake: FakeBatch) -> Any:
    """The compute environment, to change."""
    return fake.environments[NAME]


def test_no_such_queue() -> None:
    """A queue that is not there is named."""
    assert broken(lambda fake: fake.queues.clear()).startswith(f"queue {NAME}: does not exist in this Region\n  hint: ")


def test_a_queue_that_takes_nothing() -> None:
    """A disabled or invalid queue is told, with AWS's reason, both at once."""
    text = broken(lambda fake: fake.queues[NAME].update(state="DISABLED", status="INVALID", statusReason="no role"))
    assert f"queue {NAME}: is DISABLED, so it takes no jobs" in text
    assert f"queue {NAME}: is INVALID: no role (R50)" in text


def test_a_compute_environment_that_starts_nothing() -> None:
    """A disabled or invalid compute environment is told, with AWS's reason (R73)."""
    text = broken(lambda fake: environment(fake).update(state="DISABLED", status="INVALID", statusReason="role gone"))
    assert f"compute environment {NAME}: is DISABLED" in text
    assert f"compute environment {NAME}: is INVALID: role gone (R73)" in text


def test_multinode_on_spot() -> None:
    """A multi-node job is not submitted to a Spot environment, where it would wait for ever (R11)."""
    text = broken(lambda fake: environment(fake)["computeResources"].update(type="SPOT"))
    assert "is SPOT: multi-node parallel jobs stay RUNNABLE there for ever (R11)" in text


def test_multinode_unmanaged() -> None:
    """Nor to an unmanaged one (R11)."""
    assert "is unmanaged, where multi-node parallel jobs do not run (R11)" in broken(
        lambda fake: (environment(fake).update(type="UNMANAGED"), environment(fake).pop("computeResources"))
    )


def test_a_container_job_on_spot() -> None:
    """A job of one node runs on Spot."""
    aws = Aws()
    environment(aws.fake)["computeResources"]["type"] = "SPOT"
    aws.submit(1)
    assert not aws.warnings


@pytest.mark.parametrize("types", [["c7i.8xlarge"], ["c7i"], ["optimal"], ["hpc7a.96xlarge", "default_x86_64"]])
def test_types_that_are_launched(types: list[str]) -> None:
    """A type is offered by itself, by its family, or by a bundle that has the family (R8, R71)."""
    aws = Aws()
    environment(aws.fake)["computeResources"]["instanceTypes"] = types
    aws.submit(2)


def test_a_type_that_is_not_launched() -> None:
    """A type that the live environment does not launch is told with those it does (R8)."""
    text = broken(lambda fake: environment(fake)["computeResources"].update(instanceTypes=["hpc7a", "m6i.large"]))
    assert f"compute environment {NAME}: launches hpc7a, m6i.large, not c7i.8xlarge (R8)" in text


def test_too_few_vcpus() -> None:
    """Nodes count with all vCPUs of their type (R27)."""
    text = broken(lambda fake: environment(fake)["computeResources"].update(maxvCpus=63))
    assert "has at most 63 vCPUs, but the job takes 2 x 32 = 64 (R27)" in text


def test_fair_share() -> None:
    """A queue that has got a policy since asks for a share, and one without refuses one (R51)."""
    policy = "arn:aws:batch:eu-west-1:123456789012:scheduling-policy/p"
    assert "has a fair-share policy, but the job names no share (R51)" in broken(
        lambda fake: fake.queues[NAME].update(schedulingPolicyArn=policy)
    )
    aws = Aws()
    fair = ENVIRONMENT.model_copy(update={"fair_share": True})
    with pytest.raises(InvalidSpec, match=r"no fair-share policy, but the job names the share 'a' \(R51\)"):
        aws.runner.submit(compiled(2, fair, share="a"))


def second(fake: FakeBatch, **changes: Any) -> None:
    """One more compute environment behind the queue."""
    queue = fake.queues[NAME]
    fake.queue("other", **changes)
    fake.queues[NAME] = queue
    arn = fake.environments["other"]["computeEnvironmentArn"]
    queue["computeEnvironmentOrder"].append({"order": 2, "computeEnvironment": arn})


def test_several_compute_environments() -> None:
    """An obstacle in one of several is a warning, and a multi-node job is warned that it does not fail over (R48)."""
    aws = Aws()
    second(aws.fake, kind="SPOT")
    aws.submit(2)
    assert [(each.path, each.rule) for each in aws.warnings] == [("compute environment other", "R11"), (f"queue {NAME}", "R48")]


def test_all_compute_environments_refuse() -> None:
    """If none can run the job, the obstacles of each are errors, all told."""

    def unfit(fake: FakeBatch) -> None:
        second(fake, kind="SPOT")
        environment(fake)["computeResources"].update(maxvCpus=4)

    text = broken(unfit)
    assert "compute environment other: is SPOT" in text
    assert f"compute environment {NAME}: has at most 4 vCPUs" in text


def test_a_quota() -> None:
    """EC2's quota of the type's families must hold the job (R27); quotas of other families do not count."""
    standard = "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances"
    quotas = {
        standard: 32.0,
        "Running On-Demand HPC instances": 9.0,
        "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests": 1.0,
    }
    text = broken(lambda fake: fake.quotas.update(quotas))
    assert f"EC2 quota: '{standard}' is 32 vCPUs, but the job takes 2 x 32 = 64 (R27)" in text


def test_quotas_of_hpc_and_p_families() -> None:
    """``hpc7a`` is HPC, not Standard's H; ``p5`` has its own quota where there is one for P5."""
    from batchhpc.aws.quotas import vcpu_quota
    from tests.unit.aws.fake_clients import clients

    fake = FakeBatch()
    fake.quotas = {
        "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances": 1.0,
        "Running On-Demand HPC instances": 2.0,
        "Running On-Demand P instances": 3.0,
        "All P4, P3 and P2 Spot Instance Requests": 4.0,
        "All P5 Spot Instance Requests": 5.0,
    }
    quotas = clients(fake).quotas
    assert vcpu_quota(quotas, "hpc7a.96xlarge", spot=False) == ("Running On-Demand HPC instances", 2)
    assert vcpu_quota(quotas, "p5.48xlarge", spot=False) == ("Running On-Demand P instances", 3)
    assert vcpu_quota(quotas, "p5.48xlarge", spot=True) == ("All P5 Spot Instance Requests", 5)
    assert vcpu_quota(quotas, "x2idn.32xlarge", spot=True) is None


def test_quotas_that_may_not_be_read() -> None:
    """Without the permission to read quotas the job is submitted, and a warning says what is not known."""
    aws = Aws()
    aws.fake.fault("ListServiceQuotas", "AccessDeniedException")
    aws.submit(2)
    assert aws.warnings[0].message.startswith(
        "cannot be read, so it is not known whether it holds 2 x 32 vCPUs: AWS, ListServiceQuotas"
    )


def test_a_waived_rule() -> None:
    """A rule that the job waives is a warning here, too, with the reason."""
    aws = Aws()
    environment(aws.fake)["computeResources"]["maxvCpus"] = 64
    small = Environment(**{**ENVIRONMENT.model_dump(), "max_vcpus": 64})
    aws.runner.submit(compiled(3, small, waive={"R27": "being raised"}))
    assert [(each.rule, each.waived) for each in aws.warnings] == [("R27", "being raised")]
