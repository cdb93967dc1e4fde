"""Charts: an answer or its DataFrame in, an Axes out; the title says the finding.

Nothing here goes through pyplot, so no global state changes and nothing is drawn twice: each chart has a
figure of its own, and its Axes shows that figure when it is the last line of a notebook cell. To keep one:
``ax.figure.savefig("changes.png", dpi=200)``, or `as_svg` for a page: it may be narrow, and dark. Which chart shows the
answer to which question is a table, `workbench.charts.of_questions`; an answer brings its frame and its table along:
``change_frequency(wb.change_frequency("persons"))``.

Keys may be in any script. What no font of this machine has, as Chinese, Japanese and Korean where no font for them is
installed (Debian's ``fonts-noto-cjk``), is text in an SVG, for its reader's fonts, and in a PNG an escape such as
``\\\\u952e``.

>>> import pandas as pd
>>> hours = pd.date_range("2026-11-01", periods=3, freq="1h", tz="UTC")
>>> hourly = pd.DataFrame({"bucket": hours, "inserts": [3, 0, 1], "modifies": [0, 4, 0], "removes": 0})
>>> change_frequency(hourly.assign(ttl_removes=0, changes=[3, 4, 1]), subject="persons").get_title("left")
'persons: 8 changes in 3 hours, busiest Sun 01:00 (4)'
"""

from workbench.charts.changes import change_frequency, hot_keys, live_items
from workbench.charts.distributions import concentration, delivery_lag, intervals
from workbench.charts.heatmaps import attribute_heatmap, weekday_hour
from workbench.charts.lifetimes import cohorts, survival
from workbench.charts.moves import transitions_flows, transitions_matrix, trend
from workbench.charts.of_questions import charts_of
from workbench.charts.profiles import profile
from workbench.charts.svg import as_svg

__all__ = [
    "as_svg",
    "attribute_heatmap",
    "change_frequency",
    "charts_of",
    "cohorts",
    "concentration",
    "delivery_lag",
    "hot_keys",
    "intervals",
    "live_items",
    "profile",
    "survival",
    "transitions_flows",
    "transitions_matrix",
    "trend",
    "weekday_hour",
]
