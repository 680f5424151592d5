"""Drawing a computation: places, ways around the boxes, and room for what is shown."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcourse.live import FigureError, GraphView, LiveFigure
from dlcourse.live.graph import layout

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
    fig.close()
