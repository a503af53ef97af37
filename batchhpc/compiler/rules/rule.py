"""What a rule is: a number, how bad breaking it is, one line that says it, and the checks that find it broken."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from batchhpc.compiler.facts import Facts
from batchhpc.compiler.plan import Plan
from batchhpc.errors import Problem, Severity


@dataclass(frozen=True, slots=True)
class Finding:
    """One place where a rule is broken.

    Attributes:
        severity: only where it differs from the rule's own.
        topic: a finding of a plan check is said instead of the findings of document checks with the same rule and topic.
        waivable: whether the job that is compiled is still the one asked for if the rule is waived.
    """

    path: str
    message: str
    hint: str = ""
    severity: Severity | None = None
    topic: str = ""
    waivable: bool = True


DocumentCheck = Callable[[Facts], Iterable[Finding]]
PlanCheck = Callable[[Plan], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of docs/reference/rules.md.

    Attributes:
        number: ``R11``.
        summary: one line, as a demand.
        severity: what breaking it is, unless a finding says otherwise.
        document_checks: look at the compiled documents, the overlay included; paths are the documents'.
        waivable: whether a job that breaks it means anything at all.
        plan_checks: look at the spec and what was decided for it; paths are the spec's.
    """

    number: str
    summary: str
    severity: Severity = Severity.ERROR
    waivable: bool = True
    document_checks: list[DocumentCheck] = field(default_factory=list)
    plan_checks: list[PlanCheck] = field(default_factory=list)

    def document(self, check: DocumentCheck) -> DocumentCheck:
        """Makes a function one of the rule's checks of documents; a decorator."""
        self.document_checks.append(check)
        return check

    def plan(self, check: PlanCheck) -> PlanCheck:
        """Makes a function one of the rule's checks of specs and plans; a decorator."""
        self.plan_checks.append(check)
        return check

    def problem(self, finding: Finding) -> Problem:
        """A finding as a problem of this rule."""
        return Problem(finding.path, finding.message, finding.hint, self.number, finding.severity or self.severity)
