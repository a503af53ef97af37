"""Images in ECR: repositories, what is in them, and pushing with the engine of whoever calls."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from batchhpc.aws.sdk import sdk_errors
from batchhpc.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_ecr.type_defs import EncryptionConfigurationTypeDef


class Pusher(Protocol):
    """What a container engine must be able to do; it raises if it fails."""

    def login(self, registry: str, user: str, password: str) -> None: ...

    def push(self, reference: str, remote: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Published:
    """An image in ECR.

    Attributes:
        tag: of the image; never moved, since repositories are immutable.
        uri: by digest, for the job spec's ``image``.
        pushed: whether it was pushed now, or was there already.
    """

    repository: str
    tag: str
    uri: str
    pushed: bool


class Registry:
    """ECR of one account and Region.

    Args:
        ecr: its client.
        kms_key: encrypts new repositories; ECR's own key if None.
    """

    def __init__(self, ecr: ECRClient, kms_key: str | None = None) -> None:
        self._ecr, self._kms_key = ecr, kms_key

    def find(self, repository: str, tag: str) -> Published | None:
        """The image of that tag, if it is there."""
        with sdk_errors():
            try:
                found = self._ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": tag}])["imageDetails"]
            except (self._ecr.exceptions.RepositoryNotFoundException, self._ecr.exceptions.ImageNotFoundException):
                return None
            return Published(repository, tag, f"{self._uri(repository)}@{found[0]['imageDigest']}", pushed=False)

    def publish(self, reference: str, repository: str, tag: str, engine: Pusher) -> Published:
        """Pushes a local image, and makes its repository first if it is missing.

        Args:
            reference: the engine's name of the image.
            repository: where to.
            tag: under which tag.
            engine: pushes it.

        Raises:
            Unavailable: AWS or the engine refuses.
        """
        with sdk_errors():
            uri = self._ensure(repository)
            given = self._ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
        user, _, password = base64.b64decode(given).decode().partition(":")
        engine.login(uri.partition("/")[0], user, password)
        engine.push(reference, f"{uri}:{tag}")
        found = self.find(repository, tag)
        if found is None:
            raise Unavailable(f"{uri}:{tag}: was pushed, but ECR does not list it\n  hint: run the same command again")
        return Published(repository, tag, found.uri, pushed=True)

    def _uri(self, repository: str) -> str:
        return self._ecr.describe_repositories(repositoryNames=[repository])["repositories"][0]["repositoryUri"]

    def _ensure(self, repository: str) -> str:
        try:
            return self._uri(repository)
        except self._ecr.exceptions.RepositoryNotFoundException:
            encryption: EncryptionConfigurationTypeDef = {"encryptionType": "AES256"}
            if self._kms_key is not None:
                encryption = {"encryptionType": "KMS", "kmsKey": self._kms_key}
        try:
            made = self._ecr.create_repository(
                repositoryName=repository,
                imageTagMutability="IMMUTABLE",
                imageScanningConfiguration={"scanOnPush": True},
                encryptionConfiguration=encryption,
                tags=[{"Key": "batchhpc:image", "Value": repository}],
            )
        except self._ecr.exceptions.RepositoryAlreadyExistsException:  # somebody else made it meanwhile
            return self._uri(repository)
        return made["repository"]["repositoryUri"]
