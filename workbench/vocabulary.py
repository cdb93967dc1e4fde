"""The names of questions: one each, in Python, on the command line, in `sql` and in `export`; and shorter ones to type.

Standard library only, and little of it: the command line is up before anything else is imported.
"""

from __future__ import annotations

from collections.abc import Mapping

from workbench.errors import ParameterError

QUESTIONS = (
    "latest_state",
    "get",
    "stale",
    "changes",
    "versions",
    "item_history",
    "diff",
    "change_frequency",
    "transitions",
    "trend",
    "lifetimes",
    "profile",
    "data_quality",
    "reconcile",
    "undo",
)
"""The questions of `Workbench`, each the name of its method."""
ALIASES: Mapping[str, str] = {
    "latest": "latest_state",
    "history": "item_history",
    "frequency": "change_frequency",
    "quality": "data_quality",
}
"""Shorter names, good wherever a question is named as text."""


_TEXT_OF: Mapping[str, str] = {
    "item_history": "changes",
    "diff": "latest_state",
    "get": "versions",
    "stale": "latest_state",
    "reconcile": "latest_state",
    "data_quality": "chain_gaps",
    "undo": "chosen_chains",
}
_TEXT_BY: Mapping[str, str] = {
    "event": "change_frequency",
    "attribute": "changes",
    "key": "hot_keys",
    "concentration": "key_concentration",
    "interval": "change_intervals",
}
COUNTED_BY = tuple(_TEXT_BY)
"""What `change_frequency` can count by."""


def question_name(name: str) -> str:
    """Return a question's own name for it or a shorter one, ``-`` being as good as ``_``; another name as it is.

    >>> question_name("latest"), question_name("item-history"), question_name("hot_keys")
    ('latest_state', 'item_history', 'hot_keys')
    """
    written = name.replace("-", "_")
    return ALIASES.get(written, written)


def text_of(question: str, by: str | None = None) -> str:
    """Return the name of the `.sql` file that a question is asked with first, `change_frequency` by what it counts.

    Raises
    ------
    ParameterError
        Where it counts by nothing of that name.

    >>> text_of("history"), text_of("frequency", by="key"), text_of("hot_keys")
    ('changes', 'hot_keys', 'hot_keys')
    """
    name = question_name(question)
    if by is None:
        return _TEXT_OF.get(name, name)
    if name != "change_frequency":
        raise ParameterError(f"{question} has no parameter 'by': change_frequency has")
    if by not in _TEXT_BY:
        raise ParameterError(f"by={by!r} is unknown; use {', '.join(COUNTED_BY[:-1])} or {COUNTED_BY[-1]}")
    return _TEXT_BY[by]


def alias_of(question: str) -> str | None:
    """Return the shorter name of a question; None where it has none.

    >>> alias_of("latest_state"), alias_of("changes")
    ('latest', None)
    """
    return next((alias for alias, name in ALIASES.items() if name == question), None)
