"""One node of one attempt: its first process, and what is known of it."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from batchhpc.jobs import JobState, NodeStatus
from batchhpc.local import init
from batchhpc.local.definition import NodePlan
from batchhpc.local.network import Instance, Network

ENDED = "Essential container in task exited"  # whatever the exit code was (R48)
NOT_STARTED = "Task failed to start"  # R48


@dataclass(frozen=True, slots=True)
class Launch:
    """How a node is started: its command and variables, what the definition says of it, a directory that outlives it."""

    environment: Mapping[str, str]
    plan: NodePlan
    scratch: Path


class Node:
    """Changed by the job's thread only.

    Attributes:
        job_id: of the job, or of the child of an array that it is.
        main: whether it is the main node, or the first child of an array.
        instance: what it runs on; None until its attempt begins.
        process: the node's first process, or what holds its namespaces; None before the start.
        control: the runner's end of the socket to the first process (init.py).
        output: both output streams of the node, as one pipe.
        reason: what the container runtime says of the container's end; mostly nothing.
        host_going: whether its instance shuts down.
        host_gone: whether its instance is no more.
    """

    def __init__(self, index: int, job_id: str, *, main: bool) -> None:
        self.index = index
        self.job_id = job_id
        self.main = main
        self.instance: Instance | None = None
        self.state = JobState.RUNNABLE
        self.status_reason = ""
        self.reason = ""
        self.exit_code: int | None = None
        self.started_at: float | None = None
        self.stopped_at: float | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self.control: socket.socket | None = None
        self.output = -1
        self._network: Network | None = None
        self._launch: Launch | None = None
        self._received = b""
        self.host_going = False
        self.host_gone = False

    @property
    def alive(self) -> bool:
        """Whether the node has a process."""
        return self.state in (JobState.STARTING, JobState.RUNNING)

    @property
    def status(self) -> NodeStatus:
        return NodeStatus(self.index, self.main, self.state, self.status_reason, self.exit_code, self.started_at, self.stopped_at)

    def start(self, launch: Launch, network: Network) -> None:
        """Starts the first process, which waits for `set_up` before it starts the command."""
        ours, theirs = socket.socketpair()
        reader, writer = os.pipe()
        first = [sys.executable, "-I", "-S", str(Path(init.__file__)), str(theirs.fileno()), "--", *launch.plan.command]
        try:
            self.process = subprocess.Popen(
                network.wrap(first),
                env=dict(launch.environment),
                stdin=subprocess.DEVNULL,
                stdout=writer,
                stderr=writer,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C at a terminal is for the runner, which ends jobs in order
            )
        except BaseException:
            ours.close()
            os.close(reader)
            raise
        finally:
            theirs.close()
            os.close(writer)
        self._network, self._launch = network, launch
        ours.setblocking(False)
        os.set_blocking(reader, False)
        self.control, self.output, self.state = ours, reader, JobState.STARTING

    def messages(self) -> list[str] | None:
        """Whole lines that came from the first process since (init.py); None when no more can come."""
        assert self.control
        ended = False
        try:
            while received := self.control.recv(4096):
                self._received += received
            ended = True
        except BlockingIOError:
            pass
        except ConnectionResetError:
            ended = True
        *lines, self._received = self._received.split(b"\n")
        return None if ended and not lines else [line.decode(errors="replace") for line in lines]

    def set_up(self, network: Network) -> None:
        """Connects the node, and lets its first process set it up and start the command.

        Raises:
            Unavailable: the machine refuses.
        """
        assert self.process
        assert self.instance
        assert self._launch
        setup = network.attach(self.instance, self._launch.plan, self._launch.scratch, self.process.pid)
        self._send(json.dumps(setup).encode())

    def running(self) -> None:
        """The command runs."""
        self.state, self.started_at = JobState.RUNNING, time.time()

    def stop(self) -> None:
        """SIGTERM to the command; a node whose command has not begun is ended instead."""
        if self.state is JobState.RUNNING:
            self._send(b"stop")
        elif self.alive:
            self.kill()

    def kill(self) -> None:
        """SIGKILL to everything of the node."""
        if self.process and self._network and self.process.returncode is None:
            self._network.end(self.process.pid)

    def lose_host(self) -> None:
        """The node's host is gone, with everything on it."""
        self.host_gone = True
        if self.alive:
            self.kill()
        elif self.state is JobState.RUNNABLE:
            self.finish(None, "")

    def read_output(self) -> bytes | None:
        """What the node put out since; None at the end of its output."""
        try:
            return os.read(self.output, 1 << 16) or None
        except BlockingIOError:
            return b""

    def finish(self, code: int | None, status_reason: str) -> None:
        """Notes the node's end.

        Args:
            code: what the first process ended with; None if it never was.
            status_reason: why the node ended, if it was not its own doing.
        """
        if self.host_gone:
            assert self.instance
            self.state, self.status_reason = JobState.FAILED, f"Host EC2 (instance {self.instance.id}) terminated."
        elif self.state is not JobState.RUNNING or code is None:
            self.state, self.status_reason = JobState.FAILED, status_reason or NOT_STARTED
        else:
            self.exit_code = code if code >= 0 else 128 - code  # as a shell says it
            self.state = JobState.FAILED if code else JobState.SUCCEEDED
            self.status_reason = status_reason or ENDED
        self.stopped_at = time.time()

    def close(self) -> None:
        """Gives back the node's files."""
        if self.control:
            self.control.close()
            os.close(self.output)
            self.control = None

    def _send(self, line: bytes) -> None:
        assert self.control
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it ended just now; its end will be noticed
            self.control.sendall(line + b"\n")
