"""Where reports are written: a folder of this machine, or a place in S3."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workbench import paths
from workbench.config import Settings
from workbench.errors import ExportError, ReportError

if TYPE_CHECKING:
    import boto3

    from workbench.aws.files import S3Files


@dataclass(frozen=True)
class Destination:
    """The two files of a report.

    Attributes
    ----------
    notebook, html
        The executed notebook and the page: files, or ``s3://`` addresses as text.
    session
        With which they are written to S3; None for files.
    """

    notebook: Path | str
    html: Path | str
    session: boto3.Session | None

    @classmethod
    def of(cls, out: str | Path, stem: str, settings: Settings) -> Destination:
        """Name the files of a report: ``out/STEM.ipynb`` and ``out/STEM.html``.

        Raises
        ------
        ExportError
            When `out` is in S3 and the engine is not Athena, or it is no place at all.
        """
        session = _session(out, settings)
        notebook, html = (paths.beneath(out, f"{stem}{ending}", session) for ending in (".ipynb", ".html"))
        return cls(notebook, html, session)

    def refuse(self, source: Path, *, overwrite: bool) -> None:
        """Refuse to write over what is there.

        Raises
        ------
        ReportError
            When one of the files is the notebook that is run, or exists and `overwrite` is not set.
        """
        for file in (self.notebook, self.html):
            if not overwrite and (file.exists() if isinstance(file, Path) else self._s3_files.exists(file)):
                raise ReportError(f"{file} exists: choose another name or folder, or allow overwriting it")
            if isinstance(file, Path) and file.resolve() == source.resolve():
                raise ReportError(f"{file} is the notebook itself: choose another folder for its report")

    def write(self, notebook: str, html: str) -> None:
        """Write both files, each whole or not at all."""
        for place, text in ((self.notebook, notebook), (self.html, html)):
            if isinstance(place, Path):
                write_page(place, text)
                continue
            with tempfile.TemporaryDirectory(prefix="workbench-report-") as scratch:
                part = Path(scratch, "part")
                part.write_text(text, encoding="utf-8")
                self._s3_files.put(part, place)

    @property
    def _s3_files(self) -> S3Files:
        from workbench.aws.files import S3Files

        assert self.session  # paths.beneath saw to it
        return S3Files(self.session, ExportError)


def write_page(path: Path, text: str) -> None:
    """Write a text file, whole or not at all; its folder is made when missing.

    Raises
    ------
    ReportError
        When it cannot be written.
    """
    try:
        with paths.write_atomically(path) as part:
            part.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ReportError(f"{path} cannot be written: {error.strerror or error}") from error


def _session(out: str | Path, settings: Settings) -> boto3.Session | None:
    """Return the session with which reports are written to S3; None where they are not, or nobody set it up."""
    if not paths.is_s3(out) or settings.engine != "athena":
        return None
    from workbench.aws.session import open_session  # awswrangler, which takes a second to import

    return open_session(settings)
