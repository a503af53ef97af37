"""The images' Dockerfiles and scripts, judged by hadolint, shellcheck and checkov."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
CONTAINERS = CHECKOUT / "containers"
DOCKERFILES = sorted(CONTAINERS.glob("*/Dockerfile"))
SCRIPTS = sorted(CONTAINERS.glob("*/*.sh"))
BIN = Path(sys.executable).parent
CHECKOV = CHECKOUT / ".venv-validators" / "bin" / "checkov"


def judged(*command: str | Path) -> str:
    """What a linter says; nothing if all is well."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, cwd=CHECKOUT)
    return done.stdout + done.stderr if done.returncode else ""


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.parent.name)
def test_hadolint(path: Path):
    """Hadolint finds nothing, but for the rules that .hadolint.yaml excepts with a reason."""
    assert judged(BIN / "hadolint", "--config", CHECKOUT / ".hadolint.yaml", path) == ""


def test_shellcheck():
    """Shellcheck finds nothing in the images' scripts."""
    assert judged(BIN / "shellcheck", "--severity", "style", *SCRIPTS) == ""


@pytest.mark.skipif(not CHECKOV.exists(), reason="checkov is not installed: make validators")
def test_checkov():
    """Checkov finds nothing, but for the checks skipped with a reason in the files."""
    words = ("--framework", "dockerfile", "--directory", CONTAINERS, "--compact", "--quiet", "--skip-download", "--output", "json")
    done = subprocess.run([str(CHECKOV), *map(str, words)], capture_output=True, text=True, check=False)
    said = json.loads(done.stdout)
    assert said["results"]["failed_checks"] == []
    assert said["summary"]["passed"] > 0


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.parent.name)
def test_base_image_is_an_argument(path: Path):
    """Every image stands on ARG BASE_IMAGE, which is pinned by digest where it has a default, and does not run as root."""
    text = path.read_text()
    (default,) = re.findall(r"^ARG BASE_IMAGE(?:=(.*))?$", text, re.MULTILINE)
    assert not default or re.search(r"@sha256:[0-9a-f]{64}$", default)
    assert re.findall(r"^USER (.*)$", text, re.MULTILINE)[-1] == "1000:1000"


@pytest.mark.parametrize("path", sorted(CONTAINERS.glob("*/requirements*.txt")), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_requirements_are_pinned(path: Path):
    """Every package has one version and hashes, and no file says where this machine's packages came from."""
    text = path.read_text()
    entries = re.split(r"\n(?=[a-z0-9])", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).strip())
    assert all(re.match(r"[a-z0-9-]+==[0-9][0-9a-z.]* \\\n    --hash=sha256:", entry) for entry in entries)
    assert "://" not in text
    assert "--find-links" not in text
