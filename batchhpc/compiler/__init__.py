"""What a spec means on AWS: RegisterJobDefinition and SubmitJob documents.

Takes: a `JobSpec` and the `Environment` it is for.
Gives: a `CompiledJob`: both documents, the shape and why, warnings; or `InvalidSpec` with every broken rule.
May import: spec, agent.contract, errors.
Never does: look at the machine, the clock or the network. The same spec gives the same bytes.
"""

from __future__ import annotations

from batchhpc.compiler.check import check_documents
from batchhpc.compiler.compile import compile_job
from batchhpc.compiler.documents import CompiledJob
from batchhpc.compiler.rules import RULES

__all__ = ["RULES", "CompiledJob", "check_documents", "compile_job"]
