"""What rules look at in an environment's template, whether the compiler or an overlay put it there."""

from __future__ import annotations

from batchhpc.compiler.rules.template import compute, interfaces, network

TOPICS = (compute, interfaces, network)
