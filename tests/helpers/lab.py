"""JupyterLab on this machine, in a folder of its own, and a notebook that is opened in it and run."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page

HERE = Path(__file__).parents[2]
STARTS = 120
"""Seconds that JupyterLab may take on a machine that is busy."""
_TOKEN = "a-token"
_SETTINGS = {"apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False}}
_IDLE = "window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"


@contextmanager
def serving(root: Path, home: Path, notebook: str) -> Iterator[str]:
    """Start JupyterLab in an empty folder, with a copy of a shipped notebook; yield the address that opens it.

    Parameters
    ----------
    home
        The setting, for kernels.
    """
    shutil.copy(HERE / "notebooks" / notebook, root)
    for name, values in _SETTINGS.items():
        file = root / ".settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(values))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folders = {f"JUPYTER_{name}_DIR": str(root / f".{name.lower()}") for name in ("CONFIG", "DATA", "RUNTIME")}
    folders |= {"JUPYTERLAB_SETTINGS_DIR": str(root / ".settings"), "JUPYTERLAB_WORKSPACES_DIR": str(root / ".spaces")}
    ours = {"PYTHONPATH": str(HERE), "WORKBENCH_HOME": str(home), "JUPYTER_PATH": "", "JUPYTER_PREFER_ENV_PATH": "1"}
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}"]
    command += [f"--IdentityProvider.token={_TOKEN}", f"--ServerApp.root_dir={root}"]
    command += ["--LabApp.expose_app_in_browser=True"]
    with (root / "lab.log").open("w") as log:
        server = subprocess.Popen(
            command, cwd=root, env={**os.environ, **folders, **ours}, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            address = f"http://127.0.0.1:{port}"
            for _ in range(STARTS * 5):
                assert server.poll() is None, (root / "lab.log").read_text()
                with suppress(OSError):
                    urllib.request.urlopen(f"{address}/api/status?token={_TOKEN}").close()
                    break
                time.sleep(0.2)
            yield f"{address}/lab/tree/{notebook}?token={_TOKEN}"
        finally:
            server.terminate()
            server.wait(30)


def run_all(page: Page) -> None:
    """Run all cells of the notebook that a page opens."""
    page.set_default_timeout(STARTS * 1000)
    page.wait_for_selector(".jp-Notebook")
    page.wait_for_function(_IDLE)
    command(page, "application:toggle-left-area")
    command(page, "notebook:run-all-cells")


def command(page: Page, name: str, **given: Any) -> None:
    """Run a command of JupyterLab's."""
    page.evaluate("([name, given]) => window.jupyterapp.commands.execute(name, given)", [name, given])
