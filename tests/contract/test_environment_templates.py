from __future__ import annotations

import base64
import email
import json
import subprocess
import sys
from pathlib import Path

import pytest

from batchhpc.compiler.environment import OUTPUTS
from batchhpc.compiler.stack.metadata import environment_data
from batchhpc.spec import EnvironmentSpec
from tests.contract.cfn_lint import complaints_of_cfn_lint
from tests.contract.golden.regenerate import (
    ENVIRONMENTS,
    compiled_environment,
    environment_case,
    environment_document,
    environment_names,
)
from tests.contract.template_values import complaints_of_services, resolved

NAMES = environment_names("good")
CHECKOV = Path(__file__).parents[2] / ".venv-validators" / "bin" / "checkov"
SHELLCHECK = Path(sys.executable).parent / "shellcheck"


@pytest.mark.parametrize("name", NAMES)
def test_a_good_environment_compiles_to_its_golden_template(name):
    """Every good environment compiles to exactly the bytes that were read and agreed on."""
    assert environment_document(name) == (ENVIRONMENTS / "good" / f"{name}.json").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_cfn_lint_has_nothing_to_say(name):
    """Every golden template passes cfn-lint without an error or a warning."""
    assert complaints_of_cfn_lint(compiled_environment(name).template) == []


@pytest.mark.parametrize("name", NAMES)
def test_the_services_would_take_what_cloudformation_sends_them(name):
    """As requests to Batch, EC2, EFS and FSx the resources pass the SDK's validator and the walker of its description."""
    assert complaints_of_services(compiled_environment(name).template) == {"botocore": [], "walker": []}


@pytest.mark.skipif(not CHECKOV.exists(), reason="needs checkov: make validators")
def test_checkov_has_nothing_to_say_but_what_is_justified(tmp_path):
    """No check of checkov fails, and each that is skipped on a resource with a reason would fail without it."""
    said: dict[str, dict[str, list[str]]] = {}
    for name in NAMES:
        template = compiled_environment(name).template
        skipping = {key: one["Metadata"]["checkov"]["skip"] for key, one in template["Resources"].items() if "Metadata" in one}
        assert all(len(each["comment"]) > 20 for skips in skipping.values() for each in skips)
        said[name] = {"skip": sorted(f"{each['id']} {key}" for key, skips in skipping.items() for each in skips)}
        bare = {key: {inner: one[inner] for inner in one if inner != "Metadata"} for key, one in template["Resources"].items()}
        (tmp_path / f"{name}.json").write_text(json.dumps(template))
        (tmp_path / f"{name}-bare.json").write_text(json.dumps({**template, "Resources": bare}))
    command = [str(CHECKOV), "-d", str(tmp_path), "--framework", "cloudformation", "--skip-download", "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=110)
    results = json.loads(done.stdout)["results"]
    failed: dict[str, list[str]] = {}
    for check in results["failed_checks"]:
        failed.setdefault(Path(check["file_path"]).stem, []).append(f"{check['check_id']} {check['resource'].split('.')[1]}")
    for name in NAMES:
        assert failed.get(name, []) == []
        assert sorted(failed.get(f"{name}-bare", [])) == said[name]["skip"]


@pytest.mark.parametrize("name", NAMES)
def test_a_template_fits_into_a_request(name):
    """Without spaces every golden template is within the 51,200 bytes of a request, the largest with room to spare."""
    assert len(json.dumps(compiled_environment(name).template, separators=(",", ":")).encode()) <= 51_200


@pytest.mark.parametrize("name", NAMES)
def test_a_template_carries_its_spec_and_its_outputs(name):
    """The template's metadata give back the spec it was made of, and its outputs are those that others look for."""
    template = compiled_environment(name).template
    assert EnvironmentSpec.from_data(environment_data(template)) == EnvironmentSpec.from_data(environment_case("good", name))
    assert list(template["Outputs"]) == list(OUTPUTS)


@pytest.mark.skipif(not SHELLCHECK.exists(), reason="needs shellcheck")
@pytest.mark.parametrize("name", NAMES)
def test_what_a_node_runs_is_sound_shell(name, tmp_path):
    """The user data are MIME multi-part within EC2's 16 KiB, and shellcheck has nothing to say of any script in them."""
    template = compiled_environment(name).template
    data = template["Resources"]["LaunchTemplate"]["Properties"]["LaunchTemplateData"]["UserData"]
    text = base64.b64decode(resolved(template, data))
    assert len(text) <= 16 * 1024
    parts = [part for part in email.message_from_bytes(text).walk() if not part.is_multipart()]
    assert [part.get_content_type() for part in parts] == ["text/x-shellscript"] * len(parts)
    for i, part in enumerate(parts):
        script = tmp_path / f"{i}.sh"
        script.write_text(str(part.get_payload()))
        done = subprocess.run([str(SHELLCHECK), str(script)], capture_output=True, text=True, check=False)
        assert done.stdout == ""
