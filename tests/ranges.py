"""Ranges of uncertain inputs, as tests write them."""

import pandas as pd


def rows_of(*rows, **shared):
    """Rows of ranges: what a row leaves out has its default, `shared` is the same in all."""
    base = {
        "item": "",
        "low": 1.0,
        "mode": 1.0,
        "high": 1.0,
        "coverage": 1.0,
        "distribution": "triangular",
        "source": "test",
        "evidence": "M",
    }
    frame = pd.DataFrame([base | row for row in rows])
    return frame.assign(note="", **shared)
