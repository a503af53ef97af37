"""What jobs can cost and did, for the verbs that show it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from batchhpc.aws.jobs.describe import parent_of
from batchhpc.aws.jobs.polling import describe
from batchhpc.aws.jobs.spending import Spent, spent, spent_by
from batchhpc.aws.prices.cache import cache_file
from batchhpc.aws.prices.job_costs import Estimate, estimate
from batchhpc.aws.prices.prices import Prices
from batchhpc.aws.sdk import Clients
from batchhpc.compiler.billing import Item, volume_items
from batchhpc.compiler.environment import plan_environment
from batchhpc.compiler.stack.template import overlaid_template
from batchhpc.errors import BatchHpcError

if TYPE_CHECKING:
    from batchhpc.cli.deployed import Named
    from batchhpc.compiler import CompiledJob
    from batchhpc.jobs import JobStatus
    from batchhpc.spec import EnvironmentSpec

_TRIES, _TIMEOUT = 1, 5  # of a call, and its seconds, where the price is not what was asked for: unknown rather than late


def hurried(region: str | None) -> Clients:
    """Clients that would rather give up than wait, each service once (`Prices`)."""
    return Clients(region, tries=_TRIES, timeout=_TIMEOUT)


def estimated(job: CompiledJob, named: Named, clients: Clients) -> Estimate:
    """What a job can cost in an environment.

    Args:
        job: as it would be submitted.
        named: the environment.
        clients: of its Region; they are asked for prices.
    """
    return estimate(job, Prices(clients, cache_file(clients.region)), volumes_of(named.spec))


def volumes_of(spec: EnvironmentSpec | None) -> list[Item]:
    """The EBS volumes of each node; none if nobody described them."""
    return [] if spec is None else volume_items(overlaid_template(plan_environment(spec)))


def spent_so_far(status: JobStatus, clients: Clients) -> Spent:
    """What a job has cost, nodes that still run included; if AWS cannot be asked, its price is unknown, and that is no error.

    Args:
        status: of the job, with all nodes.
        clients: of its Region.
    """
    prices = Prices(clients)
    try:
        prices = Prices(clients, cache_file(clients.region))
        detail = next(iter(describe(clients.batch, [parent_of(status.id)])), {})
        return spent_by(detail, status, clients, prices)
    except BatchHpcError as error:
        return replace(spent(status, "", None, prices), unknown=str(error).partition("\n")[0])
