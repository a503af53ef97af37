"""The compiled job: the two requests AWS Batch would get, byte for byte."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from batchhpc.errors import Problem
from batchhpc.spec import Environment, Shape

type_of = {Shape.CONTAINER: "container", Shape.MULTINODE: "multinode", Shape.GANG: "container"}


def canonical_json(document: Any) -> str:
    """The one way a document is written down: keys sorted, two spaces, a line end."""
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


@dataclass(frozen=True, slots=True)
class CompiledJob:
    """A job as AWS Batch gets it.

    Attributes:
        shape: container, multinode or gang.
        why: one sentence: why this shape.
        register: the RegisterJobDefinition request.
        submit: the SubmitJob request.
        warnings: what the user should know, waived rules included.
        environment: what the documents were compiled for.
    """

    shape: Shape
    why: str
    register: dict[str, Any]
    submit: dict[str, Any]
    warnings: tuple[Problem, ...] = ()
    environment: Environment = field(default_factory=Environment)

    def to_json(self) -> str:
        """Both documents as one canonical JSON text; the same spec gives the same bytes."""
        return canonical_json({"register": self.register, "submit": self.submit})
