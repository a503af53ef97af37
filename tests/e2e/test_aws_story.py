"""An environment and a job in it, from nothing to nothing, by the command line and over the wire.

The environment is the emulator's; the job lives in the small AWS Batch, since moto's drops nodes, retries and overrides.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.batch_server import served
from tests.e2e.emulator import REGION, Cli
from tests.e2e.emulator.account import existing_network, left_of
from tests.unit.aws.fake_batch import FakeBatch

SPEC = {"name": "story", "region": REGION, "instance_types": ["c7i.8xlarge"], "max_nodes": 4, "fabric": "ena"}
JOB = {"name": "kmers", "image": "example/kmers:1", "command": ["kmers"], "nodes": 2, "memory_per_node": "8 GiB"}


@pytest.mark.parametrize("network", ["fresh", "existing"])
def test_from_an_empty_account_and_back(cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, network: str) -> None:
    """deploy, submit, status, list, logs, cancel, wait and destroy tell one story, and leave what was there before."""
    more: dict[str, Any] = {} if network == "fresh" else {"network": existing_network()}
    before = left_of("story")
    (tmp_path / "env.json").write_text(json.dumps({**SPEC, **more}))
    (tmp_path / "job.json").write_text(json.dumps(JOB))
    fake = FakeBatch()
    fake.queue("batchhpc-story")
    assert cli("deploy", tmp_path / "env.json", "--yes")[0] == 0
    with served(fake) as endpoint, monkeypatch.context() as jobs:
        for service in ("BATCH", "CLOUDWATCH_LOGS"):
            jobs.setenv(f"AWS_ENDPOINT_URL_{service}", endpoint)
        code, out, err = cli("submit", tmp_path / "job.json", "--environment", "story", "--region", REGION)
        assert code == 0, err
        job_id = out.strip()
        definition = next(iter(fake.definitions.values()))
        container = definition["nodeProperties"]["nodeRangeProperties"][0]["container"]
        assert any(":secretsmanager:" in each["valueFrom"] for each in container["secrets"])
        job = fake.jobs[job_id]
        job.move("RUNNABLE", "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY - none")
        assert "more instance types" in cli("status", job_id)[1]
        job.run()
        fake.logs.put(job.nodes[0].stream, (1, "begin"), group="/batchhpc/story")
        fake.logs.put(job.nodes[1].stream, (2, "hello"), group="/batchhpc/story")
        assert cli("logs", job_id)[1] == "[node 0] begin\n[node 1] hello\n"
        listed = json.loads(cli("list", "--environment", "story", "--json")[1])["jobs"]
        assert [(each["id"], each["state"]) for each in listed] == [(job_id, "RUNNING")]
        assert cli("cancel", job_id)[:2] == (0, f"{job_id} terminated\n")
        assert cli("wait", job_id)[0] == 143
    code, out, err = cli("destroy", "story", "--region", REGION, "--yes")
    assert (code, out.splitlines()[-1]) == (0, "environment story: destroyed, nothing is left"), err
    assert left_of("story") == before
