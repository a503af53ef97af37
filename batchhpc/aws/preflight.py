"""What only the account knows: whether a zone offers the types, whether a subnet is private, whether quotas are large enough."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import batched
from typing import TYPE_CHECKING

from batchhpc.aws.quotas import quota_problems
from batchhpc.aws.sdk import sdk_errors
from batchhpc.errors import Problem, Severity, Unavailable

if TYPE_CHECKING:
    from batchhpc.aws.sdk import Clients
    from batchhpc.compiler.environment import EnvironmentPlan

_MOST_FILTER_VALUES = 200  # of one filter of EC2's Describe calls
