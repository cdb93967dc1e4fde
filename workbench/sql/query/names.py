"""The names of a query: what stands in FROM, what a chain like ``p.phones[1].number`` means there, and is called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlglot import exp

from workbench.model.attribute_paths import column_name
from workbench.model.attribute_schema import Held
from workbench.sql.query.relations import Path, Relation

Ctes = Mapping[str, tuple[str, Sequence["OutColumn"]]]
"""The queries of WITH, by their names in lower case: what they are called inside, and their columns."""
Label = tuple[str | int, ...]


@dataclass(frozen=True)
class OutColumn:
    """A column of a query."""

    label: Label
    """What it is called: the path of an attribute, or a name; () where it has none."""
    kind: str
    """Its type."""
    name: str
    """What it is called inside."""
    of: str = ""
    """What the table in FROM is called that has it."""
    starred: bool = False
    """Whether it came by ``*``, and keeps its whole path outside of the query too."""


@dataclass
class Source:
    """What stands in FROM: a relation, or a query."""

    alias: str
    """What it is called by people; '' where it is not."""
    inner: str
    """What it is called inside."""
    relation: Relation | None = None
    columns: Sequence[OutColumn] = ()
    prunes: bool = True
    """Whether its rows that WHERE does not keep are of no use: it is on no side of an outer join that is filled up."""


@dataclass
class Merged:
    """A column that USING made one of several."""

    label: Label
    kind: str
    columns: list[exp.Expr]
    side: str = ""


@dataclass
class Scope:
    """The names that hold in a query, and, around it, in the queries it stands in."""

    ctes: Ctes
    outer: Scope | None = None
    sources: list[Source] = field(default_factory=list)
    merged: list[Merged] = field(default_factory=list)
    lambdas: dict[str, str] = field(default_factory=dict)
    refused: str = ""
    """Why no aggregate may stand here; '' where it may."""
    aggregates: list[exp.Expr] = field(default_factory=list)
    windows: set[str] = field(default_factory=set)

    def without_aggregates(self, why: str) -> Scope:
        """Return the scope of a place where no aggregate may stand."""
        return replace(self, refused=why)

    def within_aggregate(self) -> Scope:
        """Return the scope of what an aggregate is of."""
        return replace(self, refused="an aggregate cannot stand in another", aggregates=[])


@dataclass(frozen=True)
class Step:
    """A name in a chain like ``person.phones[1]``, or an index."""

    name: str | int
    quoted: bool
    node: exp.Expr

    def means(self, name: str | int) -> bool:
        """Return whether this is the name: in any case, unless it is quoted."""
        if isinstance(self.name, str) and isinstance(name, str) and not self.quoted:
            return self.name.lower() == name.lower()
        return self.name == name


@dataclass(frozen=True)
class Hit:
    """What a chain of names leads to in a source, by how many of its steps."""

    source: Source
    steps: int
    image: str = ""
    path: Path = ()
    metadata: str = ""
    column: OutColumn | None = None
    prefix: str = ""

    @property
    def label(self) -> Label:
        """What it is called: its whole path."""
        if self.column:
            return self.column.label
        if self.metadata:
            return (self.metadata,)
        assert self.source.relation
        kind = self.source.relation.kind
        prefix = self.prefix if self.prefix in ("new", "old") else ""
        if not prefix and len(self.path) == 1 and self.path[0] in kind.metadata:
            prefix = next(each for each in kind.prefixes if kind.images[each] == self.image)
        return (prefix, *self.path) if prefix else self.path


def chain_of(node: exp.Expr) -> list[Step] | None:
    """Return the steps of a chain of names and indexes; None where it is something else."""
    if isinstance(node, exp.Column):
        parts = [node.args.get(part) for part in ("catalog", "db", "table", "this")]
        if any(part and not isinstance(part, exp.Identifier) for part in parts):
            return None
        return [Step(part.this, bool(part.args.get("quoted")), part) for part in parts if part]
    if isinstance(node, exp.Dot) and isinstance(node.expression, exp.Identifier):
        chain = chain_of(node.this)
        name = node.expression
        return chain and [*chain, Step(name.this, bool(name.args.get("quoted")), name)]
    if isinstance(node, exp.Bracket) and len(node.expressions) == 1:
        chain, index = chain_of(node.this), node.expressions[0]
        number = index.this if isinstance(index, exp.Neg) else index
        if chain is None or not (
            isinstance(number, exp.Literal) and not number.is_string and str(number.this).isdigit()
        ):
            return None
        return [*chain, Step(-int(number.this) if number is not index else int(number.this), True, node)]
    return None


def in_text(chain: Sequence[Step]) -> str:
    """Write a chain as people do."""
    return label_text([step.name for step in chain])


def label_text(label: Sequence[str | int]) -> str:
    """Write what a column is called: lists are counted from 1.

    >>> label_text(("phones", 0, "number"))
    'phones[1].number'
    """
    return column_name([step + 1 if isinstance(step, int) else step for step in label], beside=())


def begins(chain: Sequence[Step], label: Label, *, exactly: bool = False) -> bool:
    """Return whether a chain begins with what a column is called."""
    if chain[0].quoted and chain[0].name == label_text(label):
        return True
    return len(chain) >= len(label) and all(
        step.name == name if exactly else step.means(name) for step, name in zip(chain, label, strict=False)
    )


def is_called(chain: Sequence[Step], label: Label) -> bool:
    """Return whether a chain is what a column is called."""
    return bool(label) and begins(chain, label) and used(chain, label) == len(chain)


def used(chain: Sequence[Step], label: Label) -> int:
    """Return how many steps of a chain what a column is called takes."""
    return 1 if chain[0].quoted and chain[0].name == label_text(label) else len(label)


def last_of(label: Label) -> Label:
    """Return what an attribute is called outside of a query that names it by its path."""
    names = [step for step in label if isinstance(step, str)]
    return (names[-1],) if names else ()


def every(source: Source) -> Iterator[Hit]:
    """Yield the columns of what stands in FROM, as ``*`` has them."""
    relation = source.relation
    if relation is None:
        for column in source.columns:
            yield Hit(source, 0, column=column)
        return
    kind = relation.kind
    images = ["keys", "new", "old"] if "new" in kind.images else [""]
    for prefix in images:
        if prefix == "new":
            yield from (Hit(source, 0, metadata=name) for name in kind.metadata)
        image = kind.images[prefix]
        for path in relation.attributes(image):
            if relation.node(image, path):
                yield Hit(source, 0, image, path, prefix=prefix)
    if images == [""]:
        yield from (Hit(source, 0, metadata=name) for name in kind.metadata)


def inner_paths(schema: Held) -> Iterator[str]:
    """Name every attribute that may be meant."""
    for path, _ in schema.paths():
        yield label_text(path)


def merged_column(merged: Merged) -> exp.Expr:
    """Return the one column that USING made of several."""
    if merged.side == "FULL":
        return exp.Coalesce(this=merged.columns[0].copy(), expressions=[each.copy() for each in merged.columns[1:]])
    return merged.columns[-1 if merged.side == "RIGHT" else 0].copy()


def quoted(name: str) -> exp.Identifier:
    """Return a name that is made here."""
    return exp.to_identifier(name, quoted=True)


def put(old: exp.Expr, new: exp.Expr) -> exp.Expr:
    """Put a node where another is, which it was read from; return it."""
    placed(new, old)
    old.replace(new)
    return new


def placed(node: exp.Expr, origin: exp.Expr) -> exp.Expr:
    """Note where in the text a node that is made here was read from; return it."""
    node.meta.update(place(origin).meta)
    return node


def place(node: exp.Expr) -> exp.Expr:
    """Return a node that has the place in the text of another, which may be replaced."""
    marked = exp.Null()
    places = [each.meta for each in node.walk() if "start" in each.meta]
    if places:
        marked.meta["start"] = min(each["start"] for each in places)
        marked.meta["end"] = max(each["end"] for each in places)
    return marked
