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
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from batchhpc.agent import contract
from batchhpc.agent.leftovers import remove_topologies
from batchhpc.errors import Unavailable
from batchhpc.local import metadata
from batchhpc.local.definition import NodePlan
from batchhpc.local.network import Instance, host_name

NETWORK = ipaddress.IPv4Network("10.77.0.0/16")
SWITCH = NETWORK[-2]
MOST_NODES = 1023  # ports of a bridge
SEPARATE = ("--net", "--uts", "--pid", "--ipc", "--mount", "--mount-proc", "--fork", "--kill-child=SIGKILL")
USER_NAMESPACE = ("unshare", "--user", "--map-root-user", "--")
HINT = (
    "  hint: apt-get install util-linux iproute2; then run as root, or allow user namespaces:\n"
    "        sysctl kernel.unprivileged_userns_clone=1 (Debian), sysctl kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu);\n"
    "        or run without --isolate"
)


class IsolatedNetwork:
    """A bridge in a namespace of its own, with 10.77.0.0/16; a port is named after its instance, so that none meets an older one.

    Args:
        nodes: how many the job has.
        attempts: how often each may be started.

    Raises:
        Unavailable: there are not as many addresses or ports, or the machine refuses.
    """

    def __init__(self, nodes: int, attempts: int) -> None:
        if nodes > MOST_NODES or nodes * attempts > NETWORK.num_addresses - 3:
            most = f"{MOST_NODES} at once, and {NETWORK.num_addresses - 3} over all attempts"
            raise Unavailable(
                f"{nodes} nodes x {attempts} attempts are more than can be isolated: {most}\n  hint: run without --isolate"
            )
        self._nodes = nodes
        service = [sys.executable, "-I", "-S", str(Path(metadata.__file__)), "0.0.0.0", "80"]  # noqa: S104 - of the switch only
        self._since = time.time()
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

    def instance(self, node: int, attempt: int) -> Instance:
        number = (attempt - 1) * self._nodes + node
        made = Instance(number, str(NETWORK[number + 1]), host_name(node, attempt))
        self._tell(f"add {made.id} {made.address}")
        return made

    def variables(self, instance: Instance) -> dict[str, str]:
        return {
            contract.METADATA_ENDPOINT: f"http://{SWITCH}:80/{instance.id}",
            # UCX, MPICH's transport, sees that all nodes have one kernel and would use shared memory between them: not what
            # a network does, and impossible from one PID namespace into another.
            "UCX_TLS": "tcp,self",
        }

    def wrap(self, command: Sequence[str]) -> list[str]:
        return [_program("unshare"), *SEPARATE, "--", *command]

    def attach(self, instance: Instance, node: NodePlan, scratch: Path, pid: int) -> dict[str, Any]:
        port = _port(instance)
        self._ip(f"link add {port} type veth peer name eth0 netns {pid}\nlink set {port} master br0 up")
        root = scratch / "root"
        root.mkdir()
        hosts = scratch / "hosts"
        hosts.write_text(f"127.0.0.1 localhost\n{instance.address} {instance.host_name}\n")
        binds: list[list[str | bool]] = [[str(hosts), "/etc/hosts", True]] if Path("/etc/hosts").exists() else []
        # Outer mounts first, or they would hide the inner ones.
        mounts = sorted(node.mounts, key=lambda mount: len(Path(mount.target).parts))
        binds += [[mount.source, mount.target, mount.read_only] for mount in mounts]
        return {
            "hostname": instance.host_name,
            "address": f"{instance.address}/{NETWORK.prefixlen}",
            "ip": _program("ip"),
            "binds": binds,
            "root": str(root),
            "shared_memory": node.shared_memory,
        }

    def end(self, pid: int) -> None:
        # With it goes the first process of the PID namespace (--kill-child), and with that all others.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def notice(self, instance: Instance, deadline: float) -> None:
        self._tell(f"notice {instance.id} {deadline}")

    def partition(self, instance: Instance) -> None:
        # Off the bridge, but with its carrier: the node's own kernel must not notice anything.
        self._ip(f"link set {_port(instance)} nomaster")

    def delay(self, instance: Instance, seconds: float) -> None:
        self._inside("tc", "qdisc", "add", "dev", _port(instance), "root", "netem", "delay", f"{seconds * 1000:g}ms")

    def release(self, instance: Instance) -> None:
        # The kernel takes the port away with the node's namespace.
        with contextlib.suppress(BrokenPipeError):  # the switch was killed
            self._tell(f"remove {instance.id}")

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
        remove_topologies(self._since)

    def _tell(self, change: str) -> None:
        """Passes a change on to the metadata service."""
        assert self._switch.stdin
        self._switch.stdin.write(f"{change}\n")
        self._switch.stdin.flush()

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


def _port(instance: Instance) -> str:
    """The instance's port of the bridge."""
    return f"p{instance.number}"


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
