"""Forests that are written down by hand: a tree is a leaf, `cause("rate_too_low", 3)`, or a question with two trees."""

from improve.diagnosis.forest import LEAF, Forest


def cause(name, weight=1.0):
    return name, weight


def forest(*trees, **details):
    """A tree is `(name, weight)`, or `(sign, at most, left, right)`."""
    nodes, roots = [], []
    for tree in trees:
        roots.append(len(nodes))
        lay_down(tree, nodes)
    signs = sorted({name for name, *_ in nodes if name is not None})
    causes = sorted({after for name, _, after in nodes if name is None})
    return Forest(
        signs,
        causes,
        roots,
        [LEAF if name is None else signs.index(name) for name, _, _ in nodes],
        [value for _, value, _ in nodes],
        [causes.index(after) if name is None else after for name, _, after in nodes],
        **{"found": 0.8, **details},
    )


def lay_down(tree, nodes):
    if len(tree) == 2:
        nodes.append((None, tree[1], tree[0]))
        return
    sign, limit, left, right = tree
    at = len(nodes)
    nodes.append(None)
    lay_down(left, nodes)
    nodes[at] = (sign, limit, len(nodes))
    lay_down(right, nodes)
