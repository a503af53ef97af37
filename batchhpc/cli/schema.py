"""``batchhpc schema``."""

from __future__ import annotations

import argparse
import json

from batchhpc.spec import Environment, JobSpec
from batchhpc.spec.document import Document


def run(args: argparse.Namespace) -> int:
    """Prints the JSON schema of a spec."""
    kind: type[Document] = {"job": JobSpec, "environment": Environment}[args.document]
    print(json.dumps(kind.json_schema(), indent=2))
    return 0
