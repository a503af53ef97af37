"""The habits all specs share: frozen, nothing unknown, every problem at once, in the words of the document."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Self, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticKnownError

from batchhpc.errors import InvalidSpec, Problem
from batchhpc.spec.wording import problems_of


def _text_of_number(value: object) -> object:
    """YAML reads ``OMP_NUM_THREADS: 4`` as a number; it is meant as text. ``yes`` and ``null`` stay errors."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Text = Annotated[str, BeforeValidator(_text_of_number, json_schema_input_type=str | int)]
FrozenMap = Annotated[Mapping[str, Text], AfterValidator(MappingProxyType), PlainSerializer(dict)]


class Model(BaseModel):
    """A frozen part of a spec that refuses unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, validate_default=True)

    def __init__(self, **data: Any) -> None:
        """Checks the fields.

        Raises:
            InvalidSpec: with every problem found.
        """
        try:
            super().__init__(**data)
        except ValidationError as error:
            raise InvalidSpec(problems_of(error, type(self))) from error
        if found := self.problems():
            raise InvalidSpec(found)

    # pydantic must not call this constructor for nested models: their problems belong in one list with their parents'.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_as_number(cls, value: object, info: ValidationInfo) -> object:
        """``nodes: true`` is not 1, whatever Python says."""
        wanted = cls.model_fields[info.field_name or ""].annotation
        if isinstance(value, bool) and int in (wanted, *get_args(wanted)):
            raise PydanticKnownError("int_type")
        return value

    def problems(self) -> list[Problem]:
        """What is wrong between fields; overridden where fields depend on each other."""
        return []

    def replace(self, **changes: Any) -> Self:
        """A copy with some fields changed, checked again as a whole.

        Raises:
            InvalidSpec: the result would not be a valid spec.
        """
        return type(self)(**{**{name: getattr(self, name) for name in self.model_fields_set}, **changes})
