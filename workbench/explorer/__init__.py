"""The explorer: a table's life on a slider, in JupyterLab; see `Workbench.explore`.

It asks once for the versions of all items, masked as any answer is, and keeps them as columns of numbers
(`workbench.explorer.columns`), and once how often the table changed (`workbench.explorer.changes`). Each move of a
handle is a look into these (`workbench.explorer.states`): no query runs, on neither engine. What is shown, and where
the handles stand, is an `Explorer`; a widget of anywidget's shows it, whose code and style are files of this room.
"""

from workbench.explorer.explorer import Explorer as Explorer
from workbench.explorer.explorer import explore as explore
