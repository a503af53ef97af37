"""Nodes as namespaces: each with a network, host name, processes, shared memory and mounts of its own.

No namespace has a name: the first process of each node holds the node's, the metadata service holds the switch's, and the
kernel takes them away with their holders. It needs root, or `isolation_command`'s user namespace.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from batchhpc.agent import contract
from batchhpc.errors import Unavailable
from batchhpc.local import metadata
from batchhpc.local.definition import JobPlan

NETWORK = ipaddress.IPv4Network("10.77.0.0/16")
SWITCH = NETWORK[-2]
SEPARATE = ("--net", "--uts", "--pid", "--ipc", "--mount", "--mount-proc", "--fork", "--kill-child=SIGKILL")
USER_NAMESPACE = ("unshare", "--user", "--map-root-user", "--")
HINT = (
    "  hint: apt-get install util-linux iproute2; then run as root, or allow user namespaces:\n"
    "        sysctl kernel.unprivileged_userns_clone=1 (Debian), sysctl kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu);\n"
    "        or run without --isolate"
)


class IsolatedNetwork:
    """A bridge in a namespace of its own; node k has 10.77.0.0/16's address k + 1 there.

    Args:
        plan: whose nodes are to be connected; their mounts have sources of this machine.
        scratch: a directory that lives as long as this network.
    """

    def __init__(self, plan: JobPlan, scratch: Path) -> None:
        self._plan = plan
        self._scratch = scratch
        service = [sys.executable, "-I", "-S", str(Path(metadata.__file__)), "0.0.0.0", "80"]  # noqa: S104 - of the switch only
        self._switch = subprocess.Popen(
            [_program("unshare"), "--net", "--", *service],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            text=True,
        )
        assert self._switch.stdout
        try:
            self._await_switch()
            self._ip(f"link set lo up\nlink add br0 type bridge\naddress add {SWITCH}/{NETWORK.prefixlen} dev br0\nlink set br0 up")
        except BaseException:
            self.close()
            raise

    def address(self, node: int) -> str:
        return str(NETWORK[node + 1])

    def variables(self, node: int) -> dict[str, str]:
        return {
            contract.METADATA_ENDPOINT: f"http://{SWITCH}:80/node-{node}",
            # UCX, MPICH's transport, sees that all nodes have one kernel and would use shared memory between them: not what
            # a network does, and impossible from one PID namespace into another.
            "UCX_TLS": "tcp,self",
        }

    def wrap(self, command: Sequence[str]) -> list[str]:
        return [_program("unshare"), *SEPARATE, "--", *command]

    def attach(self, node: int, pid: int) -> dict[str, Any]:
        self._ip(f"link add p{node} type veth peer name eth0 netns {pid}\nlink set p{node} master br0 up")
        definition = self._plan.nodes[node]
        root = self._scratch / f"root-{node}"
        root.mkdir()
        hosts = self._scratch / f"hosts-{node}"
        hosts.write_text(f"127.0.0.1 localhost\n{self.address(node)} node-{node}\n")
        binds: list[list[str | bool]] = [[str(hosts), "/etc/hosts", True]] if Path("/etc/hosts").exists() else []
        # Outer mounts first, or they would hide the inner ones.
        mounts = sorted(definition.mounts, key=lambda mount: len(Path(mount.target).parts))
        binds += [[mount.source, mount.target, mount.read_only] for mount in mounts]
        return {
            "hostname": f"node-{node}",
            "address": f"{self.address(node)}/{NETWORK.prefixlen}",
            "ip": _program("ip"),
            "binds": binds,
            "root": str(root),
            "shared_memory": definition.shared_memory,
        }

    def end(self, pid: int) -> None:
        # With it goes the first process of the PID namespace (--kill-child), and with that all others.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def notice(self, node: int, deadline: float) -> None:
        assert self._switch.stdin
        self._switch.stdin.write(f"{node} {deadline}\n")
        self._switch.stdin.flush()

    def partition(self, node: int) -> None:
        # Off the bridge, but with its carrier: the node's own kernel must not notice anything.
        self._ip(f"link set p{node} nomaster")

    def delay(self, node: int, seconds: float) -> None:
        self._inside("tc", "qdisc", "add", "dev", f"p{node}", "root", "netem", "delay", f"{seconds * 1000:g}ms")

    def close(self) -> None:
        assert self._switch.stdin
        assert self._switch.stdout
        self._switch.stdin.close()  # the service ends with its input
        try:
            self._switch.wait(5)
        except subprocess.TimeoutExpired:
            self._switch.kill()
            self._switch.wait()
        self._switch.stdout.close()

    def _await_switch(self) -> None:
        assert self._switch.stdout
        first = self._switch.stdout.readline()
        if first != "serving\n":
            raise Unavailable(f"no switch between the nodes: {first}{self._switch.stdout.read()}".rstrip())

    def _ip(self, batch: str) -> None:
        self._inside("ip", "-batch", "-", text=batch)

    def _inside(self, program: str, *arguments: str, text: str = "") -> None:
        """Runs a program in the switch's network namespace."""
        command = [_program("nsenter"), "--net", "--target", str(self._switch.pid), "--", _program(program), *arguments]
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=30)
        if done.returncode:
            raise Unavailable(f"{' '.join([program, *arguments])} ({text}): {done.stderr.strip()}")


def isolation_command(command: Sequence[str]) -> list[str]:
    """How to run a command so that it can isolate nodes: as it is, or as root of a user namespace of its own.

    Raises:
        Unavailable: neither can be had here.
    """
    refused = _refusal()
    if not refused:
        return list(command)
    if os.geteuid() != 0 and not _refusal(USER_NAMESPACE):
        return [*USER_NAMESPACE, *command]
    raise Unavailable(f"nodes cannot be isolated here: {refused}\n{HINT}")


def check_isolation() -> None:
    """Makes sure that this process can isolate nodes.

    Raises:
        Unavailable: it cannot.
    """
    if refused := _refusal():
        raise Unavailable(f"this process cannot isolate nodes: {refused}\n{HINT}")


def check_delay() -> None:
    """Makes sure that the kernel can delay packets.

    Raises:
        Unavailable: it cannot.
    """
    command = [_program("unshare"), "--net", "--", _program("tc"), *["qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"]]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    if done.returncode:
        raise Unavailable(
            f"packets cannot be delayed here: {done.stderr.strip()}\n  hint: modprobe sch_netem, or leave out delay faults"
        )


def _refusal(prefix: Sequence[str] = ()) -> str:
    """Why a bridge between namespaces cannot be made after this prefix; empty if it can. Leaves nothing behind."""
    try:
        _program("nsenter")
        command = [*prefix, _program("unshare"), *SEPARATE, "--", _program("ip"), *["link", "add", "br0", "type", "bridge"]]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    except (Unavailable, OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return done.stderr.strip() or f"exit code {done.returncode}" if done.returncode else ""


def _program(name: str) -> str:
    """Path of an administrator's program, which a user's PATH may lack."""
    path = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"]))
    if path is None:
        raise Unavailable(f"{name} is not on this machine\n{HINT}")
    return path
