from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from batchhpc.compiler.overlay import merged, touched

_DOCUMENTS = st.recursive(
    st.integers() | st.lists(st.integers(), max_size=2),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)
_MAPPINGS = st.dictionaries(st.sampled_from("abc"), _DOCUMENTS, max_size=3)


def test_mappings_are_merged_and_all_else_is_replaced():
    """Keys of both stay, lists and texts of the overlay take the place of what was there."""
    document = {"a": {"b": 1, "c": [1, 2]}, "d": "text", "e": {"f": 1}}
    overlay = {"a": {"c": [3]}, "d": {"g": 1}, "e": None}
    assert merged(document, overlay) == {"a": {"b": 1, "c": [3]}, "d": {"g": 1}, "e": None}


@settings(deadline=None)
@given(_MAPPINGS, _MAPPINGS)
def test_merging_changes_neither_and_merging_again_changes_nothing(document, overlay):
    """Both mappings stay as they were, and an overlay that was merged once has nothing left to do."""
    before = repr((document, overlay))
    once = merged(document, overlay)
    assert repr((document, overlay)) == before
    assert merged(once, overlay) == once


def test_touched_paths_are_those_of_values():
    """The paths of an overlay are those of its values, not of the mappings on the way."""
    assert list(touched({"register": {"a": {"b": 1}, "c": {}}, "submit": {}})) == ["register.a.b", "register.c", "submit"]
