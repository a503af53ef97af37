"""Nodes that mpirun reaches by itself: one sshd per loopback address, with keys and a directory of its own, or a stand-in."""

from __future__ import annotations

import contextlib
import getpass
import ipaddress
import os
import random
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from batchhpc.local.processes import end_tree
from benchmarks.measure import Missing

NEEDED = "needs a real sshd to compare with: apt-get install -y --no-install-recommends openssh-server openssh-client"
# A home without the start-up files of the user's shell, which may take longer than all the rest.
_SSHD = """\
ListenAddress {address}:{port}
HostKey {key}
AuthorizedKeysFile {user_key}.pub
PidFile {pid}
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
UseDNS no
LogLevel ERROR
SetEnv TMPDIR={temporary} HOME={temporary}
"""
_SSH = """\
Host *
  User {user}
  IdentityFile {user_key}
  IdentitiesOnly yes
  BatchMode yes
  UserKnownHostsFile {known_hosts}
  StrictHostKeyChecking yes
  ConnectTimeout 10
  LogLevel ERROR
"""
_SEPARATION = Path("/run/sshd")  # sshd insists on it when root starts it
_START_TIME = 10.0  # seconds


# What ssh does but for the network: the node is the process tree below the program that mpirun starts.
_STAND_IN = """\
while [ "${{1#-}}" != "$1" ]; do shift; done
host=$1; shift
echo $$ > "{directory}/$host.pid"
exec /bin/sh -c "$*"
"""


@dataclass(frozen=True, slots=True)
class Nodes:
    """``hosts``: their addresses; ``rsh``: the program that mpirun is given to reach them."""

    hosts: list[str]
    directory: Path

    @property
    def rsh(self) -> Path:
        return self.directory / "rsh"

    def root(self, node: int) -> int:
        """The process under which all of a node lives, once mpirun has reached it."""
        return int((self.directory / f"{self.hosts[node]}.pid").read_text())


def available() -> bool:
    """Whether this machine has an sshd."""
    return _sshd() is not None and shutil.which("ssh") is not None


def version() -> dict[str, str]:
    """For the report."""
    if not available():
        return {}
    said = subprocess.run(["ssh", "-V"], capture_output=True, text=True, check=False).stderr
    return {"OpenSSH": said.partition("_")[2].split(",")[0].split()[0]}


def addresses(nodes: int) -> list[str]:
    """Loopback addresses that chance keeps apart from what else runs here."""
    base = ipaddress.IPv4Address("127.0.0.0") + (random.SystemRandom().randrange(1 << 16, (1 << 24) - 4096) & ~0xFF)
    return [str(base + node + 1) for node in range(nodes)]


@contextmanager
def ssh_nodes(count: int, directory: Path) -> Iterator[Nodes]:
    """Starts the daemons; ends them, and all below them.

    Raises:
        Missing: there is no sshd here.
        RuntimeError: it does not start.
    """
    sshd = _sshd()
    if not sshd or not available():
        raise Missing(NEEDED)
    nodes = Nodes(addresses(count), directory)
    user_key, known_hosts, config = directory / "user", directory / "known_hosts", directory / "ssh_config"
    _make_key(user_key)
    text = [_SSH.format(user=getpass.getuser(), user_key=user_key, known_hosts=known_hosts)]
    made_separation = os.geteuid() == 0 and not _SEPARATION.exists()
    if made_separation:
        _SEPARATION.mkdir(mode=0o755, exist_ok=True)
    daemons, ports = [], []
    try:
        for index, address in enumerate(nodes.hosts):
            key, port, temporary = directory / f"host-{index}", _free_port(address), directory / f"tmp-{index}"
            _make_key(key)
            temporary.mkdir()
            own = directory / f"sshd-{index}"
            pid = directory / f"{address}.pid"
            own.write_text(_SSHD.format(address=address, port=port, key=key, pid=pid, user_key=user_key, temporary=temporary))
            daemons.append(
                subprocess.Popen([sshd, "-D", "-E", str(directory / f"log-{index}"), "-f", str(own)], stdin=subprocess.DEVNULL)
            )
            with known_hosts.open("a") as file:
                file.write(f"[{address}]:{port} {key.with_suffix('.pub').read_text()}")
            text.append(f"Host {address}\n  Port {port}\n")
            ports.append((address, port))
        config.write_text("".join([*text[1:], text[0]]))
        _write_program(nodes.rsh, f'exec ssh -F "{config}" "$@"\n')
        for end in ports:
            _wait_for(end)
        yield nodes
    finally:
        for daemon in daemons:
            if daemon.poll() is None:
                end_tree(daemon.pid)
            daemon.wait()
        if made_separation:
            with contextlib.suppress(OSError):
                _SEPARATION.rmdir()


@contextmanager
def stand_in_nodes(count: int, directory: Path) -> Iterator[Nodes]:
    """The same without ssh, for machines that have none."""
    nodes = Nodes(addresses(count), directory)
    _write_program(nodes.rsh, _STAND_IN.format(directory=directory))
    yield nodes


def _sshd() -> str | None:
    """Its absolute path, which it insists on being started by."""
    return shutil.which("sshd", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"]))


def _make_key(path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "bench", "-f", str(path)], check=True, timeout=_START_TIME)


def _free_port(address: str) -> int:
    with socket.create_server((address, 0)) as probe:
        return int(probe.getsockname()[1])


def _wait_for(end: tuple[str, int]) -> None:
    deadline = time.monotonic() + _START_TIME
    while True:
        try:
            socket.create_connection(end, timeout=1.0).close()
        except OSError as error:
            if time.monotonic() > deadline:
                raise RuntimeError(f"sshd does not answer on {end[0]}: {error}") from error
            time.sleep(0.02)
        else:
            return


def _write_program(path: Path, lines: str) -> None:
    path.write_text(f"#!/bin/sh\n{lines}")
    path.chmod(0o700)
