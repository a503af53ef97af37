"""Everything that is wrong with a job, at once: rules, types and waivers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from batchhpc.compiler.facts import DEFINITION, REQUEST, Facts
from batchhpc.compiler.fields import REGISTER, SUBMIT, well_typed
from batchhpc.compiler.overlay import touched
from batchhpc.compiler.plan import Plan
from batchhpc.compiler.rules import ELSEWHERE, RULES
from batchhpc.compiler.words import in_words
from batchhpc.errors import Problem, Severity
from batchhpc.spec import Environment


def check_documents(
    register: Mapping[str, Any], submit: Mapping[str, Any], environment: Environment | None = None
) -> list[Problem]:
    """What is wrong with two documents, wherever they come from; paths are the documents'."""
    definition, problems = well_typed(register, REGISTER, DEFINITION)
    request, more = well_typed(submit, SUBMIT, REQUEST)
    facts = Facts(definition, request, environment or Environment())
    found = (rule.problem(finding) for rule in RULES.values() for check in rule.document_checks for finding in check(facts))
    return [*problems, *more, *found]


def check_job(plan: Plan, register: Mapping[str, Any], submit: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with a compiled job, each thing once: in the spec's words, or the overlay's where it did it."""
    findings = [(rule, finding) for rule in RULES.values() for check in rule.plan_checks for finding in check(plan)]
    asked = [rule.problem(finding) for rule, finding in findings]
    told = {rule.number for rule, finding in findings if not finding.alone}
    overlaid = tuple(touched(plan.spec.overlay))
    problems: dict[tuple[str, str], Problem] = {(problem.path, problem.message): problem for problem in asked}
    for problem in check_documents(register, submit, plan.environment):
        if any(_same_place(problem.path, path) for path in overlaid):
            said = replace(problem, path=f"overlay.{problem.path}")
        elif problem.rule in told:
            continue
        else:
            said = replace(problem, path=in_words(problem.path, plan, register))
        problems.setdefault((said.path, said.message), said)
    return waived(problems.values(), plan.spec.waive)


def _same_place(path: str, overlaid: str) -> bool:
    return any(f"{one}.".startswith((f"{two}.", f"{two}[")) for one, two in ((path, overlaid), (overlaid, path)))


def waived(problems: Iterable[Problem], waive: Mapping[str, str]) -> list[Problem]:
    """The problems with waived rules turned into warnings, and what is wrong with the waivers themselves."""
    made = [
        replace(problem, severity=Severity.WARNING, waived=waive[problem.rule]) if problem.rule in waive else problem
        for problem in problems
    ]
    broken = {problem.rule for problem in made}
    for rule in waive:
        if rule not in RULES:
            hint = ELSEWHERE.get(rule, f"known rules: {', '.join(RULES)}")
            made.append(Problem(f"waive.{rule}", "is not a rule that jobs are checked for", hint))
        elif rule not in broken:
            message = "waives a rule that the job does not break"
            made.append(Problem(f"waive.{rule}", message, "leave it out", severity=Severity.WARNING))
    return made
