"""The program: the options before a verb, the verbs by their sections, and one line for every error."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from workbench.errors import NotPublished, RecordRefused, WorkbenchError
from workbench.exit_codes import ERROR, NOT_PUBLISHED, STOPPED
from workbench.text import plain
from workbench.version import __version__
from workbench.vocabulary import alias_of, question_name

QUESTIONS, LOGS, REPORTS, SETUP = "Questions", "Logs and tables", "Reports", "Setup"
"""Sections of the help."""


class Program(click.Group):
    """The verbs by sections, questions by their shorter names too; an error of ours is one line."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.sections: dict[str, list[str]] = {section: [] for section in (QUESTIONS, LOGS, REPORTS, SETUP)}

    def verb(self, section: str, **options: Any) -> Callable[[Callable[..., Any]], click.Command]:
        """Register a function as the verb of its own name, in a section of the help."""

        def register(function: Callable[..., Any]) -> click.Command:
            command: click.Command = self.command(name=function.__name__, **options)(function)
            self.sections[section].append(function.__name__)
            return command

        return register

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a verb by its name, or by the shorter name of a question."""
        return super().get_command(ctx, question_name(cmd_name))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the verbs by sections, a question with its shorter name."""
        width = max(len(_listed(name)) for name in self.commands)
        for section, names in self.sections.items():
            with formatter.section(section):
                limit = formatter.width - width - 6
                formatter.write_dl(
                    [(f"{_listed(name):{width}}", self.commands[name].get_short_help_str(limit)) for name in names]
                )

    def main(self, *arguments: Any, **more: Any) -> Any:
        """Run the program, on streams that escape what they cannot write and end nothing by it."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        try:
            try:
                return super().main(*arguments, **more)
            finally:
                sys.stdout.flush()
        except OSError as error:  # of what was printed itself, as on a full disk
            if isinstance(error, BrokenPipeError):
                raise
            print(f"Error: {_refusal(error, {})}", file=sys.stderr)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # where Python puts what is left when it ends
            sys.exit(ERROR)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a verb; an error of ours, or of the system, is one line, unless ``--debug`` asks for its traceback."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("Stopped.", err=True)
            sys.exit(STOPPED)
        except (WorkbenchError, RecordRefused, OSError) as error:
            if isinstance(error, BrokenPipeError):  # the reader of a pipe has seen enough: click ends quietly
                raise
            if ctx.params.get("debug"):
                raise
            message = _refusal(error, ctx.obj or {}) if isinstance(error, OSError) else str(error)
            kind = _NotPublished if isinstance(error, NotPublished) else click.ClickException
            raise kind(plain(" ".join(message.split()))) from error


class _NotPublished(click.ClickException):
    """A report is not where it was to be."""

    exit_code = NOT_PUBLISHED


def _listed(name: str) -> str:
    alias = alias_of(name)
    return f"{name}, {alias}" if alias else name


def _refusal(error: OSError, settings_given: Mapping[str, Any]) -> str:
    """Say what the system refused, and by which setting the place is chosen."""
    if error.errno == errno.ENOSPC and error.filename is None:
        return f"what is printed, or a file, could not be written: {error.strerror}"
    if not isinstance(error.filename, str) or not error.strerror:
        return str(error)
    from workbench.config import load_settings

    place, settings = Path(error.filename).absolute(), load_settings(**settings_given)
    for name in ("checkpoints", "home"):
        chosen = getattr(settings, name)
        if chosen and place.is_relative_to(Path(chosen).absolute()):
            return (
                f"{place}: {error.strerror}; the setting {name} says where: set it (WORKBENCH_{name.upper()}) to a "
                "folder you may write to"
            )
    return f"{place}: {error.strerror}"


def _with_underscores(token: str) -> str:
    """Return a name of a verb, an option or a choice with ``_`` for ``-``: both are read everywhere."""
    return token.replace("-", "_")


def say(text: object, *, err: bool = False) -> None:
    """Print a message, or a text of ours of several lines; what stands in it from data is shown and does not act."""
    click.echo(plain(str(text), keep="\n"), file=sys.stderr if err else sys.stdout)


@click.group(
    cls=Program,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
        "token_normalize_func": _with_underscores,
    },
)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.option("--config", "file", metavar="FILE", help="File of settings; else the nearest workbench.toml upwards.")
@click.option("--engine", type=click.Choice(["duckdb", "athena"]), help="Where questions are answered; else duckdb.")
@click.option("--database", help="Glue database, on athena.")
@click.option("--workgroup", help="Athena workgroup; else primary.")
@click.option("--profile", help="Profile of the AWS configuration.")
@click.option("--region", help="AWS Region.")
@click.option("--max-scan-bytes", metavar="SIZE", help="Refuse queries that would scan more, such as 10GB.")
@click.option("--known-at", metavar="TIME", help="Answer from what had arrived until then, whenever it was made.")
@click.version_option(__version__)
@click.pass_context
def main(ctx: click.Context, /, debug: bool, file: str | None, **settings: Any) -> None:
    """Ask a DynamoDB table's change log: what is in it, what was in it, what changes and how often.

    These options come before the verb; `workbench config` shows all settings, and where they are from. A question is
    called what its method in Python is, or by the shorter name beside it.
    """
    ctx.obj = settings
    if file:
        from workbench.config import CONFIG

        before = os.environ.get(CONFIG, "")  # empty is unset
        os.environ[CONFIG] = str(Path(file).absolute() if file[:1] != "~" else file)
        ctx.call_on_close(lambda: os.environ.update({CONFIG: before}))
