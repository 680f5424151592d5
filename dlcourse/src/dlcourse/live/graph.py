"""Drawing a computation: boxes for nodes, lines for edges, values running left to right and gradients right to left."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.collections import LineCollection

from dlcourse.live.errors import FigureError
from dlcourse.live.style import OKABE_ITO

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from dlcourse.live.figure import LiveFigure

# What a box looks like: face, edge, width of the edge.
LOOKS = {
    "idle": ("white", "0.75", 1.0),
    "done": ("white", "black", 1.5),
    "now": ("#FFE3A6", "black", 2.5),
    "marked": ("#CFE8F7", OKABE_ITO["blue"], 2.0),
}


def layout(parents: Sequence[Sequence[int]]) -> tuple[np.ndarray, dict[tuple[int, int], np.ndarray]]:
    """Places for the nodes of a graph, each to the right of its parents, and ways for the edges around the nodes between.

    Args:
        parents: for each node the numbers of those that it is made from, all smaller than its own.
    Returns:
        x and y of each node, (N, 2), in [0, 1]; and for each edge (parent, node) the points that it runs through, (P, 2).
    Raises:
        FigureError: a node stands before one of its parents.
    Source: Sugiyama, Tagawa and Toda (1981): layers, a place in every layer for an edge that passes it, and orders by the
        mean of the neighbours.
    """
    count = len(parents)
    depth = [0] * count
    for node, above in enumerate(parents):
        for parent in above:
            if not 0 <= parent < node:
                raise FigureError(f"node {node} is made from node {parent}, which must come before it")
            depth[node] = max(depth[node], depth[parent] + 1)
    for node in reversed(range(count)):  # an input stands just before its first use, not at the far left
        uses = [depth[child] for child in range(node + 1, count) if node in parents[child]]
        if not parents[node] and uses:
            depth[node] = min(uses) - 1
    routes = {}
    links: list[tuple[int, int]] = []  # between neighbouring layers; numbers from count on are edges that pass
    for node, above in enumerate(parents):
        for parent in dict.fromkeys(above):
            stops = [parent]
            for between in range(depth[parent] + 1, depth[node]):
                stops.append(len(depth))
                depth.append(between)
            stops.append(node)
            routes[parent, node] = stops
            links += list(pairwise(stops))
    y = _orders(depth, links)
    at = np.stack([(np.array(depth) + 0.5) / (max(depth) + 1), y], axis=1) if count else np.zeros((0, 2))
    return at[:count], {edge: at[stops] for edge, stops in routes.items()}


def _orders(depth: list[int], links: list[tuple[int, int]]) -> np.ndarray:
    """Heights in [0, 1] for the places of all layers, such that few links cross."""
    near: list[list[int]] = [[] for _ in depth]
    for left, right in links:
        near[left].append(right)
        near[right].append(left)
    y = np.zeros(len(depth))
    layers = [np.flatnonzero(np.array(depth) == d) for d in range(max(depth, default=-1) + 1)]
    for layer in layers:
        y[layer] = _spread(len(layer))
    for side, order in ((-1, layers[1:]), (1, layers[-2::-1])) * 4:
        for layer in order:
            means = []
            for place in layer:
                neighbours = [y[other] for other in near[place] if depth[other] - depth[place] == side]
                means.append(np.mean(neighbours or [y[place]]))
            y[layer[np.argsort(-np.array(means), kind="stable")]] = _spread(len(layer))
    return y


def _spread(count: int) -> np.ndarray:
    return 1 - (np.arange(count) + 0.5) / count


LABEL_AT = 0.42  # of a slanted way from parent to node: there the labels of edges that meet at a node are still apart
BOW = 0.13  # height of the arc between neighbours of several edges that join the same two nodes
NARROW = 7  # columns from which on the letters are made smaller, and a text finds no room between two boxes of a row
BELOW = 0.14  # and stands this far below its edge, under the boxes


def along(route: np.ndarray, share: float) -> np.ndarray:
    """The point at this share of a broken line's length, (2,); the line is (P, 2)."""
    lengths = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(route, axis=0), axis=1))])
    return np.array([np.interp(share * lengths[-1], lengths, route[:, i]) for i in (0, 1)])


def bowed(route: np.ndarray, height: float) -> np.ndarray:
    """A line between the same ends that passes above (or below) the given one, (P, 2)."""
    if height == 0:
        return route
    shares = np.linspace(0, 1, 13)
    points = np.array([along(route, share) for share in shares])
    return points + np.stack([np.zeros(13), height * 4 * shares * (1 - shares)], axis=1)


class GraphView:
    """A graph on axes of a live figure, redrawn with every setting.

    Args:
        fig, ax: the figure and its axes; the axes lose their frame and ticks.
        nodes, edges: how many of each can be shown at most.
        columns: how many nodes fit side by side.
    """

    def __init__(self, fig: "LiveFigure", ax: "Axes", nodes: int = 16, edges: int = 24, columns: int = 10):
        self._columns = columns
        ax.set(xlim=(0, 1), ylim=(0, 1))
        ax.axis("off")
        self._lines = LineCollection([], colors="0.7", linewidths=1.5)
        self._bold = LineCollection([], colors=OKABE_ITO["red"], linewidths=3.5)
        ax.add_collection(self._lines)
        ax.add_collection(self._bold)
        (self._heads,) = ax.plot([], [], ">", color="0.45", markersize=7)
        (self._bold_heads,) = ax.plot([], [], ">", color=OKABE_ITO["red"], markersize=10)
        on_edge = {"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none"}
        box = {"boxstyle": "round,pad=0.3"}
        centred = {"ha": "center", "va": "center", "fontsize": 12, "linespacing": 1.25}
        self._edge_texts = [ax.text(0, 0, "", bbox=on_edge, color="#8A3B00", **centred) for _ in range(edges)]
        self._boxes = [ax.text(0, 0, "", bbox=box, zorder=3, **centred) for _ in range(nodes)]
        self.artists = [self._lines, self._bold, self._heads, self._bold_heads, *self._edge_texts, *self._boxes]
        fig.animate(self.artists)

    def room(self, parents: Sequence[Sequence[int]]) -> int:
        """How many of these nodes, counted from the last one, find room; their parents further back are left out.

        Args:
            parents: as for `layout`.
        """
        for count in range(min(len(parents), len(self._boxes)), 0, -1):
            part = last_nodes(parents, count)
            if sum(map(len, part)) <= len(self._edge_texts) and _columns_of(layout(part)[0]) <= self._columns:
                return count
        return 0

    def show(
        self,
        labels: Sequence[str],
        parents: Sequence[Sequence[int]],
        looks: Sequence[str] | None = None,
        edges: Mapping[tuple[int, int], str | Sequence[str]] | None = None,
        bold: Iterable[tuple[int, int]] = (),
        backwards: bool = False,
    ) -> None:
        """Draw these nodes.

        Args:
            labels: the text of each box, parents before those that are made from them.
            parents: as for `layout`; the same parent twice gives two lines.
            looks: 'idle', 'done', 'now' or 'marked' for each box; all done unless given.
            edges: text on some edges, by (parent, node); where the same two nodes are joined several times, one text for each
                line in the order of `parents`, or one text for all of them.
            bold: edges along which something is passed now, by (parent, node).
            backwards: whether it is passed from node to parent.
        Raises:
            FigureError: more nodes, edges or columns than there is room for (see `room`), or a text for no edge.
        """
        pairs = [(parent, node) for node, above in enumerate(parents) for parent in above]
        if len(labels) > len(self._boxes) or len(pairs) > len(self._edge_texts):
            raise FigureError(
                f"the picture has room for {len(self._boxes)} nodes and {len(self._edge_texts)} edges, "
                f"and this graph has {len(labels)} and {len(pairs)}: make the expression shorter"
            )
        bold, edges = set(bold), edges or {}
        for pair in edges:
            if pair not in pairs:
                raise FigureError(f"there is a text for the edge {pair}, and no such edge: an edge is (parent, node)")
        at, routes = layout(parents)
        columns = _columns_of(at)
        if columns > self._columns:
            raise FigureError(f"the picture has room for {self._columns} steps in a row, and this graph has {columns}")
        size = 12 * min(1.0, NARROW / columns) if columns else 12
        for box, label, place, look in zip(self._boxes, labels, at, looks or ["done"] * len(labels), strict=False):
            face, edge, width = LOOKS[look]
            box.set(text=label, position=place, color="0.45" if look == "idle" else "black", fontsize=size)
            box.get_bbox_patch().set(facecolor=face, edgecolor=edge, linewidth=width)
        for i, box in enumerate(self._boxes):
            box.set_visible(i < len(labels))
        lines: dict[bool, list[np.ndarray]] = {False: [], True: []}
        heads: dict[bool, list[np.ndarray]] = {False: [], True: []}
        seen: Counter[tuple[int, int]] = Counter()
        often = Counter(pairs)
        for text, pair in zip(self._edge_texts, pairs, strict=False):
            route = bowed(routes[pair], BOW * ((often[pair] - 1) / 2 - seen[pair]))
            given = edges.get(pair, "")
            alone = isinstance(given, str)
            words = (given if seen[pair] == 0 else "") if alone else given[seen[pair]]
            level = np.ptp(routes[pair][:, 1]) < 0.01
            x, y = along(route, 0.5 if level else LABEL_AT)
            below = BELOW if level and columns >= NARROW else 0
            text.set(text=words, position=(x, y - below), visible=bool(words), fontsize=size)
            lines[pair in bold].append(route)
            if not words:
                heads[pair in bold].append(along(route, 0.5))
            seen[pair] += 1
        for text in self._edge_texts[len(pairs) :]:
            text.set_visible(False)
        for collection, marks, wanted in ((self._lines, self._heads, False), (self._bold, self._bold_heads, True)):
            collection.set_segments(lines[wanted])
            marks.set_data(*np.array(heads[wanted]).reshape(-1, 2).T)
            marks.set_marker("<" if wanted and backwards else ">")


def last_nodes(parents: Sequence[Sequence[int]], count: int) -> list[list[int]]:
    """The parents of the last nodes of a graph, numbered anew from 0; parents that are cut off are left out."""
    first = len(parents) - count
    return [[parent - first for parent in above if parent >= first] for above in parents[first:]]


def _columns_of(at: np.ndarray) -> int:
    return len({round(x, 6) for x in at[:, 0]})
