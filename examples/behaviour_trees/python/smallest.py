"""The smallest tree that acts on what is heard: drive, but not while an alert is open."""

import py_trees
from ears import AlertOpen, EarsLost, spin_tree


def make_root(ears):
    """Return the tree."""
    root = py_trees.composites.Selector('robot', memory=False)
    root.add_children([EarsLost(ears), AlertOpen(ears),   # nothing else while one of these is so
                       py_trees.behaviours.Running('drive')])
    return root


if __name__ == '__main__':
    spin_tree('smallest', make_root)
