"""The only place that asks an engine a question and wraps the answer as a `Result`.

Each question stands in a module of this room, as a function whose first argument is an `Asking`: it reads what is
asked, asks, makes a frame of the rows, and says what to know about it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import pandas as pd
import pyarrow as pa

from workbench.aws.costs import Spent, spent
from workbench.config import Settings
from workbench.engines import Answer, Engine, Estimate
from workbench.engines.base import as_question
from workbench.errors import EngineLost, ParameterError, RecordRefused
from workbench.log.contents import alive_at, remade
from workbench.log.exports import others
from workbench.model import times
from workbench.model.attribute_paths import column_name
from workbench.model.conditions import CHANGES, LATEST, VERSIONS, Condition, parse
from workbench.model.keys import Key, read_keys
from workbench.model.masked_values import UNMATCHED
from workbench.model.times import END_OF_TIME, START_OF_TIME, instant
from workbench.questions.answers_noted import NotedAnswer, note
from workbench.questions.large import Frame, whole_of
from workbench.questions.masking import REDACTED, hide, names_masked, unmatched
from workbench.questions.result import Result, Stats
from workbench.sql.filters import EVERYTHING, Filter, Keys
from workbench.text import count
from workbench.vocabulary import text_of

if TYPE_CHECKING:
    from workbench.log.checkpoints import Checkpoint
    from workbench.sandbox.dynamodb_writer import Written
    from workbench.sandbox.generate import Generated

R = TypeVar("R", bound=Result)
T = TypeVar("T")
# Whose rows are ordered by key.
_BY_KEY = frozenset({"latest_state", "stale", "changes", "versions", "item_history", "diff", "reconcile", "undo"})
_VALUE = re.compile(r"'|(?<![\w.])\d")
"""What an expression has that holds a value, and not attributes alone."""
_BY_OF = {"hot_keys": "key"}  # the file of `change_frequency` by key, asked by its own name


@dataclass(frozen=True)
class Asking:
    """An engine, and the settings that say what of its answers is shown."""

    engine: Engine
    settings: Settings

    @property
    def spent(self) -> Spent:
        """What all queries have taken so far."""
        return spent(self.engine.finished)

    @property
    def gathering(self) -> dict[str, Any]:
        """How large answers are gathered: their numbers, the threads, and the folder for what memory cannot hold."""
        s = self.settings
        folder = s.home if s.home.is_dir() and os.access(s.home, os.W_OK) else None  # else where the system has such
        return {"numbers": s.numbers, "threads": s.threads, "folder": folder}

    @property
    def present(self) -> datetime:
        """The instant that ages are told at: now, or what the log is asked as it was known at."""
        return self.settings.known_at or times.now()

    # What is asked.

    def key_names(self, table: str, at: datetime | None = None) -> Sequence[str]:
        """Name the attributes of the key, at an instant or of all there have been, as the last question saw them."""
        schemas = self.engine.keys_seen(table)
        named = schemas if at is None else [alive_at(schemas, at)]
        return tuple(dict.fromkeys(name for each in named for name in each.types))

    def read_keys(self, table: str, key: Key | Sequence[Key] | None, prefix: bool) -> Keys:
        """Read keys as people write them, by the types they have, or had before the table was made again.

        Raises
        ------
        ParameterError
            Where they cannot be read; a masked value is not shown.
        """
        if key is None and prefix:
            raise ParameterError("a prefix is of a key: give the key too (--key)")
        if key is None:
            return ()
        refused: ParameterError | None = None
        for whole in (False, True):  # it may be one that the table had before
            types = [each.types for each in self.engine.keys(table, whole=whole)]
            try:
                return tuple(
                    each if isinstance(each, str) else tuple(each) for each in read_keys(key, types, prefix=prefix)
                )
            except ParameterError as error:
                refused = error
        named = " ".join(f"{name}=…" for name in types[0])  # a text without names is a value of these
        self._refuse_masked(f"{key} {named}", f"a key is like {named}")
        raise refused or ParameterError(f"the key {key!r} cannot be read")

    def read_condition(self, where: str | None, columns: Mapping[str, type]) -> Condition | None:
        """Read a condition on attributes and on an answer's columns.

        Raises
        ------
        ParameterError
            Where it cannot be read, and at which character; a masked value is not shown.
        """
        try:
            return parse(where, columns) if where else None
        except ParameterError:
            self._refuse_masked(where or "", "see `workbench.model.conditions`")
            raise

    def refuse_known(self, why: str) -> None:
        """Refuse what makes no sense of a log as it was known at an instant."""
        if self.settings.known_at:
            raise ParameterError(f"known_at={self.settings.known_at:%Y-%m-%dT%H:%M:%SZ}: {why}; leave out known_at")

    def _refuse_masked(self, text: str, advice: str) -> None:
        """Refuse a text whose error would show a value of a masked attribute, without showing it."""
        if self.settings.mask and names_masked(text, self.settings.mask):
            raise ParameterError(f"what is asked names a masked attribute and cannot be read: {advice}") from None

    # Asking.

    def ask(self, question: str, table: str, *, where: Filter = EVERYTHING, **values: Any) -> Answer:
        """Ask the engine; in the SQL shown, a condition on a masked attribute does not tell its values."""
        return self._shown(self.engine.ask(question, table, where=where, **values), question, where)

    def batches(self, question: str, table: str, *, where: Filter = EVERYTHING, **values: Any) -> Iterator[Answer]:
        """Ask the engine for an answer in parts; see `Engine.batches`."""
        for answer in self.engine.batches(question, table, where=where, **values):
            yield self._shown(answer, question, where)

    def _shown(self, answer: Answer, question: str, where: Filter) -> Answer:
        if where == EVERYTHING or not self.settings.mask:
            return answer
        matching = where.sql(*as_question(question).filters)
        if not names_masked(matching, self.settings.mask):
            return answer
        shown = answer.sql.replace(matching, f"'{REDACTED}'") if matching in answer.sql else REDACTED
        return replace(answer, sql=shown)

    def ask_all(self, question: str, table: str) -> pa.Table:
        """Ask about all of the log there is, and return the rows."""
        return self.engine.ask(question, table, start=START_OF_TIME, end=END_OF_TIME).rows

    def retrying(self, table: str, ask: Callable[[], T]) -> T:
        """Ask; where an image is no DynamoDB JSON, ask again without its line; and once more where the engine dies."""
        refused = lost = False
        while True:
            try:
                return ask()
            except RecordRefused as error:
                if refused:
                    raise
                refused = True
                self.engine.reread(table, error)
            except EngineLost as error:
                if lost or error.asked_again:
                    raise
                lost = True

    def checkpoint(self, table: str, keep: int) -> Checkpoint:
        """Keep what the log has come to; see `Workbench.checkpoint`."""
        self.refuse_known("a checkpoint keeps all that a log has come to")
        if keep < 1:
            raise ParameterError(f"keep={keep}: at least the new checkpoint stays")
        return self.retrying(table, lambda: self.engine.checkpoint(table, keep))

    def compact(self, table: str, *, again: bool, archive: bool) -> pd.DataFrame:
        """Compact the closed days of a log; see `Workbench.compact`."""
        self.refuse_known("a compacted day keeps all that arrived on it")
        made = self.engine.compact(table, again=again)
        if archive:
            tagged = self.engine.archive(table)
            made.attrs["notes"].append(f"tagged, for rules of the bucket: {count(tagged, 'object')} more")
        return made

    def generate(self, dataset: str, options: Mapping[str, Any]) -> Generated | Written:
        """Make a realistic table and its log, in a span of time as people write it; see `Workbench.generate`."""
        span = {name: instant(options[name]) for name in ("start", "end") if options.get(name) is not None}
        return self.engine.generate(dataset, **{**options, **span})

    def sql(self, question: str, table: str, values: Mapping[str, Any]) -> str:
        """Return the text of a question; see `Workbench.sql`."""
        parameters = dict(values)
        name = text_of(question, parameters.pop("by", None))
        where = parameters.pop("where", None)
        meant = as_question(name)
        if where and not meant.filters:
            raise ParameterError(f"{name} takes no where; latest_state and changes do")
        if where and names_masked(where, self.settings.mask):
            raise ParameterError(
                "the SQL of a condition on a masked attribute would show its values: leave it out, or "
                "ask the question itself"
            )
        columns = VERSIONS if name == "versions" else LATEST if meant.about_states else CHANGES
        condition = parse(where, columns) if where else None
        return self.engine.sql(meant, table, where=Filter(condition=condition), **parameters)

    def estimate(self, question: str, table: str, values: Mapping[str, Any]) -> Estimate:
        """Tell what a question would scan; see `Workbench.estimate`."""
        parameters = {name: value for name, value in values.items() if name not in ("by", "where")}
        return self.engine.estimate(text_of(question, values.get("by")), table, **parameters)

    # The answer.

    def result(
        self,
        kind: type[R],
        df: Frame,
        answer: Answer,
        question: str,
        table: str,
        asked: Mapping[str, Any],
        *,
        ambiguous: int = 0,
        notes: Iterable[str] = (),
        masked: bool = False,
        key_names: Sequence[str] | None = None,
        live: bool = False,
        **more: Any,
    ) -> R:
        """Wrap a frame with what was asked, what it took and what to know about it; masked values are gone.

        Parameters
        ----------
        asked
            The question's parameters; those that are not given are left out.
        ambiguous
            How many items' changes of one instant only event_id could settle.
        masked
            Whether the frame shows masked values as they are to be shown, since they were hidden before it was made.
        key_names
            The key attributes, where they need not be as the log has them.
        live
            Whether it stands on what the table itself was, too.
        **more
            What `kind` has beside a `Result`.
        """
        stats = Stats(
            rows=len(df),
            seconds=answer.seconds,
            objects=answer.objects,
            bytes=answer.bytes,
            unreadable=answer.unreadable,
            ambiguous_ties=ambiguous,
            first_arrival=answer.first_arrival,
            last_arrival=answer.last_arrival,
            queries=answer.queries,
            notes=(*self._half_made(table), *notes, *answer.notes),
            spent=self.spent.cost,
            newest_change=answer.newest_change,
            known_at=self.settings.known_at,
        )
        self._note(question, table, df, stats, live)
        if self.settings.mask:
            asked = self._without_masked(asked)
        given = {name: value for name, value in asked.items() if value not in (None, (), [], False)}
        by_key = question in _BY_KEY or "key" in (asked.get("by"), _BY_OF.get(question))
        keys = self._leading_keys(table, df, key_names) if len(df.columns) and by_key else ()
        held: Any = df  # which may be a large one
        result = kind(
            held,
            answer.sql,
            stats,
            {"question": question, "table": table, **given},
            session=self.engine.session,
            keys=keys,
            **more,
        )
        if masked or not self.settings.mask:
            return result
        leading = self._leading_keys(table, df, key_names)
        hidden: Any = self._masked(df, leading, result.within, asked.get("actor"))
        return replace(result, df=hidden)

    @property
    def _source(self) -> str:
        """Where the logs are, as a person names it."""
        s = self.settings
        return s.source or (f"Glue database {s.database}" if self.engine.session else f"the embedded lake, {s.lake}")

    def _note(self, question: str, table: str, df: Frame, stats: Stats, live: bool) -> None:
        """Note an answer where a report is made of it; a bucket without a change is nothing to tell of."""
        rows = stats.rows
        if question == "change_frequency" and isinstance(df, pd.DataFrame) and "changes" in df:
            rows = int((df["changes"] > 0).sum())
        note(
            NotedAnswer(
                question=question,
                table=table,
                rows=rows,
                source=self._source,
                engine=self.settings.engine,
                account=self.engine.account,
                masks=self.settings.mask,
                newest_change=stats.newest_change,
                newest_arrival=stats.last_arrival,
                live=live,
                queries=len(stats.queries),
                scanned=stats.scanned,
                cost=stats.cost,
                seconds=stats.seconds,
            )
        )

    def masked(
        self, table: str, df: pd.DataFrame, within: Sequence[str] = (), key_names: Sequence[str] | None = None
    ) -> pd.DataFrame:
        """Return a frame without the values of masked attributes, in an order that does not tell them."""
        return whole_of(self._masked(df, self._leading_keys(table, df, key_names), within))

    def _masked(self, df: Frame, keys: Sequence[str], within: Sequence[str], actor: str | None = None) -> Frame:
        s = self.settings
        return hide(df, s.mask, s.mask_with, s.mask_salt, keys=len(keys), within=within, actor=actor)

    def _leading_keys(self, table: str, df: Frame, key_names: Sequence[str] | None = None) -> Sequence[str]:
        """Name the key attributes where a frame's first columns hold them."""
        names = self.key_names(table) if key_names is None else key_names
        pairs = zip(names, map(str, df.columns), strict=False)
        held = all(column in (column_name((name,)), column_name((name,), beside=(name,))) for name, column in pairs)
        return names if held and len(names) <= len(df.columns) else ()

    def _without_masked(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Return what was asked without what may hold values of masked attributes."""
        hidden = {
            name
            for name in ("where", "key", "sql", "path", "aggregate", "actor_is")
            if names_masked(str(asked.get(name) or ""), self.settings.mask)
        }
        by = str(asked.get("by") or "")
        if _VALUE.search(by) and names_masked(by, self.settings.mask):  # and no mere attribute, nor a fixed word
            hidden.add("by")
        return {
            **asked,
            **dict.fromkeys(hidden, REDACTED),
            "mask": self.settings.mask,
            "mask_with": self.settings.mask_with,
        }

    # What to know about it.

    def notes(self, table: str, at: datetime) -> list[str]:
        """Say what a state stands on: tables of that name before, and an export to begin with, or why not."""
        schemas, moment = self.engine.keys_seen(table), at.astimezone(UTC).replace(tzinfo=None)
        notes = remade([each for each in schemas if each.first <= moment])
        if not self.settings.baseline:
            return notes
        if baseline := self.engine.baseline(table, None if at == END_OF_TIME else at):
            return [f"from the export of {baseline.time:%Y-%m-%d %H:%M:%S} UTC on", *baseline.problems, *notes]
        exports = self.engine.exports(self.settings.baseline)
        when = "" if at == END_OF_TIME else f" at {at:%Y-%m-%d %H:%M:%S} UTC or before"
        if self.settings.known_at:
            when += f", made until {self.settings.known_at:%Y-%m-%d %H:%M:%S} UTC"
        return [
            f"the baseline is not used: it holds no full export of {table!r}{when}, but: "
            f"{others(exports, table, self.engine.place(table))}",
            *notes,
        ]

    def unmatched_masks(self, df: Frame, *filters: Any) -> list[str]:
        """Say which masks apply to nothing in a frame of all there is."""
        if df.empty or not self.settings.mask or any(filters):
            return []
        return [UNMATCHED.format(path) for path in unmatched(df, self.settings.mask)]

    def _half_made(self, table: str) -> list[str]:
        """Say where a table of the embedded lake is half made."""
        if not self.engine.half_made(table):
            return []
        return [
            f"{table!r} is half made: it is being generated, or that was stopped; `workbench generate {table}` "
            "makes it whole"
        ]
