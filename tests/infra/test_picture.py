"""The architecture picture: read off the app, complete, and up to date."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from infra_cdk import picture
from tests.infra.conftest import resources


@pytest.fixture(scope="module")
def drawn() -> picture.Architecture:
    return picture.architecture()


def test_the_picture_in_the_readme_is_of_the_app_as_it_is(drawn):
    found = re.search(r"<dc:description>(\w+)</dc:description>", picture.TARGET.read_text(encoding="utf-8"))
    assert found, "the picture does not say what it is of"
    assert found[1] == drawn.digest, "draw it again: python -m infra_cdk.picture"
    assert "](docs/architecture.svg)" in Path("infra_cdk/README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "variant", ["single", "reports", "search-firehose", "search-only-firehose", "governed", "both-catalogs"]
)
def test_every_kind_of_resource_a_variant_has_is_in_it(drawn, variants, variant):
    kinds = {kind for part in drawn.parts.values() for kind in part}
    public = {
        "AWS::EC2::InternetGateway",
        "AWS::EC2::VPCGatewayAttachment",
        "AWS::EC2::Route",
    }  # reports without network
    assert {each["Type"] for each in resources(variants[variant]).values()} - public <= kinds


def test_every_part_has_its_place_and_parts_that_are_not_the_default_are_told_apart(drawn):
    assert set(drawn.parts) == {*picture.PLACES, *picture.BELOW}
    assert drawn.default == {"Source", "Delivery", "Transform", "Storage", "Catalog", "Athena", "Watch", "Key"}


def test_a_new_part_needs_a_place():
    with pytest.raises(ValueError, match="Elsewhere12345678 is of no part"):
        picture.part("Elsewhere12345678")


def test_arrows_are_what_resources_name(drawn):
    assert {
        ("Delivery", "Source"),
        ("Delivery", "Transform"),
        ("Delivery", "Storage"),
        ("Search", "Source"),
        ("Reports", "Athena"),
        ("Athena", "Storage"),
        ("Catalog", "Storage"),
    } <= drawn.arrows
    assert ("Transform", "Storage") not in drawn.arrows


def test_an_arrow_goes_both_ways_where_objects_are_put_too(drawn):
    assert drawn.puts == {
        ("Delivery", "Storage"),
        ("Search", "Storage"),
        ("Iceberg", "Storage"),
        ("Exporter", "Storage"),
        ("Athena", "Storage"),
        ("Reports", "Storage"),
    }


def test_the_same_architecture_makes_the_same_file(drawn, tmp_path):
    for name in "ab":
        picture.draw(drawn, tmp_path / name / "it.svg")
    assert (tmp_path / "a" / "it.svg").read_bytes() == (tmp_path / "b" / "it.svg").read_bytes()
