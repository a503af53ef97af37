from __future__ import annotations

import pytest

from batchhpc.compiler import RULES
from tests.contract.golden.regenerate import ENVIRONMENTS, environment_error_text, environment_names

TEXTS = {path.stem: path.read_text() for path in (ENVIRONMENTS / "broken").glob("*.txt")}


@pytest.mark.parametrize("name", environment_names("broken"))
def test_the_author_of_a_broken_environment_reads_the_golden_text(name):
    """Every broken environment gives exactly the error text that was read and agreed on."""
    assert environment_error_text(name) == TEXTS[name]


@pytest.mark.parametrize("number", [number for number, rule in RULES.items() if rule.environment_checks])
def test_every_rule_on_environments_has_a_golden_text(number):
    """For every rule on specs of environments there is one whose golden text shows it broken."""
    assert any(f"({number})" in text for text in TEXTS.values())
