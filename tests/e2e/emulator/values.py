"""Intrinsic functions of templates, as far as our templates use them."""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Callable, Iterator
from typing import Any

NO_VALUE = object()


class Values:
    """Resolves the functions of one template.

    Args:
        template: the template.
        parameters: values of its parameters, defaults included.
        pseudo: ``AWS::Region`` and the like.
        attribute: gives ``Ref`` (attribute ``""``) and ``GetAtt`` of a resource.
    """

    def __init__(
        self, template: dict[str, Any], parameters: dict[str, str], pseudo: dict[str, str], attribute: Callable[[str, str], Any]
    ) -> None:
        self._template, self._parameters, self._pseudo, self._attribute = template, parameters, pseudo, attribute

    def of(self, value: Any) -> Any:
        """The value with all functions resolved."""
        if isinstance(value, list):
            return [found for each in value if (found := self.of(each)) is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            name, argument = next(iter(value.items()))
            if name == "Ref":
                return self._ref(argument)
            if name == "Condition" and isinstance(argument, str):
                return self.condition(argument)
            if name.startswith("Fn::"):
                return self._function(name.removeprefix("Fn::"), argument)
        return {name: found for name, each in value.items() if (found := self.of(each)) is not NO_VALUE}

    def condition(self, name: str) -> bool:
        """Whether a condition of the template holds."""
        return bool(self.of(self._template["Conditions"][name]))

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return NO_VALUE
        if name in self._pseudo:
            return self._pseudo[name]
        return self._parameters[name] if name in self._parameters else self._attribute(name, "")

    def _function(self, name: str, argument: Any) -> Any:
        if name == "GetAtt":
            logical, _, attribute = argument.partition(".") if isinstance(argument, str) else (argument[0], "", argument[1])
            return self._attribute(logical, attribute)
        if name == "If":
            return self.of(argument[1] if self.condition(argument[0]) else argument[2])
        if name == "Sub":
            return self._sub(argument)
        given = self.of(argument)
        return getattr(self, f"_{name.lower()}")(given)

    def _sub(self, argument: Any) -> str:
        text, local = (argument, {}) if isinstance(argument, str) else (argument[0], self.of(argument[1]))

        def one(found: re.Match[str]) -> str:
            name = found[1]
            if name in local:
                return str(local[name])
            logical, dot, attribute = name.partition(".")
            return str(self._attribute(logical, attribute) if dot else self._ref(name))

        return re.sub(r"\$\{([^!}][^}]*)\}", one, text).replace("${!", "${")

    def _join(self, given: Any) -> str:
        return str(given[0]).join(str(each) for each in given[1])

    def _select(self, given: Any) -> Any:
        return given[1][int(given[0])]

    def _split(self, given: Any) -> list[str]:
        return str(given[1]).split(given[0])

    def _base64(self, given: Any) -> str:
        return base64.b64encode(str(given).encode()).decode()

    def _getazs(self, given: Any) -> list[str]:
        return [f"{given or self._pseudo['AWS::Region']}{letter}" for letter in "abc"]

    def _cidr(self, given: Any) -> list[str]:
        network = ipaddress.ip_network(given[0])
        return [str(each) for each, _ in zip(network.subnets(new_prefix=32 - int(given[2])), range(int(given[1])), strict=False)]

    def _equals(self, given: Any) -> bool:
        return bool(given[0] == given[1])

    def _not(self, given: Any) -> bool:
        return not given[0]

    def _and(self, given: Any) -> bool:
        return all(given)

    def _or(self, given: Any) -> bool:
        return any(given)

    def _findinmap(self, given: Any) -> Any:
        return self._template["Mappings"][given[0]][given[1]][given[2]]

    def _tojsonstring(self, given: Any) -> str:
        import json

        return json.dumps(given)


def references(value: Any) -> Iterator[str]:
    """Logical ids that a value speaks of."""
    if isinstance(value, list):
        for each in value:
            yield from references(each)
    elif isinstance(value, dict):
        for name, each in value.items():
            if name == "Ref" and isinstance(each, str):
                yield each
            elif name == "Fn::GetAtt":
                yield each.partition(".")[0] if isinstance(each, str) else each[0]
            elif name == "Fn::Sub":
                text = each if isinstance(each, str) else each[0]
                yield from (found.partition(".")[0] for found in re.findall(r"\$\{([^!}][^}]*)\}", text))
                yield from references(each)
            else:
                yield from references(each)


def in_order(resources: dict[str, Any]) -> list[str]:
    """Logical ids, each behind those it speaks of or depends on."""
    done: list[str] = []

    def visit(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            raise ValueError(f"Circular dependency between resources: {list(above)}")
        if name in done or name not in resources:
            return
        depends = resources[name].get("DependsOn", [])
        for other in [*([depends] if isinstance(depends, str) else depends), *references(resources[name].get("Properties", {}))]:
            visit(other, (*above, name))
        done.append(name)

    for name in resources:
        visit(name, ())
    return done
