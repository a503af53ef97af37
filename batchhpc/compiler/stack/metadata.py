"""What a template says of itself, so that a stack can be compared with a spec."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from batchhpc.spec import EnvironmentSpec
from batchhpc.version import __version__


def metadata(spec: EnvironmentSpec) -> dict[str, Any]:
    """The spec as JSON text, since CloudFormation takes no null anywhere in a template; and who wrote it."""
    text = json.dumps(spec.to_data(), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return {"batchhpc": {"environment": text, "version": __version__}}


def environment_data(template: Mapping[str, Any]) -> dict[str, Any] | None:
    """The data of the spec that a template was made of; None if it does not say, or nothing that can be read."""
    given = template.get("Metadata")
    own = given.get("batchhpc") if isinstance(given, Mapping) else None
    text = own.get("environment") if isinstance(own, Mapping) else None
    if not isinstance(text, str):
        return None
    try:
        data = json.loads(text)
    except ValueError:
        return None
    return data if isinstance(data, dict) else None
