"""Drawing a computation: places, ways around the boxes, and room for what is shown."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcourse.live import FigureError, GraphView, LiveFigure
from dlcourse.live.graph import along, last_nodes, layout

DIAMOND = [[], [], [0, 1], [2, 0], [3], [3, 4]]  # node 3 is used by 4 and, past it, by 5


@st.composite
def graphs(draw):
    count = draw(st.integers(1, 12))
    return [draw(st.lists(st.integers(0, node - 1), max_size=3)) if node else [] for node in range(count)]


@settings(max_examples=200, deadline=None)
@given(graphs())
def test_nodes_stand_right_of_their_parents_and_apart(parents):
    at, routes = layout(parents)
    assert at.shape == (len(parents), 2) and (at >= 0).all() and (at <= 1).all()
    assert len({tuple(np.round(place, 9)) for place in at}) == len(parents)
    for node, above in enumerate(parents):
        for parent in above:
            assert at[parent, 0] < at[node, 0]
            route = routes[parent, node]
            assert (route[0] == at[parent]).all() and (route[-1] == at[node]).all()
            assert (np.diff(route[:, 0]) > 0).all()
            others = np.delete(at, [parent, node], axis=0)
            for stop in route[1:-1]:
                assert not (np.abs(others - stop) < 1e-9).all(axis=1).any(), "an edge runs through a box"


def test_a_long_edge_goes_around(tmp_path):
    at, routes = layout(DIAMOND)
    assert len(routes[3, 5]) == 3 and routes[3, 5][1][1] != at[4, 1]


def test_a_parent_must_come_first():
    with pytest.raises(FigureError, match="node 1 is made from node 2, which must come before it"):
        layout([[], [2], []])


def test_what_is_shown_and_what_finds_no_room():
    fig = LiveFigure("graph")
    view = GraphView(fig, fig.subplots(), nodes=6, edges=8)

    @fig.control()
    def _():
        view.show(list("abcdef"), DIAMOND, edges={(2, 3): "×2"}, bold=[(3, 5)], backwards=True)
        return "drawn"

    before = fig.picture.encode("png")
    assert [text.get_text() for text in view._edge_texts if text.get_visible()] == ["×2"]
    assert len(view._bold.get_segments()) == 1 and view._bold_heads.get_marker() == "<"
    view.show(list("ab"), [[], [0, 0]])
    fig.picture.draw()
    assert fig.picture.encode("png") != before and len(view._lines.get_segments()) == 2
    with pytest.raises(FigureError, match="room for 6 nodes and 8 edges, and this graph has 7 and 6"):
        view.show(list("abcdefg"), [[], *[[0]] * 6])
    with pytest.raises(FigureError, match="room for 3 steps in a row, and this graph has 4"):
        GraphView(fig, fig.figure.axes[0], columns=3).show(list("abcd"), [[], [0], [1], [2]])
    fig.close()


def drawn(parents, **settings):
    """A view with these nodes on it, and its figure."""
    fig = LiveFigure("graph")
    view = GraphView(fig, fig.subplots())

    @fig.control()
    def _():
        view.show([str(i) for i in range(len(parents))], parents, **settings)
        return "drawn"

    assert fig.errors == []
    return view, fig


def test_edges_between_the_same_nodes_lie_apart_and_have_texts_of_their_own():
    view, fig = drawn([[], [0, 0]], edges={(0, 1): ["local 3", "local 5"]}, bold=[(0, 1)])
    texts = [text for text in view._edge_texts if text.get_visible()]
    assert [text.get_text() for text in texts] == ["local 3", "local 5"]
    above, below = (text.get_window_extent(fig.picture.canvas.get_renderer()) for text in texts)
    assert above.y0 > below.y1, "the texts overlap"
    first, second = view._bold.get_segments()
    assert (first[[0, -1]] == second[[0, -1]]).all() and first[6][1] > second[6][1]
    for text, line in zip(texts, (first, second), strict=True):
        distance = np.linalg.norm(line - text.get_position(), axis=1).min()
        assert distance < 0.05, "a text lies off its edge"
    fig.close()


def test_one_text_for_all_edges_between_two_nodes_stands_once():
    view, fig = drawn([[], [0, 0]], edges={(0, 1): "both"})
    assert [text.get_text() for text in view._edge_texts if text.get_visible()] == ["both"]
    fig.close()


def test_a_text_needs_an_edge():
    view, fig = drawn([[], [0]])
    with pytest.raises(FigureError, match=r"a text for the edge \(1, 0\), and no such edge"):
        view.show(["a", "b"], [[], [0]], edges={(1, 0): "x"})
    fig.close()


@settings(max_examples=100, deadline=None)
@given(graphs())
def test_what_has_room_can_be_shown(parents):
    fig = LiveFigure("graph")
    view = GraphView(fig, fig.subplots(), nodes=6, edges=5, columns=3)
    count = view.room(parents)
    assert 0 < count <= 6
    view.show(["x"] * count, last_nodes(parents, count))
    fig.close()


def test_a_long_chain_shows_its_end_in_smaller_letters():
    chain = [[], *[[i] for i in range(39)]]
    view, fig = drawn([[]])
    assert view.room(chain) == 10 and view.room(DIAMOND) == len(DIAMOND)
    before = view._boxes[0].get_fontsize()
    view.show(["x"] * 10, last_nodes(chain, 10))
    assert view._boxes[0].get_fontsize() < before
    assert last_nodes(DIAMOND, 3) == [[], [0], [0, 1]]
    fig.close()


def test_the_point_along_a_line():
    corner = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 3.0]])
    assert along(corner, 0.25) == pytest.approx([1.0, 0.0]) and along(corner, 0.5) == pytest.approx([1.0, 1.0])


def test_a_text_is_not_hidden_by_the_boxes_of_a_long_row():
    fig = LiveFigure("graph", size=(900, 440))
    view = GraphView(fig, fig.subplots())
    chain = [[], *[[i] for i in range(8)]]

    @fig.control()
    def _():
        view.show(["+, turn 3\n10.5\ngrad 0.462"] * 9, chain, edges={(3, 4): "×0.123\n→0.123"}, bold=[(3, 4)])
        return "drawn"

    renderer = fig.picture.canvas.get_renderer()
    [text] = [text for text in view._edge_texts if text.get_visible()]
    for box in view._boxes[:9]:
        assert not box.get_window_extent(renderer).overlaps(text.get_window_extent(renderer))
    fig.close()
