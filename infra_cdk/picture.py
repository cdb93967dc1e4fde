"""Draws the architecture from the synthesised app: ``python -m infra_cdk.picture`` writes docs/architecture.svg.

A box is a part of the stack, with the resources it has; an arrow is there where one part's resources name another's,
with a head at either end where objects are also put into the part it comes from.
Parts that the default variant does not have are dashed.
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from infra_cdk.synth import synthesise

TARGET = Path(__file__).parent / "docs" / "architecture.svg"
WHOLE: dict[str, Any] = {
    "network": "private",
    "generator": "persons",
    "catalog": "both",
    "search": "firehose",
    "reports": "true",
    "exports": "true",
    "undo": "true",
    "alarm_email": "data@example.com",
    "replica_region": "eu-west-1",
    "lake_formation": "arn:aws:iam::123456789012:role/Analyst",
    "lake_formation_admin": "arn:aws:iam::123456789012:role/DataLakeAdmin",
}
BESIDE: dict[str, Any] = {"iceberg": "true"}
"""What cannot be had together with the rest."""
# Where parts stand: column and row, and what they are for. A part that is not here cannot be drawn, and says so.
PLACES: dict[str, tuple[float, float, str]] = {
    "Generator": (0, 0, "writes generated items"),
    "Source": (0, 1, "table and stream of its changes"),
    "Exporter": (0, 2, "who may export baselines"),
    "Transform": (1, 0, "records to lines"),
    "Delivery": (1, 1, "Firehose, to the lake"),
    "Search": (1, 2, "latest state, searchable"),
    "Iceberg": (1, 3, "the changes for other engines"),
    "Replica": (2, 0, "the log in a second Region"),
    "Storage": (2, 1, "lake, results, access logs"),
    "LakeFormation": (2, 2, "who may read, by grants"),
    "Catalog": (3, 0, "database, table, crawler"),
    "Athena": (3, 1, "questions, and who asks"),
    "Reports": (3, 2, "the workbench on a schedule"),
}
BELOW = {
    "Network": "functions and tasks run in it",
    "Watch": "dashboard and alarms of all of it",
    "Key": "encrypts all of it",
    "CDK": "the CDK's own, when the stack changes",
}
_LAST = 1 + max(row for _, row, _ in PLACES.values())
_WIDTH, _HEIGHT, _ACROSS, _DOWN = 3.0, 2.55, 3.75, 3.1


@dataclass(frozen=True)
class Architecture:
    """The parts, each with its resources counted by type, which part names which, and puts objects into which."""

    parts: Mapping[str, Counter[str]]
    arrows: frozenset[tuple[str, str]]
    puts: frozenset[tuple[str, str]]
    default: frozenset[str]

    @property
    def digest(self) -> str:
        """Tell one architecture from another; the picture carries it."""
        told = {name: sorted(kinds) for name, kinds in self.parts.items()}
        drawn = [sorted(names) for names in (self.arrows, self.puts, self.default)]
        text = json.dumps([told, *drawn, PLACES, BELOW], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def architecture() -> Architecture:
    """Read the architecture off the templates of the whole app, and of its default variant."""
    with tempfile.TemporaryDirectory() as folder:
        beside, whole, default = (
            _resources(synthesise(context, Path(folder, name)).templates)
            for name, context in (("beside", BESIDE), ("whole", WHOLE), ("default", {}))
        )
    whole = beside | whole
    parts: dict[str, Counter[str]] = {}
    for name, resource in whole.items():
        parts.setdefault(part(name), Counter())[resource["Type"]] += 1
    names = {
        f"workgroup/{each['Properties']['Name']}": part(name)
        for name, each in whole.items()
        if each["Type"] == "AWS::Athena::WorkGroup"
    }
    arrows = {(part(name), other) for name, each in whole.items() for other in _named(each, whole, names)}
    drawn = {(one, other) for one, other in arrows if one != other and one in PLACES and other in PLACES}
    puts = {(part(name), other) for name, each in whole.items() for other in _put_into(each, whole)}
    return Architecture(parts, frozenset(drawn), frozenset(puts & drawn), frozenset(part(name) for name in default))


def part(name: str) -> str:
    """Return the part of the stack that a logical id belongs to."""
    found = re.match("|".join(sorted([*PLACES, *BELOW], key=len, reverse=True)), name)
    if found:
        return found[0]
    for begins, other in (
        ("Replication", "Replica"),
        ("AWS", "CDK"),
        ("Custom", "CDK"),
        ("CallsLog", "CDK"),
        ("Export", "Exporter"),
    ):
        if name.startswith(begins):
            return other
    raise ValueError(f"{name} is of no part that infra_cdk/picture.py knows: give its part a place there")


def draw(what: Architecture, target: Path) -> None:
    """Draw it; the same architecture makes the same file."""
    with mpl.rc_context({"svg.hashsalt": "architecture", "font.family": "DejaVu Sans"}):
        figure = Figure(figsize=(15.2, 16.1))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(-0.3, 4 * _ACROSS - 0.45), ylim=(-_LAST * _DOWN - _HEIGHT - 0.5, 0.75))
        axes.axis("off")
        axes.text(-0.05, 0.32, "infra_cdk: from a DynamoDB table to answers about its past", fontsize=17, weight="bold")
        for left, right in sorted({tuple(sorted(pair, key=lambda name: PLACES[name][:2])) for pair in what.arrows}):
            _arrow(axes, left, right, "<|-|>" if (right, left) in what.puts else "-|>")
        for name, (column, row, purpose) in PLACES.items():
            _box(axes, column * _ACROSS, -row * _DOWN, name, purpose, what.parts[name], name in what.default)
        for number, (name, purpose) in enumerate(BELOW.items()):
            _box(axes, number * _ACROSS, -_LAST * _DOWN, name, purpose, what.parts[name], name in what.default)
        axes.text(
            -0.05,
            -_LAST * _DOWN - _HEIGHT - 0.3,
            "Solid: the default; dashed: where it is asked for. Boxes and "
            "arrows are read off the synthesised templates.",
            fontsize=9.5,
            color="0.35",
        )
        target.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(target, metadata={"Date": None, "Description": what.digest})


def _box(axes: Axes, left: float, top: float, name: str, purpose: str, kinds: Mapping[str, int], default: bool) -> None:
    style: dict[str, Any] = {
        "linestyle": "-" if default else (0, (4, 3)),
        "edgecolor": "#3f90da" if default else "0.45",
    }
    axes.add_patch(
        FancyBboxPatch(
            (left, top - _HEIGHT),
            _WIDTH,
            _HEIGHT,
            boxstyle="round,pad=0.02,rounding_size=0.1",
            facecolor="#f3f8fd" if default else "white",
            linewidth=1.5,
            **style,
        )
    )
    axes.text(left + 0.12, top - 0.15, name, fontsize=13, weight="bold", va="top")
    axes.text(left + 0.12, top - 0.45, purpose, fontsize=9.5, va="top", color="0.3", style="italic")
    listed = sorted(kinds, key=lambda kind: (kind.split("::")[1] in _PLAIN, kind))
    lines = [
        f"{kind.removeprefix('AWS::').replace('::', ' ')}{f' × {kinds[kind]}' if kinds[kind] > 1 else ''}"
        for kind in listed
    ]
    size, step = (8.8, 0.19) if len(lines) < 9 else (7.6, 1.72 / len(lines))
    for number, line in enumerate(lines):
        axes.text(
            left + 0.12,
            top - 0.76 - step * number,
            line,
            fontsize=size,
            va="top",
            color="0.5" if line.split()[0] in _PLAIN else "0.1",
        )


_PLAIN = {"IAM", "Logs", "EC2", "KMS"}  # what comes with the others


def _arrow(axes: Axes, one: str, other: str, style: str) -> None:
    """Draw the way data goes: from left to right, back too where the style has it, and in a column up or down."""
    (left, high, _), (right, low, _) = PLACES[one], PLACES[other]
    start = (left * _ACROSS + _WIDTH + 0.04, -high * _DOWN - _HEIGHT / 2)
    end = (right * _ACROSS - 0.06, -low * _DOWN - _HEIGHT / 2)
    if left == right:
        start = (left * _ACROSS + _WIDTH / 2, -high * _DOWN - _HEIGHT - 0.04)
        end, style = (start[0], -low * _DOWN + 0.06), "<|-|>"
    elif right - left > 1:  # between two rows, past what is in the way
        between = -max(high, low) * _DOWN + (_DOWN - _HEIGHT) / 2
        start, turn = (start[0] - 0.5, -high * _DOWN + 0.04), (end[0] + 0.5, between)
        axes.plot([start[0], start[0], turn[0]], [start[1], between, between], color="0.35", linewidth=1.4, zorder=0)
        start, end = turn, (turn[0], -low * _DOWN - _HEIGHT - 0.04)
    axes.add_patch(
        FancyArrowPatch(
            start, end, arrowstyle=style, mutation_scale=15, linewidth=1.4, color="0.35", shrinkA=0, shrinkB=0, zorder=0
        )
    )


def _resources(templates: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the resources of all stacks; those of a stack of its own belong to the part it is called after."""
    first = min(templates, key=len)
    return {
        (name if stack == first else stack.removeprefix(first) + name): resource
        for stack, template in templates.items()
        for name, resource in template["Resources"].items()
    }


def _named(resource: Any, known: Mapping[str, Any], names: Mapping[str, str]) -> Iterator[str]:
    for name in re.findall(r'"(?:Ref|Fn::GetAtt)": \[?"(\w+)"', text := json.dumps(resource)):
        if name in known:
            yield part(name)
    yield from (owner for name, owner in names.items() if f'{name}"' in text)


def _put_into(resource: Any, known: Mapping[str, Any]) -> Iterator[str]:
    """Name the parts that a policy lets put objects into."""
    for right in resource.get("Properties", {}).get("PolicyDocument", {}).get("Statement", ()):
        if right["Effect"] == "Allow" and "s3:PutObject" in right["Action"]:
            yield from _named(right["Resource"], known, {})


def main() -> None:
    """Draw the picture that the README shows."""
    draw(architecture(), TARGET)
    print(TARGET)


if __name__ == "__main__":
    main()
