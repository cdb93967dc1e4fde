"""The columns of each answer: those that are a question's own, beside the attributes of items.

A frame's builder takes them from here, and so does `masking`, which leaves them as they are. A key attribute that is
called like one of them is put in double quotes; see `frames.key_frame`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

CHANGE = MappingProxyType(
    {
        "ts": "datetime64[us, UTC]",
        "event_name": "str",
        "by_ttl": "bool",
        "size_bytes": "Int64",
        "event_id": "str",
    }
)
"""A change, before its images' attributes."""
DIFFERENCE = MappingProxyType(
    {
        "path": "string",
        "change": "string",
        "before": "object",
        "after": "object",
        "before_type": "string",
        "after_type": "string",
    }
)
"""An attribute that differs."""
VERSION = MappingProxyType(
    {
        "valid_from": "datetime64[us, UTC]",
        "valid_to": "datetime64[us, UTC]",
        "version": "int64",
        "life": "int64",
        "is_current": "bool",
        "ended_by": "string",
    }
)
"""A state that an item was in, after its attributes."""
SNAPSHOT = MappingProxyType(
    {
        "dbt_scd_id": "string",
        **dict.fromkeys(("dbt_updated_at", "dbt_valid_from", "dbt_valid_to"), "datetime64[us, UTC]"),
    }
)
"""The same as a snapshot of dbt tells it: https://docs.getdbt.com/reference/resource-configs/snapshot_meta_column_names."""
ACTOR = "actor"
"""The column, right after event_name, of what the new image has at the setting `actor`: who wrote, by its word."""
HISTORY = MappingProxyType(
    {
        "life": "int64",
        "ts": "datetime64[us, UTC]",
        "event_name": "str",
        "by_ttl": "bool",
        "since_previous": "timedelta64[us]",
        **DIFFERENCE,
        "missing": "bool",
        "event_id": "str",
    }
)
"""An attribute change of an item."""
COMPARISON = MappingProxyType({"item": "str", **DIFFERENCE})
"""An attribute that differs between two states."""
HOT_KEYS = MappingProxyType(
    {
        **dict.fromkeys(("changes", "inserts", "modifies", "removes"), "int64"),
        "share": "float64",
        **dict.fromkeys(("first_change", "last_change"), "datetime64[us, UTC]"),
    }
)
"""An item that changes often."""
BUCKETS = MappingProxyType(
    {
        "bucket": "datetime64[us, UTC]",
        **dict.fromkeys(("inserts", "modifies", "removes", "ttl_removes", "changes"), "int64"),
    }
)
"""A bucket of time, in the time zone that was asked for."""
ATTRIBUTES = MappingProxyType(
    {
        "path": "str",
        **dict.fromkeys(("changes", "added", "removed", "changed", "type_changed", "items"), "int64"),
        "share": "float64",
        **dict.fromkeys(("first_change", "last_change"), "datetime64[us, UTC]"),
    }
)
"""An attribute that changes."""
ATTRIBUTE_BUCKETS = MappingProxyType({"path": "str", "bucket": "datetime64[us, UTC]", "changes": "int64"})
"""An attribute in a bucket of time, in the time zone that was asked for."""
CONCENTRATION = MappingProxyType(
    {"changes_per_item": "int64", "items": "int64", "item_share": "float64", "change_share": "float64"}
)
"""How many items changed so often."""
INTERVALS = MappingProxyType(
    {"longer_than": "timedelta64[us]", "up_to": "timedelta64[us]", "changes": "int64", "share": "float64"}
)
"""How many changes came so long after the one before."""
GAPS = MappingProxyType(
    {
        "lost_after": "datetime64[us, UTC]",
        "lost_before": "datetime64[us, UTC]",
        "event_id": "str",
        "paths": "object",
    }
)
"""A place where a change of an item is missing."""
DRIFT = MappingProxyType(
    {
        "path": "str",
        "type": "str",
        "items": "int64",
        "share": "float64",
        "first_seen": "datetime64[us, UTC]",
        "last_seen": "datetime64[us, UTC]",
    }
)
"""An attribute and a type it is of."""
LAG = MappingProxyType(
    {
        "arrival": "datetime64[us, UTC]",
        "changes": "int64",
        **dict.fromkeys(("p50", "p90", "p99", "longest"), "timedelta64[us]"),
    }
)
"""An hour of arrival."""
FINDINGS = MappingProxyType(
    {
        "finding": "str",
        "status": "str",
        "count": "int64",
        "share": "float64",
        "of": "str",
        "examples": "object",
        "meaning": "str",
        "remedy": "str",
    }
)
"""A finding on a log's quality."""
TRANSITIONS = MappingProxyType(
    {
        **dict.fromkeys(("from", "to"), "object"),
        **dict.fromkeys(("moves", "items", "by_ttl"), "int64"),
        **dict.fromkeys(("median", "p90"), "timedelta64[us]"),
        **dict.fromkeys(("first_move", "last_move"), "datetime64[us, UTC]"),
    }
)
"""A pair of values that an attribute moved between; these are of the attribute's own type."""
STAYS = MappingProxyType(
    {"value": "object", "since": "datetime64[us, UTC]", "age": "timedelta64[us]", "items": "int64"}
)
"""An item that has been at a value for long."""
TREND = MappingProxyType({"bucket": "datetime64[us, UTC]", "value": "object", "items": "int64"})
"""By an attribute, `TREND_BY`; values are of the aggregate's type."""
TREND_BY = MappingProxyType({**TREND, "belongs_to": "object"})
"""An aggregate at the end of a bucket of time, in the time zone that was asked for."""
_LIVES = {
    **dict.fromkeys(("items", "living", "deleted", "by_ttl"), "int64"),
    **dict.fromkeys(("median", "p90"), "timedelta64[us]"),
}
LIFETIMES = MappingProxyType({"belongs_to": "object", **_LIVES})
"""How long the items of a group live."""
COHORTS = MappingProxyType({"belongs_to": "object", "month": "month", **_LIVES})
"""How long those live that came in a month; that is its begin in the time zone that was asked for."""
SURVIVAL = MappingProxyType(
    {
        "belongs_to": "object",
        "age": "timedelta64[us]",
        **dict.fromkeys(("at_risk", "ended", "by_ttl"), "int64"),
        "survival": "float64",
    }
)
"""Which share of a group lives longer than an age."""
UNDO = MappingProxyType(
    {
        "action": "str",
        **dict.fromkeys(("attributes", "conflicts", "before", "bad", "now", "after"), "object"),
        "note": "str",
    }
)
"""An item that an undo is planned for; before, bad, now and after are values by the paths of attributes."""
UNDO_PATHS = MappingProxyType(
    {
        "path": "str",
        "member": "object",
        "status": "str",
        "why": "str",
        **dict.fromkeys(("before", "bad", "now", "after"), "object"),
    }
)
"""An attribute of an item, or a member of a set, that an undo is planned for."""
ANSWERS: tuple[Mapping[str, str], ...] = (
    CHANGE,
    VERSION,
    SNAPSHOT,
    HISTORY,
    COMPARISON,
    HOT_KEYS,
    BUCKETS,
    ATTRIBUTES,
    ATTRIBUTE_BUCKETS,
    CONCENTRATION,
    INTERVALS,
    GAPS,
    DRIFT,
    LAG,
    FINDINGS,
    TRANSITIONS,
    STAYS,
    TREND,
    TREND_BY,
    LIFETIMES,
    UNDO,
    UNDO_PATHS,
)
"""The columns of every answer by their types."""
