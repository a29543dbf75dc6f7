"""Boosted trees as plain numbers: served by comparisons and additions, without their library."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

MAX_NODES = 4096
MAX_TREES = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One node as a library tells it; a leaf has no children.

    Attributes:
        feature: Which column it asks.
        threshold: A row goes left when its number is at most this.
        left: Place of the left child; 0 at a leaf.
        right: Place of the right child; 0 at a leaf.
        number: What a leaf adds.
        rows: Training rows that came by.
    """

    feature: int = 0
    threshold: float = 0.0
    left: int = 0
    right: int = 0
    number: float = 0.0
    rows: float = 1.0

    def with_child(self, side: str, place: int) -> "Node":
        """Return the node with its `left` or `right` child at `place`."""
        return replace(self, left=place) if side == "left" else replace(self, right=place)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TreeModel:
    """Trees whose leaves add up to log-odds; each array has shape (trees, nodes), padded.

    Attributes:
        feature: Which column an inner node asks.
        threshold: A row goes left when its number is at most this.
        left: Place of the left child; 0 at a leaf.
        right: Place of the right child; 0 at a leaf.
        number: What a leaf adds; at an inner node the mean of its leaves, by training rows.
        start: Log-odds before the first tree.
    """

    feature: IntArray
    threshold: FloatArray
    left: IntArray
    right: IntArray
    number: FloatArray
    start: float

    def __post_init__(self) -> None:
        trees, nodes = self.feature.shape
        if trees > MAX_TREES or nodes > MAX_NODES:
            raise ValueError(f"{trees} trees of {nodes} nodes are more than are served")
        for name in ("threshold", "left", "right", "number"):
            if getattr(self, name).shape != self.feature.shape:
                raise ValueError(f"{name} must have shape {self.feature.shape}")
        places = np.arange(nodes)
        for child in (self.left, self.right):
            # Children come after their parent: a walk ends, whatever the file says.
            if not ((child == 0) | ((child > places) & (child < nodes))).all():
                raise ValueError("a child must come after its parent")
        if ((self.left == 0) != (self.right == 0)).any() or (self.feature < 0).any():
            raise ValueError("a node has two children or none")
        if not (np.isfinite(self.number).all() and np.isfinite(self.start)):
            raise ValueError("what leaves add must be finite")

    @classmethod
    def from_nodes(cls, trees: Sequence[Sequence[Node]], *, start: float) -> "TreeModel":
        """Pad trees to arrays; an inner node gets the mean of its leaves.

        Args:
            trees: Nodes of each, a child after its parent.
            start: Log-odds before the first tree.
        """
        shape = (len(trees), max((len(nodes) for nodes in trees), default=1))
        feature, left, right = (np.zeros(shape, np.int64) for _ in range(3))
        threshold, number = np.zeros(shape), np.zeros(shape)
        for tree, nodes in enumerate(trees):
            for place in range(len(nodes) - 1, -1, -1):
                node = nodes[place]
                number[tree, place] = node.number
                if not node.left:
                    continue
                feature[tree, place], threshold[tree, place] = node.feature, node.threshold
                left[tree, place], right[tree, place] = node.left, node.right
                sides = (nodes[node.left].rows, nodes[node.right].rows)
                number[tree, place] = (
                    sides[0] * number[tree, node.left] + sides[1] * number[tree, node.right]
                ) / sum(sides)
        return cls(
            feature=feature, threshold=threshold, left=left, right=right, number=number, start=start
        )

    def margins(self, features: NDArray[np.float32]) -> FloatArray:
        """Return log-odds, shape (n,), of `features`, shape (n, columns)."""
        total = np.full(len(features), self.start)
        for tree in range(len(self.feature)):
            total += self.number[tree][self._walk(features, tree)[-1]]
        return total

    def contributions(self, features: NDArray[np.float32]) -> FloatArray:
        """Return what each column adds, shape (n, columns): changes of the mean along the path.

        Source: Saabas 2014. Cheaper than Shapley values and, in trees this small, close to them.
        """
        found = np.zeros(features.shape)
        rows = np.arange(len(features))
        for tree in range(len(self.feature)):
            path = self._walk(features, tree)
            for before, after in itertools.pairwise(path):
                change = self.number[tree][after] - self.number[tree][before]
                np.add.at(found, (rows, self.feature[tree][before]), change)
        return found

    def _walk(self, features: NDArray[np.float32], tree: int) -> list[IntArray]:
        """Return the node of each row after each step; who has arrived stays."""
        rows = np.arange(len(features))
        left, right = self.left[tree], self.right[tree]
        at = np.zeros(len(features), np.int64)
        path = [at]
        while (left[at] > 0).any():
            asked = features[rows, self.feature[tree][at]].astype(np.float64)
            child = np.where(asked <= self.threshold[tree][at], left[at], right[at])
            at = np.where(left[at] > 0, child, at)
            path.append(at)
        return path

    def to_json(self) -> dict[str, Any]:
        return {
            **{
                name: getattr(self, name).tolist()
                for name in ("feature", "threshold", "left", "right", "number")
            },
            "start": self.start,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "TreeModel":
        """Read what ``to_json`` wrote.

        Raises:
            KeyError, TypeError, ValueError: It is no such model.
        """
        return cls(
            feature=np.array(data["feature"], np.int64),
            threshold=np.array(data["threshold"], np.float64),
            left=np.array(data["left"], np.int64),
            right=np.array(data["right"], np.int64),
            number=np.array(data["number"], np.float64),
            start=float(data["start"]),
        )
