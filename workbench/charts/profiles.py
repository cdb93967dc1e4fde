"""The chart of how the values of attributes are distributed, then and now."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from workbench.charts._axes import empty
from workbench.charts._style import GREY, LEGEND, LINE, labels, own_axes, room, styled, titled
from workbench.text import percent

MOST_ATTRIBUTES, MOST_VALUES = 6, 4


@styled
def profile(df: pd.DataFrame, *, ax: Axes | None = None, title: str | None = None, subject: str = "") -> Axes:
    """Draw the shares of the most frequent values of the first attributes, now and, where it is told, before.

    Parameters
    ----------
    df
        The frame ``values`` of what ``Workbench.profile(table)`` gives: path, value, share, share_before. Of the first
        6 attributes, which moved most, the first 4 values are drawn.
    ax, title, subject
        As in `change_frequency`.

    Examples
    --------
    >>> values = pd.DataFrame({"path": ["active"] * 2, "value": ["true", "false"], "share": [0.8, 0.2]})
    >>> profile(values.assign(share_before=[0.5, 0.5]), subject="persons").get_title("left")
    'persons: active true is 80%, 50% before'
    """
    first = df[df["path"].isin(df["path"].drop_duplicates().head(MOST_ATTRIBUTES))]
    drawn = first.groupby("path", sort=False).head(MOST_VALUES).reset_index(drop=True)
    attributes = drawn["path"].nunique()
    ax = ax or own_axes(1.6 + 0.3 * max(len(drawn), 3) + 0.15 * attributes)
    if drawn.empty:
        return empty(ax, df, title, subject, "values")
    group = (drawn["path"] != drawn["path"].shift()).cumsum().to_numpy() - 1
    rows = np.arange(len(drawn)) + 0.6 * group
    compared = "share_before" in drawn
    thick = 0.38 if compared else 0.7
    ax.barh(rows - thick / 2 * compared, drawn["share"], thick, color=LINE, label="now")
    if compared:
        ax.barh(
            rows + thick / 2,
            drawn["share_before"],
            thick,
            color=GREY,
            hatch="////",
            hatchcolor="white",
            label="before",
        )
        ax.legend(**LEGEND)
    names = drawn["path"] + " = " + drawn["value"].map(lambda value: f"'{value}'" if not value.strip() else value)
    shown = labels(names, room(ax)[0] * 4.5)
    ax.set_yticks(rows, shown)
    ax.set(ylim=(rows[-1] + 0.7, -0.7), xlim=(0, None), xlabel="Share of all items")
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=None))
    ax.grid(axis="x")
    top = drawn.iloc[0]
    was = f", {percent(float(top['share_before']))} before" if compared else ""
    return titled(ax, f"{top['path']} {top['value']} is {percent(float(top['share']))}{was}", title, subject)
