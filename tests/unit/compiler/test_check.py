from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchhpc.compiler import RULES, check_documents, compile_job
from batchhpc.compiler.fields import REGISTER, well_typed
from batchhpc.compiler.rules import ELSEWHERE, Rule
from batchhpc.compiler.rules.environment import template
from batchhpc.errors import InvalidSpec, Severity
from batchhpc.spec import Environment, JobSpec

JOB = JobSpec(name="job", image="image", command=["program"])

# Rules of the two chapters on jobs (R1 to R55, R60 to R76) that say "reject" or "warn"; and, below, those that only state
# a limit or a fact on which a check of jobs rests.
REJECT_OR_WARN = [
    "R1",
    "R2",
    "R3",
    "R4",
    "R5",
    "R6",
    "R7",
    "R8",
    "R9",
    "R11",
    "R12",
    "R13",
    "R14",
    "R15",
    "R16",
    "R17",
    "R19",
    "R20",
    "R21",
    "R22",
    "R23",
    "R24",
    "R26",
    "R27",
    "R29",
    "R30",
    "R32",
    "R33",
    "R39",
    "R45",
    "R47",
    "R48",
    "R49",
    "R50",
    "R51",
    "R54",
    "R65",
    "R67",
    "R68",
    "R69",
    "R71",
    "R74",
    "R75",
    "R76",
]
LIMITS = ["R18", "R38", "R40", "R44", "R46", "R60", "R63", "R87", "R92"]


@pytest.mark.parametrize("number", [*REJECT_OR_WARN, *LIMITS])
def test_every_rule_is_checked_or_belongs_elsewhere(number):
    """Each rule that rejects or warns is checked for jobs, or listed with the reason why no job can break it: not both."""
    assert (number in RULES) != (number in ELSEWHERE)


TEMPLATE_ONLY = {value.number for value in vars(template).values() if isinstance(value, Rule)}


def test_every_rule_says_what_it_demands():
    """A rule has its number, a summary of one sentence, and at least one check of documents or specs."""
    for number, rule in RULES.items():
        assert rule.number == number
        assert rule.summary.endswith(".")
        assert rule.of_jobs or rule.of_environments or number in TEMPLATE_ONLY


@pytest.mark.parametrize("changes", [{}, {"nodes": 4}, {"nodes": 4, "shape": "gang"}])
def test_compiled_documents_are_without_fault(changes):
    """What the compiler makes of a plain spec breaks no rule, judged from the documents alone."""
    made = compile_job(JOB.replace(**changes))
    assert check_documents(made.register, made.submit) == []
    assert made.warnings == ()


def test_all_problems_at_once():
    """One error carries the problems of every rule that is broken, each path in the spec's words."""
    with pytest.raises(InvalidSpec) as caught:
        compile_job(JOB.replace(time_limit="1s", env={"AWS_BATCH_A": "1"}, log={"driver": "tape"}, memory_per_node="1500 MB"))
    assert {(problem.path, problem.rule) for problem in caught.value.problems} == {
        ("time_limit", "R40"),
        ("env.AWS_BATCH_A", "R16"),
        ("log.driver", "R20"),
        ("memory_per_node", "R9"),
    }


def test_a_problem_is_told_once():
    """What breaks a rule on every node range is told once, and in the spec's words if the spec did it."""
    with pytest.raises(InvalidSpec) as caught:
        compile_job(JOB.replace(nodes=4, env={"AWS_BATCH_A": "1"}, node_groups=[{"nodes": "0"}, {"nodes": "1"}]))
    assert [problem.path for problem in caught.value.problems] == ["env.AWS_BATCH_A"]


def test_a_waived_rule_is_a_warning_with_its_reason():
    """Waiving turns the errors of that rule, and of no other, into warnings that carry the reason."""
    spec = JOB.replace(nodes=2, shape="multinode", waive={"R11": "pilot"})
    made = compile_job(spec, Environment(capacity="spot"))
    assert [(problem.rule, problem.severity, problem.waived) for problem in made.warnings] == [("R11", Severity.WARNING, "pilot")]
    with pytest.raises(InvalidSpec):
        compile_job(spec.replace(time_limit="1s"), Environment(capacity="spot"))


def test_a_waiver_that_waives_nothing_is_told():
    """A waiver of a rule that is kept is a warning; one of a rule that does not exist is an error."""
    assert [problem.path for problem in compile_job(JOB.replace(waive={"R11": "pilot"})).warnings] == ["waive.R11"]
    with pytest.raises(InvalidSpec, match=r"waive\.R999"):
        compile_job(JOB.replace(waive={"R999": "pilot"}))


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"attempts": 11}, "R38"),
        ({"nodes": 6, "node_groups": [{"nodes": str(i)} for i in range(6)]}, "R4"),
        ({"priority": 10_000}, "R21"),
        ({"depends_on": ["job"] * 21}, "R47"),
        ({"share": "my-share"}, "R51"),
        ({"name": "n" * 129}, "R14"),
    ],
)
def test_limits_of_aws_have_a_rule_and_can_be_waived(changes, rule):
    """A limit of AWS that a field of the spec exceeds is told with its rule, in the spec's words, and can be waived."""
    with pytest.raises(InvalidSpec) as caught:
        compile_job(JOB.replace(**changes))
    assert [(problem.path, problem.rule) for problem in caught.value.problems] == [(list(changes)[-1], rule)]
    assert [problem.rule for problem in compile_job(JOB.replace(**changes, waive={rule: "raised"})).warnings] == [rule]


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"nodes": 4, "shape": "container"}, "R3"),
        ({"nodes": 4, "shape": "gang", "node_groups": [{"nodes": "0"}]}, "R60"),
        ({"overlay": {"register": {"type": "multinode"}}}, "R1"),
        ({"nodes": 2, "overlay": {"register": {"nodeProperties": {"mainNode": 2}}}}, "R2"),
        ({"nodes": 4, "node_groups": [{"nodes": "0:2"}, {"nodes": "2:"}]}, "R5"),
        ({"overlay": {"register": {"containerProperties": {"image": ""}}}}, "R6"),
    ],
)
def test_a_waiver_makes_no_other_job(changes, rule):
    """What would compile to another job, or to none, stays an error if its rule is waived, and says so."""
    with pytest.raises(InvalidSpec) as caught:
        compile_job(JOB.replace(**changes, waive={rule: "please"}))
    broken = [problem for problem in caught.value.problems if problem.rule == rule]
    assert broken
    assert all(problem.severity is Severity.ERROR and "cannot be waived" in problem.hint for problem in broken)


def test_a_waiver_of_a_rule_that_cannot_be_waived_is_an_error():
    """A waiver of a rule without which a job means nothing is refused even if the job keeps the rule."""
    with pytest.raises(InvalidSpec, match=r"waive\.R5: is a rule that cannot be waived"):
        compile_job(JOB.replace(waive={"R5": "please"}))


def test_a_rule_broken_twice_is_told_twice():
    """What the spec breaks in one way does not hide what it breaks in another, though the rule is the same."""
    with pytest.raises(InvalidSpec) as caught:
        compile_job(JOB.replace(instance_type="c7i.large", ranks_per_node=24, memory_per_node="2 MiB"))
    assert [(problem.path, problem.rule) for problem in caught.value.problems if problem.rule == "R9"] == [
        ("ranks_per_node", "R9"),
        ("memory_per_node", "R9"),
    ]


def test_a_wait_for_nodes_as_long_as_the_job_is_a_warning():
    """Who waits for nodes until the time limit is warned that a missing node is not tried again; one node waits for none."""
    warnings = compile_job(JOB.replace(nodes=2, time_limit="10m", join_timeout="10m")).warnings
    assert [(problem.path, problem.rule) for problem in warnings] == [("join_timeout", "R40")]
    assert compile_job(JOB.replace(nodes=2, time_limit="10m")).warnings == ()
    assert compile_job(JOB.replace(time_limit="60s")).warnings == ()


@pytest.mark.parametrize(
    ("changes", "paths"),
    [
        ({}, []),
        ({"min_nodes": 2, "min_nodes_after": "10s", "reform_timeout": "20m"}, []),
        ({"min_nodes_after": "1m"}, ["min_nodes_after"]),
        ({"min_nodes": 4, "min_nodes_after": "1m"}, ["min_nodes_after"]),
        ({"min_nodes": 2, "reform_timeout": "2m"}, ["min_nodes_after"]),
        ({"min_nodes": 2, "reform_timeout": "1h", "join_timeout": "90s"}, ["min_nodes_after", "reform_timeout"]),
        ({"time_limit": "10m", "join_timeout": "1m"}, ["reform_timeout"]),
    ],
)
def test_waits_of_a_gang_make_sense(changes, paths):
    """Times of a gang that end before what they wait for, or that nothing waits for, are warned of."""
    warnings = compile_job(JOB.replace(nodes=4, shape="gang", **changes)).warnings
    assert sorted(problem.path for problem in warnings) == paths
    assert {problem.rule for problem in warnings} <= {"R60"}


@pytest.mark.parametrize("changes", [{"min_nodes": 1}, {"min_nodes_after": "2m"}, {"reform_timeout": "15m"}])
@pytest.mark.parametrize("shape", ["auto", "multinode"])
def test_what_only_gangs_do_is_told_of_other_shapes(changes, shape):
    """A field of gangs that another shape's spec sets has no effect, and that is said; all nodes as the fewest are no wish."""
    spec = JOB.replace(nodes=2, shape=shape)
    assert [(problem.path, problem.rule) for problem in compile_job(spec.replace(**changes)).warnings] == [(*changes, "R60")]
    assert compile_job(spec.replace(min_nodes=2)).warnings == ()


def test_an_overlay_leaves_a_gang_nodes_enough():
    """An array that an overlay makes smaller than the fewest nodes is refused; fewer nodes than the spec's are not."""
    overlay = {"submit": {"arrayProperties": {"size": 2}}}
    with pytest.raises(InvalidSpec, match=r"overlay\.submit\.arrayProperties\.size: is 2, but BATCHHPC_MIN_NODES is 4"):
        compile_job(JOB.replace(nodes=4, shape="gang", overlay=overlay))
    assert compile_job(JOB.replace(nodes=4, shape="gang", min_nodes=2, overlay=overlay)).warnings == ()


def test_a_gang_needs_a_bucket_where_it_can_be_submitted():
    """A gang for a queue without a bucket is refused, without a job role it is warned of; where there is no queue, neither."""
    gang = JOB.replace(nodes=4, waive={"R60": "please"})
    with pytest.raises(InvalidSpec) as caught:
        compile_job(gang, Environment(capacity="spot", queue="spot"))
    told = [(problem.path, problem.severity) for problem in caught.value.problems]
    assert told == [("environment.bucket", Severity.ERROR), ("environment.job_role_arn", Severity.WARNING)]
    role = "arn:aws:iam::123456789012:role/job"
    good = Environment(capacity="spot", queue="spot", bucket="results", job_role_arn=role)
    assert compile_job(gang.replace(waive={}), good).warnings == ()
    assert compile_job(gang.replace(waive={}), Environment(capacity="spot")).warnings == ()
    assert compile_job(gang.replace(waive={}, nodes=1), Environment(capacity="spot", queue="spot")).warnings == ()


def test_letters_of_all_scripts_stay_in_tags():
    """A waiver's reason keeps its letters in the tag, of whatever script; other signs become _ (R21)."""
    made = compile_job(JOB.replace(waive={"R46": "Größe geprüft!"}, parameters={"a": "b"}))
    assert made.register["tags"]["batchhpc:waive:R46"] == "Größe geprüft_"


@pytest.mark.parametrize(
    ("override", "rule"),
    [
        ({"instanceTypes": ["c7i.huge"]}, "R7"),
        ({"instanceTypes": ["c7i.xlarge"]}, "R7"),
        ({"instanceTypes": ["c7i.xlarge"]}, "R8"),
        ({"instanceTypes": ["c7i.medium"]}, "R8"),
        ({"containerOverrides": {"resourceRequirements": [{"type": "VCPU", "value": "9"}]}}, "R9"),
        ({"containerOverrides": {"resourceRequirements": [{"type": "GPU", "value": "1"}]}}, "R22"),
        ({"containerOverrides": {"resourceRequirements": [{"type": "MEMORY", "value": "4096"}]}}, "R26"),
        ({"containerOverrides": {"environment": [{"name": "RDMAV_FORK_SAFE", "value": "1"}]}}, "R92"),
    ],
)
def test_rules_hold_for_what_the_request_overrides(override, rule):
    """A type, an amount or a variable that the request overrides for a node range is checked like the definition's."""
    groups = [{"nodes": "0"}, {"nodes": "1"}]
    spec = JOB.replace(nodes=2, instance_type="c7i.large", node_groups=groups)
    environment = Environment(instance_types=["c7i.large"])
    overlay = {"submit": {"nodeOverrides": {"nodePropertyOverrides": [{"targetNodes": "0:0", **override}]}}}
    assert compile_job(spec, environment).warnings == ()
    with pytest.raises(InvalidSpec) as caught:
        compile_job(spec.replace(overlay=overlay), environment)
    where = "overlay.submit.nodeOverrides.nodePropertyOverrides"
    assert rule in [problem.rule for problem in caught.value.problems if problem.path.startswith(where)]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2000) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_GOOD = [
    json.loads(compile_job(JOB.replace(**changes), environment).to_json())
    for changes, environment in (
        ({"mounts": [{"target": "/a", "efs": {"file_system_id": "fs-12345678"}}]}, Environment(log_group="/logs")),
        ({"nodes": 4, "instance_type": "hpc7a.96xlarge", "node_groups": [{"nodes": "0"}]}, Environment()),
        ({"nodes": 4}, Environment(capacity="spot", instance_types=["c7gn.16xlarge"], fabric="efa")),
    )
]


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return (
        [path, *(place for key, item in inner for place in _places(item, (*path, key)))]
        if path
        else [place for key, item in inner for place in _places(item, (key,))]
    )


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_odd_documents_end_as_problems(data):
    """Whatever value stands wherever in a document, checking it ends in a list of problems, never in a crash."""
    documents = json.loads(json.dumps(data.draw(st.sampled_from(_GOOD))))
    *steps, last = data.draw(st.sampled_from(_places(documents)))
    place = documents
    for step in steps:
        place = place[step]
    place[last] = data.draw(_JSON)
    environment = data.draw(
        st.sampled_from([Environment(), Environment(instance_types=["c7i.large"], max_vcpus=1, fair_share=True)])
    )
    check_documents(documents["register"], documents["submit"], environment)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(name.strip("!") for name in REGISTER)), _JSON, max_size=3), st.sampled_from([1, 3]))
def test_odd_overlays_end_as_problems(overlay, nodes):
    """Whatever an overlay sets, compiling ends in documents or in InvalidSpec."""
    try:
        compile_job(JOB.replace(nodes=nodes, overlay={"register": overlay}))
    except InvalidSpec as error:
        assert error.problems  # noqa: PT017 - both ends are right, and this is one of them


def test_what_is_ill_typed_is_left_out_and_told():
    """A value of a wrong type is told with what it is, and rules do not see it; places in lists stay."""
    kept, problems = well_typed(
        {
            "jobDefinitionName": 5,
            "type": "container",
            "containerProperties": {"ulimits": [1, {"name": "core", "softLimit": 1, "hardLimit": 1}]},
        },
        REGISTER,
        "register",
    )
    assert kept == {"type": "container", "containerProperties": {"ulimits": [{}, {"name": "core", "softLimit": 1, "hardLimit": 1}]}}
    assert [problem.path for problem in problems] == ["register.jobDefinitionName", "register.containerProperties.ulimits[0]"]


def test_containers_of_ecs_tasks_are_checked_as_well():
    """Rules hold for every container of every task, whose volumes and roles are the task's."""
    task = {
        "volumes": [{"name": "data", "host": {"sourcePath": "/data"}}],
        "containers": [
            {
                "image": "main",
                "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "64"}],
                "mountPoints": [{"sourceVolume": "data", "containerPath": "/data"}],
            },
            {
                "image": "side",
                "environment": [{"name": "AWS_BATCH_A", "value": "1"}],
                "secrets": [{"name": "A", "valueFrom": "arn:aws:ssm:us-east-1:123456789012:parameter/a"}],
                "mountPoints": [{"sourceVolume": "other", "containerPath": "/data"}],
            },
        ],
    }
    register = {"jobDefinitionName": "a", "type": "container", "ecsProperties": {"taskProperties": [task]}}
    found = check_documents(register, {"jobName": "a", "jobQueue": "q", "jobDefinition": "a"})
    side = "register.ecsProperties.taskProperties[0].containers[1]"
    assert {(problem.path, problem.rule) for problem in found} == {
        (f"{side}.environment[0].name", "R16"),
        (f"{side}.mountPoints[0].sourceVolume", "R23"),
        (f"{side}.resourceRequirements", "R9"),
        ("register.ecsProperties.taskProperties[0].executionRoleArn", "R17"),
    }


def test_tags_count_together_only_if_they_are_propagated():
    """Fifty tags of the definition and others of the job are too many only where both reach the task (R21)."""
    made = json.loads(compile_job(JOB).to_json())
    made["register"]["tags"] = {f"a{i}": "x" for i in range(30)}
    made["submit"]["tags"] = {f"b{i}": "x" for i in range(30)}
    assert [problem.rule for problem in check_documents(made["register"], made["submit"])] == ["R21"]
    made["submit"]["propagateTags"] = False
    assert check_documents(made["register"], made["submit"]) == []
