#!/bin/sh
# Python $PYTHON with venv, by the system's own package tool; nothing is fetched where the base image has it.
set -eu
if "$PYTHON" -c 'import ensurepip, venv' 2> /dev/null; then
    exit 0
fi
if command -v dnf > /dev/null; then
    dnf install --assumeyes --setopt=install_weak_deps=False "$PYTHON"
    dnf clean all
else
    apt-get update
    apt-get install --yes --no-install-recommends "$PYTHON" "$PYTHON-venv" ca-certificates
    rm -rf /var/lib/apt/lists/*
fi
