"""What a rule is: a number, how bad breaking it is, one line that says it, and the checks that find it broken."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from batchhpc.compiler.environment import EnvironmentPlan
from batchhpc.compiler.facts import Facts
from batchhpc.compiler.plan import Plan
from batchhpc.errors import Problem, Severity


@dataclass(frozen=True, slots=True)
class Finding:
    """One place where a rule is broken.

    Attributes:
        severity: only where it differs from the rule's own.
        topic: a finding about a spec is said instead of the findings about its documents with the same rule and topic.
        waivable: whether what is compiled is still what was asked for if the rule is waived.
    """

    path: str
    message: str
    hint: str = ""
    severity: Severity | None = None
    topic: str = ""
    waivable: bool = True


DocumentCheck = Callable[[Facts], Iterable[Finding]]
PlanCheck = Callable[[Plan], Iterable[Finding]]
EnvironmentCheck = Callable[[EnvironmentPlan], Iterable[Finding]]
TemplateCheck = Callable[[Mapping[str, Any]], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of docs/reference/rules.md.

    Attributes:
        number: ``R11``.
        summary: one line, as a demand.
        severity: what breaking it is, unless a finding says otherwise.
        waivable: whether a job or environment that breaks it means anything at all.
        document_checks: look at the compiled documents of a job, the overlay included; paths are the documents'.
        plan_checks: look at a job spec and what was decided for it; paths are the spec's.
        environment_checks: look at an environment spec and what was decided for it; paths are the spec's.
        template_checks: look at an environment's template, the overlay included; paths are the template's (``Resources.X...``).
    """

    number: str
    summary: str
    severity: Severity = Severity.ERROR
    waivable: bool = True
    document_checks: list[DocumentCheck] = field(default_factory=list)
    plan_checks: list[PlanCheck] = field(default_factory=list)
    environment_checks: list[EnvironmentCheck] = field(default_factory=list)
    template_checks: list[TemplateCheck] = field(default_factory=list)

    @property
    def of_jobs(self) -> bool:
        """Whether jobs are checked for it."""
        return bool(self.document_checks or self.plan_checks)

    @property
    def of_environments(self) -> bool:
        """Whether environments are checked for it."""
        return bool(self.environment_checks or self.template_checks)

    def document(self, check: DocumentCheck) -> DocumentCheck:
        """Makes a function one of the rule's checks of documents; a decorator."""
        self.document_checks.append(check)
        return check

    def plan(self, check: PlanCheck) -> PlanCheck:
        """Makes a function one of the rule's checks of specs and plans; a decorator."""
        self.plan_checks.append(check)
        return check

    def environment(self, check: EnvironmentCheck) -> EnvironmentCheck:
        """Makes a function one of the rule's checks of environment specs and their plans; a decorator."""
        self.environment_checks.append(check)
        return check

    def template(self, check: TemplateCheck) -> TemplateCheck:
        """Makes a function one of the rule's checks of environments' templates; a decorator."""
        self.template_checks.append(check)
        return check

    def problem(self, finding: Finding) -> Problem:
        """A finding as a problem of this rule."""
        return Problem(finding.path, finding.message, finding.hint, self.number, finding.severity or self.severity)
