"""Problems of several stages in one message."""

import pytest

from batchhpc import InvalidSpec, JobSpec


def error_of(text):
    with pytest.raises(InvalidSpec) as caught:
        JobSpec.from_yaml(text, "job.yaml")
    return caught.value


def test_a_wrong_field_does_not_hide_what_is_wrong_between_others():
    """What is wrong by itself and what is wrong between the other fields come in one message."""
    found = error_of("{name: a b, image: i, command: x, nodes: 2, min_nodes: 3}")
    assert [problem.path for problem in found.problems] == ["name", "min_nodes"]
    assert found.rest is None


def test_the_rest_of_a_spec_can_be_looked_at_further():
    """Without its wrong fields the spec is sound, and whoever can compile it finds the rules it breaks."""
    rest = error_of("{command: x, nodes: 4, extra: 1}").rest
    assert isinstance(rest, JobSpec)
    assert (rest.name, rest.image, rest.command, rest.nodes) == ("job", "image", ("x",), 4)


@pytest.mark.parametrize("field", ["nodes: four", "ranks_per_node: 0", "instance_type: Big"])
def test_nothing_is_concluded_from_a_field_that_is_wrong(field):
    """If the wrong field decides what others must be, nothing more is claimed of them."""
    assert error_of(f"{{name: a, image: i, command: x, {field}}}").rest is None
