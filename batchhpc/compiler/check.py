"""Everything that is wrong with a job or an environment, at once: rules, types and waivers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from batchhpc.compiler.environment import EnvironmentPlan
from batchhpc.compiler.facts import DEFINITION, REQUEST, Facts
from batchhpc.compiler.fields import REGISTER, SUBMIT, well_typed
from batchhpc.compiler.overlay import touched
from batchhpc.compiler.plan import Plan
from batchhpc.compiler.rules import ELSEWHERE, RULES
from batchhpc.compiler.stack import document
from batchhpc.compiler.words import in_words
from batchhpc.errors import Problem, Severity
from batchhpc.spec import Environment


def check_documents(
    register: Mapping[str, Any], submit: Mapping[str, Any], environment: Environment | None = None
) -> list[Problem]:
    """What is wrong with two documents, wherever they come from; paths are the documents'."""
    return [problem for problem, _ in _found(register, submit, environment or Environment())]


def _found(register: Mapping[str, Any], submit: Mapping[str, Any], environment: Environment) -> Iterator[tuple[Problem, str]]:
    """What is wrong with two documents, each problem with its topic."""
    definition, problems = well_typed(register, REGISTER, DEFINITION)
    request, more = well_typed(submit, SUBMIT, REQUEST)
    yield from ((problem, "") for problem in (*problems, *more))
    facts = Facts(definition, request, environment)
    for rule in RULES.values():
        yield from ((rule.problem(finding), finding.topic) for check in rule.document_checks for finding in check(facts))


def check_job(plan: Plan, register: Mapping[str, Any], submit: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with a compiled job, each thing once: in the spec's words, or the overlay's where it did it."""
    findings = [(rule, finding) for rule in RULES.values() for check in rule.plan_checks for finding in check(plan)]
    told = {(rule.number, finding.topic) for rule, finding in findings if finding.topic}
    firm = {(finding.path, finding.message) for _, finding in findings if not finding.waivable}
    overlaid = tuple(touched(plan.spec.overlay))
    problems = {(finding.path, finding.message): rule.problem(finding) for rule, finding in findings}
    for problem, topic in _found(register, submit, plan.environment):
        if any(_same_place(problem.path, path) for path in overlaid):
            said = replace(problem, path=f"overlay.{problem.path}")
        elif (problem.rule, topic) in told:
            continue
        else:
            said = replace(problem, path=in_words(problem.path, plan, register))
        problems.setdefault((said.path, said.message), said)
    return waived(problems.values(), plan.spec.waive, firm)


def _same_place(path: str, overlaid: str) -> bool:
    return any(f"{one}.".startswith((f"{two}.", f"{two}[")) for one, two in ((path, overlaid), (overlaid, path)))


def waived(
    problems: Iterable[Problem], waive: Mapping[str, str], firm: Collection[tuple[str, str]] = (), what: str = "job"
) -> list[Problem]:
    """The problems with waived rules turned into warnings, and what is wrong with the waivers themselves.

    Args:
        problems: what was found.
        waive: rules to waive, and why.
        firm: path and message of problems that stay errors, since another job than the one asked for would be compiled.
        what: whose rules they are, ``job`` or ``environment``.
    """
    made = []
    for problem in problems:
        if problem.rule not in waive:
            made.append(problem)
        elif not RULES[problem.rule].waivable or (problem.path, problem.message) in firm:
            hint = "; ".join(part for part in (problem.hint, f"this cannot be waived: it would be another {what}") if part)
            made.append(replace(problem, hint=hint))
        else:
            made.append(replace(problem, severity=Severity.WARNING, waived=waive[problem.rule]))
    broken = {problem.rule for problem in made}
    known = [number for number, rule in RULES.items() if (rule.of_jobs if what == "job" else rule.of_environments)]
    for rule in waive:
        if rule not in known:
            made.append(_not_checked(rule, what, known))
        elif not RULES[rule].waivable:
            made.append(Problem(f"waive.{rule}", f"is a rule that cannot be waived: {_A[what]} that breaks it means nothing"))
        elif rule not in broken:
            message = f"waives a rule that the {what} does not break"
            made.append(Problem(f"waive.{rule}", message, "leave it out", severity=Severity.WARNING))
    return made


_A = {"job": "a job", "environment": "an environment"}


def _not_checked(rule: str, what: str, known: Iterable[str]) -> Problem:
    if rule in ELSEWHERE:
        hint = ELSEWHERE[rule]
    elif rule in RULES:
        hint = f"{_A['environment' if what == 'job' else 'job']} is checked for it: waive it there"
    else:
        hint = f"known rules: {', '.join(known)}"
    return Problem(f"waive.{rule}", f"is not a rule that {what}s are checked for", hint)


def check_environment(plan: EnvironmentPlan, template: Mapping[str, Any] | None = None) -> list[Problem]:
    """Everything that is wrong with an environment: in the spec's words, or the template's where the spec has none.

    Args:
        plan: the spec, and what was decided.
        template: None as long as there is none; a spec that breaks rules may not become one.
    """
    findings = [(rule, finding) for rule in RULES.values() for check in rule.environment_checks for finding in check(plan)]
    told = {(rule.number, finding.topic) for rule, finding in findings if finding.topic}
    firm = {(finding.path, finding.message) for _, finding in findings if not finding.waivable}
    problems = {(finding.path, finding.message): rule.problem(finding) for rule, finding in findings}
    overlaid = tuple(touched(plan.spec.overlay))
    checks = [(rule, check) for rule in RULES.values() for check in rule.template_checks]
    looked = [(rule, finding) for rule, check in checks for finding in check(template)] if template is not None else []
    for rule, finding in looked:
        by_overlay = any(_same_place(finding.path, path) for path in overlaid)
        if not by_overlay and (rule.number, finding.topic) in told:
            continue
        said = replace(rule.problem(finding), path=f"{'overlay' if by_overlay else 'template'}.{finding.path}")
        problems.setdefault((said.path, said.message), said)
        if not finding.waivable:
            firm.add((said.path, said.message))
    for problem in document.problems(template) if template is not None else ():
        by_overlay = any(_same_place(problem.path, path) for path in overlaid)
        said = replace(problem, path=".".join(part for part in ("overlay" if by_overlay else "template", problem.path) if part))
        problems.setdefault((said.path, said.message), said)
    return waived(problems.values(), plan.spec.waive, firm, "environment")
