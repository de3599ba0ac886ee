"""Who sees whom in a tree of branches."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamspike.engine.tree import TokenTree


def test_shared_beginnings_are_one_node() -> None:
    tree = TokenTree(5)
    root = tree.add_root(3, position=10)
    assert tree.grow(root, [7, 8]) == [0, 1]
    assert tree.grow(root, [7, 9]) == [0, 2]
    assert tree.grow(0, [8]) == [1]
    assert tree.num_nodes == 3


def test_the_same_token_under_another_root_is_another_node() -> None:
    tree = TokenTree(5)
    before, after = tree.add_root(3, 10), tree.add_root(5, 12)
    assert tree.grow(before, [7]) != tree.grow(after, [7])
    pending = tree.take_pending()
    assert pending.positions.tolist() == [10, 12]
    assert pending.sees.astype(int).tolist() == [[1, 1, 1, 0, 0, 1, 0], [1, 1, 1, 1, 1, 0, 1]]


def test_a_node_sees_its_ancestors_and_itself() -> None:
    tree = TokenTree(1)
    root = tree.add_root(1, position=4)
    tree.grow(root, [1, 2])
    tree.grow(root, [1, 3])
    first = tree.take_pending()
    assert first.token_ids.tolist() == [1, 2, 3] and first.positions.tolist() == [4, 5, 5]
    assert first.sees[:, 1:].astype(int).tolist() == [[1, 0, 0], [1, 1, 0], [1, 0, 1]]
    tree.grow(2, [5])
    assert tree.take_pending().sees.astype(int).tolist() == [[1, 1, 0, 1, 1]]


def test_a_node_waits_until_it_is_taken() -> None:
    tree = TokenTree(1)
    root = tree.add_root(1, 0)
    (node,) = tree.grow(root, [1])
    assert not tree.is_computed(node) and tree.num_pending == 1
    tree.take_pending()
    assert tree.is_computed(node) and tree.num_pending == 0
    assert not tree.is_computed(root)
    assert tree.take_pending().sees.shape == (0, 2)


def test_a_root_sees_something_and_not_more_than_there_is() -> None:
    for visible in (0, 6):
        with pytest.raises(AssertionError):
            TokenTree(5).add_root(visible, 0)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    branches=st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=40), min_size=1, max_size=6),
    cut=st.integers(0, 5),
)
def test_columns_spell_the_branch_however_it_grew(branches: list[list[int]], cut: int) -> None:
    tree = TokenTree(2)
    root = tree.add_root(2, position=3)
    tokens: list[int] = []
    sees: list[list[bool]] = []
    ends = []
    for number, branch in enumerate(branches):
        ends.append(tree.grow(root, branch)[-1])
        if number == cut or number == len(branches) - 1:
            pending = tree.take_pending()
            tokens += pending.token_ids.tolist()
            sees += pending.sees.tolist()
    for branch, end in zip(branches, ends, strict=True):
        assert [tokens[column] for column, seen in enumerate(sees[end][2:]) if seen] == branch
