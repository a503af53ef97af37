"""Rules about the machine image of the nodes."""

from __future__ import annotations

from collections.abc import Iterator

from batchhpc.compiler.environment import EnvironmentPlan
from batchhpc.compiler.rules.environment.types import named
from batchhpc.compiler.rules.rule import Finding, Rule
from batchhpc.errors import Severity
from batchhpc.spec.environment_spec import ImageType

R54 = Rule("R54", "A machine image of one's own is Amazon Linux with ecs-init; it has no image type beside.")
R76 = Rule("R76", "The machine image has what the types need: none for A1, NVIDIA's driver for its GPUs, but for P3 and G3.")

_NO_DRIVER = ("p3", "p3dn", "g3", "g3s")  # GPUs that the driver of ECS_AL2023_NVIDIA is too new for (R22, R76)
_NVIDIA = "ECS_AL2023_NVIDIA"


@R54.environment
def own_image(plan: EnvironmentPlan) -> Iterator[Finding]:
    spec = plan.spec
    if spec.image_id is None:
        return
    if spec.image_type is not ImageType.AUTO:
        message = f"is {spec.image_type}, but the image is {spec.image_id}"
        yield Finding("image_type", message, "leave out one of the two", topic="own")
    message = f"is {spec.image_id}, which nobody can look into from here: it must be Amazon Linux with ecs-init"
    if plan.efa:
        message += " and the EFA driver"
    yield Finding("image_id", message, 'waive: {R54: "built from the ECS-optimized image"}', Severity.WARNING)


@R76.environment
def image_for_types(plan: EnvironmentPlan) -> Iterator[Finding]:
    if not plan.image_type:
        return
    path = "instance_types" if plan.spec.image_type is ImageType.AUTO else "image_type"
    first = [kind for kind in plan.types if kind.family == "a1"]
    if first:
        yield Finding("instance_types", f"has {named(first)}, but Amazon Linux 2023 does not run on A1", "c7g, m7g or r7g")
    old = [kind for kind in plan.types if kind.family in _NO_DRIVER]
    if old and plan.image_type == _NVIDIA:
        message = f"has {named(old)}, whose GPUs ECS_AL2023_NVIDIA has no driver for"
        yield Finding("instance_types", message, "later GPUs, or image_id: an image of your own")
    gpus = [kind for kind in plan.types if "NVIDIA" in kind.gpu]
    if gpus and plan.image_type != _NVIDIA:
        message = f"is {plan.spec.image_type}, which has no driver for the GPUs of {named(gpus)}"
        yield Finding(path, message, "image_type: auto")
    bare = [kind for kind in plan.types if "NVIDIA" not in kind.gpu]
    if plan.spec.image_type is ImageType.ECS_AL2023_NVIDIA and len(bare) == len(plan.types) and bare:
        message = f"is {plan.spec.image_type}, but {named(bare)} have no NVIDIA GPUs"
        yield Finding(path, message, "image_type: auto", Severity.WARNING)
    if plan.image_type == _NVIDIA and gpus and bare:
        message = f"has {named(gpus)} with NVIDIA GPUs beside {named(bare)} without: one image, with the driver, is for all"
        yield Finding("instance_types", message, "two environments", Severity.WARNING)
