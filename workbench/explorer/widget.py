"""The widget of the explorer: what JupyterLab shows. Its code and style are `explorer.js` and `explorer.css`.

The kernel has all of the data. The page asks by messages, `view` for a page of rows and `item` for a timeline, and gets
what is seen and no more. The widget's state, which a notebook may be saved with, holds facts and no value of an item.
Nothing is loaded from anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import anywidget
import traitlets

_HERE = Path(__file__).parent


class Widget(anywidget.AnyWidget):
    """The page's side of an `workbench.explorer.Explorer`.

    Parameters
    ----------
    facts
        What holds for as long as it is open.
    answer
        Answers what the page asks.
    """

    _esm = _HERE / "explorer.js"
    _css = _HERE / "explorer.css"
    facts = traitlets.Dict().tag(sync=True)

    def __init__(self, facts: Mapping[str, Any], answer: Callable[[Mapping[str, Any]], dict[str, Any]]) -> None:
        super().__init__(facts=dict(facts))
        self.on_msg(lambda _widget, content, _buffers: self.send(answer(content)))
