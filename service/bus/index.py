"""Wildcard patterns by segment, in a tree: a topic meets only those that begin as it does.

    projects/*        ─ projects ┬ * ──────── here
    projects/*/log               │ └ log ──── here
    projects/**                  └ below

A node stands for the segments from its parent to it, `label`: several, where no other pattern branches off in between,
so that there are at most two nodes a pattern, however long. Of a node's children a topic can only follow two: the one
that begins with its own next segment, and the one that begins with `*`.

The tree may change while somebody walks it. Who was in it before and after is found all the same: an `add` that splits
a node puts a new one above it, a `remove` that joins two puts a new one in the place of both; a node that a walk holds
keeps its label and shares what is below it.

Patterns can be made so that a topic meets all of them and none matches. Who looks for many topics in a row therefore
has so many looks for all of them, `Looks`; who would have been found with more is told apart, and asked otherwise.
"""

import math
from collections.abc import Container, Iterator
from typing import Final, Generic, TypeVar

from service.core.topics import ANY_REST, ANY_SEGMENT, fits, is_own

T = TypeVar("T")

STEP: Final = 256
"""Nodes that a walk looks at in one step, a third of a millisecond."""

LOOKS: Final = 8 * 1024
"""Looks at nodes for all the walks of a round: 10 to 20 ms."""

LOOKS_LEAST: Final = 16
"""Looks that each walk has all the same, so that patterns that a topic meets few of are always found."""

LABEL: Final = 16
"""Segments of a node's label whose comparison takes as long as a look."""


class _Node(Generic[T]):
    __slots__ = ("below", "children", "here", "label", "size")

    def __init__(self, label: str, children: "dict[str, _Node[T]]", here: dict[T, None], below: dict[T, None]) -> None:
        self.label = label
        """Segments joined by `/`; never changed."""
        self.size = label.count("/") + 1
        self.children = children
        """By the first segment of their labels."""
        self.here = here
        """Those whose pattern ends with the label."""
        self.below = below
        """Those whose pattern goes on with `**` alone."""

    @property
    def is_empty(self) -> bool:
        return not (self.children or self.here or self.below)

    def is_met_by(self, segments: list[str], at: int) -> bool:
        """Whether the label fits the segments from `at` on; of the first it is known."""
        if self.size == 1:
            return True
        return len(segments) >= at + self.size and fits(self.label.split("/"), segments[at : at + self.size])


class Looks(Generic[T]):
    """What the walks of one round have together, and whom they left out for it."""

    __slots__ = ("is_whole", "most", "nodes", "passed_over")

    def __init__(self, most: int = LOOKS) -> None:
        self.most = most
        """Looks that are left."""
        self.nodes: set[_Node[T]] = set()
        """That nobody looks at any more, with all that is below them."""
        self.passed_over: dict[T, None] = {}
        """Whose patterns are at these; whether they match a topic of this round is not known."""
        self.is_whole = True
        """Whether the latest walk has met all that it could."""

    def pass_over(self, node: _Node[T]) -> Iterator[None]:
        """Yields after every STEP nodes, to look at the time."""
        rest = [node]
        looked = 0
        while rest:
            one = rest.pop()
            if one in self.nodes:
                continue
            self.nodes.add(one)
            self.passed_over.update(one.here)
            self.passed_over.update(one.below)
            rest += one.children.values()
            looked += 1
            if not looked % STEP:
                yield None


class PatternIndex(Generic[T]):
    """Who asked for which patterns. Values are hashable, and in it once a pattern."""

    def __init__(self) -> None:
        self._root: _Node[T] = _Node("", {}, {}, {})

    def __len__(self) -> int:
        """Nodes below the root."""
        count, rest = -1, [self._root]
        while rest:
            count += 1
            rest += rest.pop().children.values()
        return count

    def add(self, pattern: str, value: T) -> None:
        segments, is_open = _parse(pattern)
        node = self._root
        while segments:
            child = node.children.get(segments[0])
            if child is None:
                child = node.children[segments[0]] = _Node("/".join(segments), {}, {}, {})
                node, segments = child, []
                break
            label = child.label.split("/")
            shared = _shared(label, segments)
            if shared < len(label):
                child = node.children[segments[0]] = self._split(child, label, shared)
            node, segments = child, segments[shared:]
        (node.below if is_open else node.here)[value] = None

    def _split(self, node: _Node[T], label: list[str], at: int) -> _Node[T]:
        """Two nodes in the place of one, the upper of which is returned."""
        lower = _Node("/".join(label[at:]), node.children, node.here, node.below)
        return _Node("/".join(label[:at]), {label[at]: lower}, {}, {})

    def remove(self, pattern: str, value: T) -> None:
        """Raises KeyError if it was never added."""
        segments, is_open = _parse(pattern)
        path = [self._root]
        while segments:
            path.append(path[-1].children[segments[0]])
            segments = segments[path[-1].size :]
        del (path[-1].below if is_open else path[-1].here)[value]
        while len(path) > 1:
            node, above = path.pop(), path[-1]
            key = node.label.partition("/")[0]
            if node.is_empty:
                del above.children[key]
                continue
            if len(node.children) == 1 and not node.here and not node.below:
                (child,) = node.children.values()
                label = f"{node.label}/{child.label}"
                above.children[key] = _Node(label, child.children, child.here, child.below)
            break

    def walk(self, topic: str, looks: Looks[T] | None = None) -> Iterator[T | None]:
        """Who asked for a pattern that matches, once for each; None now and then, to look at the time.

        With `looks`, those that these are not enough for may be missing, and are passed over.
        """
        segments = topic.split("/")
        rest = self._begin(topic, segments)
        looked, due, most = 0, STEP, math.inf
        passed: Container[_Node[T]] = ()
        if looks is not None:
            looks.is_whole, most, passed = True, max(looks.most, LOOKS_LEAST), looks.nodes
        while rest:
            node, at = rest.pop()
            if looked >= most and looks is not None:
                looks.is_whole = False
                yield from looks.pass_over(node)
                continue
            looked += 1
            if looked >= due:
                due = looked + STEP
                yield None
            if at == len(segments):
                yield from tuple(node.here)
                continue
            yield from tuple(node.below)
            for key in (segments[at], ANY_SEGMENT):
                child = node.children.get(key)
                if child is None:
                    continue
                if child in passed and looks is not None:
                    looks.is_whole = False
                    continue
                if child.size >= LABEL:
                    looked += child.size // LABEL
                if child.is_met_by(segments, at):
                    rest.append((child, at + child.size))
        if looks is not None:
            looks.most -= looked

    def _begin(self, topic: str, segments: list[str]) -> list[tuple[_Node[T], int]]:
        """Where a walk begins: a node that is met, and how many segments it is from the root."""
        if not is_own(topic):
            return [(self._root, 0)]
        inside = self._root.children.get(segments[0])  # no wildcard reaches it from the outside
        return [(inside, inside.size)] if inside is not None and inside.is_met_by(segments, 0) else []


def _parse(pattern: str) -> tuple[list[str], bool]:
    """The segments of a pattern, and whether `**` followed them."""
    segments = pattern.split("/")
    if segments[-1] == ANY_REST:
        return segments[:-1], True
    return segments, False


def _shared(some: list[str], other: list[str]) -> int:
    """How many segments both begin with."""
    pairs = zip(some, other, strict=False)
    return next((n for n, (one, two) in enumerate(pairs) if one != two), min(len(some), len(other)))
