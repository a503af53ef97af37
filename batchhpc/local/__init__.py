"""Carried out here: a small, honest AWS Batch.

Takes: the compiled documents, faults to inject, and how Spot instances come and go.
Gives: jobs and arrays in AWS Batch's states, run by the same agent on loopback addresses or in namespaces.
May import: jobs, compiler, spec, agent.contract, errors.
Never does: read the spec, or set a variable that is neither the documents' nor AWS Batch's, but for what any container has
(PATH, HOME and the like), the node's address, the endpoint of its metadata service, and where gangs keep their records.
"""

from __future__ import annotations

from batchhpc.local.chaos import Chaos
from batchhpc.local.faults import Fault
from batchhpc.local.runner import LocalRunner

__all__ = ["Chaos", "Fault", "LocalRunner"]
