"""Pushing to ECR, with moto as ECR and an engine that puts a manifest there as ``docker push`` would."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from moto import mock_aws

from batchhpc.aws.images import Registry
from batchhpc.aws.sdk import Clients
from batchhpc.errors import Unavailable

MANIFEST = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": {}, "layers": []}


class FakeEngine:
    """Pushes an empty image to whatever ECR it is told; ``lost`` says it did, but has not."""

    def __init__(self, clients: Clients, *, lost: bool = False) -> None:
        self._ecr, self._lost = clients.ecr, lost
        self.logins: list[tuple[str, str]] = []
        self.pushed: list[str] = []

    def login(self, registry: str, user: str, password: str) -> None:
        assert password
        self.logins.append((registry, user))

    def push(self, reference: str, remote: str) -> None:
        name, _, tag = remote.partition("/")[2].partition(":")
        self.pushed.append(remote)
        if not self._lost:
            self._ecr.put_image(repositoryName=name, imageTag=tag, imageManifest=json.dumps({**MANIFEST, "of": reference}))


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clients]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield Clients("eu-west-1")


def test_pushed_once(clients: Clients):
    """The repository is made, the image pushed to it, its digest told; a second time it is found and not pushed."""
    engine, registry = FakeEngine(clients), Registry(clients.ecr)
    assert registry.find("batchhpc/base", "1") is None
    first = registry.publish("batchhpc/base:1", "batchhpc/base", "1", engine)
    host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
    assert engine.logins == [(host, "AWS")]
    assert engine.pushed == [f"{host}/batchhpc/base:1"]
    assert first.uri.startswith(f"{host}/batchhpc/base@sha256:")
    assert first.pushed
    found = registry.find("batchhpc/base", "1")
    assert found is not None
    assert (found.uri, found.pushed) == (first.uri, False)
    assert registry.find("batchhpc/base", "2") is None


@pytest.mark.parametrize("key", [None, "arn:aws:kms:eu-west-1:123456789012:key/1"])
def test_repository_is_safe(clients: Clients, key: str | None):
    """A repository made here has tags that cannot be moved, is scanned on push, and is encrypted, with the user's key if given."""
    Registry(clients.ecr, key).publish("i:1", "batchhpc/base", "1", FakeEngine(clients))
    (made,) = clients.ecr.describe_repositories()["repositories"]
    assert (made["imageTagMutability"], made["imageScanningConfiguration"]["scanOnPush"]) == ("IMMUTABLE", True)
    wanted = {"encryptionType": "KMS", "kmsKey": key} if key else {"encryptionType": "AES256"}
    assert made["encryptionConfiguration"] == wanted


def test_repository_is_kept(clients: Clients):
    """A repository that is there already is used as it is."""
    clients.ecr.create_repository(repositoryName="batchhpc/base", imageTagMutability="MUTABLE")
    Registry(clients.ecr).publish("i:1", "batchhpc/base", "1", FakeEngine(clients))
    assert [each["imageTagMutability"] for each in clients.ecr.describe_repositories()["repositories"]] == ["MUTABLE"]


def test_lost_push_is_told(clients: Clients):
    """If ECR does not list what the engine says it pushed, that is an error and no success."""
    with pytest.raises(Unavailable, match="was pushed, but ECR does not list it"):
        Registry(clients.ecr).publish("i:1", "batchhpc/base", "1", FakeEngine(clients, lost=True))
