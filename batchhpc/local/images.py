"""Images to build: what goes into each, and the tag that its content gives it."""

from __future__ import annotations

import hashlib
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from batchhpc.errors import InvalidSpec, Problem, Unavailable
from batchhpc.local.engine import ANSWER_LIMIT, Do, carry_out
from batchhpc.version import __version__

CHECKOUT: Final = Path(__file__).resolve().parents[2]
OWN: Final = ("base", "genomics", "risk")  # directories of containers/
PREFIX: Final = "batchhpc/"
PLATFORMS: Final = {"x86_64": "linux/amd64", "arm64": "linux/arm64"}  # by the catalogue's words
WHEELS: Final = "wheels"
_EXAMPLES: Final = {name: ("examples/__init__.py", "examples/workload", f"examples/{name}") for name in ("genomics", "risk")}
_NEEDS_BASE = re.compile(r"^ARG\s+BASE_IMAGE\s*$", re.MULTILINE)
_NAME = re.compile(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*")  # botocore, ecr: RepositoryName
_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Image:
    """An image to build.

    Attributes:
        name: base, genomics, risk, or the name of the user's directory.
        context: the directory that the engine gets.
        platform: linux/amd64 or linux/arm64.
        arguments: of the build.
        tag: version and hash of all of these: the same content is the same tag.
        asked: whether the user named it, or an image that is asked for needs it.
    """

    name: str
    context: Path
    platform: str
    arguments: Mapping[str, str]
    tag: str
    asked: bool = True

    @property
    def repository(self) -> str:
        """Name of the repository, here and in ECR."""
        return PREFIX + self.name

    @property
    def reference(self) -> str:
        """What the engine of this machine calls it."""
        return f"{self.repository}:{self.tag}"


@dataclass(frozen=True, slots=True)
class Wishes:
    """How images are to be built.

    Attributes:
        platform: linux/amd64 or linux/arm64.
        base_image: what BASE_IMAGE is for the first image; the Dockerfile's own, or our base image, if None.
        arguments: more arguments for the build of each image.
        wheels: directory with all wheels that are pinned, so that PyPI is not asked.
        directory: where contexts are put together.
    """

    platform: str
    base_image: str | None
    arguments: Mapping[str, str]
    wheels: Path | None
    directory: Path


def plan(names: Sequence[str], wishes: Wishes, do: Do = carry_out) -> list[Image]:
    """The images in the order in which they are built; the base first, where one that is asked for stands on it.

    Raises:
        InvalidSpec: a name is neither one of ours nor a directory with a Dockerfile.
        Unavailable: the agent's wheel cannot be built.
    """
    wanted = list(dict.fromkeys(names))
    _check(wanted)
    on_base = wishes.base_image is None and any(_stands_on_base(_source(name)) for name in wanted if name != "base")
    made: dict[str, Image] = {}
    if on_base or "base" in wanted:
        made["base"] = replace(_image("base", wishes, wishes.base_image, do), asked="base" in wanted)
    for name in wanted:
        if name != "base":
            base = made["base"].reference if "base" in made and _stands_on_base(_source(name)) else wishes.base_image
            made[name] = _image(name, wishes, base, do)
    return list(made.values())


def _check(names: Sequence[str]) -> None:
    problems = []
    for name in names:
        source = _source(name)
        if name in OWN and not (source / "Dockerfile").is_file():
            problems.append(
                Problem(name, f"there is no {source / 'Dockerfile'}", "the images are in the checkout: pip install -e . there")
            )
        elif not (source / "Dockerfile").is_file():
            problems.append(
                Problem(name, "is neither base, genomics nor risk, nor a directory with a Dockerfile", "name one of these")
            )
        elif name not in OWN and not _NAME.fullmatch(source.resolve().name):
            problems.append(
                Problem(name, f"{source.resolve().name!r} cannot be the name of a repository", "lower-case letters and digits")
            )
    if problems:
        raise InvalidSpec(problems, "batchhpc image")


def _source(name: str) -> Path:
    return CHECKOUT / "containers" / name if name in OWN else Path(name)


def _stands_on_base(source: Path) -> bool:
    """Whether the Dockerfile has ``ARG BASE_IMAGE`` without a default of its own."""
    return bool(_NEEDS_BASE.search((source / "Dockerfile").read_text(encoding="utf-8")))


def _image(name: str, wishes: Wishes, base: str | None, do: Do) -> Image:
    source = _source(name)
    arguments = dict(wishes.arguments)
    context = source.resolve()
    if name in OWN:
        context = (wishes.directory / name).resolve()
        _put_together(name, source, context, wishes.wheels, do)
        if wishes.wheels is not None:
            arguments["PIP_NO_INDEX"] = "1"
    if base is not None:
        arguments["BASE_IMAGE"] = base
    tag = f"{__version__}-{_hash(context, wishes.platform, arguments)}"
    if name in OWN:
        arguments["VERSION"] = tag
    return Image(name if name in OWN else context.name, context, wishes.platform, arguments, tag)


def _put_together(name: str, source: Path, context: Path, wheels: Path | None, do: Do) -> None:
    """The context of an image of ours: its own files, and what it takes from the rest of the checkout."""
    shutil.rmtree(context, ignore_errors=True)
    shutil.copytree(source, context)
    for each in _EXAMPLES.get(name, ()):
        target = context / each
        target.parent.mkdir(parents=True, exist_ok=True)
        if (CHECKOUT / each).is_dir():
            shutil.copytree(CHECKOUT / each, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(CHECKOUT / each, target)
    if wheels is not None:
        shutil.copytree(wheels, context / WHEELS)
    if name == "base":
        _build_wheel(context / "dist", do)


def _build_wheel(directory: Path, do: Do) -> None:
    """The package of the checkout as a wheel; hatchling makes the same bytes of the same files."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"]
    code, output = do([*command, "--wheel-dir", str(directory), str(CHECKOUT)], lambda _: None, None, 5 * ANSWER_LIMIT)
    if code:
        last = "\n".join(f"    {line}" for line in output.splitlines()[-5:])
        raise Unavailable(f"the wheel of batchhpc cannot be built: pip ended with {code}; its last lines:\n{last}")


def _hash(context: Path, platform: str, arguments: Mapping[str, str]) -> str:
    """Of every file with its name and whether it can be executed; of wheels not, since the requirements hold their hashes."""
    digest = hashlib.sha256()
    for part in _parts(context, platform, arguments):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:_DIGITS]


def _parts(context: Path, platform: str, arguments: Mapping[str, str]) -> Iterator[bytes]:
    yield platform.encode()
    for name, value in sorted(arguments.items()):
        yield f"{name}={value}".encode()
    for path in sorted(context.rglob("*")):
        inside = path.relative_to(context)
        if inside.parts[0] in (WHEELS, ".git") or (path.is_dir() and not path.is_symlink()):
            continue
        try:
            content = str(path.readlink()).encode() if path.is_symlink() else path.read_bytes()
            mode = path.lstat().st_mode
        except OSError as error:
            raise InvalidSpec([Problem(str(path), f"cannot be read: {error.strerror}")], "batchhpc image") from error
        yield f"{inside.as_posix()} {'x' if mode & 0o100 else '-'}".encode()
        yield content
