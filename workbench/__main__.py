"""The program `workbench`, also as ``python -m workbench``: how it ends where the system tells it to."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

from workbench.exit_codes import STOPPED, TERMINATED


def main() -> None:
    """Run the command line; Ctrl-C and SIGTERM end it in a line, with what it left behind cleaned up."""
    code = STOPPED
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed by who started this: nobody reads, and nothing else may take its place
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115

    def terminate(number: int, frame: FrameType | None) -> None:
        nonlocal code
        code = TERMINATED
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, terminate)
    # Where JupyterLab is installed, whatever reads notebooks imports this: a grammar of addresses that no notebook has,
    # built for two seconds. jsonschema does without what cannot be imported.
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    try:
        from workbench.cli import main as command

        command(prog_name="workbench")
    except KeyboardInterrupt:  # before the command line was there to say it
        _forget_interrupt()
        print("Stopped.", file=sys.stderr)
        sys.exit(code)
    except SystemExit as end:
        _forget_interrupt()
        sys.exit(code if end.code == STOPPED else end.code)


def _forget_interrupt() -> None:
    """Let the exit code be ours: Python kills itself by SIGINT where one came while it ran code made of text.

    Such code is what every dataclass has, while modules are imported. What is run now resets that.
    """
    eval("0")


if __name__ == "__main__":
    main()
