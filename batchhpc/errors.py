"""Every exception batchhpc raises on purpose, and the exit code that each one becomes.

    BatchHpcError                 1
    ├── InvalidSpec               2    a spec or document breaks rules; carries every problem, not only the first
    ├── Unavailable               69   this machine lacks a program or a privilege that was asked for
    ├── WaitTimeout               124  a job or deployment did not end within the time the caller was ready to wait
    ├── JobNotFound               66   no job of that id is known to the runner
    ├── EnvironmentNotFound       66   no environment of that name is deployed
    ├── Refused                   77   data or jobs would be lost, or somebody else is at it; the message says what allows it
    ├── StackFailed               76   CloudFormation could not do it; names the first resource that failed
    ├── CheckpointError       1    of programs: a checkpoint cannot be saved or loaded (``rank/checkpoint/errors.py`` has the rest)
    └── AgentError                70   the agent itself is at fault (a bug)
        ├── Misconfigured         78   trying again cannot help: a variable, a program or the secret is wrong
        └── InfrastructureFailure 75   trying again can help: a node is missing, or was lost

The codes 70, 72, 75 and 78 are the agent's reserved set (``agent/contract.py``); any other exit code of a job is its program's own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad a problem is: an ``error`` stops the job before anything is sent, a ``warning`` is shown."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a spec or a document.

    Attributes:
        path: where, in the words of the document: ``node_groups[1].env``.
        message: what is there, with the numbers, and why it cannot be.
        hint: what to write instead; empty where there is nothing to say.
        rule: the rule it comes from, ``R11`` of docs/reference/rules.md; empty for plain type errors.
        severity: error or warning.
        waived: why the user waived the rule; empty if it was not waived.
    """

    path: str
    message: str
    hint: str = ""
    rule: str = ""
    severity: Severity = Severity.ERROR
    waived: str = ""

    def text(self, document: str = "") -> str:
        """The problem as a person reads it: one line, and one more with the remedy."""
        where = ": ".join(part for part in (document, self.path) if part)
        rule = f" ({self.rule})" if self.rule else ""
        line = f"{where}: {self.message}{rule}" if where else f"{self.message}{rule}"
        if self.severity is Severity.WARNING:
            line = f"warning: {line}"
        if self.waived:
            line += f" [waived: {self.waived}]"
        return f"{line}\n  hint: {self.hint}" if self.hint else line


class BatchHpcError(Exception):
    """Root of all errors that batchhpc raises; ``exit_code`` is what the command line ends with."""

    exit_code = 1


class InvalidSpec(BatchHpcError):
    """A spec or a compiled document breaks rules.

    Attributes:
        problems: all of them, errors and warnings, in document order.
        document: the name of the file or object, for the message.
        rest: the spec without its wrong fields, in which further problems can be looked for; None if there is none.
    """

    exit_code = 2

    def __init__(self, problems: Iterable[Problem], document: str = "", rest: object = None) -> None:
        self.problems = tuple(problems)
        self.document = document
        self.rest = rest
        super().__init__("\n".join(problem.text(document) for problem in self.problems))

    def of(self, document: str) -> InvalidSpec:
        """The same error, naming the document it is about."""
        return InvalidSpec(self.problems, document, self.rest)


class Unavailable(BatchHpcError):
    """This machine lacks a program, a privilege or a package that was asked for; the message says how to get it."""

    exit_code = 69


class WaitTimeout(BatchHpcError):
    """A job or deployment did not end within the time the caller was ready to wait; it goes on by itself."""

    exit_code = 124


class JobNotFound(BatchHpcError):
    """No job of that id is known to the runner that was asked."""

    exit_code = 66


class EnvironmentNotFound(BatchHpcError):
    """No environment of that name is deployed in the Region that was asked."""

    exit_code = 66


class Refused(BatchHpcError):
    """What was asked for would lose data or jobs, or meet somebody else's deployment; the message says what allows it."""

    exit_code = 77


class StackFailed(BatchHpcError):
    """CloudFormation could not make, change or delete a stack; the message names the first resource that failed."""

    exit_code = 76


class AgentError(BatchHpcError):
    """The agent on a node cannot go on; ``exit_code`` is one of the reserved set."""

    exit_code = 70


class Misconfigured(AgentError):
    """Trying again cannot help: a variable is missing, mpirun is not in the image, the secret is wrong."""

    exit_code = 78


class InfrastructureFailure(AgentError):
    """Trying again can help: a node did not join in time, or was lost. AWS Batch is told to retry this code only."""

    exit_code = 75
