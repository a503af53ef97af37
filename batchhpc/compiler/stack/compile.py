"""From an environment spec to the template that CloudFormation would get."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from batchhpc.compiler.check import check_environment
from batchhpc.compiler.documents import canonical_json
from batchhpc.compiler.environment import EnvironmentPlan, plan_environment
from batchhpc.compiler.stack.template import overlaid_template
from batchhpc.errors import InvalidSpec, Problem, Severity
from batchhpc.spec import EnvironmentSpec


@dataclass(frozen=True, slots=True)
class CompiledEnvironment:
    """An environment as CloudFormation gets it.

    Attributes:
        template: the template; its ``Metadata`` holds the spec, so that a stack tells what it was made of.
        warnings: what the user should know, waived rules included.
    """

    plan: EnvironmentPlan
    template: dict[str, Any]
    warnings: tuple[Problem, ...] = ()

    def to_json(self) -> str:
        """The template as canonical JSON; the same spec gives the same bytes."""
        return canonical_json(self.template)


def compile_environment(spec: EnvironmentSpec) -> CompiledEnvironment:
    """Compiles an environment.

    Raises:
        InvalidSpec: with every problem, warnings included, if one of them is an error.
    """
    plan = plan_environment(spec)
    _raise_errors(check_environment(plan))  # before a template is made of what cannot be
    made = overlaid_template(plan)
    problems = check_environment(plan, made)
    _raise_errors(problems)
    return CompiledEnvironment(plan, made, tuple(problems))


def _raise_errors(problems: list[Problem]) -> None:
    if any(problem.severity is Severity.ERROR for problem in problems):
        raise InvalidSpec(problems)
