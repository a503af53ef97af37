"""Directories that a node gives to the job."""

from __future__ import annotations

from pydantic import Field

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
    """A directory of the host, or an EFS file system, that the job sees at ``target``.

    FSx for Lustre is mounted on the host by the environment and given to jobs as a host directory: AWS Batch has no FSx
    volume type (R23).
    """

    target: str = Field(pattern=r"^/")
    """Absolute path inside the container."""
    host: str | None = Field(default=None, pattern=r"^/")
    """Absolute path on the host; the same as ``target`` if neither ``host`` nor ``efs`` is given."""
    efs: EfsSource | None = None
    """The EFS file system to mount instead of a host directory."""
    read_only: bool = False
    """Whether the job may only read."""
