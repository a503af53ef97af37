"""What is decided about an environment: its types, network interfaces, image, placement group, and what jobs see of it."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchhpc.compiler import environment_of
from batchhpc.compiler.check import check_environment
from batchhpc.compiler.environment import EnvironmentPlan, plan_environment, resolve_types
from batchhpc.compiler.instances import InstanceType, catalogue
from batchhpc.compiler.rules import RULES, Finding, Rule
from batchhpc.errors import Problem, Severity
from batchhpc.spec import EnvironmentSpec
from batchhpc.spec.environment_spec import Requirements

EFA_TYPES = sorted(kind.name for kind in catalogue() if kind.efa and len(kind.card_slots) <= 8)


def planned(*types: str, **more: Any) -> EnvironmentPlan:
    """The plan of an environment of those types."""
    return plan_environment(EnvironmentSpec(name="e", region="us-east-2", instance_types=types, **{"max_nodes": 4, **more}))


def problems(plan: EnvironmentPlan, rule: str) -> list[Problem]:
    """What a rule has against an environment."""
    return [problem for problem in check_environment(plan) if problem.rule == rule]


def test_types_families_and_patterns():
    """Types come in the order of their names, smallest first in a family, each once; what stands for none is told."""
    types, unmatched = resolve_types(("c7i.8xlarge", "hpc7a", "c7?.8xlarge", "nothing"), Requirements(arch="x86_64"))
    names = [kind.name for kind in types]
    assert names[:5] == ["c7i.8xlarge", "hpc7a.12xlarge", "hpc7a.24xlarge", "hpc7a.48xlarge", "hpc7a.96xlarge"]
    assert names[5:] == ["c7a.8xlarge"]
    assert unmatched == (3,)


def test_requirements_narrow_families():
    """Requirements leave the types that meet all of them."""
    types, _ = resolve_types(("c7i", "c7g"), Requirements(min_efa=1, arch="x86_64"))
    assert [kind.name for kind in types] == ["c7i.48xlarge", "c7i.metal-48xl"]


@pytest.mark.parametrize(
    ("name", "cards"),
    [
        ("hpc7a.96xlarge", [(0, "efa"), (1, "efa-only")]),
        ("p5.48xlarge", [(0, "efa"), *((card, "efa-only") for card in range(1, 32))]),
        ("p6-b300.48xlarge", [(0, "interface"), *((card, "efa-only") for card in range(1, 17))]),
        ("trn1.32xlarge", [(0, "efa"), *((card, "efa-only") for card in range(1, 8))]),
        ("hpc6id.32xlarge", [(0, "efa")]),
        ("c8gn.48xlarge", [(0, "efa"), (1, "efa-only")]),
        ("c7i.large", []),
    ],
)
def test_interfaces_lie_on_their_cards(name, cards):
    """One interface per card, EFA-only but for the first, and a slot left for the container (R32, R81, R83)."""
    assert [(each.card, each.kind) for each in planned(name).interfaces] == cards


def test_image_type():
    """NVIDIA's image for types with its GPUs, none beside an image of one's own, and what is asked for otherwise."""
    assert planned("p5.48xlarge").image_type == "ECS_AL2023_NVIDIA"
    assert planned("c7i.large").image_type == "ECS_AL2023"
    assert planned("c7i.large", image_id="ami-0123456789abcdef0").image_type == ""
    assert planned("c7i.large", image_type="ecs-al2023-nvidia").image_type == "ECS_AL2023_NVIDIA"


def test_placement_group():
    """A cluster placement group with EFA on demand, unless it is said otherwise (R69, R87)."""
    assert planned("hpc7a.96xlarge").placement_group
    assert not planned("c7i.large").placement_group
    assert not planned("c7i.48xlarge", capacity="spot").placement_group
    assert not planned("hpc7a.96xlarge", placement_group=False).placement_group


def test_what_jobs_see():
    """Jobs see the resolved types, default vCPUs as the bound, storage by name, and the ARNs of the stack."""
    spec = planned("c7i.8xlarge", hyperthreading=False, storage=[{"name": "a", "mount": "/a/", "efs": {}}]).spec
    seen = environment_of(spec, {"BucketName": "bucket", "JobRoleArn": "arn:aws:iam::123456789012:role/job"})
    assert (seen.instance_types, seen.max_vcpus, seen.hyperthreading) == (("c7i.8xlarge",), 128, False)
    assert (dict(seen.storage), seen.bucket, seen.job_role_arn) == ({"a": "/a"}, "bucket", "arn:aws:iam::123456789012:role/job")


def test_every_default_interface_layout_is_allowed():
    """Whatever type with EFA an environment has, the layout chosen for it breaks no rule on interfaces."""
    for name in EFA_TYPES:
        errors = [each.rule for each in check_environment(planned(name)) if each.severity is Severity.ERROR]
        assert not {"R32", "R81", "R87"} & set(errors), name


def _room_for(kind: InstanceType, count: int) -> bool:
    """Whether EFA interfaces on cards of their own, the host's and the container's find slots: by trying all cards."""
    cards = range(len(kind.card_slots))
    if count > min(kind.efa, len(kind.efa_cards)):  # i7ie and i8ge have two cards for one EFA interface (R80)
        return False
    used = [0] * len(cards)
    for card in kind.efa_cards[:count]:
        used[card] += 1
    if 0 not in kind.efa_cards[:count]:
        used[0] += 1
    places = [at for (at,) in product(cards) if used[at] < kind.card_slots[at]]
    return all(used[card] <= kind.card_slots[card] for card in cards) and bool(places)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(EFA_TYPES), st.integers(1, 9))
def test_slots_agree_with_brute_force(name, count):
    """EFA interfaces are refused exactly where placing them and the container's one by one fails (R32, R81)."""
    plan = planned(name, efa_interfaces=count)
    refused = [each for rule in ("R32", "R81") for each in problems(plan, rule) if each.severity is Severity.ERROR]
    assert bool(refused) == (not _room_for(plan.types[0], count))


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["scratch-1", "scratch-2", "persistent-1", "persistent-2"]), st.integers(1, 60))
def test_capacity_steps(deployment, hundreds):
    """A capacity is refused exactly if it is not in the list written out from the documentation of FSx (R103)."""
    allowed = {1200, 2400, *range(3600, 72001, 3600)} if deployment == "scratch-1" else {1200, *range(2400, 72001, 2400)}
    lustre = {"deployment": deployment, "capacity": f"{hundreds * 1200} GiB"}
    if deployment.startswith("persistent"):
        lustre["throughput"] = {"persistent-1": 50, "persistent-2": 125}[deployment]
    plan = planned("c7i.large", storage=[{"name": "a", "mount": "/a", "lustre": lustre}])
    assert bool(problems(plan, "R103")) == (hundreds * 1200 not in allowed)


@pytest.fixture
def template_rule():
    """A rule with a check of templates that finds one thing in each resource."""
    rule = Rule("R999", "No resource may be there.")

    @rule.environment
    def of_spec(plan):
        if plan.spec.min_nodes:
            yield Finding("min_nodes", "is wrong", topic="resource")

    @rule.template
    def of_template(template):
        yield from (Finding(f"Resources.{name}.Type", "is there", topic="resource") for name in template["Resources"])

    RULES["R999"] = rule
    yield rule
    del RULES["R999"]


def test_findings_of_templates(template_rule):
    """What a template check finds is the template's, or the overlay's if that touched it; and not said twice."""
    template = {"Resources": {"One": {"Type": "x"}, "Two": {"Type": "y"}}}
    overlay = {"Resources": {"Two": {"Type": "y"}}}
    assert [each.path for each in check_environment(planned("c7i.large", overlay=overlay), template)] == [
        "template.Resources.One.Type",
        "overlay.Resources.Two.Type",
    ]
    told = [each.path for each in check_environment(planned("c7i.large", overlay=overlay, min_nodes=1), template)]
    assert "min_nodes" in told
    assert "overlay.Resources.Two.Type" in told
    assert "template.Resources.One.Type" not in told
    waived = check_environment(planned("c7i.large", waive={"R999": "mine"}), template)
    assert {each.waived for each in waived} == {"mine"}


def test_hyperthreading_off_leaves_a_vcpu_per_core():
    """Without hyper-threading a job's node has as many vCPUs as cores, while max_vcpus counts the default ones (R9, R27)."""
    from batchhpc.compiler import compile_job
    from batchhpc.errors import InvalidSpec
    from batchhpc.spec import Environment, JobSpec

    job = JobSpec(name="j", image="x", command=["p"], nodes=4, ranks_per_node=16)
    environment = Environment(instance_types=("c7i.8xlarge",), max_vcpus=128, hyperthreading=False)
    node = compile_job(job, environment).register["nodeProperties"]["nodeRangeProperties"][0]["container"]
    assert {"type": "VCPU", "value": "16"} in node["resourceRequirements"]
    with pytest.raises(InvalidSpec, match=r"c7i.8xlarge has 16 without hyper-threading \(R9\)"):
        compile_job(job.replace(ranks_per_node=17), environment)
    with pytest.raises(InvalidSpec, match=r"4 nodes x 32 vCPU of c7i.8xlarge = 128 vCPU.*\(R27\)"):
        compile_job(job, environment.replace(max_vcpus=127))
