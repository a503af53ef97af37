"""What a spec means on AWS: RegisterJobDefinition and SubmitJob documents, and the CloudFormation template of an environment.

Takes: a `JobSpec` and the `Environment` it is for; or an `EnvironmentSpec`.
Gives: a `CompiledJob` or `CompiledEnvironment`: documents, what was decided and why, warnings; or `InvalidSpec` with every
    broken rule.
May import: spec, agent.contract, errors.
Never does: look at the machine, the clock or the network. The same spec gives the same bytes.
"""

from __future__ import annotations

from batchhpc.compiler.check import check_documents
from batchhpc.compiler.compile import compile_job
from batchhpc.compiler.documents import CompiledJob
from batchhpc.compiler.environment import environment_of
from batchhpc.compiler.rules import RULES
from batchhpc.compiler.stack.compile import CompiledEnvironment, compile_environment

__all__ = ["RULES", "CompiledEnvironment", "CompiledJob", "check_documents", "compile_environment", "compile_job", "environment_of"]
