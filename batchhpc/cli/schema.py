"""``batchhpc schema``."""

from __future__ import annotations

import argparse
import json

from batchhpc.spec import EnvironmentSpec, JobSpec


def run(args: argparse.Namespace) -> int:
    """Prints the JSON schema of a spec."""
    schema = JobSpec.json_schema() if args.document == "job" else EnvironmentSpec.json_schema()
    print(json.dumps(schema, indent=2))
    return 0
