"""What every node does, main or child: serve mpirun and the ranks on this node, pass notices on, clean up."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

from batchhpc.agent import contract, node_socket, reclaim
from batchhpc.agent.event_log import EventLog
from batchhpc.agent.events import Timer
from batchhpc.agent.leftovers import remove_segments, remove_topologies
from batchhpc.agent.outcome import Outcome
from batchhpc.agent.processes import Processes, send_signal
from batchhpc.agent.ranks import Ranks
from batchhpc.agent.settings import Settings
from batchhpc.errors import AgentError

_OPEN_FILES = 16384
_OUTPUT_TIME = 0.5  # seconds that the output of an ended command may still take
_END_TIME = 60.0  # seconds; ranks with hundreds of GB take long to be gone, and the next ones need that memory
_STOP_MARGIN = 5.0  # seconds of the stop grace that the agents keep for ending what the ranks left


class Node:
    """One node. Subclasses add what the main node and the child nodes do differently.

    Args:
        settings: what the node was told.
        environ: the container's variables, without the job's secret.
        directory: an empty directory of this node's own, with a short path (a socket's is at most 108 bytes).
    """

    def __init__(self, settings: Settings, environ: dict[str, str], directory: Path) -> None:
        self.settings = settings
        self.directory = directory
        self.socket_path = directory / "agent.sock"
        self.processes = Processes()
        self.ranks = self._new_ranks()
        self.environ = {
            **environ,
            contract.AGENT_SOCKET: str(self.socket_path),
            contract.NOTICE_FILE: str(self.ranks.notice_file),
        }
        self.done: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._event_log = EventLog(settings.node)
        self._report_due = False
        self._reclaimed_at: float | None = None  # Unix seconds
        self._attended = False  # whether a rank's wrapper has spoken to us
        self._timers: dict[Timer, asyncio.TimerHandle] = {}
        self._since = time.time()
        self._ending = asyncio.Lock()  # one kill after the other: the second must not hit what follows the first

    # --- what main and child nodes do differently

    async def start(self) -> None:
        """Begins the node's part."""
        raise NotImplementedError

    def report_ranks(self) -> None:
        """Tells whom it concerns what this node's ranks have done."""
        raise NotImplementedError

    def stop_requested(self, reason: str, seconds: float, *, final: bool) -> None:
        """This node was told to stop."""
        raise NotImplementedError

    async def run_elsewhere(self, host: str, command: str, peer: node_socket.Peer) -> int:
        """Runs a command of mpirun's on the node with that address; gives its exit code."""
        raise NotImplementedError

    def checkpointed(self, step: int) -> None:
        """The ranks have saved a whole checkpoint; of interest to a gang's leader only."""

    async def farewell(self, outcome: Outcome) -> None:
        """Says goodbye to other nodes; called once this node's processes have ended."""
        raise NotImplementedError

    # --- what they have in common

    async def run(self) -> Outcome:
        """The node's whole life; no process below it is left at the end."""
        _raise_file_limit()
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._broken)
        grace = self.settings.stop_grace
        left = grace - min(_STOP_MARGIN, grace / 5)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, partial(self.stop_requested, number.name, left, final=True))
        self.log("agent_started", **self._introduction())
        self.spawn(node_socket.serve(self.socket_path, self._attend))
        self.spawn(self._watch_reclaim())
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM, signal.SIGINT))
        try:
            await self.start()
            outcome = await self.done
        except AgentError as error:
            outcome = Outcome(error.exit_code, str(error))
        finally:
            if ended := await self.processes.kill_all():
                self.log("processes_ended", count=ended)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)  # AWS Batch stops children as the main node ends: this one ends already
        await self.farewell(outcome)
        for task in self._tasks:
            task.cancel()
        self.log("finished", code=outcome.code, reason=outcome.why)
        self._event_log.close()
        return outcome

    def end(self, outcome: Outcome) -> None:
        """Decides how this node's agent ends; the first decision holds."""
        if not self.done.done():
            self.done.set_result(outcome)

    def log(self, event: str, **fields: object) -> None:
        """Writes an event line."""
        self._event_log.write(event, **fields)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        """Runs work beside the rest; an error in it ends the agent."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def start_timer(self, timer: Timer, seconds: float, fire: Callable[[], None]) -> None:
        """Calls ``fire`` after that many seconds; a timer that already runs starts anew."""
        if running := self._timers.pop(timer, None):
            running.cancel()
        self._timers[timer] = asyncio.get_running_loop().call_later(seconds, fire)

    async def end_processes(self) -> None:
        """Ends everything below this agent, to start the ranks anew, and removes what MPI left."""
        async with self._ending:
            await self.processes.kill_all(_END_TIME)
            remove_segments(self._since)
            remove_topologies(self._since)

    def begin_generation(self, generation: int) -> None:
        """The ranks that start from now on are those of that generation."""
        self.ranks = self._new_ranks()
        self.ranks.forget_notice()
        self.environ[contract.GENERATION] = str(generation)

    def _new_ranks(self) -> Ranks:
        expected = 1 if self.settings.launcher == "none" else self.settings.ranks
        return Ranks(expected, self.directory / "notice.json", self._schedule_report)

    async def run_here(
        self, command: str, output: Callable[[int, bytes], Coroutine[Any, Any, None]], started: Callable[[int], None]
    ) -> int:
        """Runs a shell command of mpirun's on this node; gives its exit code after its output has been passed on.

        Args:
            command: for ``sh -c``, as ssh would.
            output: called with 1 or 2 and bytes.
            started: called with the process id, which is also its process group.
        """
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[int] = loop.create_future()
        pipes = {fd: os.pipe() for fd in (1, 2)}
        argv = ["/bin/sh", "-c", command]
        started(self.processes.start(argv, self.environ, partial(settle, ended), stdout=pipes[1][1], stderr=pipes[2][1]))
        for _, write_end in pipes.values():
            os.close(write_end)
        pumps = [loop.create_task(_pump(read_end, fd, output)) for fd, (read_end, _) in pipes.items()]
        code = await ended
        _, late = await asyncio.wait(pumps, timeout=_OUTPUT_TIME)  # a daemon may keep the pipe open
        for pump in late:
            pump.cancel()
        return code

    def notify_ranks(self, reason: str, seconds: float, *, final: bool) -> None:
        """Hands a stop notice to this node's ranks."""
        programs = self.ranks.pids
        told, ended = self.ranks.notify(reason, time.time() + seconds, final, [*programs, *self.processes.below(programs)])
        self.log("notice_passed", reason=reason, sigusr1=told, sigterm=ended, without_handler=max(0, len(programs) - told - ended))

    def wrapped(self, command: tuple[str, ...], rank: int | None = None) -> tuple[str, ...]:
        """The command of a rank, below the wrapper that reports its exit."""
        wrapper = Path(__file__).with_name("rank_wrapper.py")
        number = () if rank is None else ("--rank", str(rank))
        return (sys.executable, "-IS", str(wrapper), *number, "--", *command)

    def run_once_per_node(self, hosts: list[str]) -> None:
        """Starts the command on this node without an MPI; it is told where the others are."""
        env = {**self.environ, contract.HOSTS: ",".join(hosts)}
        command = self.wrapped(self.settings.command, rank=self.settings.node)
        self._attended = False
        self.processes.start(command, env, partial(self._wrapper_ended, self.ranks))

    def _wrapper_ended(self, ranks: Ranks, _: int) -> None:
        """Without an MPI nobody else notices a wrapper that ends before it has reached us."""
        if not self._attended and ranks is self.ranks:
            ranks.end(self.settings.node, None)

    async def _attend(self, peer: node_socket.Peer) -> None:
        """One process of this node: mpirun's shim, or a rank's wrapper."""
        message = await peer.receive()
        match message:
            case ["run", generation, host, command]:
                code = await self.run_elsewhere(host, command, peer) if self._is_of_now(generation) else 255
                await peer.send("exit", str(code))
            case ["rank", generation, rank] if self._is_of_now(generation):
                await self._attend_rank(peer, int(rank))
            case ["checkpoint", generation, step, size, seconds] if self._is_of_now(generation):
                self.log("checkpoint", step=step, bytes=size, seconds=seconds)
                self.checkpointed(int(step))

    def _is_of_now(self, generation: str) -> bool:
        """Whether a process belongs to the ranks of today; one that was killed may have spoken before."""
        return generation == self.environ.get(contract.GENERATION, "")

    async def _attend_rank(self, peer: node_socket.Peer, rank: int) -> None:
        ranks = self.ranks
        await peer.send("environment", *(f"{name}={value}" for name, value in self.environ.items()), fds=(1, 2))
        self._attended = True
        code: int | None = None
        while message := await peer.receive():
            match message:
                case ["started", pid]:
                    ranks.start(rank, int(pid))
                    if ranks.started == 1:
                        self._tell_reclaim()
                case ["exit", number]:
                    code = int(number)
        ranks.end(rank, code)

    async def _watch_reclaim(self) -> None:
        self._reclaimed_at = await reclaim.wait_for_notice(self.settings.metadata_endpoint)
        self._tell_reclaim()

    def _tell_reclaim(self) -> None:
        """Tells of the reclaim that this instance awaits, if it does; ranks that start later must hear of it, too."""
        if self._reclaimed_at is not None:
            self.stop_requested("spot-reclaim", max(0.0, self._reclaimed_at - time.time()), final=False)

    def _schedule_report(self) -> None:
        """Many ranks change at once; one report speaks for them all."""
        if not self._report_due:
            self._report_due = True
            asyncio.get_running_loop().call_soon(self._report)

    def _report(self) -> None:
        self._report_due = False
        self.report_ranks()

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) and not self.done.done():
            self.done.set_exception(error)

    def _broken(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """An error in a callback ends the agent, as one in a task does; one of a stranger's connection does not."""
        loop.default_exception_handler(context)
        if "handle" in context and not self.done.done():
            self.done.set_exception(context["exception"])

    def _introduction(self) -> dict[str, object]:
        of = self.settings
        role = "main" if of.is_main else "child"
        return {
            "job": of.job_id,
            "attempt": of.attempt,
            "role": role,
            "nodes": of.nodes,
            "ranks": self.ranks.expected,
            "pid": os.getpid(),
        }


def settle(future: asyncio.Future[int], code: int) -> None:
    """Gives a future its result unless nobody waits for it any more."""
    if not future.done():
        future.set_result(code)


def hang_up(pid: int) -> None:
    """Ends a command of mpirun's whose requester is gone, as ssh would."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGHUP)
    send_signal(pid, signal.SIGTERM)


async def _pump(read_end: int, fd: int, output: Callable[[int, bytes], Coroutine[Any, Any, None]]) -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    with os.fdopen(read_end, "rb", buffering=0) as pipe:
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
        try:
            while data := await reader.read(1 << 16):
                await output(fd, data)
        finally:
            transport.close()


def _raise_file_limit() -> None:
    """A main node of 1,000 has 1,000 links and as many shims: more open files than most systems allow by default.

    No more than it needs, since ranks inherit the limit, and some programs close every file below it.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
