"""Packages a Lambda function's code without Docker: files of the repository, and what uv installs beside them."""

from __future__ import annotations

import ast
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import jsii
from aws_cdk import aws_lambda as lambda_

REPOSITORY = Path(__file__).resolve().parents[1]
RUNTIME = lambda_.Runtime.PYTHON_3_14
ARCHITECTURE = lambda_.Architecture.ARM_64
_PLATFORM, _PYTHON = "aarch64-manylinux2014", "3.14"


def package(files: Mapping[str, str], requirements: Sequence[str] = ()) -> lambda_.Code:
    """Package files, and the packages `requirements` names at the versions of constraints.txt.

    The asset's hash is that of its sources: packaged again, on another machine, it is the same asset.

    Parameters
    ----------
    files
        Path in the package, then the file or folder in the repository.
    """
    return lambda_.Code.from_asset(
        str(REPOSITORY / "infra_cdk" / "lambdas"),
        asset_hash=_digest(files, requirements),
        bundling=cdk.BundlingOptions(image=RUNTIME.bundling_image, local=_Local(files, requirements)),
    )


def modules(*names: str) -> dict[str, str]:
    """Return the files of modules of ours, and of those they import when they are imported, as `package` takes them.

    No ``__init__`` is among them, so that a function gets no more of a package than it needs.

    >>> sorted(modules("workbench.model.records"))
    ['workbench/errors.py', 'workbench/model/canonical.py', 'workbench/model/records.py']
    """
    files: dict[str, str] = {}
    waiting = list(names)
    while waiting:
        path = f"{waiting.pop().replace('.', '/')}.py"
        if path in files:
            continue
        files[path] = path
        for node in ast.parse((REPOSITORY / path).read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "workbench":
                waiting.append(node.module)
    return files


def write(folder: Path, files: Mapping[str, str], requirements: Sequence[str] = ()) -> None:
    """Write what is packaged into a folder."""
    for name, source in _sources(files):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, folder / name)
    if requirements:
        subprocess.run(
            [
                sys.executable,
                "-m",
                "uv",
                "pip",
                "install",
                "--quiet",
                "--target",
                str(folder),
                "--python-platform",
                _PLATFORM,
                "--python-version",
                _PYTHON,
                "--only-binary",
                ":all:",
                "--constraint",
                str(REPOSITORY / "constraints.txt"),
                *requirements,
            ],
            check=True,
        )


@jsii.implements(cdk.ILocalBundling)
class _Local:
    def __init__(self, files: Mapping[str, str], requirements: Sequence[str]) -> None:
        self._files, self._requirements = files, requirements

    def try_bundle(self, output_dir: str, *options: Any, **named: Any) -> bool:
        write(Path(output_dir), self._files, self._requirements)
        return True


def _sources(files: Mapping[str, str]) -> list[tuple[str, Path]]:
    found = []
    for name, given in files.items():
        source = REPOSITORY / given
        inside = [path for path in source.rglob("*") if path.is_file()] if source.is_dir() else [source]
        found += [(str(Path(name) / path.relative_to(source)), path) for path in inside if path.suffix != ".pyc"]
    return sorted(found)


def _digest(files: Mapping[str, str], requirements: Sequence[str]) -> str:
    digest = hashlib.sha256(repr((sorted(requirements), _PLATFORM, _PYTHON)).encode())
    if requirements:
        digest.update((REPOSITORY / "constraints.txt").read_bytes())
    for name, source in _sources(files):
        digest.update(f"{name}\0".encode() + hashlib.sha256(source.read_bytes()).digest())
    return digest.hexdigest()
