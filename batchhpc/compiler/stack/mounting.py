"""The script that mounts an environment's storage on each node.

It fails closed: the ECS service gets a condition that everything is mounted before anything is, so that a node on which a
mount failed, or the script was killed, never joins; jobs would write to its root disk instead.
"""

from __future__ import annotations

from shlex import quote
from typing import Final

from batchhpc.compiler.environment import EnvironmentPlan
from batchhpc.compiler.stack.efs import efs_name
from batchhpc.compiler.stack.lustre import lustre_name
from batchhpc.spec.storage import Storage

DEADLINE: Final = 300  # seconds for all mounts; AWS Batch gives up on nodes that do not join in time (R75)

_HEAD: Final = r"""#!/bin/bash
set -Eeuo pipefail

fail() {
  echo "batchhpc: this node does not join: $1" | tee /dev/console >&2
  systemctl mask --no-block --now ecs
  exit 1
}
trap 'fail "line $LINENO of the mounting script"' ERR

again() {
  until timeout 120 "$@"; do
    ((SECONDS < DEADLINE)) || fail "no success within DEADLINE s: $*"
    sleep 5
  done
}

open_to_jobs() { # jobs need not be root; whoever changed the mode already is right
  if [ "$(stat -c %a "$1")" = 755 ]; then chmod 1777 "$1"; fi
}
"""

_DEVICE: Final = r"""
device() { # the disk behind a name of the launch template: a link on Amazon Linux, else what the NVMe disk says of itself
  local disk
  while ((SECONDS < DEADLINE)); do
    if [ -b "$1" ]; then readlink -f "$1"; return; fi
    for disk in /dev/nvme*n1; do
      if [[ "$(ebsnvme-id -b "$disk" 2>/dev/null || true)" == *"$(basename "$1")" ]]; then echo "$disk"; return; fi
    done
    sleep 2
  done
  return 1
}
"""

_RAID: Final = r"""
mapfile -t disks < <(find /dev/disk/by-id -name 'nvme-Amazon_EC2_NVMe_Instance_Storage_*' -exec readlink -f {} + | sort -u)
case ${#disks[@]} in
  0) fail "the instance has no disks of its own (R100)" ;;
  1) disk=${disks[0]} ;;
  *)
    disk=/dev/md/batchhpc
    mdadm --create "$disk" --run --level=0 --raid-devices=${#disks[@]} "${disks[@]}"
    ;;
esac
mkfs.xfs -q -f "$disk"
"""

# AWS's own script: it loads Lustre's modules with the options that EFA needs, before anything else does (R105)
_EFA: Final = r"""
cd "$(mktemp -d)"
again curl -fsSO https://docs.aws.amazon.com/fsx/latest/LustreGuide/samples/configure-efa-fsx-lustre-client.zip
unzip -q configure-efa-fsx-lustre-client.zip
(cd configure-efa-fsx-lustre-client && ./setup.sh)
"""


def script(plan: EnvironmentPlan) -> str:
    """The script, as `Fn::Sub` takes it; empty if there is nothing to mount."""
    storage = plan.spec.storage
    if not storage:
        return ""
    parts = [_literal(_HEAD), _gate(storage), _packages(storage)]
    if any(each.ebs for each in storage):
        parts.append(_literal(_DEVICE))
    if any(each.lustre and each.lustre.efa for each in storage):
        parts.append(_literal(_EFA))
    volumes = 0
    for each in storage:
        parts.append(f"\nmkdir -p {quote(each.mount)}\n{_mount(each, volumes)}open_to_jobs {quote(each.mount)}\n")
        volumes += each.ebs is not None
    return "".join(parts)


def data_device(i: int) -> str:
    """Device name of the i-th data volume; on Nitro a link to the NVMe device that it really is."""
    return f"/dev/sd{'fghijklmnop'[i]}"


def _literal(shell: str) -> str:
    """Shell that `Fn::Sub` leaves as it is."""
    return shell.replace("DEADLINE", str(DEADLINE)).replace("${", "${!")


def _gate(storage: tuple[Storage, ...]) -> str:
    tests = "".join(f"ExecStartPre=/usr/bin/mountpoint -q {each.mount}\n" for each in storage)
    return (
        "\nmkdir -p /etc/systemd/system/ecs.service.d\n"
        f"cat >/etc/systemd/system/ecs.service.d/batchhpc.conf <<'END'\n[Service]\n{tests}END\nsystemctl daemon-reload\n"
    )


def _packages(storage: tuple[Storage, ...]) -> str:
    needed = {
        "amazon-efs-utils": any(each.efs for each in storage),
        "lustre-client": any(each.lustre for each in storage),
        "mdadm": any(each.instance_store for each in storage),
        "unzip": any(each.lustre and each.lustre.efa for each in storage),
        "xfsprogs": any(each.ebs or each.instance_store for each in storage),
    }
    return f"\nagain dnf install -qy {' '.join(name for name, wanted in needed.items() if wanted)}\n"


def _mount(storage: Storage, volumes: int) -> str:
    where = quote(storage.mount)
    if storage.lustre is not None:
        name = lustre_name(storage)  # the mount name is each file system's own (R106)
        return f'again mount -t lustre -o relatime,flock "${{{name}.DNSName}}@tcp:/${{{name}.LustreMountName}}" {where}\n'
    if storage.efs is not None:
        return f'again mount -t efs -o tls,iam "${{{efs_name(storage)}}}" {where}\n'
    if storage.ebs is not None:
        name = data_device(volumes)
        made = f'disk=$(device {name})\nif [ -z "$(blkid -p "$disk" || true)" ]; then mkfs.xfs -q "$disk"; fi\n'
        return f'{made}mount -o noatime "$disk" {where}\n'
    return f'{_literal(_RAID).lstrip()}mount -o noatime "$disk" {where}\n'
