#!/bin/sh
# The user space of EFA: libfabric in /opt/amazon/efa, Open MPI 5 in /opt/amazon/openmpi5 (R89). The kernel module and the limits
# belong to the host (R88), and a build machine has no device that the installer could verify.
set -eu
if command -v dnf > /dev/null; then
    dnf install --assumeyes --setopt=install_weak_deps=False tar gzip findutils which
else
    apt-get update
    apt-get install --yes --no-install-recommends curl ca-certificates
fi

work=$(mktemp -d)
cd "$work"
curl --fail --silent --show-error --location --retry 3 --output efa.tar.gz \
    "https://efa-installer.amazonaws.com/aws-efa-installer-$EFA_VERSION.tar.gz"
echo "$EFA_SHA256  efa.tar.gz" | sha256sum --check
tar -xzf efa.tar.gz
cd aws-efa-installer
./efa_installer.sh -y --mpi=openmpi5 --skip-kmod --skip-limit-conf --no-verify
cd /
rm -rf "$work"

if command -v dnf > /dev/null; then
    dnf clean all
else
    rm -rf /var/lib/apt/lists/*
fi
test -x /opt/amazon/openmpi5/bin/mpirun
