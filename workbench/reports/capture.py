"""What the kernel of a report keeps of what its cells show: tables and figures, whole, as files.

An extension of IPython. It is loaded by the kernels of reports alone, whose variable `REPORT` names the folder of the
run; without it nothing is kept. What is shown stays as it is: beside it the output says which file it went to, by which
the page finds it.
"""

from __future__ import annotations

import base64
import io
import os
import shutil
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from workbench import paths
from workbench.questions.answers_noted import REPORT

if TYPE_CHECKING:
    import pandas as pd
    from IPython.core.interactiveshell import InteractiveShell
    from matplotlib.figure import Figure
    from pandas.io.formats.style import Styler

    from workbench.charts._style import ChartAxes
    from workbench.questions.large import Frame
    from workbench.questions.result import Result
    from workbench.reports.tables import ShownTable

TABLE = "application/vnd.workbench.table+json"
CHART = "application/vnd.workbench.chart+json"
TABLES, FIGURES, SHOWN = "tables", "figures", "shown"
"""Folders below that of the run; what is in the last is for the page only."""
_PHONE = 360
_STYLED_ROWS = 2_000
"""Rows of a table with a style of its own that a page shows with it; of longer ones the values."""
Bundle: TypeAlias = dict[str, Any]


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Keep from now on what cells show, where the kernel is a report's."""
    if not (folder := os.environ.get(REPORT)):
        return
    keep = _Keeper(Path(folder))
    assert shell.display_formatter
    bundles = shell.display_formatter.mimebundle_formatter
    for module, name, kept in (
        ("pandas", "DataFrame", keep.frame),
        ("pandas", "Series", keep.series),
        ("pandas.io.formats.style", "Styler", keep.styler),
        ("workbench.questions.result", "Result", keep.result),
        ("workbench.charts._style", "ChartAxes", keep.chart),
        ("matplotlib.figure", "Figure", keep.figure),
    ):  # none of them is imported before the notebook does
        bundles.for_type_by_name(module, name, kept)


class _Keeper:
    """Writes what is shown, numbered in the order in which it is."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = {TABLES: count(1), FIGURES: count(1)}

    def frame(self, df: pd.DataFrame) -> Bundle:
        """Keep a frame."""

        def write() -> Bundle:
            from workbench.reports.tables import ShownTable, with_index, writable

            whole, heads = with_index(df)
            return self._table(writable(whole), ShownTable.of(whole, heads=heads))

        return _told(TABLE, write)

    def series(self, series: pd.Series[Any]) -> Bundle:
        """Keep a column as a table of one."""
        return self.frame(series.to_frame("value" if series.name is None else series.name))

    def styler(self, styler: Styler) -> Bundle:
        """Keep the rows and columns that a style shows; the page shows them with it."""

        def write() -> Bundle:
            from workbench.reports.tables import ShownTable, with_index, writable

            data: pd.DataFrame = styler.data  # type: ignore[attr-defined]
            hidden = (styler.hidden_rows, styler.hidden_columns)  # type: ignore[attr-defined]
            rows, columns = (
                [at for at in range(size) if at not in set(gone)] for size, gone in zip(data.shape, hidden, strict=True)
            )
            whole, heads = with_index(data.iloc[rows, columns])
            styled = len(whole) <= _STYLED_ROWS
            return self._table(writable(whole), ShownTable.of(whole, heads=heads)) | {"styled": styled}

        return _told(TABLE, write)

    def result(self, result: Result) -> Bundle:
        """Keep the frame of an answer; the page shows it as it shows itself, a table with all its rows."""

        def write() -> Bundle:
            from workbench.questions.result import Result
            from workbench.reports.tables import MOST_ROWS, ShownTable

            frame = result._frame
            shows_itself = type(result)._repr_html_ is not Result._repr_html_
            shown = ShownTable.of(result._for_people(MOST_ROWS), heads=len(result.keys), total=len(frame))
            files = f" · in the files: {result.unlike_shown}" if result.unlike_shown else ""
            return self._table(frame, shown) | {"own": shows_itself, "says": result.summary + files}

        return _told(TABLE, write)

    def _table(self, frame: Frame, shown: ShownTable) -> Bundle:
        from workbench.questions import writers

        name = f"{next(self._numbers[TABLES]):02}"
        for folder in (TABLES, SHOWN):
            (self._folder / folder).mkdir(exist_ok=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of columns that some readers take for one
            files = [self._folder / TABLES / f"{name}.{kind}" for kind in ("parquet", "csv")]
            for file in files:
                try:
                    writers.write(frame, file, overwrite=True)
                except OSError:  # a table is in both of its files, or in none
                    for each in files:
                        each.unlink(missing_ok=True)
                    raise
        (self._folder / SHOWN / f"{name}.json").write_text(shown.to_json(), encoding="utf-8", errors="backslashreplace")
        return {"file": f"{TABLES}/{name}", "rows": len(frame)}

    def chart(self, axes: ChartAxes) -> tuple[Bundle, Bundle]:
        """Keep a chart as it is drawn for a page, for a phone, and as a picture."""
        data, about = axes._repr_mimebundle_()

        def write() -> Bundle:
            from workbench.charts import as_svg

            drawings = {"": as_svg(axes), "-narrow": as_svg(axes, width=_PHONE)}
            return self._figure(base64.b64decode(data["image/png"]), drawings)

        return data | _told(CHART, write), about

    def figure(self, figure: Figure) -> Bundle:
        """Keep a figure that is none of ours as it is drawn."""

        def write() -> Bundle:
            from workbench.charts import as_svg

            picture = io.BytesIO()
            figure.savefig(picture, format="png", dpi=2 * figure.dpi)
            width, height = (round(side * figure.dpi) for side in figure.get_size_inches())
            return self._figure(picture.getvalue(), {"": as_svg(figure)}) | {"width": width, "height": height}

        return _told(CHART, write)

    def _figure(self, picture: bytes, drawings: Mapping[str, str]) -> Bundle:
        """Write a figure's files; those of drawings by what their names end with."""
        name = f"{next(self._numbers[FIGURES]):02}"
        place = self._folder / FIGURES
        place.mkdir(exist_ok=True)
        (place / f"{name}.png").write_bytes(picture)
        for ending, drawing in drawings.items():
            (place / f"{name}{ending}.svg").write_text(drawing, encoding="utf-8")
        return {"file": f"{FIGURES}/{name}"}


def _told(kind: str, write: Callable[[], Mapping[str, Any]]) -> Bundle:
    """Return what an output says of its files. That they could not be written fails no cell: the page says so."""
    try:
        return {kind: dict(write())}
    except Exception as error:  # the text of most of them may hold data
        reason = error.strerror if isinstance(error, OSError) else None
        return {kind: {"failed": reason or type(error).__name__}}


def taken(folder: Path) -> dict[str, ShownTable]:
    """Take out of the folder of a run what is for the page only, its tables by their files, and what is unfinished.

    >>> taken(Path("none"))
    {}
    """
    from workbench.reports.tables import ShownTable

    shown = sorted((folder / SHOWN).glob("*.json"))
    tables = {}
    for path in shown:
        with suppress(ValueError):  # of one that is half there, since the disk was full or the kernel was killed
            tables[f"{TABLES}/{path.stem}"] = ShownTable.from_json(path.read_text(encoding="utf-8"))
    shutil.rmtree(folder / SHOWN, ignore_errors=True)
    for part in folder.glob(f"{TABLES}/{paths.UNFINISHED}"):  # of a kernel that was killed
        part.unlink()
    return tables
