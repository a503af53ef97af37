"""The command line: every verb and option in one place, and nothing else imported, so that ``--help`` is quick."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

from batchhpc.cli.job_arguments import JOB_VERBS, changes
from batchhpc.errors import InvalidSpec, Problem
from batchhpc.version import __version__

VERBS = {
    "check": "Check a job or environment spec; show every problem at once, or what it becomes.",
    "compile": "Print the documents that AWS gets: of a job two requests, of an environment a template.",
    "schema": "Print the JSON schema of a spec, for editors and validators.",
    "run": "Run a job here, from its compiled documents, with the agent that runs in the cloud.",
    "plan": "Show what deploying an environment would do, and what it costs by the hour.",
    "deploy": "Make or change an environment on AWS: network, queue, storage, roles.",
    "destroy": "Delete an environment from AWS; its data only if told to.",
    "environments": "List the environments that are deployed in a Region.",
    **{name: verb.text for name, verb in JOB_VERBS.items()},
    "cost": "Say what a job can cost at most, or what one cost.",
    "instances": "Search EC2's instance types, or fetch their newest description.",
    "image": "Build container images, push them to ECR, or check one.",
}
_EXAMPLES = {
    "check": "batchhpc check job.yaml --environment spot.yaml",
    "compile": "batchhpc compile job.yaml --out documents/",
    "schema": "batchhpc schema > job.schema.json",
    "run": "batchhpc run job.yaml --nodes 4 --fault kill:2@10s",
    "plan": "batchhpc plan environment.yaml --offline",
    "deploy": "batchhpc deploy environment.yaml",
    "destroy": "batchhpc destroy genomics --region eu-west-1",
    "environments": "batchhpc environments --region eu-west-1",
    **{name: verb.example for name, verb in JOB_VERBS.items()},
    "cost": "batchhpc cost job.yaml --environment prod --region eu-west-1",
    "instances": "batchhpc instances --efa --spot --min-cores 96 --region eu-west-1 --price",
    "image": "batchhpc image push genomics --region eu-west-1",
}


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints are reported like every other problem."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **settings)

    def error(self, message: str) -> NoReturn:
        raise InvalidSpec([Problem("", message, f"{self.prog} --help")], self.prog)


def parse(words: Sequence[str]) -> argparse.Namespace:
    """The arguments; ``command`` is what stands behind ``--``.

    Raises:
        InvalidSpec: the command line is wrong.
        SystemExit: help or version was asked for, and printed.
    """
    options, command = split(words)
    top = parser()
    args = top.parse_args(options)
    if command and args.verb not in ("run", "submit"):
        top.error(f"{args.verb} takes no command behind --")
    args.command = command
    return args


def split(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """What is ours, and what stands behind the first ``--``."""
    at = words.index("--") if "--" in words else len(words)
    return list(words[:at]), list(words[at + 1 :])


def parser() -> argparse.ArgumentParser:
    """The parser of ``batchhpc`` with all its verbs."""
    top = _Parser(
        prog="batchhpc",
        description="One job spec, run as an MPI job here, and on AWS Batch from the same compiled documents.",
        epilog="example: batchhpc run job.yaml\n\nbatchhpc VERB --help tells more about each verb.",
    )
    top.add_argument("--version", action="version", version=f"batchhpc {__version__}")
    _everywhere(top)
    verbs = top.add_subparsers(dest="verb", metavar="VERB", required=True, title="verbs")
    for name, add in (
        ("check", _check),
        ("compile", _compile),
        ("schema", _schema),
        ("run", _run),
        ("plan", _plan),
        ("deploy", _deploy),
        ("destroy", _destroy),
        ("environments", _environments),
        *((name, verb.add) for name, verb in JOB_VERBS.items()),
        ("cost", _cost),
        ("instances", _instances),
        ("image", _image),
    ):
        text = VERBS[name]
        verb = verbs.add_parser(name, help=text, description=text, epilog=f"example: {_EXAMPLES[name]}")
        add(verb)
        _everywhere(verb, default=argparse.SUPPRESS)  # what stands before the verb counts if nothing stands behind it
    return top


def _everywhere(parser: argparse.ArgumentParser, **default: Any) -> None:
    parser.add_argument(
        "--json", action="store_true", help="print JSON, errors included (shapes: docs/reference/cli.md)", **default
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error", **default)


def _job_and_environment(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("job", metavar="JOB", help="the job spec: a .yaml, .yml or .json file, or - for standard input")
    verb.add_argument("--environment", metavar="ENV", help="environment spec to compile for; a made-up on-demand one if left out")
    _capacity(verb)


def _capacity(verb: argparse.ArgumentParser) -> None:
    text = "on-demand or spot, whatever the environment has; on spot several nodes are a gang"
    verb.add_argument("--capacity", choices=("on-demand", "spot"), metavar="CAPACITY", help=text)


def _spec(verb: argparse.ArgumentParser, where: str = "environment spec to compile it for") -> None:
    verb.add_argument(
        "job", metavar="SPEC", help="a job spec or an environment spec: a .yaml, .yml or .json file, or - for standard input"
    )
    verb.add_argument("--environment", metavar="ENV", help=f"with a job: {where}; a made-up one if left out")
    _capacity(verb)


def _check(verb: argparse.ArgumentParser) -> None:
    _spec(verb, "environment spec to compile it for, or a deployed environment's name")
    verb.add_argument("--region", metavar="REGION", help="where it is deployed; what the AWS SDK finds if left out")
    spot = verb.add_argument_group("a job on Spot")
    spot.add_argument("--work", metavar="TIME", help="how long it computes if nothing interrupts it, such as 8h")
    text = "assumed, from losing a node until the ranks compute again; default: 5m"
    spot.add_argument("--replacement", default="5m", metavar="TIME", help=text)
    spot.add_argument("--price", action="store_true", help="what it costs on demand and on Spot (asks AWS)")


def _compile(verb: argparse.ArgumentParser) -> None:
    _spec(verb)
    verb.add_argument("--format", choices=("json", "cloudformation"), default="json", help="default: json, both requests in one")
    verb.add_argument("--out", metavar="DIR", help="write one file per document there instead of printing them")


def _schema(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("document", nargs="?", choices=("job", "environment"), default="job", help="which spec; default: job")


def _run(verb: argparse.ArgumentParser) -> None:
    verb.usage = "batchhpc run JOB [options] [-- COMMAND ...]"
    _job_and_environment(verb)
    changes(verb)
    _faults(verb)
    here = verb.add_argument_group("this machine")
    here.add_argument("--isolate", action="store_true", help="give each node its own network, host name and processes")
    here.add_argument(
        "--mount", action="append", default=[], metavar="SOURCE=DIR", help="directory that stands for a host path or EFS id"
    )
    here.add_argument("--secret", action="append", default=[], metavar="NAME", help="take a secret's value from the variable NAME")
    here.add_argument("--records", metavar="PLACE", help="directory or s3://... of gangs' records; default: the job's own")
    here.add_argument("--seed", type=int, default=0, metavar="N", help="seed of what is left to chance; default: 0")
    here.add_argument("--directory", default=".batchhpc", metavar="DIR", help="where logs are kept; default: .batchhpc")
    here.add_argument("--quiet", action="store_true", help="do not show the agent's own lines")


def _faults(verb: argparse.ArgumentParser) -> None:
    lose = verb.add_argument_group("what nodes suffer; a TIME counts from when the node runs, /2 names its second attempt")
    kinds = "kill, notice, late, partition or delay:NODE@TIME[/2], or never:NODE; repeatable"
    lose.add_argument("--fault", action="append", default=[], metavar="FAULT", help=kinds)
    text = "take the node's instance away, as in 2@10s; repeatable"
    lose.add_argument("--reclaim", action="append", default=[], metavar="NODE@TIME[/2]", help=text)
    lose.add_argument("--chaos", metavar="RATE", help="reclaim nodes at random, so often in all: 0.1/s, 2/m")
    lose.add_argument("--notice", metavar="TIME", help="tell a node that long before its reclaim; default: never")
    lose.add_argument("--shutdown", metavar="TIME", help="send SIGTERM that long before a reclaim; default: never")
    lose.add_argument("--replacement", metavar="TIME", help="from a reclaim to another instance; default: 0s")


def _environment(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("environment", metavar="ENV", help="the environment spec: a .yaml, .yml or .json file, or -")


def _drift(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--drift", action="store_true", help="look for what was changed by hand, too; takes minutes")


def _yes(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--yes", action="store_true", help="do it without a question")


def _plan(verb: argparse.ArgumentParser) -> None:
    _environment(verb)
    _drift(verb)
    verb.add_argument("--offline", action="store_true", help="show the resources of a first deployment, without a look at AWS")


def _deploy(verb: argparse.ArgumentParser) -> None:
    _environment(verb)
    _yes(verb)
    _drift(verb)
    verb.add_argument("--allow-data-loss", action="store_true", help="buckets and file systems may be replaced or taken out")


def _destroy(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("environment", metavar="NAME", help="name of the environment, or its spec: a .yaml, .yml or .json file")
    verb.add_argument("--region", metavar="REGION", help="Region it is in; the spec's, or what the AWS SDK finds, if left out")
    _yes(verb)
    verb.add_argument("--delete-data", action="store_true", help="delete its bucket and file systems with all they hold")
    verb.add_argument("--terminate-jobs", action="store_true", help="terminate jobs that have not ended")


def _environments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--region", metavar="REGION", help="Region to list; what the AWS SDK finds if left out")


def _cost(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("job", metavar="JOB", help="a job spec, or the id of a job that was submitted")
    verb.add_argument("--environment", metavar="ENV", help="for a job spec: an environment spec, or a deployed environment's name")
    verb.add_argument("--region", metavar="REGION", help="where it is deployed; what the AWS SDK finds if left out")


def _instances(verb: argparse.ArgumentParser) -> None:
    verb.usage = "batchhpc instances [NAME] [options]"
    verb.add_argument("name", nargs="?", default="*", metavar="NAME", help="type, family or pattern: c7i.8xlarge, c7i, 'hpc*'")
    want = verb.add_argument_group("only those with")
    want.add_argument("--efa", action="store_true", help="at least one EFA interface")
    want.add_argument("--min-efa", type=int, metavar="N", help="at least N EFA interfaces")
    want.add_argument("--spot", action="store_true", help="Spot capacity")
    want.add_argument("--cluster", action="store_true", help="a place in cluster placement groups")
    want.add_argument("--min-cores", type=int, metavar="N", help="at least N physical cores")
    want.add_argument("--min-vcpus", type=int, metavar="N", help="at least N vCPUs")
    want.add_argument("--max-vcpus", type=int, metavar="N", help="at most N vCPUs")
    want.add_argument("--min-memory", metavar="SIZE", help="at least that much memory, such as '64 GiB'")
    want.add_argument("--min-gbps", type=float, metavar="X", help="at least X Gbit/s of network")
    want.add_argument("--min-disks", type=int, metavar="N", help="at least N instance store disks")
    want.add_argument("--gpus", type=int, metavar="N", help="at least N GPUs; 0: none at all")
    want.add_argument("--arch", choices=("x86_64", "arm64"), help="this architecture")
    want.add_argument("--region", metavar="REGION", help="an offer in that Region (asks AWS)")
    want.add_argument("--zone", metavar="ZONE", help="an offer in that zone: euw1-az1, eu-west-1a (asks AWS)")
    show = verb.add_argument_group("show")
    show.add_argument("--price", action="store_true", help="what an hour costs, cheapest first (asks AWS)")
    columns = ("vcpus", "cores", "memory", "gpus", "efa", "gbps", "name", "price", "core-price")
    show.add_argument("--sort", choices=columns, help="order, smallest first; default: vcpus, or price with --price")
    show.add_argument("--reverse", action="store_true", help="largest first")
    show.add_argument("--limit", type=int, metavar="N", help="at most N; default: 40 on a terminal, all otherwise")
    fetch = verb.add_argument_group("refresh")
    fetch.add_argument("--refresh", action="store_true", help="fetch the catalogue from EC2, of --region (needs AWS credentials)")


def _image(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("action", choices=("build", "push", "check"), help="push builds what ECR does not have yet")
    verb.add_argument(
        "image", nargs="*", metavar="IMAGE", help="base, genomics, risk or a directory with a Dockerfile; default: base"
    )
    verb.add_argument("--engine", metavar="PROGRAM", help="default: docker, podman or finch, whichever is found first")
    verb.add_argument("--dry-run", action="store_true", help="print the engine's commands; run none, and ask AWS nothing")
    build = verb.add_argument_group("build")
    build.add_argument("--platform", choices=("linux/amd64", "linux/arm64"), help="default: linux/amd64, or what --environment has")
    build.add_argument("--environment", metavar="ENV", help="environment spec whose instance types are to run the image")
    build.add_argument("--base-image", metavar="IMAGE", help="what BASE_IMAGE is in the Dockerfile")
    build.add_argument("--build-arg", action="append", default=[], metavar="NAME=VALUE", help="for the build; may be repeated")
    build.add_argument("--wheels", metavar="DIR", help="all wheels that are needed, so that PyPI is not asked")
    build.add_argument(
        "--directory", default=".batchhpc", metavar="DIR", help="where contexts are put together; default: .batchhpc"
    )
    push = verb.add_argument_group("push")
    push.add_argument("--region", metavar="REGION", help="region of the registry; what the AWS SDK finds if left out")
    push.add_argument("--kms-key", metavar="KEY", help="key for new repositories; ECR's own if left out")
