"""cfn-lint as a judge of templates."""

from __future__ import annotations

import json
from typing import Any

from cfnlint.api import ManualArgs, lint  # type: ignore[import-untyped]


def complaints_of_cfn_lint(template: dict[str, Any]) -> list[str]:
    """Everything that cfn-lint says of a template: errors and warnings alike."""
    return [str(match) for match in lint(json.dumps(template), config=ManualArgs(regions=["us-east-1"]))]
