from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from batchhpc.compiler import check_documents
from batchhpc.compiler.definition import targets
from batchhpc.compiler.ranges import NodeRange, unclear, uncovered, winner
from batchhpc.spec import NodeGroup

_ENDS = st.one_of(st.just(""), st.integers(0, 14).map(str))
_TARGETS = st.lists(st.tuples(_ENDS, _ENDS).map(":".join), max_size=6)
_NODES = st.integers(1, 12)


def _members(target: str, nodes: int) -> set[int]:
    """The oracle: the nodes of a range, one by one, from the words of the User Guide."""
    first, last = target.split(":")
    return {node for node in range(nodes) if node >= int(first or "0") and (last == "" or node <= int(last))}


@settings(deadline=None)
@given(_TARGETS, _NODES)
def test_coverage_is_what_counting_nodes_gives(texts, nodes):
    """The gaps are exactly the nodes that counting finds in no range (R5)."""
    ranges = [NodeRange.parse(text) for text in texts]
    gaps = uncovered([each for each in ranges if each], nodes)
    missing = set(range(nodes)) - {node for text in texts for node in _members(text, nodes)}
    assert {node for first, last in gaps for node in range(first, last + 1)} == missing
    assert all(last + 1 < first for (_, last), (first, _) in pairwise(gaps))


@settings(deadline=None)
@given(_TARGETS, _NODES)
def test_the_rule_finds_a_gap_exactly_when_counting_does(texts, nodes):
    """R5 says `covers no nodes` of a definition exactly when counting finds a node in no range."""
    container = {"image": "i", "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "64"}]}
    ranges = [{"targetNodes": text, "container": container} for text in texts]
    register = {
        "jobDefinitionName": "a",
        "type": "multinode",
        "nodeProperties": {"numNodes": nodes, "mainNode": 0, "nodeRangeProperties": ranges},
    }
    found = check_documents(register, {"jobName": "a", "jobQueue": "q", "jobDefinition": "a"})
    covered = {node for text in texts for node in _members(text, nodes)}
    assert any("covers no nodes" in problem.message for problem in found) == (covered != set(range(nodes)))


@settings(deadline=None)
@given(_TARGETS, _NODES)
def test_the_narrowest_range_wins(texts, nodes):
    """A node follows the range with the fewest nodes among those that have it; it follows none exactly if none has it."""
    ranges = [each for text in texts if (each := NodeRange.parse(text))]
    for node in range(nodes):
        having = [_members(text, 100) for text in texts if node in _members(text, nodes)]
        won = winner(ranges, node, 100) if having else winner(ranges, node, nodes)
        if not having:
            assert won is None
        else:
            assert won is not None
            assert len(_members(texts[won], 100)) == min(len(members) for members in having)


@settings(deadline=None)
@given(_TARGETS, _NODES)
def test_two_ranges_are_unclear_when_neither_is_inside_the_other(texts, nodes):
    """Pairs of ranges are unclear exactly when they share nodes and neither is a proper part of the other."""
    ranges = [each for text in texts if (each := NodeRange.parse(text))]
    # members beyond the last node count, too: 0:9 and 0:9 in a job of 4 nodes are still the same range
    wide = [set(each.within(nodes)) for each in ranges]
    expected = [
        (i, k) for i, one in enumerate(wide) for k, two in enumerate(wide) if i < k and one & two and not (one < two or two < one)
    ]
    assert unclear(ranges, nodes) == expected


def test_only_the_grammar_of_aws_is_read():
    """A range is two optional numbers around one colon, in plain digits; all else is refused."""
    assert NodeRange.parse("0:3") == NodeRange(0, 3)
    assert NodeRange.parse(":3") == NodeRange(0, 3)
    assert NodeRange.parse("4:") == NodeRange(4, None)
    assert NodeRange.parse(":") == NodeRange(0, None)
    for text in ("", "3", "a:b", "0:1:2", "-1:2", "0 : 3", "٣:٤", "0:99999999999", "0:\n"):
        assert NodeRange.parse(text) is None


@st.composite
def _nested_groups(draw):
    nodes = draw(st.integers(1, 12))
    groups = []
    for _ in range(draw(st.integers(0, 4))):
        first = draw(st.integers(0, nodes - 1))
        last = draw(st.integers(first, nodes - 1))
        groups.append(draw(st.sampled_from([f"{first}:{last}", f"{first}:"] if last == nodes - 1 else [f"{first}:{last}"])))
    return nodes, groups


@settings(deadline=None)
@given(_nested_groups())
def test_compiled_ranges_give_every_node_its_group(drawn):
    """Compiled ranges cover all nodes, one is open, and each node follows its narrowest group, or the rest."""
    nodes, texts = drawn
    groups = [NodeGroup(nodes=text) for text in texts]
    made = targets(groups, nodes)
    ranges = [NodeRange.parse(text) for text, _ in made]
    parsed = [each for each in ranges if each]
    assert len(parsed) == len(made)
    assert uncovered(parsed, nodes) == []
    assert any(each.last is None for each in parsed)
    if unclear(parsed, nodes):
        return
    for node in range(nodes):
        own = [_members(text, nodes) for text in texts if node in _members(text, nodes)]
        won = winner(parsed, node, nodes)
        assert won is not None
        group = made[won][1]
        if own:
            assert group is not None
            assert _members(group.nodes, nodes) == min(own, key=len)
        else:
            assert group is None
