"""The rules that an environment must keep. One module per part of an environment; some rules are those of jobs as well."""

from __future__ import annotations

from batchhpc.compiler.rules.environment import access, compute, disks, efs, fabric, images, lustre, network, queue, template, types

TOPICS = (access, compute, disks, efs, fabric, images, lustre, network, queue, template, types)
