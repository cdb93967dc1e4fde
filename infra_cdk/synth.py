"""Synthesises every variant into a folder and says what came out: no Docker, no account, no network.

``python -m infra_cdk.synth [FOLDER]``
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra_cdk.app import build
from infra_cdk.nag import REASONS, Reason
from infra_cdk.variants import VARIANTS

FLAGS: dict[str, Any] = json.loads((Path(__file__).parent / "cdk.json").read_text())["context"]


@dataclass(frozen=True)
class Synthesised:
    """One variant: its folder, its templates by stack name, and which reasons cdk-nag's findings passed for."""

    folder: Path
    templates: Mapping[str, dict[str, Any]]
    findings: list[tuple[str, str]]
    used: Counter[Reason] = field(default_factory=Counter)


def synthesise(context: Mapping[str, Any], folder: Path) -> Synthesised:
    """Synthesise the app; the generator's code is not packaged, for uv would need a network."""
    more: dict[str, Any] = {"aws:cdk:bundling-stacks": []} if context.get("generator") else {}
    app, rules = build({**FLAGS, **more, **context}, str(folder))
    assembly = app.synth()
    templates = {stack.stack_name: stack.template for stack in assembly.stacks}
    for name, template in list(templates.items()):
        templates |= _nested(template, folder, name)
    return Synthesised(folder, templates, rules.findings, rules.used)


def _nested(template: Mapping[str, Any], folder: Path, stack: str) -> dict[str, dict[str, Any]]:
    """Read the templates of a stack's nested stacks; what they are given as parameters is put where it is named."""
    found = {}
    assets = json.loads((folder / f"{stack}.assets.json").read_text())["files"]
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::CloudFormation::Stack":
            properties = resource["Properties"]
            (digest,) = [digest for digest in assets if digest in json.dumps(properties["TemplateURL"])]
            path = folder / assets[digest]["source"]["path"]
            found[path.name.partition(".")[0]] = _filled(json.loads(path.read_text()), properties.get("Parameters", {}))
    return found


def _filled(value: Any, given: Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        if set(value) == {"Ref"} and value["Ref"] in given:
            return given[value["Ref"]]
        return {name: _filled(each, given) for name, each in value.items()}
    return [_filled(each, given) for each in value] if isinstance(value, list) else value


def unused(done: Iterable[Synthesised]) -> list[Reason]:
    """Return the reasons that no variant needs."""
    used = sum((each.used for each in done), Counter[Reason]())
    return [reason for reason in REASONS if not used[reason]]


def main() -> None:
    """Synthesise all variants; exit with an error where a finding has no reason, or a reason no finding."""
    out, done = Path(sys.argv[1] if len(sys.argv) > 1 else "cdk.out"), []
    for name, context in VARIANTS.items():
        began = time.perf_counter()
        made = synthesise(context, out / name)
        done.append(made)
        count = sum(len(template["Resources"]) for template in made.templates.values())
        print(f"{name:22} {', '.join(made.templates):38} {count:4} resources  {time.perf_counter() - began:5.1f} s")
    if spare := unused(done):
        sys.exit(
            "\n".join(f"infra_cdk/nag.py: no variant needs the reason for {each.rule} at {each.path}" for each in spare)
        )
    print(f"{len(done)} variants in {out}; no finding of cdk-nag is without its reason")


if __name__ == "__main__":
    main()
