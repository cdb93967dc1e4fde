"""Charts: a DataFrame in, an Axes out; the title says the finding.

Nothing here goes through pyplot, so no global state changes and nothing is drawn twice: each chart has a
figure of its own, and its Axes shows that figure when it is the last line of a notebook cell. To keep one:
``ax.figure.savefig("changes.png", dpi=200)``.
"""

from workbench.charts.changes import change_frequency, hot_keys, live_items
from workbench.charts.distributions import concentration, delivery_lag, intervals
from workbench.charts.heatmaps import attribute_heatmap, weekday_hour

__all__ = [
    "attribute_heatmap",
    "change_frequency",
    "concentration",
    "delivery_lag",
    "hot_keys",
    "intervals",
    "live_items",
    "weekday_hour",
]
