"""class Workbench: a table of contents of the questions an analyst asks of a table's past."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from workbench.aws.costs import Spent
from workbench.checks.machine import run_checks
from workbench.checks.stored import cleared_frame, stored_frame
from workbench.config import load_settings
from workbench.engines import Estimate, open_engine
from workbench.errors import ParameterError, WorkbenchError
from workbench.model.keys import Key
from workbench.model.times import Moment
from workbench.questions import (
    frequency,
    history,
    one_item,
    quality,
    query,
    reconciliation,
    stale,
    state,
    two_logs,
    versions,
)
from workbench.questions import lifetimes as questions_lifetimes
from workbench.questions import profile as questions_profile
from workbench.questions import transitions as questions_transitions
from workbench.questions import trend as questions_trend
from workbench.questions import undo as questions_undo
from workbench.questions.answers_noted import NotedAnswer, note
from workbench.questions.asking import Asking
from workbench.questions.by_name import TEXTS, ask_by_method, ask_by_name, text_by_name
from workbench.questions.history import Comparison, History
from workbench.questions.lifetimes import Lifetimes
from workbench.questions.one_item import Item
from workbench.questions.profile import Profile
from workbench.questions.quality import Quality
from workbench.questions.result import Result
from workbench.questions.transitions import Transitions
from workbench.questions.undo import Mark, OnConflict, Undo
from workbench.questions.versions import Names
from workbench.sandbox.generate import Generated
from workbench.text import plain
from workbench.vocabulary import QUESTIONS, question_name

if TYPE_CHECKING:
    import duckdb

    from workbench.explorer import Explorer
    from workbench.log.checkpoints import Checkpoint
    from workbench.sandbox.dynamodb_writer import Written
    from workbench.undo.applying import Applied

_PARAMETERS = ("source", "baseline", "engine", "database", "workgroup", "max_scan_bytes", "known_at")
Kind = Literal["event", "attribute", "key", "concentration", "interval"]


class Workbench:
    """A change log, and the questions it answers.

    Parameters
    ----------
    source
        A folder, file or glob of change logs; without it, the embedded lake in ``.workbench/lake``.
    **settings
        Any setting of `workbench.config.Settings`; they win over ``WORKBENCH_*`` in the environment and
        over ``workbench.toml``.

    Examples
    --------
    >>> wb = Workbench()
    >>> wb.generate("persons", items=12, changes=60, seed=7, start="2025-11-17", end="2025-11-21").changes
    60
    >>> wb.latest_state("persons", as_of="2025-11-19")["pk"].tolist()
    ['p-000004', 'p-000006', 'p-000007', 'p-000008']
    """

    def __init__(self, source: str | Path | None = None, **settings: Any) -> None:
        self.settings = load_settings(source=None if source is None else str(source), **settings)
        self._engine = open_engine(self.settings)
        self._asking = Asking(self._engine, self.settings)
        WorkbenchError.tracebacks = self.settings.tracebacks

    @classmethod
    def from_parameters(cls, variables: Mapping[str, Any]) -> Workbench:
        """Open the log that a notebook's parameters name: ``wb = Workbench.from_parameters(globals())``.

        Of the variables those count that say which log is asked, and where: source, baseline, engine, database,
        workgroup, max_scan_bytes and known_at. One that is missing, None or empty is what the settings say. So they
        hold when ``papermill -p engine athena`` sets them, and no notebook has to declare or hand on each of them.

        Examples
        --------
        >>> Workbench.from_parameters({"source": "bucket/data", "engine": None, "table": "persons"}).settings.source
        'bucket/data'
        """
        return cls(**{name: variables[name] for name in _PARAMETERS if variables.get(name) not in (None, "")})

    def __repr__(self) -> str:
        """Say which engine answers, from where, and which file the settings are of."""
        s = self.settings
        return plain(
            f"Workbench(engine={s.engine!r}, {self._engine.place_of_logs}, settings={str(s.file or 'defaults')!r})"
        )

    @property
    def session(self) -> Any:
        """The boto3 session of the Athena engine; None of the embedded one.

        Examples
        --------
        >>> wb.session is None
        True
        """
        return self._engine.session

    def tables(self) -> pd.DataFrame:
        """List the tables there are.

        Returns
        -------
        pandas.DataFrame
            table, layout, objects (how many), bytes (stored), first_arrival and last_arrival (UTC, of
            objects; NaT where neither name nor partition tells), aws_region and account_id (where the source is read
            for it and its records tell: a name that stands for several tables is listed for each; on Athena, where
            listing runs no query, as far as the log was looked into). What else a source holds, which is no log or was
            passed over, and what was not looked into, is told by ``df.attrs["notes"]``.

        Examples
        --------
        >>> wb.tables().set_index("table").loc["persons", "layout"]
        'envelope'
        """
        return self._engine.tables()

    def query(self, sql: str, /, **parameters: Any) -> Result:
        """Ask the tables themselves, now, then and over time, by one SELECT in Athena's dialect.

        Parameters
        ----------
        sql
            A SELECT over ``T`` (the items there are, or, ``FOR TIMESTAMP AS OF timestamp '…'``, there were),
            ``"T$changes"``, ``"T$versions"`` and ``"T$items"`` of each table T, with attributes by their paths:
            ``person.age``, ``"first.name"``, ``phones[1].number``. The page *Time travel in SQL* tells all of them.
        **parameters
            For each ``:name`` in the text: a text, number, time (UTC where it names no zone), or a list of them.

        Returns
        -------
        Result
            The columns of the query, called by their paths or as AS says: texts, Int64, float64 or Decimal (exact, see
            `latest_state`), boolean, times in UTC, arrays as lists. Without ORDER BY, ordered by the columns.

        Raises
        ------
        ParameterError
            Where it is no single SELECT, or names what is not there, at which place in the text.

        Examples
        --------
        >>> then = "select active, count(*) as items from persons for timestamp as of :day group by active"
        >>> wb.query(then, day="2025-11-19").df.to_dict("list")
        {'active': [False, True], 'items': [1, 3]}
        """
        return query.query(self._asking, sql, parameters)

    def estimate_query(self, sql: str, /, **parameters: Any) -> Estimate:
        """Tell what `query` would read at most; what its tables hold is looked up, the query itself is not run.

        Returns
        -------
        Estimate
            Bytes, objects and dollars.

        Examples
        --------
        >>> wb.estimate_query("select count(*) from persons").objects > 0
        True
        """
        return query.estimate(self._asking, sql, parameters)

    def connect(self, tables: str | Sequence[str] | None = None) -> duckdb.DuckDBPyConnection:
        """Connect other tools to the tables: to a database of DuckDB's in which they are, as they are now.

        For each table T there are the views ``T``, ``"T$changes"``, ``"T$versions"`` and ``"T$items"``, whose columns
        are those of ``select *`` in `query`, and the macro ``T_as_of(instant)``: the items there were, and since when
        (``valid_from``) each was as it was; ``workbench_tables`` says how fresh they are. Capitals tell no names apart
        in DuckDB: of columns, and tables, ``Id`` and ``id`` the second is ``id_2``. Times are in UTC.

        Rows are made when they are asked for, and images are read where a query needs attributes. With a mask, or on
        Athena, where all of it is read for that, all tables are written to a temporary file instead. What came after
        `connect` is not in them: connect again. The connection reads nothing but these tables, for good.

        Parameters
        ----------
        tables
            Which of the tables; all, where not given.

        Raises
        ------
        TableNotFound
            Naming the tables there are.

        Examples
        --------
        >>> con = wb.connect("persons")
        >>> con.sql("select active, count(*) from persons_as_of('2025-11-19') group by all order by all").fetchall()
        [(False, 1), (True, 3)]
        """
        from workbench.questions import connecting

        return connecting.connect(self._asking, tables)

    def export_db(
        self, path: str | Path, *, tables: str | Sequence[str] | None = None, overwrite: bool = False
    ) -> Path:
        """Write the tables, and what they were, to a file of DuckDB's that needs nothing else: no Python, no log.

        It has what `connect` has, with tables in place of views. DuckDB 1.0 and later open it: ``duckdb FILE``. It is
        written whole or not at all, and its user alone may read it, since it holds what the log holds.

        Parameters
        ----------
        tables
            Which of the tables; all, where not given.
        overwrite
            Replace a file that is there.

        Returns
        -------
        pathlib.Path
            The file.

        Raises
        ------
        TableNotFound
            Naming the tables there are.
        ExportError
            Where the file exists and `overwrite` is not set, or cannot be written.

        Examples
        --------
        >>> wb.export_db("persons.duckdb", tables="persons").name
        'persons.duckdb'
        """
        from workbench.questions import connecting

        return connecting.export_db(self._asking, path, tables, overwrite)

    def latest_state(
        self, table: str, *, as_of: Moment | None = None, include_deleted: bool = False, where: str | None = None
    ) -> Result:
        """Show what is in a table, or what was in it at an instant.

        Parameters
        ----------
        as_of
            An instant, UTC where it names no zone; changes made at that instant are included, whenever
            they arrived.
        include_deleted
            Show items that are gone too, by their keys, with when they went.
        where
            A condition on attributes, such as ``person.age > 40``; see `workbench.model.conditions`.

        Returns
        -------
        Result
            One row an item, ordered by key: its attributes as typed, flattened columns (see
            `workbench.model.attributes.frame`), and ``_changed_at``, its last change (UTC, microseconds). With
            `include_deleted` also ``_deleted_at`` (NaT where it lives) and ``_by_ttl``.

        Raises
        ------
        TableNotFound
            Naming the tables there are.
        ParameterError
            Where `where` or `as_of` cannot be read; the message says at which character.

        Examples
        --------
        >>> wb.latest_state("persons", where="balance > 800")["pk"].tolist()
        ['p-000010']
        >>> len(wb.latest_state("persons", as_of="2025-11-19")), len(wb.latest_state("persons", include_deleted=True))
        (4, 12)
        """
        return state.latest_state(self._asking, table, as_of=as_of, include_deleted=include_deleted, where=where)

    def get(self, table: str, key: Key | None = None, *, as_of: Moment | None = None) -> Item:
        """Show one item as it is, or was at an instant; of all others nothing is read that can be left out.

        Parameters
        ----------
        key
            Its whole key, such as ``{"pk": "p-1"}`` or ``"pk=p-1"``; without one, the item that changed most.
        as_of
            An instant, UTC where it names no zone, inclusive.

        Returns
        -------
        Item
            One row, as of ``latest_state(include_deleted=True)``: where the item is gone, its key and when it went; no
            row where there never was such an item. ``.item`` has the attributes as a dict, ``.verdict`` says since when
            it is so, or since when it is gone, and whether TTL removed it.

        Raises
        ------
        ParameterError
            Where the key is that of several items, or cannot be read.

        Examples
        --------
        >>> wb.get("persons", "pk=p-000003", as_of="2025-11-17T18:00").item["visits"]
        0
        >>> wb.get("persons", "pk=p-000003").verdict
        'gone since 2025-11-17 20:10:53.622555 UTC (it was version 1)'
        """
        return one_item.get(self._asking, table, key, as_of=as_of)

    def stale(self, table: str, older_than: Moment, *, where: str | None = None) -> Result:
        """Show the items that have not changed since an instant, the oldest first.

        Parameters
        ----------
        older_than
            An instant, UTC where it names no zone, or a length of time before now, such as ``365d``.
        where
            A condition on attributes, as of `latest_state`.

        Returns
        -------
        Result
            One row an item, by the time of its last change: the columns of `latest_state`, and age (the time since
            then).

        Examples
        --------
        >>> wb.stale("persons", "2025-11-20T16:10Z")["pk"].tolist()
        ['p-000004']
        """
        return stale.stale(self._asking, table, older_than, where=where)

    def changes(
        self,
        table: str,
        *,
        start: Moment | None = None,
        end: Moment | None = None,
        key: Key | Sequence[Key] | None = None,
        prefix: bool = False,
        events: str | Sequence[str] = (),
        where: str | None = None,
        limit: int | None = None,
    ) -> Result:
        """List the changes of a table in a window of time.

        Parameters
        ----------
        start, end
            The window of event time, `start` inclusive, `end` exclusive, UTC where they name no zone.
        key, prefix
            Only of these items; see `workbench.model.keys.read_keys`.
        events
            Only INSERT, MODIFY or REMOVE, or several of them.
        where
            A condition on attributes of either image, or of ``new.`` and ``old.`` ones; see
            `workbench.model.conditions`.
        limit
            Only the newest so many; a million changes as a DataFrame take minutes and gigabytes.

        Returns
        -------
        Result
            One row a distinct change, by time: the key attributes, ts (UTC, microseconds), event_name, by_ttl,
            size_bytes, event_id, and the images' attributes as flattened columns that begin with ``new.`` and ``old.``.
            With the setting `actor`, a column actor after event_name: what the new image has at that path, so none of
            a REMOVE.

        Examples
        --------
        >>> wb.changes("persons", start="2025-11-20", limit=2)[["event_name", "old.visits", "new.visits"]]
          event_name  old.visits  new.visits
        0     MODIFY          10          11
        1     MODIFY           4           5
        """
        return state.changes(
            self._asking,
            table,
            start=start,
            end=end,
            key=key,
            prefix=prefix,
            events=events,
            where=where,
            limit=limit,
        )

    def versions(
        self,
        table: str,
        *,
        key: Key | Sequence[Key] | None = None,
        prefix: bool = False,
        start: Moment | None = None,
        end: Moment | None = None,
        as_of: Moment | None = None,
        where: str | None = None,
        names: Names = "workbench",
    ) -> Result:
        """Show every state that items were in, from when to when: a type 2 slowly changing dimension.

        Parameters
        ----------
        key, prefix
            Only of these items; see `workbench.model.keys.read_keys`.
        start, end
            Only states that held at some time of this window, `start` inclusive, `end` exclusive.
        as_of
            From the changes made until this instant, inclusive: what held then has no end.
        where
            A condition on attributes and on the columns below; see `workbench.model.conditions`.
        names
            ``"dbt"`` calls the columns beside attributes as dbt's snapshots do, and leaves out what these do not have:
            dbt_scd_id (a digest of the key and dbt_valid_from, the same whenever it is asked), dbt_updated_at,
            dbt_valid_from and dbt_valid_to.

        Returns
        -------
        Result
            One row a state, by key and time: the attributes as of `latest_state`, valid_from (inclusive, UTC,
            microseconds), valid_to (exclusive; NaT while it holds), version (from 1, over all lives of the item), life
            (1, then one more after each time it was gone), is_current, and ended_by (modify, remove or ttl; <NA> while
            it holds). An attribute that is called like one of these columns is in double quotes. What a baseline knew
            holds from its instant on.

        Raises
        ------
        ParameterError
            Where a condition, a key or an instant cannot be read.

        Examples
        --------
        >>> wb.versions("persons", key="pk=p-000003")[["visits", "version", "ended_by"]].to_dict("records")
        [{'visits': 0, 'version': 1, 'ended_by': 'remove'}]
        """
        return versions.versions(
            self._asking,
            table,
            key=key,
            prefix=prefix,
            start=start,
            end=end,
            as_of=as_of,
            where=where,
            names=names,
        )

    def explore(
        self, table: str, *, at: Moment | None = None, compare_to: Moment | None = None, where: str | None = None
    ) -> Explorer:
        """Move through a table's life in JupyterLab: a slider, the items at its instant, and how two instants differ.

        The versions of all items are asked for once, as of `versions`, and the changes behind the slider, as of
        `change_frequency`; whatever is moved, sorted, filtered or clicked then is answered from these by the kernel,
        without another query. Masks hold: what is masked is masked before anything of it is kept. On Athena these are
        two queries; `estimate` of "versions" and of "change_frequency" tells beforehand what they will read.

        Parameters
        ----------
        at
            Where the handle stands at first, UTC where it names no zone; without it, at the newest change.
        compare_to
            Where a second handle stands; without it, there is none at first.
        where
            The condition to filter by at first, such as ``person.age > 40``, on attributes that are not masked.

        Returns
        -------
        workbench.explorer.Explorer
            It shows itself. Its ``at``, ``compare_to`` and ``where`` tell where things stand, and set that; ``state``
            and ``difference`` are frames of all there is, ``key`` the item clicked last, and ``sql`` gives the same. In
            a report, where nobody is there to move anything, it is the chart of the changes and the table of the items.

        Raises
        ------
        ConfigError
            In a notebook without anywidget, which the extra ``lab`` brings along.
        TableNotFound
            Naming the tables there are.
        ParameterError
            Where a condition or an instant cannot be read, or a condition names a masked attribute.

        Examples
        --------
        >>> explorer = wb.explore("persons", at="2025-11-19", where="active = true")
        >>> len(explorer.state)
        3
        """
        from workbench import explorer  # which few need

        return explorer.explore(self._asking, table, at, compare_to, where)

    def item_history(
        self,
        table: str,
        key: Key | Sequence[Key] | None = None,
        *,
        prefix: bool = False,
        start: Moment | None = None,
        end: Moment | None = None,
    ) -> History:
        """Tell what happened to an item, or to a few: every change in order, attribute by attribute.

        Parameters
        ----------
        key, prefix
            The item's key, such as ``{"pk": "p-1"}`` or ``"pk=p-1"``, or several; without one, the item that changed
            most. One attribute of a composite key is all items that have it; with `prefix` the last attribute
            given is what the items' begin with.
        start, end
            Show only the changes of this window.

        Returns
        -------
        History
            One row an attribute change, by item and in the order of the changes: the key attributes, life (1, then
            one more after each deletion), ts (UTC, microseconds), event_name (INSERT, MODIFY, REMOVE, or BASELINE for
            what an export knows), by_ttl, since_previous (the time since the item's change before), path, change
            (added, removed, changed, type changed, members added, members removed, or unknown where the log holds one
            image only, or none), before and after (Python values;
            <NA> is absent, None is NULL), before_type and after_type (DynamoDB's), missing (a change before this one
            is not in the log, since what it found is not what was left), event_id. A change that changed no
            attribute but the key's is one row without a path. With the setting `actor`, a column actor after
            event_name, as of `changes`.

        Raises
        ------
        ParameterError
            Where an attribute is none of the key, or a value not of its type.

        Examples
        --------
        >>> wb.item_history("persons", "pk=p-000003")["event_name"].unique().tolist()
        ['INSERT', 'REMOVE']
        """
        return history.item_history(self._asking, table, key, prefix=prefix, start=start, end=end)

    def diff(
        self,
        table: str,
        before: Moment,
        after: Moment | None = None,
        *,
        key: Key | Sequence[Key] | None = None,
        prefix: bool = False,
        against: str | Workbench | None = None,
        against_source: str | Path | Workbench | None = None,
        key_map: Mapping[str, str] | str | None = None,
    ) -> Comparison:
        """Compare a table, or items of it, at two instants; or with another table, of this log or of another.

        Parameters
        ----------
        before, after
            The instants, both inclusive, UTC where they name no zone; without `after`, now. Of two tables `after` is
            the instant of the other one, without it the same.
        key, prefix
            Only these items, as in `item_history`, by this table's names.
        against
            The other table's name; or a workbench, for the table of the same name in its log.
        against_source
            The other table's log, where it is another: a folder, file or glob, which is read as this log is; or of
            another engine, database or account a workbench, or the ``workbench.toml`` of one. What either masks is
            masked.
        key_map
            What the other table calls key attributes that it calls differently: ``{"pk": "id"}``, or as text,
            ``pk=id sk=range``.

        Returns
        -------
        Comparison
            One row an attribute that differs: the key attributes, item (added, removed, changed), path, change, before,
            after, before_type, after_type, as in `item_history`. Of two tables, added items are in the other one only.

        Raises
        ------
        ParameterError
            Where the keys of two tables are of different names or types, or a table would be compared with itself.

        Examples
        --------
        >>> wb.diff("persons", "2025-11-19", "2025-11-20").verdict
        'persons: 3 added, 2 removed, 2 changed; 0 items the same'
        >>> wb.diff("persons", "2025-11-19", against_source=wb.settings.lake).items["same"]
        4
        """
        if against is None and against_source is None:
            if key_map:
                raise ParameterError("key_map is for two tables: name the other one with against or against_source")
            return history.diff(self._asking, table, before, after, key=key, prefix=prefix)
        if isinstance(against, Workbench):
            if against_source is not None:
                raise ParameterError("against is a workbench: name its table there, and give it as against_source")
            against, against_source = None, against
        source = against_source._asking if isinstance(against_source, Workbench) else against_source
        with two_logs.log_of(self._asking, source) as other:
            return two_logs.diff_of_logs(
                self._asking,
                table,
                before,
                after,
                key=key,
                prefix=prefix,
                against=against or table,
                other=other,
                key_map=key_map,
            )

    def reconcile(
        self,
        table: str,
        against: str | Path = "live",
        *,
        lag: str = "15min",
        wait: bool = False,
        segments: int = 4,
        rate: float | None = None,
    ) -> Comparison:
        """Compare the state the log leads to with the table itself.

        Parameters
        ----------
        against
            ``live``, the table as it is (the embedded item store; with ``engine="athena"`` a scan of the table of
            DynamoDB), or an export to S3, which is compared with the state at the time of the export.
        lag
            How long delivery may take: items with younger changes that are not in the log are in flight, and
            count for no difference.
        wait
            On DynamoDB: look at what differs again when `lag` is over, so that what is missing then is missing.
        segments, rate
            On DynamoDB: segments scanned side by side, and the read capacity units a second they may take.

        Returns
        -------
        Comparison
            One row an attribute that differs, before in the log and after in the table: the key attributes, item
            (``missing`` in the log, ``extra`` in it, ``differing``, ``in flight``), path, change, before, after,
            before_type, after_type.

        Raises
        ------
        StoreError
            Where there is no such table in the item store, or the table of DynamoDB cannot be read.
        ParameterError
            Where `against` holds no export of the table, or the log's keys are not the table's.

        Examples
        --------
        >>> wb.reconcile("persons").verdict
        'persons: no difference; 5 items the same'
        """
        return reconciliation.reconcile(self._asking, table, against, lag=lag, wait=wait, segments=segments, rate=rate)

    def change_frequency(
        self,
        table: str,
        *,
        every: str | None = None,
        start: Moment | None = None,
        end: Moment | None = None,
        by: Kind = "event",
        timezone: str = "UTC",
        limit: int = 20,
    ) -> Result:
        """Count the changes of a table over time by event, or by attribute, by item, by the time in between.

        Parameters
        ----------
        every
            Width of a bucket: 1min, 5min, 15min, 30min, 1h, 3h, 6h, 12h, 1d, 1w (from Monday) or 1mo; by event 1h
            where not given.
        start, end
            The window of event time, `start` inclusive, `end` exclusive, in `timezone` where they name no zone.
        by
            What is counted, see below.
        timezone
            Zone whose days and hours the buckets follow, and the window, such as ``Europe/Berlin``.
        limit
            How many items, with ``by="key"``.

        Returns
        -------
        Result
            ``by="event"``: bucket (datetime64[us, `timezone`], its start; empty ones too, of
            more than 20,000 those beside others only, which ``stats.notes`` says), inserts, modifies,
            removes, ttl_removes (part of removes) and changes.

            ``by="attribute"``, of MODIFY changes, since an INSERT or REMOVE touches every attribute: path, changes,
            and of these added, removed, changed and type_changed, items, share (of all MODIFY changes, 0 to 1),
            first_change and last_change (UTC), most changed first; with `every` instead path, bucket and changes.
            Writes that changed nothing are counted in ``stats.notes``.

            ``by="key"``: the key attributes, changes, inserts, modifies, removes, share, first_change and
            last_change, most changed first, and in the order of their keys where that is equal; of these, `limit` keeps
            those whose keys come first as text (10 before 9).

            ``by="concentration"``: changes_per_item, items that have so many, and item_share and change_share,
            cumulative from the most changed items on.

            ``by="interval"``, the time from one change of an item to its next: longer_than and up_to (timedelta),
            changes and share.

        Raises
        ------
        TableNotFound
            Naming the tables there are.
        ParameterError
            For an unknown bucket, time zone or `by`, or a window that ends before it starts.

        Examples
        --------
        >>> wb.change_frequency("persons", every="1d")["changes"].tolist()
        [9, 13, 22, 16]
        >>> wb.change_frequency("persons", by="key", limit=2)["pk"].tolist()
        ['p-000006', 'p-000011']
        """
        return frequency.change_frequency(
            self._asking,
            table,
            every=every,
            start=start,
            end=end,
            by=by,
            timezone=timezone,
            limit=limit,
        )

    def transitions(
        self,
        table: str,
        path: str,
        *,
        start: Moment | None = None,
        end: Moment | None = None,
        limit: int = 10,
    ) -> Transitions:
        """Tell between which values an attribute moves, how long it stays at each, and which items are where.

        Versions of an item that adjoin and have the same value are one stay, whatever else changed in between. Where
        the attribute or the item is not there, or the attribute is NULL, there is no value: an item that is created
        moves from nothing, one that is removed to nothing.

        Parameters
        ----------
        path
            An attribute, like ``status`` or ``person.city``, or an expression of it in Athena's SQL, like
            ``case when total > 100 then 'large' else 'small' end``.
        start, end
            Moves from `start` on, before `end`, UTC where they name no zone. What is there, is so at `end`, or now.
        limit
            So many items of each value are in `longest`.

        Returns
        -------
        Transitions
            One row a pair of values, the most frequent first: from and to (of the attribute's own type, missing where
            it was not there), moves (how often), items (how many different ones), by_ttl (how many of these moves are
            removals by TTL), median and p90 (timedelta: what half, and nine in ten, of the moves had stayed at `from`
            at most; of moves from nothing, how long the value had been gone, where it ever was), first_move and
            last_move (UTC). And the frame ``longest``, one row an item that has been at its value for long: the key
            attributes, value, since (UTC), age (timedelta), items (how many are at that value).

        Raises
        ------
        TableNotFound
            Naming the tables there are.
        ParameterError
            Where `path` is not one expression of one value; it says at which character.

        Examples
        --------
        >>> moves = wb.transitions("persons", "active").df
        >>> moves.loc[moves["from"].notna() & moves["to"].notna(), ["from", "to", "moves"]].values.tolist()
        [[False, True, 3], [True, False, 2]]
        """
        return questions_transitions.transitions(self._asking, table, path, start=start, end=end, limit=limit)

    def trend(
        self,
        table: str,
        aggregate: str,
        *,
        every: str = "1d",
        by: str | None = None,
        where: str | None = None,
        start: Moment | None = None,
        end: Moment | None = None,
        timezone: str = "UTC",
    ) -> Result:
        """Tell how an aggregate over the items of a table moves: what it is at the end of every bucket of time.

        It is that of the state then, as `latest_state` has it, in one pass over the log however many buckets there
        are. Numbers are exact, and only steps travel, not items.

        Parameters
        ----------
        aggregate
            ``sum(x)``, ``avg(x)``, ``min(x)``, ``max(x)``, ``median(x)`` (of an even number, the mean of the middle
            two), ``count(*)``, ``count(x)`` or ``count(distinct x)``; x is an attribute, or an expression in Athena's
            SQL, like ``price * quantity``.
        every
            The width of buckets, as in `change_frequency`; the last one ends now, or at `end`.
        by
            An attribute, or expression, by which items are grouped, as it is at that time; 1,000 groups at most.
        where
            A condition on items as they are at that time, in Athena's SQL, like ``active and balance > 0``.
        start, end
            The window, in `timezone` where they name no zone; without them, from the first change to the last.
        timezone
            The zone of the buckets.

        Returns
        -------
        Result
            One row a bucket and group: bucket (its begin), with `by` belongs_to (the group, missing where the
            attribute is), value (the aggregate; missing where no item has x), items (how many the group has).

        Raises
        ------
        TableNotFound
            Naming the tables there are.
        ParameterError
            Where `aggregate`, `by` or `where` cannot be read, at which character; for an unknown bucket or zone.

        Examples
        --------
        >>> wb.trend("persons", "count(*)")["value"].tolist()
        [1, 4, 5, 5]
        """
        return questions_trend.trend(
            self._asking,
            table,
            aggregate,
            every=every,
            by=by,
            where=where,
            start=start,
            end=end,
            timezone=timezone,
        )

    def lifetimes(
        self,
        table: str,
        *,
        by: str | None = None,
        start: Moment | None = None,
        end: Moment | None = None,
        timezone: str = "UTC",
    ) -> Lifetimes:
        """Tell how long items live; one that comes back after it was gone lives again.

        Parameters
        ----------
        by
            An expression over attributes, such as ``person.address.city``: what it was in the first state of a life is
            the life's group.
        start, end
            Only lives that began in this window; what lives at its end is living.
        timezone
            In which the window is read, and months begin.

        Returns
        -------
        Lifetimes
            One row a group: belongs_to (missing without `by`), items (lives), living, deleted, by_ttl (of these),
            median and p90: the ages (timedelta) to which half of them live, and one in ten, by the estimate of Kaplan
            and Meier, which counts living ones for as long as they have lived; NaT while too few have ended.
            ``.survival`` has the curves, ``.cohorts`` the same by the month in which they came.

        Examples
        --------
        >>> wb.lifetimes("persons", end="2025-11-21")[["items", "living", "deleted", "by_ttl"]].to_dict("records")
        [{'items': 12, 'living': 5, 'deleted': 7, 'by_ttl': 0}]
        """
        return questions_lifetimes.lifetimes(self._asking, table, by=by, start=start, end=end, timezone=timezone)

    def profile(
        self,
        table: str,
        paths: str | Sequence[str] | None = None,
        *,
        as_of: Moment | None = None,
        against: Moment | None = None,
        limit: int = 5,
    ) -> Profile:
        """Tell how the values of each attribute are distributed, and what moved most since another instant.

        Of a masked attribute only whether it is there is told; of binary, sets, lists and maps taken whole no values.

        Parameters
        ----------
        paths
            Attributes, such as ``person.age``; without them, all.
        as_of
            An instant, UTC where it names no zone; without it, now.
        against
            Another instant; every column has one beside it that ends with ``_before``, and the first rows moved most.
        limit
            So many of the most frequent values of each attribute, at either instant, are told.

        Returns
        -------
        Profile
            One row an attribute: path, items (of the table), there, null and absent (shares of all items, 0 to 1),
            types (of DynamoDB, the most frequent first), true (share of all items), different (values), shortest and
            longest (characters of its texts), least, p25, median, p75 and most (of its numbers, each one that an item
            has); with `against`, moved: from 0 (as it was) to 1, half the sum of what shares of values, or of being
            absent, differ by, of numbers the most that the shares up to any number do. And the frame ``values``, of the
            frequent ones: path, type, value (as text), share, share_before.

        Raises
        ------
        TableNotFound
            Naming the tables there are.
        ParameterError
            Where no item ever had an attribute.

        Examples
        --------
        >>> wb.profile("persons", "active").values[["value", "share"]].to_dict("list")["value"]
        ['true', 'false']
        """
        return questions_profile.profile(self._asking, table, paths, as_of=as_of, against=against, limit=limit)

    def data_quality(
        self,
        table: str,
        *,
        start: Moment | None = None,
        end: Moment | None = None,
        late_arrival: str = "24h",
        max_age: str | None = None,
    ) -> Quality:
        """Tell whether the log can be trusted: what is missing, twice, late, ambiguous or unreadable in it.

        Parameters
        ----------
        start, end
            The window of event time, `start` inclusive, `end` exclusive, UTC where they name no zone.
        late_arrival
            How late changes may arrive, such as ``24h``.
        max_age
            How old the newest change may be, such as ``1h``; an older log fails. Without it, one that is silent for
            longer than a week, and three times longer than ever before, is a warning. A window that ends before now is
            not judged.

        Returns
        -------
        Quality
            ``df`` with one row a finding: finding, status (ok, note, warning, failed), count, share (0 to 1), of
            (what the share is of), examples, meaning, remedy; and the frames ``gaps``, ``lag`` and ``drift``, and
            ``verdict``.

        Examples
        --------
        >>> wb.data_quality("persons", end="2025-11-21").verdict
        'persons: the log can be trusted; there is something to know (reordered changes, attributes of several types)'
        """
        return quality.data_quality(
            self._asking, table, start=start, end=end, late_arrival=late_arrival, max_age=max_age
        )

    def undo(
        self,
        table: str,
        *,
        to: Moment | None = None,
        start: Moment | None = None,
        end: Moment | None = None,
        key: Key | Sequence[Key] | None = None,
        prefix: bool = False,
        where: str | None = None,
        events: str | Sequence[str] = (),
        actor_is: str | None = None,
        on_conflict: OnConflict = "keep",
        kept: str | Sequence[str] = (),
        bump: str | Sequence[str] = (),
        delta: str | Sequence[str] = (),
        ttl: str | None = None,
        lists: Literal["whole", "index"] = "whole",
        mark: Mark | None = None,
        live: bool | None = None,
        journal: str | Path | None = None,
    ) -> Undo:
        """Plan the writes that take items back, to what they were at an instant or before some changes.

        Nothing is written: the plan is looked at, saved, and applied; see `apply`. The page *Undo* tells what can be
        promised.

        Parameters
        ----------
        to
            Go back to an instant, inclusive: items become what they were, those made since are deleted, those deleted
            since are put back. With `key`, `prefix` and `where` (a condition that holds of them now or held then) only
            some items.
        start, end, key, prefix, where, events
            Take back the changes that `changes` would list, and keep what happened to their items after them,
            attribute by attribute. Where a condition names attributes of ``new.``, only changes that wrote one of them
            count: a later write of something else carries a bad value along, and stays.
        actor_is
            Only changes by which this name was written into the attribute that the setting `actor` names, or
            ``updated_by=job-17``. A REMOVE names nobody.
        on_conflict
            Where a change that stays wrote to an attribute after one that is taken back: ``"keep"`` it as it is now,
            put what was there ``"before"``, or ``"fail"``.
        kept, bump, delta
            Attributes that stay as they are, without a conflict, such as ``updated_at``; versions, which become one
            more than now; and counters, from which what was added wrongly is subtracted.
        ttl
            What to do with items that have expired, which are left out else: ``keep`` their time to live, ``drop`` it,
            or set it to so long from now, ``+7d``. ``expires:+7d`` says which attribute it is, where the table cannot
            be asked.
        lists
            A list is one value, or goes by ``"index"`` where all versions of it have one length.
        mark
            An attribute that every write sets, so that what listens to the table can tell: ``undone_by``,
            ``undone_by=job 17 of 18 November``, or a mapping.
        live
            Whether the items are read in the table itself, which may be ahead of the log. Without it, the embedded item
            store's are where it has the table, and DynamoDB's are not. False does not even look what the table is.
        journal
            Take back an undo that was applied, by the file in which it was written down; nothing else is given then.

        Returns
        -------
        Undo
            One row an item, ordered by key: the key attributes, action (put back, update, delete, unchanged, gone,
            conflict, unknown), attributes (a list of paths), before (what was taken back came upon), now, after (each
            a dict by these paths), note. Its `paths` has a row an attribute, `conflicts` those in conflict, `actions`
            counts, `units` and `about` what it costs and stands on; `save`, `apply` and `to_html` go on with it.

        Raises
        ------
        ParameterError
            Where it is not said what to take back, or several kinds of it at once; with ``on_conflict="fail"`` where
            there are conflicts.

        Examples
        --------
        >>> undone = wb.undo("persons", to="2025-11-19", key="pk=p-000004")
        >>> undone.df[["pk", "action"]].to_dict("list")
        {'pk': ['p-000004'], 'action': ['update']}
        """
        return questions_undo.undo(
            self._asking,
            table,
            to=to,
            start=start,
            end=end,
            key=key,
            prefix=prefix,
            where=where,
            events=events,
            actor_is=actor_is,
            on_conflict=on_conflict,
            kept=kept,
            bump=bump,
            delta=delta,
            ttl=ttl,
            lists=lists,
            mark=mark,
            live=live,
            journal=journal,
            open=lambda: self,
        )

    def apply(
        self,
        plan: str | Path,
        *,
        rate: float | None = None,
        limit: int | None = None,
        max_changed: float | None = None,
        sha: str | None = None,
        yes: bool = False,
        why: str | None = None,
        journal: str | Path | None = None,
    ) -> Applied:
        """Apply a plan that was saved: each write by itself, on its condition, and written down in a journal.

        It is written to the embedded item store or, with ``engine="athena"``, to DynamoDB. An item that changed
        meanwhile is merged again, or left alone and told of. Applied again after it was stopped, also by a kill or a
        lost connection, it goes on: every item is written once. `undo` with ``journal=`` takes it back.

        Parameters
        ----------
        plan
            The file of `Undo.save`.
        rate
            Write units a second, at most.
        limit
            Only the next so many writes: a canary.
        max_changed
            Stop when more items than so many, or below 1 than such a share, have changed meanwhile.
        sha
            The SHA-256 of the plan that was reviewed, or its beginning: another is refused.
        yes
            That it is to be written.
        why
            A reason, for the journal.
        journal
            Its file; without it ``PLAN.journal`` beside the plan.

        Returns
        -------
        Applied
            How many writes were made, what was left, and why.

        Raises
        ------
        ParameterError
            Where it is refused: another plan, another table, or changes that it takes back still arrive.
        StoreError
            Where the table takes nothing more.

        Examples
        --------
        >>> wb = Workbench(home="undone")
        >>> made = wb.generate("persons", items=12, changes=60, seed=7, start="2025-11-17", end="2025-11-21")
        >>> file = wb.undo("persons", to="2025-11-19", key="pk=p-000004").save("undo.jsonl")
        >>> applied = wb.apply(file, yes=True, why="as an example")
        >>> applied.written, applied.left
        (1, 0)
        """
        return questions_undo.apply(
            self._asking,
            plan,
            rate=rate,
            limit=limit,
            max_changed=max_changed,
            sha=sha,
            yes=yes,
            why=why,
            journal=journal,
        )

    def ask(self, question: str, table: str, /, **values: Any) -> Result:
        """Answer a question by its name: by its method, or of another `.sql` file by what its head declares.

        Parameters
        ----------
        question
            A question by its name or shorter name, or the name of a `.sql` file in ``workbench/sql``, such as hot_keys.
        **values
            Its parameters; the others have their defaults.

        Returns
        -------
        Result
            What the method gives; of a file, the columns of its head in the order of its rows, see
            `workbench.questions.frames.answer_frame`.

        Raises
        ------
        ParameterError
            Where there is no such question, or parameter; or a mask is set, and the head does not rule out that the
            answer holds values of attributes.

        Examples
        --------
        >>> wb.ask("hot_keys", "persons", limit=2)["pk"].tolist()
        ['p-000006', 'p-000011']
        """
        if (name := question_name(question)) in QUESTIONS:
            return ask_by_method(getattr(self, name), table, values)
        return ask_by_name(self._asking, name, table, values)

    def sql(self, question: str, table: str, /, **values: Any) -> str:
        """Return the text of a question over a table, in Athena's dialect, without running it.

        Parameters
        ----------
        question
            A question by its name or shorter name: the text it is asked with first (of `change_frequency` by what
            `by` says), without the filter its method adds; or the name of a `.sql` file in ``workbench/sql``, such as
            hot_keys.
        **values
            Parameters of that file, which its head declares; the others have their defaults. `where` is a condition,
            for latest_state and changes.

        Examples
        --------
        >>> print(wb.sql("latest", "persons", as_of="2025-11-19", where="balance > 800").splitlines()[0])
        -- What is in the table, or what was in it at :as_of?
        """
        if (name := question_name(question)) in TEXTS:
            return text_by_name(self._asking, name, table, values)
        return self._asking.sql(question, table, values)

    def estimate(self, question: str, table: str, /, **values: Any) -> Estimate:
        """Tell what a question would scan on Athena, and what that would cost, without running it; see `sql`.

        It is the size of the objects in the partitions the question's window needs; columns that are not asked for
        make it less where the log is in Parquet. The embedded engine reads the same objects, at no cost.

        Examples
        --------
        >>> print(wb.estimate("latest_state", "persons"))
        at most 25.4 kB in 53 objects
        """
        if (name := question_name(question)) in TEXTS:
            return query.estimate(self._asking, text_by_name(self._asking, name, table, values), {})
        return self._asking.estimate(question, table, values)

    @property
    def spent(self) -> Spent:
        """What all queries of this workbench have taken so far; nothing on the embedded engine.

        Examples
        --------
        >>> print(wb.spent)
        0 queries, 0 B scanned
        """
        return self._asking.spent

    def create_table(self, name: str, location: str, *, first_year: int | None = None) -> str:
        """Register the change log under a prefix of S3 in the Glue catalog, and return the statement that does it.

        The layout (envelope or raw), JSON or Parquet and how its folders tell the time are read off its objects; the
        table has explicit columns, and projected partitions from the first folder to the present: Athena lists each of
        them in a query of its console that names no `arrival`.

        Parameters
        ----------
        first_year
            Have folders projected from the begin of this year on, where older ones than the first are still to come.

        Raises
        ------
        ParameterError
            Where there are no objects, they are of another layout, or the table exists.

        Examples
        --------
        The embedded lake has none, and says what to do:

        >>> wb.create_table("persons", "s3://my-bucket/data/persons/")
        Traceback (most recent call last):
        workbench.errors.ConfigError: the embedded lake has no catalog, its folders are the tables: set engine=athena
        """
        return self._engine.catalog.register(name, location, first_year=first_year)

    def create_views(self, table: str, *, replace: bool = False) -> pd.DataFrame:
        """Make views of Athena's over a log, for BI tools and the console: an attribute a column.

        ``T_latest`` is what is in the table, ``T_changes`` what changed, ``T_versions`` every state an item was in.
        Their columns are those the log has now, in lower case: make them again when attributes have come. They read
        all of the log, and what comes after; times have milliseconds, and microseconds as text beside, ``ts_text``.
        Masks hold in them.

        Parameters
        ----------
        replace
            Replace views of these names also where somebody else made them.

        Returns
        -------
        pandas.DataFrame
            view, table, relation (latest, changes, versions), columns (how many).

        Raises
        ------
        ParameterError
            Where a name is taken, or a setting has no meaning for a view.

        Examples
        --------
        >>> wb.create_views("persons")
        Traceback (most recent call last):
        workbench.errors.ConfigError: the embedded lake has no catalog, its folders are the tables: set engine=athena
        """
        from workbench.questions import views

        return views.create(self._asking, table, replace=replace)

    def views(self, table: str | None = None) -> pd.DataFrame:
        """List the views that `create_views` made, of one table or all, as it does.

        Examples
        --------
        >>> wb.views()
        Traceback (most recent call last):
        workbench.errors.ConfigError: the embedded lake has no views: use connect() or export_db, or set engine=athena
        """
        from workbench.questions import views

        return views.made(self._asking, table)

    def drop_views(self, table: str) -> pd.DataFrame:
        """Remove the views of a table that `create_views` made, and list them.

        Raises
        ------
        ParameterError
            Where there are none.

        Examples
        --------
        >>> wb.drop_views("persons")
        Traceback (most recent call last):
        workbench.errors.ConfigError: the embedded lake has no views: use connect() or export_db, or set engine=athena
        """
        from workbench.questions import views

        return views.drop(self._asking, table)

    def view_ddl(self, table: str) -> str:
        """Return the statements that `create_views` runs, without running them.

        Examples
        --------
        >>> wb.view_ddl("persons")
        Traceback (most recent call last):
        workbench.errors.ConfigError: the embedded lake has no catalog, its folders are the tables: set engine=athena
        """
        from workbench.questions import views

        return views.ddl(self._asking, table)

    def table_ddl(self, name: str) -> str:
        """Return the statement that makes a table of the Glue catalog, in Athena's DDL.

        Examples
        --------
        >>> print(wb.table_ddl("persons"))
        Traceback (most recent call last):
        workbench.errors.ConfigError: the embedded lake has no catalog, its folders are the tables: set engine=athena
        """
        return self._engine.catalog.ddl(name)

    def generate(self, dataset: str, **options: Any) -> Generated | Written:
        """Make a realistic table and its change log in the embedded lake; see `workbench.sandbox.generate.generate`.

        With ``engine="athena"`` the same items are written to the table of DynamoDB, whose pipeline then logs the
        changes; see `workbench.sandbox.dynamodb_writer.write`. How the log is delivered (duplicates, late, reordered,
        layout) is then the pipeline's affair, and these options are left alone.

        Examples
        --------
        >>> wb = Workbench(home="another")
        >>> wb.generate("heartrate", items=2, changes=40, seed=7, start="2025-11-17", end="2025-11-21").changes
        40
        """
        return self._asking.generate(dataset, options)

    def export_baseline(self, table: str, to: str | Path = "exports") -> Path | str:
        """Export a table as it is now, in the form of DynamoDB's export to S3.

        Returns
        -------
        pathlib.Path or str
            The export's own folder, for ``Workbench(baseline=…)`` and for `reconcile`. With ``engine="athena"``, where
            DynamoDB makes the export under ``s3://…`` in its own time, its ARN: `export_status` tells how far it is.

        Examples
        --------
        >>> wb.export_baseline("persons", "exports").parent
        PosixPath('exports/AWSDynamoDB')
        """
        return self._engine.export_table(table, to)

    def export_status(self, table: str) -> pd.DataFrame:
        """Tell how far the exports of a table of DynamoDB are; see `workbench.aws.export_jobs.export_status`.

        Examples
        --------
        >>> wb.export_status("persons")
        Traceback (most recent call last):
        workbench.errors.ConfigError: an export of the embedded store is made at once: set engine=athena for DynamoDB's
        """
        return self._engine.export_status(table)

    def replay(
        self,
        table: str,
        to_table: str,
        *,
        as_of: Moment | None = None,
        start: Moment | None = None,
        end: Moment | None = None,
        rate: float | None = None,
        limit: int | None = None,
        why: str | None = None,
        out: str | Path | None = None,
        journal: str | Path | None = None,
    ) -> Applied:
        """Write a state of a table, or the changes of a window in their order, into another table.

        The other one is of the embedded item store, where it is made if it is not there, or, with ``engine="athena"``,
        of DynamoDB, where it must be, with the same key. What is written is planned in a file first, and every write
        has its condition: a state is put where no such item is, a change is made of an item that is as the log says it
        was. What else is there is left alone, and reported. Masks hold in what is written.

        Parameters
        ----------
        to_table
            The other table's name.
        as_of
            The state at an instant, inclusive; without it, and without a window, the state now.
        start, end
            The changes of this window of event time, `start` inclusive, `end` exclusive, in their order. The other
            table is to hold the state at its start.
        rate
            At most so many write units a second.
        limit
            Only so many writes; `apply`, given the plan, goes on.
        why
            A reason, for the journal.
        out
            The file of the plan; else one in `home`/undo. `apply` with it goes on, whatever ended this.
        journal
            The file in which is written down what was written; else the plan's name and ``.journal``.

        Returns
        -------
        Applied
            What came of it; see `workbench.undo.applying.Applied`.

        Raises
        ------
        ParameterError
            Where it is the table itself, or the other one has another key, or other items.
        StoreError
            Where nothing more can be written.

        Examples
        --------
        >>> then = wb.replay("persons", "persons_then", as_of="2025-11-19")
        >>> then.written, then.left
        (4, 0)
        """
        from workbench.questions import replay

        return replay.replay(
            self._asking,
            table,
            to_table,
            as_of=as_of,
            start=start,
            end=end,
            rate=rate,
            limit=limit,
            why=why,
            out=out,
            journal=journal,
        )

    def checkpoint(self, table: str, *, keep: int = 14) -> Checkpoint:
        """Keep what the log has come to, so that later answers read it and the new objects only.

        What is in a table, and what was in it at an instant, since then, is answered from the newest checkpoint that
        tells it; so are `diff`, `reconcile` and, of a window that starts since then, `data_quality`. The answers are
        the same as without: what comes late counts, and where a late change could lead further back than the checkpoint
        knows, all of the log is read. The setting `late_arrival` is how far back it knows everything; the setting
        `checkpoints` is where it is kept.

        Parameters
        ----------
        keep
            So many of the table's checkpoints stay, the newest.

        Returns
        -------
        Checkpoint
            What was kept: `since`, from when on states can be told from it, `made` (both UTC), `place`, `bytes`, the
            `objects` of the log it stands on, and their `unreadable` lines; as text, a line of these.

        Raises
        ------
        ConfigError
            Where none are kept.
        ParameterError
            Where `keep` is less than one.

        Examples
        --------
        >>> wb.checkpoint("persons").since.isoformat()
        '2025-11-19T21:38:51+00:00'
        """
        return self._asking.checkpoint(table, keep)

    def compact(self, table: str, *, again: bool = False, archive: bool = False) -> pd.DataFrame:
        """Keep the days of a log on Athena as few sorted, columnar files, which questions read instead of its objects.

        A day is one of arrival, and closed once it is over and the setting `late_arrival` has passed. Those that are
        not compacted yet, or of which objects have come since, are made, each by a query of its own. The answers are
        the same as without: objects that come later are read beside the day until it is made again. The setting
        `compacted` is where days are kept. Nothing of the log is removed. The embedded engine needs none of it: see
        `store`.

        Parameters
        ----------
        again
            Whether closed days that are as they were are made again, too.
        archive
            Whether the objects of compacted days are tagged ``workbench-archive=compacted``, so that a lifecycle rule
            of the bucket may move them to a colder class: no question needs them any more.

        Returns
        -------
        pandas.DataFrame
            A row a day that was made: `day` (in the zone of the log's folders), `status` (made, made again), `objects`,
            their `bytes`, `compacted_bytes`, `changes` (as often as they were delivered), `unreadable` lines, and when
            it was `made` (UTC). ``attrs["notes"]`` tells what was left out.

        Raises
        ------
        ConfigError
            Where no place is set, or the engine is the embedded one.
        ScanRefused
            Where a day would scan more than `max_scan_bytes`; all others are made.

        Examples
        --------
        >>> wb.compact("persons")["compacted_bytes"].sum()  # doctest: +SKIP
        18432010
        """
        return self._asking.compact(table, again=again, archive=archive)

    def store(self, *, verify: bool = False, clear: str | Path | bool = False) -> pd.DataFrame:
        """Show what is stored of each log in columns, so that no object is read twice; check it, or remove it.

        The stores lie in `home`/store. With ``store="off"`` there are none, and every process reads the log again.

        Parameters
        ----------
        verify
            Read all that is stored, and take out what is damaged: the next question reads those objects again.
        clear
            Remove what is stored of this log, or of all below this folder; True, of every log. Nothing is lost by it
            but time.

        Returns
        -------
        pandas.DataFrame
            log (its folder, file or glob), changes (as often as they were delivered), objects, segments, bytes
            (stored), share (of the size of the objects), with `verify` damaged (segments taken out), and last_used
            (UTC), the last used first; with `clear` of what was removed. How much may be stored, and what was taken
            out and why, is told by
            ``df.attrs["notes"]``.

        Raises
        ------
        ParameterError
            Where nothing is stored of what is to be cleared.
        StoreUnavailable
            Where the folder may not be read or written.

        Examples
        --------
        >>> wb.store().columns[:4].tolist()
        ['log', 'changes', 'objects', 'segments']
        """
        if clear is False:
            return stored_frame(self.settings, verified=verify)
        return cleared_frame(self.settings, None if clear is True else clear)

    def check(
        self,
        table: str | None = None,
        *,
        aws_smoke: bool = False,
        wait: str = "20min",
        removal: bool = False,
        yes: bool = False,
    ) -> pd.DataFrame:
        """Check that this machine and the lake are ready; see `workbench.checks.machine.run_checks`.

        With `aws_smoke`, and ``engine="athena"``, also that the pipeline of a table works from end to end: an item with
        a key of its own is put into the table of DynamoDB, waited for in the log, asked for by `item_history` and
        `latest_state`, and deleted again, whatever happens meanwhile. One that a killed run has left is deleted by the
        next one from the same `home`. This takes the rights of who applies undos (``infra_cdk``: ``-c undo=true``), and
        sets off whatever listens to the table.

        Parameters
        ----------
        table
            The table that `aws_smoke` writes to.
        aws_smoke
            Write an item, and wait for it.
        wait
            How long, such as ``20min``: Firehose may keep a change for 15 minutes.
        removal
            Wait for the deletion of the item too.
        yes
            That an item is to be written.

        Returns
        -------
        pandas.DataFrame
            check, status ("ok", "warning", "failed"), detail (what it means), remedy (what mends it, '' when ok). With
            `aws_smoke` a report that can be sent to somebody: also seconds (that a step took, else missing), and the
            steps as checks called ``smoke: …``, the last of which is what it cost. It names no account, nobody who
            asked, no key and no value of an item.

        Raises
        ------
        ParameterError
            Where `aws_smoke` names no table, is not given `yes`, or another option is given without it.
        ConfigError
            Where `aws_smoke` is asked of another engine than Athena.

        Examples
        --------
        >>> wb.check().columns.tolist()
        ['check', 'status', 'detail', 'remedy']
        """
        if aws_smoke:
            from workbench.questions import aws_smoke as smoke  # boto3, which takes its time to import

            return smoke.aws_smoke(self._asking, table, wait=wait, removal=removal, yes=yes)
        if table is not None or removal or yes:
            raise ParameterError("table, removal and yes are of aws_smoke=True (--aws-smoke)")
        note(NotedAnswer(question="check", engine=self.settings.engine, live=True))
        return run_checks(self.settings)

    def close(self) -> None:
        """Free what the engine holds; the next question opens it again.

        Examples
        --------
        >>> wb.close()
        """
        self._engine.close()
