"""Any question by the name of its `.sql` file: its head says what it takes, and the columns it answers with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workbench.engines.base import as_question
from workbench.errors import ParameterError
from workbench.model.times import END_OF_TIME
from workbench.questions.asking import Asking
from workbench.questions.frames import answer_frame
from workbench.questions.result import Result


def ask_by_name(asking: Asking, name: str, table: str, values: Mapping[str, Any]) -> Result:
    """Answer the question of a `.sql` file; see `Workbench.ask`."""
    meant = as_question(name)
    if asking.settings.mask and not meant.tells_no_values:
        raise ParameterError(
            f"{name} could show what is masked ({', '.join(asking.settings.mask)}), since it reads images or answers "
            "with texts: ask without a mask, or give the question a method that holds it"
        )
    bound = meant.bind(values)
    asked = {each: bound[each] for each, value in values.items() if value is not None}
    answer = asking.retrying(table, lambda: asking.engine.ask(meant, table, **values))
    df = answer_frame(answer.rows, meant.columns, asking.key_names(table))
    return asking.result(Result, df, answer, name, table, asked, notes=asking.notes(table, END_OF_TIME))
