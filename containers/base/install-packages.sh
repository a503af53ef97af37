#!/bin/sh
# /opt/batchhpc: a virtual environment with what the requirements pin, and the agent. Argument: the MPI.
# PyPI is not needed if the context has all wheels in wheels/ and PIP_NO_INDEX is 1.
set -eu
context=$(dirname "$0")
venv=/opt/batchhpc
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
export PIP_FIND_LINKS="${PIP_FIND_LINKS:-$context/wheels}"

"$PYTHON" -m venv "$venv"
pip="$venv/bin/python3 -m pip"
if [ "$1" = efa ]; then
    # mpi4py is compiled against the MPI it will run with, by tools that stay in this stage.
    if command -v dnf > /dev/null; then
        dnf install --assumeyes --setopt=install_weak_deps=False gcc "$PYTHON-devel"
    else
        apt-get update
        apt-get install --yes --no-install-recommends gcc libc6-dev "$PYTHON-dev"
    fi
    $pip install --require-hashes --requirement "$context/requirements-build.txt"
    MPICC=/opt/amazon/openmpi5/bin/mpicc $pip install --require-hashes --only-binary numpy \
        --no-binary mpi4py --no-build-isolation --requirement "$context/requirements.txt"
    $pip uninstall --yes cython setuptools
else
    $pip install --require-hashes --only-binary :all: --requirement "$context/requirements.txt" \
        --requirement "$context/requirements-$1.txt"
fi
$pip install --no-deps --no-index "$context"/dist/batchhpc-*.whl
# With the libraries of the image and no others, from here on.
$pip uninstall --yes pip
