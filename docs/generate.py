"""Writes docs/reference/ from the code: what is documented there cannot differ from what runs.

python docs/generate.py            writes the pages
python docs/generate.py --check    names the pages that are not up to date, and exits with 1
"""

from __future__ import annotations

import argparse
import inspect
import sys
import types
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo

import batchhpc.spec
from batchhpc import errors, rank
from batchhpc.agent import contract, follower, gang, rendezvous
from batchhpc.agent.rendezvous import Leader, Phase
from batchhpc.cli import arguments
from batchhpc.compiler.rules import ELSEWHERE, RULES, Rule
from batchhpc.spec.quantities import Duration, Memory, Rate

REFERENCE = Path(__file__).with_name("reference")
HEAD = "<!-- Written by docs/generate.py (make docs); change the code, not this page. -->\n"
_SECTIONS, _STEP = ("Args:", "Attributes:", "Returns:", "Raises:"), 4  # of docstrings, and their indentation
_FOR_TESTS = ("self", "environ", "clock", "stdout", "stderr")  # arguments that a program has no need to give
_WORDS = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    Memory: "memory",
    Duration: "time",
    Rate: "rate",
}


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table; bars and line ends in cells are escaped."""
    lines = [list(heads)]
    lines += [["---"] * len(lines[0])]
    lines += [[" ".join(cell.split()).replace("|", "\\|") for cell in row] for row in rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def code(text: object) -> str:
    """Text as Markdown code; nothing for nothing."""
    return f"`{text}`" if str(text) else ""


def markdown(docstring: str | None) -> str:
    """A docstring's literals as Markdown has them."""
    return inspect.cleandoc(docstring or "").replace("``", "`")


# --- job-spec.md ---------------------------------------------------------------------------------------------------------


def type_words(annotation: typing.Any) -> str:
    """A field's type in the words of the document."""
    inner = [arg for arg in typing.get_args(annotation) if arg is not types.NoneType]
    if inner:
        return _compound(typing.get_origin(annotation), inner)
    if issubclass(annotation, StrEnum):
        return ", ".join(code(member) for member in annotation)
    if issubclass(annotation, BaseModel):
        return f"[{annotation.__name__}](#{annotation.__name__.lower()})"
    return _WORDS[annotation]


def _compound(origin: typing.Any, inner: list[typing.Any]) -> str:
    if origin is tuple:
        return f"list of {type_words(inner[0])}"
    if origin in (Mapping, dict):
        return "names to text" if typing.get_args(inner[1])[:1] == (str,) else "names to anything"
    return type_words(inner[0])  # Annotated[X, ...], or X | None


def default_words(field: FieldInfo) -> str:
    """A field's default in the words of the document."""
    if field.is_required():
        return "**required**"
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is None or value in ((), {}):
        return ""
    if isinstance(value, BaseModel):
        return "its defaults"
    if isinstance(value, tuple):
        return ", ".join(code(item) for item in value if not isinstance(item, BaseModel)) or "see there"
    return code(str(value).lower() if isinstance(value, bool) else value)


def job_spec() -> str:
    """Every field of every spec."""
    spec = batchhpc.spec
    parts = [
        "# Job spec\n",
        "A job spec is YAML 1.2, JSON, or `batchhpc.JobSpec(...)` in Python; all three have these fields. Unknown fields are",
        "refused. `batchhpc schema` prints the same as JSON schema. Rules (R...) are explained in [rules](rules.md).\n",
        "Memory is written with its unit (`56 GiB`, `512 MiB`, `1.5 GB`), and so is time (`30m`, `1h30m`, `90s`, `1:30:00`).\n",
    ]
    return "\n".join(
        [*parts, *models(spec.JobSpec, spec.NodeGroup, spec.Mount, spec.EfsSource, spec.LogConfiguration, spec.Environment)]
    )


def models(*kinds: type[BaseModel]) -> Iterator[str]:
    """A table of fields for each model."""
    for kind in kinds:
        rows = [
            (code(name), type_words(field.annotation), default_words(field), markdown(field.description))
            for name, field in kind.model_fields.items()
        ]
        yield from (f"## {kind.__name__}\n", markdown(kind.__doc__) + "\n", table(("field", "type", "default", "what"), rows))


def environment_spec() -> str:
    """Every field of the environment spec, in the order in which the parts are first named."""
    head = [
        "# Environment spec\n",
        "What `batchhpc deploy` makes: YAML 1.2, JSON, or `batchhpc.EnvironmentSpec(...)` in Python. Unknown fields are refused.",
        "`batchhpc schema environment` prints the same as JSON schema. Rules (R...) are explained in [rules](rules.md).\n",
    ]
    return "\n".join([*head, *models(*parts_of(batchhpc.spec.EnvironmentSpec))])


def parts_of(kind: type[BaseModel]) -> list[type[BaseModel]]:
    """A model and those in its fields, breadth first, each once."""
    found = [kind]
    for each in found:
        inner = [arg for field in each.model_fields.values() for arg in _flat(field.annotation)]
        found += [arg for arg in dict.fromkeys(inner) if arg not in found]
    return found


def _flat(annotation: typing.Any) -> list[type[BaseModel]]:
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for arg in typing.get_args(annotation) for found in _flat(arg)]


# --- cli.md --------------------------------------------------------------------------------------------------------------

_SHAPES = """
## JSON

With `--json` a verb prints one JSON document on standard output and nothing else there. `--json` and `--debug` may
stand before the verb, too.

| verb | document |
| --- | --- |
| `check` | `job`, `shape`, `why`, `nodes`, `ranks`, `ranges` (each: `nodes`, `count`, `ranks_per_node`, `cpus_per_rank`, `vcpus`, `memory_mib`, `gpus`), `instance_type`, `time_limit`, `attempts`, `environment`, `queue`, `warnings`, `interruptions` (null but on Spot; `rate_per_hour`, `mean_seconds`, `checkpoint_seconds`, `interval_seconds`, `young_seconds`, `daly_seconds`, `work_seconds`, `replacement_seconds`, `overheads`, `expected`, `without_checkpoints`, `compared`, `missing`; null where not known or without end); of an environment spec `environment`, `stack`, `queue`, `region`, `capacity`, `fabric`, `instance_types` (each: `name`, `vcpus`, `cores`, `memory_mib`, `gpus`, `gbps`), `min_nodes`, `max_nodes`, `min_vcpus`, `max_vcpus`, `interfaces` (each: `card`, `device`, `kind`), `placement_group`, `image`, `storage` (each: `name`, `kind`, `mount`), `resources`, `warnings` |
| `compile` | `shape`, `why`, `warnings`; `register` and `submit`, the two requests (exactly these two without `--json`); with `--format cloudformation` `template` instead of them; with `--out` `files` instead; of an environment `warnings` and `template` |
| `schema` | the JSON schema |
| `run` | the job's status at its end: `id`, `name`, `state`, `status_reason`, `created_at`, `started_at`, `stopped_at` (Unix seconds), `attempts` (of each, `why` is the agent's own reason, which names the node), `nodes`, `exit_code`, `process_exit_code`, `warnings`, `logs`, `report` (of a gang as of the verb `report`, else null); output and progress go to standard error |
| `plan` | `environment`, `region`, `zone`, `new`, `nothing`, `changes` (each: `action`, `logical`, `type`, `physical`, `properties`, `why`, `keeps`, `loses_data`), `termination_protection`, `drift`, `costs`, `warnings` |
| `deploy` | `outcome` (`created`, `updated`, `unchanged`), `outputs` of the stack, `plan` (as above; null if a deployment under way was followed); progress goes to standard error |
| `destroy` | `outcome` (`destroyed`, `nothing`), `destroyed` and `left` (each: `environment`, `region`, `state`, `resources`, `data`, `jobs`, `definitions`) |
| `environments` | `environments` (each: `name`, `region`, `state`, `reason`, `queue`, `capacity`, `instance_types`, `max_nodes`) |
| `submit` | `id`, `name`, `queue`, `shape`, `cost` (as `cost` below, without `job`), `warnings`; with `--wait` or `--follow` as `run`, and `cost` |
| `status` | as `run` without `warnings` and `logs`, and `waiting`: null, or `state`, `seconds`, `position`, `listed`, `position_seconds`, `causes` (each a problem), and `cost`: null before it started, else as `cost ID` below, without `id`, and `progress`: null unless it runs and has told, else `done`, `total`, `unit`, `rate` (a second), `seconds_left`, `attempt`, `told_at` (Unix seconds) |
| `list` | `jobs` (each: `id`, `name`, `state`, `queue`, `status_reason`, `created_at`, `started_at`, `stopped_at`, `nodes`, `exit_code`), `queues` |
| `report` | `seconds`, `nodes_lost`, `node_seconds` (`useful`, `lost`, `idle`), `generations` (each: `generation`, `nodes`, `launched`, `running`, `ended`, `why`, `checkpoints`, each: `at`, `step`, `bytes`, `seconds`), `nodes` (each: `node`, `attempt`, `began`, `ended`), `checkpoint_seconds`; times in seconds since the first agent began |
| `logs` | `lines` (each: `node`, `attempt`, `text`), written as they come |
| `wait` | `jobs`, each as `status` without `waiting` |
| `cancel` | `jobs`: what was done, by id |
| `cost` | of a job spec `job`, `currency`, `nodes`, `hours` (of one attempt), `attempts`, `capacity`, `kind`, `on_demand` and `spot` (a node-hour), `volumes` (of a node, an hour), `per_hour`, `once`, `at_most`, `unknown`; of a job's id `id`, `currency`, `node_hours`, `kind`, `usd`, `lowest`, `unknown`. Amounts are text, exact, in US dollars; null if not known, and `unknown` says why |
| `instances` | `found`, and `instances` with all that the catalogue knows of each; with `--price`, or `--sort` by price, `usd` of each (`on_demand`, `spot`, `spot_high`, `core_hour`: text, or null if not known); `unknown`: what AWS did not tell, and why, if there is such; with `--refresh` only `file` and `types` |
| `image` | `images` (each: `name`, `reference`, `tag`, `platform`; of `push` also `uri`, `pushed`), with `--dry-run` also `commands`; `check` gives `image`, `python`, `old`, `libc`, `machine`, `user`, `temporary`, `sh`, `sshd`, `mpi`, `warnings` |
| any, if it fails | `error` (its class), `message`, `problems` (`path`, `message`, `hint`, `rule`, `severity`, `waived`) |

A warning or problem has `path`, `message`, `hint`, `rule`, `severity` and `waived`.

## Exit codes

`run` ends with the job's own exit code, 1 if the job failed without one. Otherwise:

| code | when |
| --- | --- |
| 0 | done |
| 2 | the command line, a file or a spec is wrong |
| 70 | a bug of batchhpc; `--debug` shows where |
| 130 | ended by Ctrl-C (the first one ends the job, the second leaves at once), SIGTERM or SIGHUP |
| others | see [errors](errors.md) |
"""  # noqa: E501 - rows of tables


def cli() -> str:
    """Every verb with its arguments."""
    top = arguments.parser()
    parts = ["# Command line\n", "`batchhpc VERB --help` shows the same.\n"]
    verbs = next(action for action in top._actions if isinstance(action, argparse._SubParsersAction))  # noqa: SLF001 - no public way
    for name, verb in verbs.choices.items():
        rows = [
            (code(_form(action)), action.help or "")
            for action in verb._actions  # noqa: SLF001 - likewise
            if not isinstance(action, argparse._HelpAction)  # noqa: SLF001 - likewise
        ]
        if name in ("run", "submit"):
            rows.append((code("-- COMMAND ..."), "run this instead of the spec's command"))
        parts += [
            f"## {name}\n",
            f"{verb.description}\n",
            f"```console\n$ {_example(verb)}\n```\n",
            table(("argument", "what"), rows),
        ]
    return "\n".join(parts) + _SHAPES


def _form(action: argparse.Action) -> str:
    if not action.option_strings:
        values = f"{{{','.join(action.choices)}}}" if action.choices else str(action.metavar)
        return f"[{values}]" if action.nargs == "?" else values
    value = action.metavar or (f"{{{','.join(action.choices)}}}" if action.choices else "")
    return " ".join(part for part in (action.option_strings[-1], str(value)) if part)


def _example(verb: argparse.ArgumentParser) -> str:
    return (verb.epilog or "").removeprefix("example: ")


# --- rank.md -------------------------------------------------------------------------------------------------------------


def rank_page() -> str:
    """What a program may import on its ranks."""
    parts = [
        "# `batchhpc.rank`\n",
        "What your program imports on every rank: `from batchhpc.rank import progress, notice, exact_sum`. All of it works under a",
        "plain `mpirun`, too. `comm` is mpi4py's communicator; without it the program is the only rank.\n",
    ]
    for name in rank.__all__:
        member = getattr(rank, name)
        parts.append(f"## {name}\n\n```python\n{_signature(name, member)}\n```\n\n{_sections(member)}")
        methods = vars(member).items() if inspect.isclass(member) else ()
        for each, method in methods:
            if not each.startswith("_") and inspect.isroutine(method):
                shown = _signature(f"{name}.{each}", getattr(member, each))
                parts.append(f"```python\n{shown}\n```\n\n{_sections(getattr(member, each))}")
    return "\n".join(parts)


def _signature(name: str, member: typing.Any) -> str:
    """As it is called, without types."""
    if inspect.isclass(member) and issubclass(member, Exception):
        return name
    signature = inspect.signature(member)
    shown = [each for each in signature.parameters.values() if each.name not in _FOR_TESTS]
    bare = [each.replace(annotation=inspect.Parameter.empty) for each in shown]
    text = f"{name}{signature.replace(parameters=bare, return_annotation=inspect.Signature.empty)}"
    return text.replace("'", '"')  # as the formatter has it, which reads this page, too


def _sections(member: typing.Any) -> str:
    """A docstring whose arguments, attributes and errors are lists."""
    lines: list[str] = []
    listed = inside = False
    for line in markdown(inspect.getdoc(member)).splitlines():
        indent, text = len(line) - len(line.lstrip()), line.strip()
        name, colon, rest = text.partition(": ")
        if text in _SECTIONS:
            listed, inside = text != "Returns:", True
            lines += [*[""] * bool(lines and lines[-1]), f"{text.strip(':')}:", ""]
        elif listed and indent == _STEP and colon:
            inside = name not in _FOR_TESTS
            lines += [f"- `{name}`: {rest}"] * inside
        elif inside or not listed:
            shown = text if inside else line.removesuffix(":") if line.endswith("::") else line
            lines.append(f"  {text}" if listed and text else shown)
    return "\n".join(lines) + "\n"


# --- errors.md, agent.md, rules.md ---------------------------------------------------------------------------------------


def errors_page() -> str:
    """Every exception, with its exit code."""
    parents = {
        name: kind for name, kind in vars(errors).items() if inspect.isclass(kind) and issubclass(kind, errors.BatchHpcError)
    }
    rows = [
        (code(name), code(kind.__mro__[1].__name__), str(kind.exit_code), markdown(kind.__doc__).split("\n\n")[0])
        for name, kind in parents.items()
    ]
    return f"""# Errors

Every exception that batchhpc raises on purpose is a `BatchHpcError`; the command line ends with its exit code. Anything else
that reaches you is a bug, and the command line ends with 70.

{table(("error", "is a", "exit code", "when"), rows)}"""


def agent() -> str:
    """Every variable, exit code and log event of the agent, in the order and with the comments of its contract."""
    parts = ["# Agent\n", "What runs on every node, and what it shares with compiler, local runner and your program.\n"]
    rows: list[tuple[str, str]] = []
    for line in inspect.getsource(contract).splitlines():
        if line.startswith("# --- "):
            parts += [table(("name", "what"), rows)] if rows else []
            parts.append(f"## {line.strip('#- ').split('. ')[0].split(':')[0]}\n")
            rows = []
        elif ": Final = " in line and not line.startswith(("COMPILED", "EVENTS")):
            name, value = line.partition(": Final = ")[0], getattr(contract, line.partition(": Final = ")[0])
            comment = line.rpartition("  # ")[2].removeprefix("noqa: S105 - ") if "  # " in line else ""
            rows.append((code(" ".join(value) if isinstance(value, tuple) else value), comment or name.lower().replace("_", " ")))
    example = contract.event_line(1767323045.123, 2, "child_joined", child=3, missing=1)
    parts.append(f"Each is one line on standard output: `{example}`\n")
    parts.append(table(("event", "what"), [(code(name), text) for name, text in contract.EVENTS.items()]))
    return "\n".join(parts) + _phases()


def _phases() -> str:
    """The agent's state machines, from their own tables of transitions."""
    machines = (
        ("The main node's phases", rendezvous, Leader.TRANSITIONS, Phase.ASSEMBLING),
        ("The phases of a gang's leader", gang, gang.GangLeader.TRANSITIONS, Phase.CLAIMING),
        ("The stages of a gang's other nodes", follower, follower.Follower.TRANSITIONS, follower.Stage.SEEKING),
    )
    return "".join(_diagram(title, module.__doc__ or "", table, first) for title, module, table, first in machines)


def _diagram(
    title: str, text: str, transitions: Mapping[tuple[StrEnum, str], tuple[object, Sequence[StrEnum]]], first: StrEnum
) -> str:
    labels: dict[tuple[str, str], list[str]] = {}
    for (phase, event), (_, leads_to) in transitions.items():
        for following in leads_to:
            labels.setdefault((phase, following), []).append(event.replace("TimerFired:", "timer "))
    arrows = [f"    {before} --> {after}: {', '.join(events)}" for (before, after), events in labels.items()]
    return f"""
## {title}

{text.strip()}

```mermaid
stateDiagram-v2
    [*] --> {first}
{chr(10).join(arrows)}
    ended --> [*]
```
"""


def rules() -> str:
    """Every rule the compiler checks."""
    rows = [(rule.number, _about(rule), str(rule.severity), rule.summary) for rule in RULES.values()]
    return f"""# Rules

What AWS demands of jobs and of the environments they run in, and `batchhpc check` checks before anything is sent. An error stops
the job or deployment; a warning is shown. AWS lifts limits with time: `waive: {{R11: "limit raised, case 123"}}` in a job spec or
environment spec makes a rule a warning that every plan and document shows.

{table(("rule", "of", "severity", "what"), rows)}
## Nobody can break

{table(("rule", "why"), ELSEWHERE.items())}"""


def _about(rule: Rule) -> str:
    """What a rule is checked for; those of neither check templates only."""
    return "jobs, environments" if rule.of_jobs and rule.of_environments else "jobs" if rule.of_jobs else "environments"


PAGES = {
    "job-spec.md": job_spec,
    "environment-spec.md": environment_spec,
    "cli.md": cli,
    "errors.md": errors_page,
    "agent.md": agent,
    "rules.md": rules,
    "rank.md": rank_page,
}


def main() -> int:
    """Writes the pages, or checks them."""
    stale = []
    for name, page in PAGES.items():
        text, path = HEAD + page(), REFERENCE / name
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if "--check" not in sys.argv:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
    if stale:
        print(f"docs/reference: {', '.join(stale)} {'not up to date: run make docs' if '--check' in sys.argv else 'written'}")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
