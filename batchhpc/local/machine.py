"""What a job's documents ask of the machine, and what this machine has."""

from __future__ import annotations

import resource
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from batchhpc.errors import Unavailable
from batchhpc.local.definition import JobPlan, MountPoint

FILES_PER_NODE = 4  # its control socket, output and log, and what tells its end
FILES_BESIDE = 200  # the caller's, and the runner's for the job


def allow_files(nodes: int) -> None:
    """Sees to it that this process may have the files that so many nodes need.

    Raises:
        Unavailable: its hard limit is lower.
    """
    wanted = nodes * FILES_PER_NODE + FILES_BESIDE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if wanted <= soft or soft == resource.RLIM_INFINITY:
        return
    if hard != resource.RLIM_INFINITY and wanted > hard:
        raise Unavailable(
            f"{nodes} nodes need {wanted} open files, but this process may have {hard} at most\n"
            f"  hint: ulimit -Hn {wanted}, as root; or fewer nodes"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def fit_to_machine(plan: JobPlan, mounts: Mapping[str, Path], *, isolated: bool) -> tuple[JobPlan, list[str]]:
    """The plan with this machine's directories as mounts, and notes on what it lacks.

    Args:
        plan: of the job.
        mounts: directories that stand for the definition's host paths, or EFS file systems by id.
        isolated: whether nodes have mounts of their own.

    Raises:
        Unavailable: a mount cannot be had; all of them are named.
    """
    problems: dict[str, None] = {}
    notes: dict[str, None] = {}
    nodes = []
    for node in plan.nodes:
        points = tuple(replace(point, source=str(mounts.get(point.source, point.source))) for point in node.mounts)
        for before, point in zip(node.mounts, points, strict=True):
            problem = _isolated_problem(point) if isolated else _loopback_problem(point, remapped=before.source in mounts)
            if problem:
                problems[problem] = None
            elif point.read_only and not isolated:
                notes[f"{point.target} can be written here, though the job asks for a read-only mount; --isolate enforces it"] = (
                    None
                )
        nodes.append(replace(node, mounts=points))
    if problems:
        raise Unavailable("\n".join(problems))
    absent = sorted({device for node in plan.nodes for device in node.devices if not Path(device).exists()})
    if absent:
        notes[f"devices that this machine lacks are left out: {', '.join(absent)}"] = None
    return replace(plan, nodes=tuple(nodes)), list(notes)


def _isolated_problem(point: MountPoint) -> str:
    source = Path(point.source)
    if source.is_absolute() and source.is_dir():
        return ""
    return (
        f"mount {point.target}: its source {point.source} is no directory of this machine\n"
        f"  hint: make the directory, or name another for it: LocalRunner(mounts={{{point.source!r}: Path(...)}})"
    )


def _loopback_problem(point: MountPoint, *, remapped: bool) -> str:
    target, source = Path(point.target), Path(point.source)
    if not target.is_dir():
        return (
            f"mount {target}: is no directory of this machine, whose own files nodes on loopback addresses see\n"
            f"  hint: make the directory {target}, or run with --isolate, which mounts without touching the machine"
        )
    if remapped and not (source.is_dir() and source.samefile(target)):
        return (
            f"mount {target}: nodes on loopback addresses see this machine's own {target}, not {source}\n"
            f"  hint: run with --isolate, or make {target} a link to {source}"
        )
    return ""
