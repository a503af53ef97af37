"""The habits all specs share: frozen, nothing unknown, every problem at once, in the words of the document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Any, Self, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    JsonValue,
    PlainSerializer,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticKnownError

from batchhpc.errors import InvalidSpec, Problem
from batchhpc.spec.wording import problems_of, unwritable

_MOST_DIGITS = 100


class FrozenDict(dict[str, Any]):
    """A dict that cannot be changed, but copied and pickled; mappings and lists inside are frozen as well."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__({name: _frozen(value) for name, value in values.items()})

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise TypeError("a spec cannot be changed; replace() makes a changed copy")

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[type[Self], tuple[dict[str, Any]]]:
        return type(self), (dict(self),)


class FrozenList(list[Any]):
    """A list of JSON that cannot be changed, but is equal to one, copied and pickled."""

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise TypeError("a spec cannot be changed; replace() makes a changed copy")

    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse
    append = clear = extend = insert = pop = remove = reverse = sort = _refuse

    def __reduce__(self) -> tuple[type[Self], tuple[list[Any]]]:
        return type(self), (list(self),)


def _frozen(value: Any) -> Any:
    if isinstance(value, Mapping):
        return FrozenDict(value)
    return FrozenList(_frozen(item) for item in value) if isinstance(value, list) else value


def _thawed(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _thawed(item) for name, item in value.items()}
    return [_thawed(item) for item in value] if isinstance(value, list) else value


def _text_of_number(value: object) -> object:
    """YAML reads ``OMP_NUM_THREADS: 4`` as a number; it is meant as text. ``yes`` and ``null`` stay errors."""
    if not isinstance(value, int) or isinstance(value, bool):
        return value
    if abs(value) >= 10**_MOST_DIGITS:
        raise ValueError(f"must be text, but is a number of more than {_MOST_DIGITS} digits")
    return str(value)


Text = Annotated[str, BeforeValidator(_text_of_number, json_schema_input_type=str | int)]
FrozenJson = Annotated[dict[str, JsonValue], AfterValidator(FrozenDict), PlainSerializer(_thawed)]
FrozenMap = Annotated[Mapping[str, Text], AfterValidator(FrozenDict), PlainSerializer(dict)]


class Model(BaseModel):
    """A frozen part of a spec that refuses unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, validate_default=True)

    def __init__(self, **data: Any) -> None:
        """Checks the fields.

        Raises:
            InvalidSpec: with every problem found.
        """
        if found := list(unwritable(data)):
            raise InvalidSpec(found)
        try:
            super().__init__(**data)
        except ValidationError as error:
            raise InvalidSpec(problems_of(error, type(self))) from error
        if found := list(self.all_problems()):
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
        """What is wrong between fields; overridden where fields depend on each other. Paths start at this model."""
        return []

    def all_problems(self) -> Iterator[Problem]:
        """Its own problems, and those of the models in its fields with the way to them."""
        yield from self.problems()
        for name in type(self).model_fields:
            value = getattr(self, name)
            inner = [(name, value), *((f"{name}[{i}]", item) for i, item in enumerate(value if isinstance(value, tuple) else ()))]
            for path, each in inner:
                if isinstance(each, Model):
                    for problem in each.all_problems():
                        yield replace(problem, path=f"{path}.{problem.path}" if problem.path else path)

    def replace(self, **changes: Any) -> Self:
        """A copy with some fields changed, checked again as a whole.

        Raises:
            InvalidSpec: the result would not be a valid spec.
        """
        return type(self)(**{**{name: getattr(self, name) for name in self.model_fields_set}, **changes})
