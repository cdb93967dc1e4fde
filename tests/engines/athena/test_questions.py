"""Every question, asked of every layout through awswrangler, has the answer of the embedded engine, types included."""

from __future__ import annotations

import pytest

from tests.helpers import lakes
from tests.helpers.aws.lake import athena, lake
from tests.helpers.questions import QUESTIONS, same
from workbench import Workbench

# Each question on two layouts at least, and each layout with a third of the questions; the others are deep.
PAIRS = [
    pytest.param(layout, question, marks=[pytest.mark.deep] * ((row + column) % 3 != 0))
    for row, layout in enumerate(lakes.LAYOUTS)
    for column, question in enumerate(QUESTIONS)
]


@pytest.fixture(scope="module")
def both(request, server, tmp_path_factory):
    """The same log on both engines."""
    server.reset()
    folder = lake(server, tmp_path_factory.mktemp("log"), request.param)
    on_files, on_athena = Workbench(folder), athena(server)
    yield on_files, on_athena
    on_files.close()
    on_athena.close()


@pytest.mark.parametrize(("both", "question"), PAIRS, indirect=["both"], scope="module")
def test_the_answer_is_that_of_the_embedded_engine(both, question):
    on_files, on_athena = both
    expected, found = QUESTIONS[question](on_files), QUESTIONS[question](on_athena)
    if question == "quality":  # the size of an image as it was delivered, or as canonical text
        for df in (expected, found):
            sizes = df["finding"] == "large records"
            df.loc[sizes, "meaning"] = df.loc[sizes, "meaning"].str.replace(
                r"[\d,]+ bytes|median [\d,]+", "", regex=True
            )
    same(found, expected)


@pytest.mark.parametrize("scheme", lakes.SCHEMES[1:])
def test_partitions_of_any_scheme_give_the_same_answers(empty, tmp_path, scheme):
    on_files, on_athena = Workbench(lake(empty, tmp_path, scheme=scheme)), athena(empty)
    for question in ("latest", "as of", "changes in a window", "frequency in a window", "quality"):
        same(QUESTIONS[question](on_athena), QUESTIONS[question](on_files))
    on_athena.close()
