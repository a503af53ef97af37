"""What starts quickly and needs nothing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

LIST_MODULES = "import json, sys; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"


def modules(code, *flags):
    """Top-level modules that are loaded after some code has run."""
    done = subprocess.run(
        [sys.executable, *flags, "-c", f"{code}\n{LIST_MODULES}"],
        capture_output=True, text=True, check=True, env={"PYTHONPATH": str(Path.cwd()), "PATH": "/nowhere"},
    )  # fmt: skip
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_the_agent_needs_nothing_but_python():
    """All of the agent loads without site-packages: an image needs only `pip install --no-deps batchhpc`."""
    loaded = modules("import batchhpc.agent.__main__", "-S")
    assert loaded - set(sys.stdlib_module_names) <= {"batchhpc", "__main__"}


@pytest.mark.parametrize("script", ["shim", "rank_wrapper"])
def test_what_runs_once_per_rank_or_node_loads_nothing_of_batchhpc(script):
    """What mpirun starts up to 1,000 times at once are plain scripts."""
    source = Path(f"batchhpc/agent/{script}.py").read_text()
    loaded = modules(f"import sys\nsys.argv = ['x']\nexec(compile({source!r}, 'x', 'exec'), {{'__name__': 'x'}})", "-S")
    assert not loaded & {"batchhpc", "asyncio", "ctypes", "subprocess", "dataclasses", "typing"}


@pytest.mark.parametrize(
    "code",
    ["import batchhpc", "from batchhpc.cli.main import main\ntry:\n    main(['--help'])\nexcept SystemExit: pass"],
    ids=["import batchhpc", "batchhpc --help"],
)
def test_start_up_loads_nothing_heavy(code):
    """Importing the package and asking for help load no third-party module."""
    assert not modules(code) & {"pydantic", "rich", "ruamel", "numpy", "mpi4py", "boto3", "asyncio"}


def test_the_import_rules_hold():
    """Who may import whom is checked by a tool, not wished for."""
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
