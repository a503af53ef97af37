"""Rules about names, sizes, tags, parameters, dependencies, shares and arrays."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from batchhpc.compiler.facts import DEFINITION, REQUEST, Facts
from batchhpc.compiler.parameters import REF
from batchhpc.compiler.rules.rule import Finding, Rule
from batchhpc.errors import Severity

R14 = Rule("R14", "Names have at most 128 letters, digits, - and _; a job's starts with a letter or digit.")
R15 = Rule("R15", "A RegisterJobDefinition request has at most 24 KiB, a SubmitJob request 30 KiB.")
R21 = Rule(
    "R21", "At most 50 tags, job's and definition's together, in letters AWS takes; a priority is 0 to 9999, with fair share."
)
R46 = Rule("R46", "Every Ref::name of a command has a value, and every parameter is used.", Severity.WARNING)
R47 = Rule("R47", "A job depends on at most 20 jobs; SEQUENTIAL and N_TO_N are for arrays.")
R51 = Rule("R51", "A job names a share exactly if its queue has a fair-share policy; a policy's shares do not overlap.")
R60 = Rule("R60", "An array has 2 to 10,000 children, all alike.")

_DEFINITION_NAME = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)
_JOB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}", re.ASCII)
_SHARE = re.compile(r"[A-Za-z0-9]{1,255}", re.ASCII)
_TAG = re.compile(r"[\w\s+\-=.:/@]*")
_MOST_TAGS = 50
_MOST_DEPENDENCIES = 20


@R14.document
def names(facts: Facts) -> Iterator[Finding]:
    for path, name, grammar, start in (
        (f"{DEFINITION}.jobDefinitionName", facts.register.get("jobDefinitionName"), _DEFINITION_NAME, ""),
        (f"{REQUEST}.jobName", facts.submit.get("jobName"), _JOB_NAME, ", the first a letter or digit"),
    ):
        if name is not None and not grammar.fullmatch(name):
            shown = repr(name) if len(name) <= 128 else f"{name[:20]!r}... with {len(name)} characters"
            yield Finding(path, f"is {shown}, but a name is 1 to 128 letters, digits, - and _{start}")


@R15.document
def sizes(facts: Facts) -> Iterator[Finding]:
    for path, document, most in ((DEFINITION, facts.register, 24), (REQUEST, facts.submit, 30)):
        size = len(json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode())
        if size > most * 1024:
            yield Finding(
                path,
                f"has {size} bytes as JSON, but AWS takes at most {most * 1024} ({most} KiB)",
                "fewer node groups or variables, a shorter command: put scripts into the image",
            )


def tag_problems(path: str, given: Mapping[str, str]) -> Iterator[Finding]:
    """What is wrong with names and values of tags."""
    for name, value in given.items():
        if not 1 <= len(name) <= 128 or name.lower().startswith("aws:") or not _TAG.fullmatch(name):
            message = "is no tag name: 1 to 128 letters, digits, blanks and + - = . _ : / @, not aws:"
            yield Finding(f"{path}.{name}", message)
        if len(value) > 256 or not _TAG.fullmatch(value):
            message = f"is {value!r}: a tag's value is up to 256 letters, digits, blanks and + - = . _ : / @"
            yield Finding(f"{path}.{name}", message)


@R21.document
def tags(facts: Facts) -> Iterator[Finding]:
    propagated = facts.submit.get("propagateTags", facts.register.get("propagateTags", False))
    counted: set[str] = set()
    for path, document in ((DEFINITION, facts.register), (REQUEST, facts.submit)):
        given = document.get("tags", {})
        counted = counted | set(given) if propagated else max(counted, set(given), key=len)
        yield from tag_problems(f"{path}.tags", given)
    if len(counted) > _MOST_TAGS:
        yield Finding(
            f"{DEFINITION}.tags",
            f"{len(counted)} tags of job and definition together, batchhpc's own included, "
            f"but a job with more than {_MOST_TAGS} fails at once",
        )
    if facts.submit.get("tags") == {}:
        yield Finding(f"{REQUEST}.tags", "is empty", "leave it out")


@R21.document
def priorities(facts: Facts) -> Iterator[Finding]:
    for path, priority in (
        (f"{DEFINITION}.schedulingPriority", facts.register.get("schedulingPriority")),
        (f"{REQUEST}.schedulingPriorityOverride", facts.submit.get("schedulingPriorityOverride")),
    ):
        if priority is None:
            continue
        if not 0 <= priority <= 9999:
            yield Finding(path, f"is {priority}, but a priority is 0 to 9999")
        if facts.known_environment and not facts.environment.fair_share:
            message = f"is {priority}, but queue {facts.environment.queue} has no fair-share policy, so it has no effect"
            yield Finding(path, message, severity=Severity.WARNING)


@R46.document
def references(facts: Facts) -> Iterator[Finding]:
    known = {**facts.register.get("parameters", {}), **facts.submit.get("parameters", {})}
    used: set[str] = set()
    for path, words in _commands(facts):
        for word in words:
            names = REF.findall(word)
            used.update(names)
            for name in names:
                if name not in known:
                    yield Finding(
                        path,
                        f"has Ref::{name}, but no parameter has that name, so it stays as it is",
                        f"parameters: {{{name}: ...}}",
                    )
    for where, document in ((DEFINITION, facts.register), (REQUEST, facts.submit)):
        for name in document.get("parameters", {}):
            if name not in used:
                yield Finding(f"{where}.parameters.{name}", f"is not used: no command has Ref::{name}")


def _commands(facts: Facts) -> Iterator[tuple[str, list[str]]]:
    for container in facts.containers:
        yield f"{container.path}.command", container.data.get("command", [])
    yield f"{REQUEST}.containerOverrides.command", facts.submit.get("containerOverrides", {}).get("command", [])


@R47.document
def dependencies(facts: Facts) -> Iterator[Finding]:
    given: list[dict[str, Any]] = facts.submit.get("dependsOn", [])
    if len(given) > _MOST_DEPENDENCIES:
        yield Finding(f"{REQUEST}.dependsOn", f"has {len(given)} jobs, but at most {_MOST_DEPENDENCIES} may be")
    for i, each in enumerate(given):
        path, kind = f"{REQUEST}.dependsOn[{i}]", each.get("type")
        if kind and not facts.array:
            yield Finding(f"{path}.type", f"is {kind}, which is for array jobs", "leave it out")
        elif kind == "SEQUENTIAL" and each.get("jobId"):
            yield Finding(f"{path}.jobId", "is given, but SEQUENTIAL is between the children of this array", "leave it out")
        elif kind != "SEQUENTIAL" and not each.get("jobId"):
            yield Finding(f"{path}.jobId", "is missing")


@R51.document
def share(facts: Facts) -> Iterator[Finding]:
    path, given, queue = f"{REQUEST}.shareIdentifier", facts.submit.get("shareIdentifier"), facts.environment.queue
    if given is not None and not _SHARE.fullmatch(given):
        yield Finding(path, f"is {given!r}, but a share is 1 to 255 letters and digits")
    if given is None and facts.environment.fair_share:
        yield Finding(path, f"is missing, but queue {queue} has a fair-share policy", "share: ...")
    if given is not None and facts.known_environment and not facts.environment.fair_share:
        yield Finding(path, f"is {given!r}, but queue {queue} has no fair-share policy", "leave it out")


@R60.document
def array_size(facts: Facts) -> Iterator[Finding]:
    if not facts.array:
        return
    size = facts.submit["arrayProperties"].get("size")
    if size is None or not 2 <= size <= 10_000:
        message = f"is {'missing' if size is None else size}, but an array has 2 to 10000 children"
        yield Finding(f"{REQUEST}.arrayProperties.size", message, topic="size")
