"""First process of a node: what ``docker run --init`` gives a container (R18). Started by path; standard library only.

    python -I -S init.py FD -- command ...

FD is a socket to the runner. Lines on it, from here: ``ready``, then ``started`` or ``failed WHY``. From there: the node's
setup as JSON, then ``stop`` for SIGTERM to the command. When the runner's end closes, the runner is gone, and so is the node.

Exits with the command's code (128 + signal, as a shell would say) once nothing else of the node lives: this process is the
parent of whatever the command leaves behind, by its PID namespace or as a subreaper.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import socket
import sys
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_CHILD_SUBREAPER = 36
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC = 1, 32, 4096, 16384
LOCKED = os.ST_NOSUID | os.ST_NODEV | os.ST_NOEXEC | os.ST_NOATIME | os.ST_NODIRATIME | os.ST_RELATIME


def main(arguments: list[str]) -> int:
    control = socket.socket(fileno=int(arguments[0]))
    control.set_inheritable(False)
    received, woken = os.pipe()
    os.set_blocking(woken, False)
    os.set_blocking(received, False)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: None)  # a shutdown of the machine: the runner decides what that means
    signal.signal(signal.SIGINT, lambda *_: None)
    _adopt_orphans()
    control.sendall(b"ready\n")
    line = _line(control)
    if line is None:
        return 137
    try:
        _set_up(json.loads(line))
        command = arguments[2:]
        # Python ignores SIGPIPE, and what is ignored stays so in the command.
        child = os.posix_spawnp(command[0], command, os.environ, setsigdef=[signal.SIGPIPE])
    except OSError as error:
        with contextlib.suppress(OSError):
            control.sendall(f"failed {error}\n".encode())
        return 127
    with contextlib.suppress(OSError):
        control.sendall(b"started\n")
    code = _watch(child, control, received)
    _end_rest()
    return code


def _line(control: socket.socket) -> bytes | None:
    """One line, byte by byte so that nothing after it is swallowed; None at the end."""
    line = b""
    while not line.endswith(b"\n"):
        byte = control.recv(1)
        if not byte:
            return None
        line += byte
    return line


def _watch(child: int, control: socket.socket, received: int) -> int:
    """Passes on stops and reaps, until the command has ended."""
    watched = select.poll()  # not select.select, which knows no file above number 1,023: this process inherits some
    for number in (control.fileno(), received):
        watched.register(number, select.POLLIN)
    while True:
        readable = dict(watched.poll())
        if control.fileno() in readable:
            order = control.recv(4096)
            if not order:  # the runner is gone
                watched.unregister(control.fileno())
                _kill(child, signal.SIGKILL)
            for word in order.split():
                if word == b"stop":
                    _kill(child, signal.SIGTERM)
        if received in readable:
            with contextlib.suppress(BlockingIOError):
                os.read(received, 4096)
            while (ended := _reap()) is not None:
                if ended[0] == child:
                    code = os.waitstatus_to_exitcode(ended[1])
                    return code if code >= 0 else 128 - code


def _reap() -> tuple[int, int] | None:
    try:
        pid, status = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return None
    return (pid, status) if pid else None


def _kill(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _end_rest() -> None:
    """SIGKILL to everything the command left behind; orphans of what dies here come back as children, hence the loop."""
    with contextlib.suppress(ChildProcessError):  # raised when there is no child any more
        while True:
            if os.waitpid(-1, os.WNOHANG)[0]:
                continue
            if os.getpid() == 1:
                _kill(-1, signal.SIGKILL)  # everything in this PID namespace
            else:
                for pid in [pid for pid, parent in parents().items() if parent == os.getpid()]:
                    _kill(pid, signal.SIGKILL)
            os.waitpid(-1, 0)


def parents() -> dict[int, int]:
    """Parent of every process that is more than a zombie."""
    found = {}
    for directory in Path("/proc").iterdir():
        if not directory.name.isdigit():
            continue
        try:
            state, parent = (directory / "stat").read_bytes().rpartition(b")")[2].split()[:2]
        except OSError:
            continue  # ended meanwhile
        if state not in b"ZX":
            found[int(directory.name)] = int(parent)
    return found


def _adopt_orphans() -> None:
    if os.getpid() != 1:
        LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


# --- Only for nodes with namespaces of their own --------------------------------------------------------------------------


def _set_up(setup: dict) -> None:  # type: ignore[type-arg]
    """What an isolated node needs before its command: a name, a network, the job's mounts; nothing for other nodes."""
    if not setup:
        return
    import subprocess  # noqa: PLC0415

    socket.sethostname(setup["hostname"])
    network = f"link set lo up\naddress add {setup['address']} dev eth0\nlink set eth0 up\n"
    done = subprocess.run([setup["ip"], "-batch", "-"], input=network.encode(), capture_output=True, check=False)
    if done.returncode:
        raise OSError(f"ip: {done.stderr.decode(errors='replace').strip()}")
    missing = [os.path.realpath(target) for _, target, _ in setup["binds"] if not Path(target).exists()]
    if missing:
        _enter_mirror(setup["root"], missing)
    _mount("tmpfs", "/dev/shm", "tmpfs", 0, f"size={setup['shared_memory']}m,mode=1777")  # noqa: S108
    for source, target, read_only in setup["binds"]:
        _mount(source, target, None, MS_BIND | MS_REC)
        if read_only:
            # What the source's mount forbids cannot be allowed again in a user namespace: repeat it.
            locked = os.statvfs(target).f_flag & LOCKED
            _mount(None, target, None, MS_BIND | MS_REMOUNT | MS_RDONLY | locked)


def _mount(source: str | None, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    texts = [text.encode() if text is not None else None for text in (source, target, kind)]
    if LIBC.mount(*texts, flags, data.encode() if data is not None else None):
        number = ctypes.get_errno()
        raise OSError(number, f"mount of {source or 'options'}: {os.strerror(number)}", target)


def _enter_mirror(root: str, missing: list[str]) -> None:
    """Changes the root to a copy of it, made of bind mounts, in which the missing directories exist.

    So no directory need be made on the machine itself for the node's mounts.
    """
    here = Path.cwd()
    _mount("tmpfs", root, "tmpfs", 0, "mode=755")
    _mirror(Path("/"), Path(root), [target.strip("/").split("/") for target in missing])
    os.chroot(root)
    os.chdir(here)


def _mirror(directory: Path, copy: Path, missing: list[list[str]]) -> None:
    for entry in directory.iterdir():
        twin = copy / entry.name
        below = [parts[1:] for parts in missing if parts[0] == entry.name and len(parts) > 1]
        if entry.is_symlink():
            twin.symlink_to(entry.readlink())
        elif not entry.is_dir():
            twin.touch()
            _mount(str(entry), str(twin), None, MS_BIND)
        elif below:
            twin.mkdir()
            _mirror(entry, twin, below)
        else:
            twin.mkdir()
            _mount(str(entry), str(twin), None, MS_BIND | MS_REC)
    for parts in missing:
        copy.joinpath(*parts).mkdir(parents=True, exist_ok=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
