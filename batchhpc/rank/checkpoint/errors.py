"""What can go wrong with checkpoints.

BatchHpcError
└── CheckpointError        a save or load cannot be done as it was asked for
    ├── CheckpointMismatch what is there was made with other inputs, or by another version of the program
    ├── CheckpointDamaged  bytes are not those that were written
    ├── Overtaken          a newer run writes here: this one must not
    └── StoreFailed        the place did not do what it was asked for, within the deadline

UserWarning
└── CheckpointWarning      a checkpoint was passed over, or was computed on another kind of machine
"""

from __future__ import annotations

from batchhpc.errors import BatchHpcError


class CheckpointError(BatchHpcError):
    """A save or load cannot be done as it was asked for. All ranks raise it, whichever of them met it."""


class CheckpointMismatch(CheckpointError):
    """The checkpoint was made with other inputs, or by another version of the program; the message names what differs."""


class CheckpointDamaged(CheckpointError):
    """Bytes are not those that were written; the message names the file, what was expected and what was found."""


class Overtaken(CheckpointError):
    """A newer run writes to the same place. This one is a leftover (an older generation of a gang) and must end."""


class StoreFailed(CheckpointError):
    """A file system or an object store did not do what it was asked for."""


class Missing(StoreFailed):
    """There is nothing of that name."""


class CheckpointWarning(UserWarning):
    """Worth knowing, and no reason to stop."""
