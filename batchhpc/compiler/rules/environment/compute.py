"""Rules about the compute environment: how many nodes, how they are chosen, bought, kept and stopped."""

from __future__ import annotations

from collections.abc import Iterator

from batchhpc.compiler.environment import EnvironmentPlan
from batchhpc.compiler.rules.environment.types import R71, named
from batchhpc.compiler.rules.nodes import R3
from batchhpc.compiler.rules.resources import R26, R27
from batchhpc.compiler.rules.retries import R40
from batchhpc.compiler.rules.rule import Finding, Rule
from batchhpc.compiler.sizing import fitted_memory
from batchhpc.errors import Severity
from batchhpc.spec import Capacity
from batchhpc.spec.environment_spec import Allocation

R25 = Rule("R25", "Memory kept for the host is a whole number of MiB: ECS_RESERVED_MEMORY has no fractions.")
R65 = Rule("R65", "The allocation strategy is one of the capacity: spot-... on Spot, best-fit-progressive-ordered on demand.")
R66 = Rule("R66", "A bid is 1 to 100 percent of the on-demand price, on Spot only, and better left out.")
R68 = Rule("R68", "Several network cards on Spot are not asked for by best-fit: Spot Fleet knows no network cards.")
R69 = Rule("R69", "A cluster placement group holds types that can be in one, better all of one type and on demand.")
R70 = Rule("R70", "On Spot a stop grace is no longer than the two minutes between notice and end.", Severity.WARNING)
R72 = Rule("R72", "The compute environment can be updated: not with best-fit.", Severity.WARNING)

_MOST_NODES = 1000
_LEAST_GRACE, _NOTICE = 2_000, 120_000  # ms
_LEAST_DELAY, _MOST_DELAY = 20, 10_080  # minutes
_SPOT_ONLY = (
    Allocation.SPOT_CAPACITY_OPTIMIZED, Allocation.SPOT_CAPACITY_OPTIMIZED_PRIORITIZED, Allocation.SPOT_PRICE_CAPACITY_OPTIMIZED,
)  # fmt: skip


@R3.environment
def number_of_nodes(plan: EnvironmentPlan) -> Iterator[Finding]:
    if plan.spec.max_nodes > _MOST_NODES:
        message = f"is {plan.spec.max_nodes}, but an ECS cluster has at most {_MOST_NODES} instances unless AWS raised the limit"
        yield Finding("max_nodes", message, 'fewer, larger nodes, or waive: {R3: "limit raised, case ..."}')


@R27.environment
def nodes_of_several_sizes(plan: EnvironmentPlan) -> Iterator[Finding]:
    least = min((kind.vcpus for kind in plan.types), default=0)
    if least and plan.max_vcpus >= 2 * plan.spec.max_nodes * least:
        largest = max(plan.types, key=lambda kind: kind.vcpus)
        smallest = min(plan.types, key=lambda kind: kind.vcpus)
        message = (
            f"{plan.spec.max_nodes} nodes x {largest.vcpus} vCPU of {largest.name} = {plan.max_vcpus} vCPU, "
            f"which are up to {plan.max_vcpus // least} nodes of {smallest.name}"
        )
        yield Finding("max_nodes", message, "requirements: {min_vcpus: ...}, or types of one size", Severity.WARNING)


@R27.environment
def cores_of_all(plan: EnvironmentPlan) -> Iterator[Finding]:
    cores = {kind.cores: kind for kind in plan.types}
    if not plan.spec.hyperthreading and len(cores) > 1:
        one, two, *_ = cores.values()
        message = (
            f"is false, so the launch template says how many cores to use, but {one.name} has {one.cores}, {two.name} {two.cores}"
        )
        yield Finding("hyperthreading", message, "types with as many cores, or hyperthreading: true", waivable=False)


@R25.environment
def whole_reserved_memory(plan: EnvironmentPlan) -> Iterator[Finding]:
    reserved = plan.spec.reserved_memory
    if reserved.mib.denominator != 1:
        message = f"{reserved} is {float(reserved.mib):.2f} MiB, but the ECS agent counts whole MiB"
        yield Finding("reserved_memory", message, f"{int(reserved.mib) + 1} MiB")


@R26.environment
def memory_for_jobs(plan: EnvironmentPlan) -> Iterator[Finding]:
    smallest = min(plan.types, key=lambda kind: kind.memory_mib, default=None)
    if smallest and fitted_memory(smallest, plan.spec.reserved_memory) < smallest.memory_mib // 2:
        reserved, left = plan.spec.reserved_memory, fitted_memory(smallest, plan.spec.reserved_memory)
        message = f"is {reserved}, but {smallest.name} has {smallest.memory_mib} MiB"
        if left < 4:  # MiB, the least that a container may ask for (R9)
            yield Finding("reserved_memory", f"{message}: nothing is left for jobs", "32 MiB")
        elif reserved.mib * 4 > smallest.memory_mib:
            yield Finding("reserved_memory", f"{message}: {left} MiB surely fit for jobs", "32 MiB", Severity.WARNING)


@R40.environment
def grace(plan: EnvironmentPlan) -> Iterator[Finding]:
    given = plan.spec.stop_grace
    if given.seconds.denominator != 1:
        message = f"{given} is {float(given.seconds):g} s, but the ECS agent counts whole seconds"
        yield Finding("stop_grace", message, f"{-(-int(given) // 1000)}s")
    elif given < _LEAST_GRACE:
        yield Finding("stop_grace", f"is {given}, but at least 2 s lie between SIGTERM and SIGKILL", "2m")


@R70.environment
def grace_on_spot(plan: EnvironmentPlan) -> Iterator[Finding]:
    if plan.spec.capacity is Capacity.SPOT and plan.spec.stop_grace > _NOTICE:
        message = f"is {plan.spec.stop_grace}, but a Spot instance ends two minutes after its notice"
        yield Finding("stop_grace", message, "2m")


@R65.environment
def strategy(plan: EnvironmentPlan) -> Iterator[Finding]:
    given, capacity = plan.spec.allocation, plan.spec.capacity
    if capacity is Capacity.ON_DEMAND and given in _SPOT_ONLY:
        yield Finding("allocation", f"is {given}, which is for Spot, but capacity is on-demand", "allocation: auto")
    if capacity is Capacity.SPOT and given is Allocation.BEST_FIT_PROGRESSIVE_ORDERED:
        yield Finding("allocation", f"is {given}, which is for on-demand capacity, but capacity is spot", "allocation: auto")


@R72.environment
def updatable(plan: EnvironmentPlan) -> Iterator[Finding]:
    if plan.spec.allocation is Allocation.BEST_FIT:
        message = "is best-fit: types, images and network of such a compute environment cannot be updated"
        yield Finding("allocation", message, "allocation: auto")


@R66.environment
def bid(plan: EnvironmentPlan) -> Iterator[Finding]:
    given = plan.spec.bid_percentage
    if given is None:
        return
    if plan.spec.capacity is not Capacity.SPOT:
        yield Finding("bid_percentage", f"is {given}, but capacity is on-demand, where nobody bids", "leave it out")
    elif not 1 <= given <= 100:
        yield Finding("bid_percentage", f"is {given}, but a bid is 1 to 100 percent of the on-demand price", "leave it out")
    else:
        message = f"is {given} percent: nodes end when the price is higher; no bid at all is what AWS recommends"
        yield Finding("bid_percentage", message, "leave it out", Severity.WARNING)


@R68.environment
def cards_on_spot(plan: EnvironmentPlan) -> Iterator[Finding]:
    several = any(each.card for each in plan.interfaces)
    if several and plan.spec.capacity is Capacity.SPOT and plan.spec.allocation is Allocation.BEST_FIT:
        message = f"is best-fit, which is Spot Fleet's, but nodes have {len(plan.interfaces)} interfaces on several network cards"
        yield Finding("allocation", message, "allocation: auto, or efa_interfaces: 1")


@R69.environment
def placement(plan: EnvironmentPlan) -> Iterator[Finding]:
    if not plan.placement_group:
        return
    outside = [kind for kind in plan.types if not kind.cluster]
    if outside:
        why = ", burstable ones among them" if any(kind.burstable for kind in outside) else ""
        message = f"is true, but {named(outside)} cannot be in a cluster placement group{why}"
        yield Finding("placement_group", message, "other types, or placement_group: false")
    if plan.spec.capacity is Capacity.SPOT:
        message = "is true on Spot: capacity that is close together is scarce there"
        yield Finding("placement_group", message, "placement_group: false", Severity.WARNING)
    elif plan.spec.placement_group and len(plan.types) > 1:
        message = f"is true with {len(plan.types)} types: AWS finds room for one type more easily"
        yield Finding("placement_group", message, "one type", Severity.WARNING)


@R71.environment
def idle_nodes(plan: EnvironmentPlan) -> Iterator[Finding]:
    delay, kept = plan.spec.scale_down_delay, plan.spec.min_nodes
    if delay is not None:
        minutes = delay.seconds / 60
        if minutes.denominator != 1:
            yield Finding("scale_down_delay", f"{delay} is {float(minutes):g} minutes, but AWS Batch counts whole minutes")
        elif not _LEAST_DELAY <= minutes <= _MOST_DELAY:
            message = f"is {delay}, but must be 20 minutes to 7 days"
            yield Finding("scale_down_delay", message, "leave it out: idle nodes then end at once")
    if kept:
        message = f"is {kept}: so many nodes run, and are paid for, while there is no job, even if the environment is disabled"
        yield Finding("min_nodes", message, "min_nodes: 0", Severity.WARNING)
