"""The changelog: after Keep a Changelog, and of the version that the package has."""

from __future__ import annotations

import re
from datetime import date
from itertools import pairwise
from pathlib import Path

from packaging.version import Version

from workbench import __version__

CHANGELOG = (Path(__file__).parents[2] / "CHANGELOG.md").read_text(encoding="utf-8")
UNRELEASED, *RELEASES = re.split(r"^## ", CHANGELOG, flags=re.MULTILINE)[1:]
KINDS = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]  # in this order, as they are at home


def headings() -> list[tuple[Version, date]]:
    """The versions with their dates."""
    found = [re.match(r"\[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)\n", release) for release in RELEASES]
    assert all(found)
    return [(Version(each[1]), date.fromisoformat(each[2])) for each in found if each]


def test_what_is_unreleased_comes_first_then_versions_newest_first_with_their_dates():
    assert UNRELEASED.startswith("[Unreleased]\n")
    assert len(headings()) >= 2
    for (version, day), (older, before) in pairwise(headings()):
        assert version > older
        assert day >= before


def test_the_package_has_the_newest_version_or_one_that_is_to_come():
    ours = Version(__version__)
    newest = headings()[0][0]
    assert ours == newest if not UNRELEASED.partition("\n")[2].strip() else ours >= newest


def test_changes_stand_under_their_kind():
    for release in (UNRELEASED, *RELEASES):
        kinds = re.findall(r"^### (.+)$", release, re.MULTILINE)
        assert kinds == [kind for kind in KINDS if kind in kinds]
        before_any, *sections = re.split(r"^### .+$", release, flags=re.MULTILINE)
        assert not re.search(r"^- ", before_any, re.MULTILINE)
        assert all(re.search(r"^- ", section, re.MULTILINE) for section in sections)
    assert all("### " in release for release in RELEASES)
