"""Carried out here: a small, honest AWS Batch.

Takes: the compiled documents, and faults to inject.
Gives: jobs in AWS Batch's states, run by the same agent on loopback addresses or in namespaces.
May import: jobs, compiler, spec, agent.contract, errors.
Never does: read the spec, or set a variable that AWS Batch would not set on that node (but for the node's own address).
"""

from __future__ import annotations

from batchhpc.local.faults import Fault
from batchhpc.local.runner import LocalRunner

__all__ = ["Fault", "LocalRunner"]
