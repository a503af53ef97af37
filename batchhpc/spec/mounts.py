"""Directories that a node gives to the job."""

from __future__ import annotations

from pydantic import Field

from batchhpc.errors import Problem
from batchhpc.spec.model import Model


class EfsSource(Model):
    """An Amazon EFS file system (R23)."""

    file_system_id: str = Field(pattern=r"^fs-[0-9a-f]{8,40}$")
    """The file system: ``fs-`` and its number."""
    root_directory: str | None = None
    """Directory of the file system that becomes the mount's root. Must be left out, or ``/``, with an access point (R23)."""
    access_point: str | None = None
    """Access point id. Needs transit encryption (R23)."""
    iam: bool = False
    """Whether the job role authorises the mount. Needs transit encryption and a job role (R23)."""
    transit_encryption: bool = True
    """Whether data are encrypted between the node and the file system."""
    transit_encryption_port: int | None = None
    """Port of the encrypted connection, 0 to 65535; chosen by the mount helper if left out."""


class Mount(Model):
    """A storage of the environment, a directory of the host, or an EFS file system, that the job sees at ``target``.

    An environment mounts its storage on its hosts, and gives it to jobs as host directories: AWS Batch has no volume type
    for FSx for Lustre (R23).
    """

    target: str | None = Field(default=None, pattern=r"^/")
    """Absolute path inside the container; with ``storage`` the storage's own mount point if left out."""
    storage: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9-]*$")
    """Name of a storage of the environment."""
    directory: str | None = Field(default=None, pattern=r"^[^/].*$")
    """With ``storage``: the directory of it to mount, relative; all of it if left out."""
    host: str | None = Field(default=None, pattern=r"^/")
    """Absolute path on the host; the same as ``target`` if no source is given."""
    efs: EfsSource | None = None
    """The EFS file system to mount instead of a host directory."""
    read_only: bool = False
    """Whether the job may only read."""

    def problems(self) -> list[Problem]:
        """Several sources, or none and no target."""
        found = []
        sources = [name for name in ("storage", "host", "efs") if getattr(self, name) is not None]
        if len(sources) > 1:
            found.append(Problem("", f"has both {' and '.join(sources)}", "a mount has one source"))
        if self.target is None and self.storage is None:
            found.append(Problem("target", "is missing", "only a storage of the environment has a mount point of its own"))
        if self.directory is not None and self.storage is None:
            found.append(Problem("directory", "is a part of a storage, but storage is not given", "host: names a directory whole"))
        if self.directory is not None and ".." in self.directory.split("/"):
            found.append(Problem("directory", f"is {self.directory!r}, which leads upwards"))
        return found
