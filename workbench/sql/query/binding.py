"""A whole query bound: what stands in FROM, what is selected, and how that is grouped and ordered.

The tree is changed in place: tables become ``"$r1"``, ``"$r2"``, …, what is in FROM is called s1, s2, …, queries of
WITH are q1, q2, …, columns c1, c2, … of relations (m1, m2, … of their metadata) and o1, o2, … of queries. No engine
ever sees an attribute's name, and one tree prints for both. What is not understood is refused: kinds of nodes, and
their arguments, are allowed one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import product

from sqlglot import exp

from workbench.errors import ParameterError, did_you_mean
from workbench.model.canonical import canonical_json, canonical_number
from workbench.model.keys import KeyPart
from workbench.model.times import END_OF_TIME
from workbench.sql.filters import Filter
from workbench.sql.query.expressions import Expressions, moment_of
from workbench.sql.query.functions import common, comparable, element, family, in_words
from workbench.sql.query.names import (
    Ctes,
    Label,
    Merged,
    OutColumn,
    Scope,
    Source,
    Step,
    chain_of,
    every,
    is_called,
    label_text,
    last_of,
    merged_column,
    place,
    put,
    quoted,
)
from workbench.sql.query.relations import KINDS, Relation

_SELECT = {
    *("expressions", "from_", "joins", "where", "group", "having", "order", "limit", "offset", "distinct", "with_"),
    "windows",
}
_MOST_NESTED = 60
_MICROSECOND = timedelta(microseconds=1)
_MOST_KEYS = 200  # items that are looked up by their keys
_OPERATORS: Mapping[type[exp.Expr], str] = {exp.EQ: "=", exp.GT: ">", exp.GTE: ">=", exp.LT: "<", exp.LTE: "<="}
_TURNED = {"=": "=", ">": "<", ">=": "<=", "<": ">", "<=": ">="}


class Binder(Expressions):
    """Binds one query."""

    def bind(self, tree: exp.Expr) -> list[OutColumn]:
        """Bind a query, and return its columns."""
        columns = self.query(tree, None, {})
        if not self.relations:
            raise ParameterError(f"the query reads no table: {self._there_are()}")
        for number, column in enumerate(columns, 1):
            if column.kind in ("array(null)", "array(timestamp)") or (
                column.kind == "null" and not isinstance(tree, exp.Select)
            ):
                name = label_text(column.label) or f"column {number}"
                raise ParameterError(f"{name} is {column.kind}, which cannot be a column: use cast(… as varchar) in it")
        return list(columns)

    # Queries.

    def query(self, node: exp.Expr, outer: Scope | None, ctes: Ctes) -> Sequence[OutColumn]:
        """Bind a query, and return its columns."""
        self._depth += 1
        if self._depth > _MOST_NESTED:
            raise self.error(node, f"queries are nested more than {_MOST_NESTED} deep")
        try:
            if isinstance(node, exp.Subquery):
                self.only(node, {"this"}, "a query in parentheses")
                return self.query(node.this, outer, ctes)
            ctes = self._with(node, ctes)
            if isinstance(node, exp.SetOperation):
                return self._set_operation(node, outer, ctes)
            if isinstance(node, exp.Select):
                return self._select(node, Scope(ctes, outer))
        finally:
            self._depth -= 1
        raise self.error(node, "a query is one SELECT, or several joined by UNION, INTERSECT or EXCEPT")

    def _with(self, node: exp.Expr, ctes: Ctes) -> Ctes:
        given = node.args.get("with_")
        if not given:
            return ctes
        if given.args.get("recursive"):
            raise self.error(given, "WITH RECURSIVE is not supported")
        self.only(given, {"expressions"}, "WITH")
        known, here = dict(ctes), set[str]()
        for cte in given.expressions:
            self.only(cte, {"this", "alias"}, "WITH")
            alias = cte.args["alias"]
            if alias.name.lower() in here:
                raise self.error(alias, f"there are two queries {alias.name!r}")
            here.add(alias.name.lower())
            columns = self._named(self.query(cte.this, None, known), alias)
            self._queries += 1
            cte.set("alias", exp.TableAlias(this=quoted(f"q{self._queries}")))
            known[alias.name.lower()] = f"q{self._queries}", columns
        return known

    def _set_operation(self, node: exp.SetOperation, outer: Scope | None, ctes: Ctes) -> Sequence[OutColumn]:
        self.only(node, {"this", "expression", "distinct", "order", "limit", "offset", "with_"}, "UNION")
        left, right = self.query(node.this, outer, ctes), self.query(node.expression, outer, ctes)
        if len(left) != len(right):
            raise self.error(node.expression, f"one query has {len(left)} columns, the other {len(right)}")
        columns = []
        for one, other in zip(left, right, strict=True):
            if not comparable(one.kind, other.kind):
                name = label_text(one.label) or one.name
                raise self.error(
                    node.expression,
                    f"the column {name} is {in_words(one.kind)} in one query, and {in_words(other.kind)} in the other",
                )
            columns.append(replace(one, kind=common([one.kind, other.kind])))
        for ordered in ordered_by(node):
            self.only(ordered, {"this", "desc", "nulls_first"}, "ORDER BY")
            if (number := self._by_column(ordered.this, columns)) is not None:
                self.keys[id(ordered)] = columns[number].kind
            else:
                raise self.error(
                    ordered.this,
                    "after UNION, INTERSECT or EXCEPT, ORDER BY takes names of columns of the first query, or numbers",
                )
        self._limits(node)
        return columns

    def _select(self, node: exp.Select, scope: Scope) -> Sequence[OutColumn]:
        self.only(node, _SELECT, "SELECT")
        self._from(node, scope)
        if where := node.args.get("where"):
            self._condition(
                where.this, scope.without_aggregates("WHERE comes before rows are grouped: use HAVING"), "WHERE"
            )
            self._push_down(where.this, scope)
        for window in node.args.get("windows") or ():
            scope.windows.add(window.this.this.lower())
            self.window(window, scope)
        columns = self._items(node, scope)
        if distinct := node.args.get("distinct"):
            self.only(distinct, set(), "DISTINCT")
        keys = self._group_by(node, scope, columns)
        if having := node.args.get("having"):
            self._condition(having.this, scope, "HAVING")
        for ordered in ordered_by(node):
            self._order_by(ordered, columns, scope)
        self._limits(node)
        if node.args.get("group") or scope.aggregates:
            self._all_grouped(node, keys, scope)
        return columns

    def _limits(self, node: exp.Expr) -> None:
        for name in ("limit", "offset"):
            if given := node.args.get(name):
                self.only(given, {"expression"}, name.upper())
                number = given.args["expression"]
                if not is_whole(number):
                    raise self.error(number, f"{name.upper()} takes a whole number")

    def _condition(self, node: exp.Expr, scope: Scope, where: str) -> None:
        at = place(node)
        kind = self.typed(node, scope)
        if kind not in ("boolean", "null"):
            raise self.error(at, f"{where} takes a condition, and this is {in_words(kind)}")

    def _group_by(self, node: exp.Select, scope: Scope, columns: Sequence[OutColumn]) -> list[exp.Expr]:
        """Bind GROUP BY, and return the expressions that rows are grouped by."""
        if not (group := node.args.get("group")):
            return []
        self.only(group, {"expressions", "grouping_sets", "cube", "rollup"}, "GROUP BY")
        within, keys = scope.without_aggregates("GROUP BY takes no aggregates"), list[exp.Expr]()

        def bind(key: exp.Expr) -> None:
            if isinstance(key, exp.GroupingSets | exp.Cube | exp.Rollup | exp.Tuple):
                for part in list(key.expressions):
                    bind(part)
            elif isinstance(key, exp.Paren):
                bind(key.this)
            elif isinstance(key, exp.Literal) and not key.is_string:
                keys.append(node.expressions[self._position(key, columns)].this)
            else:
                parent, where, chain = key.parent, place(key), chain_of(key)
                try:
                    self.typed(key, within)
                except ParameterError:
                    if chain and any(
                        len(chain) == len(each.label) == 1 and chain[0].means(each.label[0]) for each in columns
                    ):
                        raise self.error(
                            where, "GROUP BY knows no names given in SELECT: repeat the expression, or write its number"
                        ) from None
                    raise
                keys.extend(each for each in (parent or group).iter_expressions() if each not in keys)

        for name in ("expressions", "grouping_sets", "cube", "rollup"):
            for key in list(group.args.get(name) or ()):
                bind(key)
        return [each.this if isinstance(each, exp.Paren) else each for each in keys]

    def _all_grouped(self, node: exp.Select, keys: Sequence[exp.Expr], scope: Scope) -> None:
        """Refuse a column of rows that were grouped which is neither a key of the groups nor in an aggregate."""
        own = {source.inner for source in scope.sources}
        having = node.args.get("having")
        for root in [*node.expressions, *([having.this] if having else []), *(each.this for each in ordered_by(node))]:
            waiting = [root]
            while waiting:
                each = waiting.pop()
                of = each.this if isinstance(each, exp.Filter) else each
                if each in keys or of.meta.get("aggregate"):
                    continue
                if isinstance(each, exp.Column) and each.table in own:
                    raise self.error(each, "it must be in GROUP BY, or in an aggregate such as max()")
                if not isinstance(each, exp.Query):
                    waiting += each.iter_expressions()

    def _order_by(self, ordered: exp.Expr, columns: Sequence[OutColumn], scope: Scope) -> None:
        self.only(ordered, {"this", "desc", "nulls_first"}, "ORDER BY")
        key, at = ordered.this, place(ordered.this)
        number = self._by_column(key, columns)
        kind = columns[number].kind if number is not None else self.typed(key, scope)
        self.keys[id(ordered)] = kind
        if family(kind) in ("array", "interval"):
            raise self.error(at, f"ORDER BY takes numbers, texts and times, and this is {in_words(kind)}")

    def _by_column(self, key: exp.Expr, columns: Sequence[OutColumn]) -> int | None:
        """Bind a key of ORDER BY that is a column of the query, by its number or its name; return which, from 0."""
        if isinstance(key, exp.Literal) and not key.is_string:
            return self._position(key, columns)
        chain = chain_of(key)
        found = [number for number, each in enumerate(columns) if chain and is_called(chain, each.label)]
        if len(found) != 1:
            return None
        put(key, exp.column(quoted(columns[found[0]].name)))
        return found[0]

    def _position(self, key: exp.Expr, columns: Sequence[OutColumn]) -> int:
        if not is_whole(key) or not 1 <= int(key.this) <= len(columns):
            raise self.error(key, f"columns are numbered from 1 to {len(columns)}")
        return int(key.this) - 1

    # FROM.

    def _from(self, node: exp.Select, scope: Scope) -> None:
        if not (given := node.args.get("from_")):
            return
        self.only(given, {"this"}, "FROM")
        self._add(given.this, scope)
        for join in node.args.get("joins") or ():
            self.only(join, {"this", "side", "kind", "on", "using"}, "JOIN")
            side, kind = (str(join.args.get(name) or "").upper() for name in ("side", "kind"))
            on, using = join.args.get("on"), join.args.get("using")
            if side not in ("", "LEFT", "RIGHT", "FULL") or kind not in ("", "INNER", "OUTER", "CROSS"):
                raise self.error(join.this, f"{side} {kind} JOIN is not supported".strip())
            if kind == "CROSS" and (on or using):
                raise self.error(join.this, "CROSS JOIN takes no condition")
            if (side or kind == "INNER") and not (on or using):
                raise self.error(join.this, "this JOIN needs ON or USING")
            before = list(scope.sources)
            self._add(join.this, scope)
            added = scope.sources[-1]
            for source in before if side in ("RIGHT", "FULL") else ():
                source.prunes = False
            added.prunes = side not in ("LEFT", "FULL")
            if using:
                join.set("using", None)
                join.set("on", self._using(using, before, added, scope, side))
            elif on:
                self._condition(on, scope.without_aggregates("ON takes no aggregates"), "ON")

    def _using(
        self, using: Sequence[exp.Expr], before: Sequence[Source], added: Source, scope: Scope, side: str
    ) -> exp.Expr:
        conditions = []
        for each in using:
            identifier = each.this if isinstance(each, exp.Column) else each
            chain = [Step(identifier.this, bool(identifier.args.get("quoted")), identifier)]
            right = self.find(chain, added)
            old = next((merged for merged in scope.merged if is_called(chain, merged.label)), None)
            left = [] if old else [hit for source in before if (hit := self.find(chain, source))]
            if right is None or (not old and not left):
                raise self.error(identifier, self.unknown(chain, [added] if right is None else before))
            if len(left) > 1:
                raise self.error(identifier, "it is in several tables before this JOIN: use ON")
            right_column, kind = self.column(right, identifier)
            if old is None:
                column, left_kind = self.column(left[0], identifier)
                old = Merged(left[0].label, left_kind, [column])
                scope.merged.append(old)
            if not comparable(old.kind, kind):
                raise self.error(identifier, f"it is {in_words(old.kind)} here, and {in_words(kind)} there")
            self._tells_apart(old.columns[-1], right_column, identifier)
            conditions.append(exp.EQ(this=merged_column(old), expression=right_column.copy()))
            old.columns.append(right_column)
            if side in ("RIGHT", "FULL"):
                old.side = side
        return exp.and_(*conditions)

    def _add(self, node: exp.Expr, scope: Scope) -> None:
        self._sources += 1
        inner = f"s{self._sources}"
        alias = node.args.get("alias")
        called = alias.name if isinstance(alias, exp.TableAlias) else ""
        at = place(alias or node)
        if isinstance(node, exp.Table):
            source = self._table(node, inner, called, scope.ctes)
        elif isinstance(node, exp.Subquery):
            self.only(node, {"this", "alias"}, "a query in FROM")
            columns = self.query(node.this, None, scope.ctes)
            source = Source(called, inner, columns=self._named(columns, alias))
            node.set("alias", exp.TableAlias(this=quoted(inner)))
        elif isinstance(node, exp.Unnest):
            source = self._unnest(node, inner, called, scope)
        elif isinstance(node, exp.Values):
            source = self._values(node, inner, called, scope)
        else:
            raise self.error(node, f"FROM takes tables, queries in parentheses, VALUES and UNNEST; {self._there_are()}")
        if source.alias and any(each.alias.lower() == source.alias.lower() for each in scope.sources):
            raise self.error(at, f"{source.alias!r} stands in FROM twice: call one of them by another name, with AS")
        scope.sources.append(source)

    def _table(self, node: exp.Table, inner: str, called: str, ctes: Ctes) -> Source:
        identifier, alias, version = node.this, node.args.get("alias"), node.args.get("version")
        if not isinstance(identifier, exp.Identifier):
            raise self.error(node, f"no function makes a table here; {self._there_are()}")
        self.only(
            node, {"this", "alias", "version"}, "a table", f"tables are called by their own names: {self._there_are()}"
        )
        name = identifier.this
        if name.lower() in ctes and not version:
            query, columns = ctes[name.lower()]
            node.replace(exp.Table(this=quoted(query), alias=exp.TableAlias(this=quoted(inner))))
            return Source(called or name, inner, columns=self._named(columns, alias))
        if isinstance(alias, exp.TableAlias) and alias.columns:
            raise self.error(alias, "the columns of a table are called otherwise by AS in SELECT")
        relation = self._relation(identifier)
        if version:
            relation.as_of = self._as_of(version, relation)
        self.relations.append(relation)
        node.replace(exp.Table(this=quoted(f"$r{len(self.relations)}"), alias=exp.TableAlias(this=quoted(inner))))
        return Source(called or relation.table, inner, relation)

    def _relation(self, node: exp.Expr) -> Relation:
        name, quoted, tables = str(node.this), bool(node.args.get("quoted")), self._catalog.tables()
        for suffix, kind in sorted(KINDS.items(), key=lambda each: -len(each[0])):
            if not name.lower().endswith(suffix):
                continue
            table = name[: len(name) - len(suffix)]
            same = [each for each in tables if not quoted and each.lower() == table.lower()]
            found = [each for each in tables if each == table] or same
            if len(found) > 1:
                raise self.error(
                    node, f"this may be {' or '.join(map(repr, found))}: put the one meant in double quotes"
                )
            if found:
                return Relation(found[0], kind, self._catalog.schema(found[0]), tuple(self._catalog.keys(found[0])))
        known = [f"{table}{suffix}" for table in tables for suffix in KINDS]
        raise self.error(node, f"there is no table {name!r}; {self._there_are()}.{did_you_mean(name, known)}")

    def _there_are(self) -> str:
        if not (tables := self._catalog.tables()):
            return "there are none at all: make some by `workbench generate persons`, or name a log (source=, --source)"
        kinds = ", ".join(f'"T{suffix}"' for suffix in KINDS if suffix)
        return f"there are {', '.join(tables)}, and for each table T {kinds}"

    def _as_of(self, version: exp.Expr, relation: Relation) -> datetime:
        given = version.args.get("expression")
        if str(version.this).upper() != "TIMESTAMP" or version.args.get("kind") != "AS OF":
            raise self.error(version, "a table as it was is T FOR TIMESTAMP AS OF timestamp '…'")
        if relation.kind.suffix:
            raise self.error(
                version, f"a table itself is asked AS OF an instant; {relation.kind.suffix} tells its times"
            )
        if (moment := moment_of(given)) is None:
            raise self.error(
                given or version, "AS OF takes an instant: timestamp '2026-11-18 12:00:00', in UTC, or with a zone"
            )
        return moment

    def _unnest(self, node: exp.Unnest, inner: str, called: str, scope: Scope) -> Source:
        self.only(node, {"expressions", "alias", "offset"}, "UNNEST")
        if len(node.expressions) != 1:
            raise self.error(node, "UNNEST takes one array")
        at = place(node.expressions[0])
        kind = self.typed(node.expressions[0], scope.without_aggregates("UNNEST takes no aggregates"))
        if family(kind) != "array":
            raise self.error(at, f"UNNEST takes an array, and this is {in_words(kind)}")
        alias, offset = node.args.get("alias"), node.args.get("offset")
        names = [each.this for each in alias.columns] if alias else []
        names += [offset.this] if isinstance(offset, exp.Identifier) else []
        kinds = [element(kind), "bigint"][: 2 if offset else 1]
        columns = [
            OutColumn((names[number],) if number < len(names) else (), each, f"o{number + 1}")
            for number, each in enumerate(kinds)
        ]
        if offset:
            node.set("offset", quoted("o2"))
        node.set("alias", exp.TableAlias(this=quoted(inner), columns=[quoted("o1")]))
        return Source(called, inner, columns=columns)

    def _values(self, node: exp.Values, inner: str, called: str, scope: Scope) -> Source:
        self.only(node, {"expressions", "alias"}, "VALUES")
        constants = Scope(scope.ctes, refused="VALUES takes no aggregates")
        rows = [[self.typed(each, constants) for each in list(row.expressions)] for row in list(node.expressions)]
        if len({len(row) for row in rows}) != 1:
            raise self.error(node, "the rows of VALUES are of different lengths")
        columns = [OutColumn((), common(kinds), f"o{at}") for at, kinds in enumerate(zip(*rows, strict=True), 1)]
        alias = node.args.get("alias")
        source = Source(called, inner, columns=self._named(columns, alias))
        node.set("alias", exp.TableAlias(this=quoted(inner), columns=[quoted(each.name) for each in columns]))
        return source

    def _named(self, columns: Sequence[OutColumn], alias: exp.Expr | None) -> list[OutColumn]:
        """Return the columns of a query as they are called outside of it."""
        names = alias.columns if isinstance(alias, exp.TableAlias) else ()
        if names and len(names) != len(columns):
            raise self.error(alias, f"{len(names)} names are given for {len(columns)} columns")
        if names:
            labels: Sequence[Label] = [(name.this,) for name in names]
        else:
            labels = [each.label if each.starred else last_of(each.label) for each in columns]
        return [replace(each, label=label, starred=True) for each, label in zip(columns, labels, strict=True)]

    # What is selected.

    def _items(self, node: exp.Select, scope: Scope) -> list[OutColumn]:
        columns, items = list[OutColumn](), list[exp.Expr]()
        for item in list(node.expressions):
            if isinstance(item, exp.Star) or (isinstance(item, exp.Column) and isinstance(item.this, exp.Star)):
                for column, kind, path, table in self._starred(item, scope):
                    columns.append(OutColumn(path, kind, f"o{len(columns) + 1}", table, starred=True))
                    items.append(exp.alias_(column, columns[-1].name, quoted=True))
                continue
            name = item.args["alias"].this if isinstance(item, exp.Alias) else None
            value = item.this if isinstance(item, exp.Alias) else item
            chain, at = chain_of(value), place(value)
            aliased = exp.Alias(this=value, alias=quoted(f"o{len(columns) + 1}"))
            label: Label = (name,) if name is not None else ()
            of = ""
            if name is None and chain and not (len(chain) == 1 and str(chain[0].name).lower() in scope.lambdas):
                label, of = self._label(chain, scope)
            kind = self.typed(value, scope)
            if kind == "interval":
                raise self.error(at, "an interval cannot be a column: use date_diff('second', …, …)")
            columns.append(OutColumn(label, kind, f"o{len(columns) + 1}", of))
            items.append(aliased)
        node.set("expressions", items)
        return columns

    def _starred(self, star: exp.Expr, scope: Scope) -> Iterator[tuple[exp.Expr, str, Label, str]]:
        of = star.args.get("table") if isinstance(star, exp.Column) else None
        self.only(star.this if of else star, set(), "*")
        sources = scope.sources
        if of:
            sources = [each for each in sources if not star.args.get("db") and each.alias.lower() == of.this.lower()]
        if not sources:
            raise self.error(star, "there is * of a table in FROM, or of all; of a map, name the members")
        merged = [] if of else scope.merged
        for each in merged:
            yield merged_column(each), each.kind, each.label, ""
        hidden = [column for each in merged for column in each.columns]
        for source in sources:
            for hit in every(source):
                column, kind = self.column(hit, star)
                if column not in hidden:
                    yield column, kind, hit.label, source.alias

    def _label(self, chain: Sequence[Step], scope: Scope) -> tuple[Label, str]:
        """Return what a column is called that a chain of names leads to, and whose it is."""
        merged = next((each for each in scope.merged if is_called(chain, each.label)), None)
        if merged:
            return merged.label, ""
        hit = self.resolved(chain, scope, chain[0].node)
        rest = [step.name for step in chain[hit.steps :]]
        return (*hit.label, *rest), hit.source.alias

    # Where less can be read.

    def _push_down(self, where: exp.Expr, scope: Scope) -> None:
        """Tell relations which items, and which times, the conditions that must hold leave of them."""
        for source in scope.sources:
            relation = source.relation
            if relation is None or not source.prunes:
                continue
            values: dict[str, list[KeyPart]] = {}
            for condition in where.flatten() if isinstance(where, exp.And) else [where]:
                for column, operator, constants in comparisons(condition):
                    of = self._attributes.get((column.table, column.name)) if column.table == source.inner else None
                    if of is None or of[0] is not relation:
                        continue
                    _, image, what = of
                    if what == "ts" and not image:
                        self._within(relation, operator, constants[0])
                    elif operator == "=" and image in ("keys", "image") and what in {(name,) for name in relation.keys}:
                        values.setdefault(str(what[0]), self._key_parts(relation, what[0], constants))
            values = {name: parts for name, parts in values.items() if parts}
            several = list(product(*values.values())) if values else []
            if not 0 < len(several) <= _MOST_KEYS:
                continue
            whole = values.keys() == {*relation.keys}
            relation.only = Filter(keys=tuple(_canonical(each) if whole else each for each in several))

    def _key_parts(self, relation: Relation, name: str | int, constants: Sequence[exp.Expr]) -> list[KeyPart]:
        """Return constants as values of a key; none where they do not tell it."""
        node = relation.node("keys", (name,))
        kinds = set(node.kinds) if node else set()
        if len(kinds) != 1 or any(mask == (name,) for mask in self._masks.paths):
            return []
        kind = kinds.pop()
        parts = []
        for each in constants:
            negative = isinstance(each, exp.Neg)
            literal = each.this if negative else each
            if not isinstance(literal, exp.Literal) or literal.is_string != (kind == "S") or kind == "B":
                return []
            text = str(literal.this)
            parts.append(KeyPart(str(name), kind, text if kind == "S" else canonical_number(f"{'-' * negative}{text}")))
        return parts

    def _within(self, relation: Relation, operator: str, constant: exp.Expr) -> None:
        if (moment := moment_of(constant)) is None:
            return
        after = moment if moment == END_OF_TIME else moment + _MICROSECOND
        if operator in (">", ">=", "="):
            relation.start = max(relation.start, after if operator == ">" else moment)
        if operator in ("<", "<=", "="):
            relation.end = min(relation.end, moment if operator == "<" else after)


def _canonical(parts: Sequence[KeyPart]) -> str:
    return canonical_json({part.name: {part.kind: part.value} for part in parts})


def ordered_by(node: exp.Expr) -> list[exp.Expr]:
    """Return the keys of a query's ORDER BY."""
    order = node.args.get("order")
    return list(order.expressions) if order else []


def is_whole(node: exp.Expr) -> bool:
    """Return whether a node is a whole number as it is written."""
    return isinstance(node, exp.Literal) and not node.is_string and str(node.this).isdigit()


def comparisons(node: exp.Expr) -> Iterator[tuple[exp.Column, str, Sequence[exp.Expr]]]:
    """Yield what a condition says of columns: the column, the operator, and the constants; ``=`` is any of them."""
    while isinstance(node, exp.Paren):
        node = node.this
    if type(node) in _OPERATORS:
        operator = _OPERATORS[type(node)]
        for one, other, said in (
            (node.this, node.expression, operator),
            (node.expression, node.this, _TURNED[operator]),
        ):
            if isinstance(one, exp.Column) and not isinstance(other, exp.Column):
                yield one, said, [other]
    elif isinstance(node, exp.Between) and isinstance(node.this, exp.Column) and not node.args.get("symmetric"):
        yield node.this, ">=", [node.args["low"]]
        yield node.this, "<=", [node.args["high"]]
    elif isinstance(node, exp.In) and isinstance(node.this, exp.Column) and node.expressions:
        yield node.this, "=", node.expressions
