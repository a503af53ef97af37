"""FSx's data repository associations, which moto does not have."""

from __future__ import annotations

import json
from typing import Any


class Associations:
    """What is made, described and deleted; each is there at once."""

    def __init__(self) -> None:
        self._made: dict[str, dict[str, Any]] = {}

    def answer(self, action: str, request: dict[str, Any]) -> tuple[str, bytes]:
        """Status and body."""
        if action == "CreateDataRepositoryAssociation":
            key = f"dra-{len(self._made):017x}"
            self._made[key] = {**request, "AssociationId": key, "Lifecycle": "AVAILABLE"}
            return _ok({"Association": self._made[key]})
        if action == "DeleteDataRepositoryAssociation":
            made = self._made.pop(request["AssociationId"], None)
            if made is None:
                error = {"__type": "DataRepositoryAssociationNotFound", "message": request["AssociationId"]}
                return "400 Bad Request", json.dumps(error).encode()
            return _ok({"AssociationId": request["AssociationId"], "Lifecycle": "DELETING"})
        wanted = [value for each in request.get("Filters", []) if each["Name"] == "file-system-id" for value in each["Values"]]
        ids = request.get("AssociationIds")
        found = [
            each
            for key, each in self._made.items()
            if (not wanted or each["FileSystemId"] in wanted) and (ids is None or key in ids)
        ]
        return _ok({"Associations": found})


def _ok(answer: dict[str, Any]) -> tuple[str, bytes]:
    return "200 OK", json.dumps(answer).encode()
