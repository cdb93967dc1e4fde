"""Prepares the domain when it is deployed: who may write what, how documents are indexed, and the index of states.

Its role is the domain's master user, and it can be run again: with ``{"readers": [ARN, …]}``, the roles that may read.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from .domain import call

_KEYWORD = {"type": "keyword", "ignore_above": 1024}
MAPPINGS: dict[str, Any] = {
    "dynamic_templates": [
        {
            "texts": {
                "path_match": "item.*",
                "match_mapping_type": "string",
                "mapping": {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}},
            }
        },
        {"whole": {"path_match": "item.*", "match_mapping_type": "long", "mapping": {"type": "double"}}},
    ],
    "date_detection": False,
    "properties": {
        "keys": _KEYWORD,
        "event_id": _KEYWORD,
        "event_name": _KEYWORD,
        "table_name": _KEYWORD,
        "changed_at": {"type": "date_nanos"},
        "by_ttl": {"type": "boolean"},
        "deleted": {"type": "boolean"},
        "image": {"type": "keyword", "index": False, "doc_values": False},
        "unsearchable": {"type": "keyword", "index": True, "ignore_above": 300},
        "item": {"type": "object"},
    },
}


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Prepare the domain; what is there already stays, or is replaced by the same."""
    index = os.environ["INDEX"]
    state, changes = f"{index}-state", f"{index}-changes"
    _role(f"{index}_states", [os.environ["WRITER_ROLE"]], state, "crud")
    if delivery := os.environ.get("DELIVERY_ROLE"):
        _role(f"{index}_changes", [delivery], f"{changes}*", "crud", "create_index", "manage")
    _role(f"{index}_readers", list(event.get("readers", [])), f"{index}*", "read", map_empty="readers" in event)
    settings = {
        "index.number_of_replicas": int(os.environ["REPLICAS"]),
        "index.mapping.ignore_malformed": True,
        "index.mapping.total_fields.limit": 5_000,
    }
    _put(
        f"/_index_template/{index}",
        {"index_patterns": [state, f"{changes}*"], "template": {"settings": settings, "mappings": MAPPINGS}},
    )
    # the alias is what is asked: the state, without the documents that remember items which are gone
    _put(f"/{state}", {"aliases": {index: {"filter": {"term": {"deleted": False}}}}}, there="already_exists")
    return {"index": index, "state": state, "changes": f"{changes}*"}


def _role(name: str, who: list[str], pattern: str, *actions: str, map_empty: bool = False) -> None:
    api = "/_plugins/_security/api"
    _put(
        f"{api}/roles/{name}",
        {
            "cluster_permissions": ["cluster_composite_ops", "cluster_monitor"],
            "index_permissions": [{"index_patterns": [pattern], "allowed_actions": list(actions)}],
        },
    )
    if who or map_empty:
        _put(f"{api}/rolesmapping/{name}", {"backend_roles": who})


def _put(path: str, body: Mapping[str, Any], there: str = "") -> None:
    status, answer = call("PUT", path, json.dumps(body).encode())
    if status not in (200, 201) and not (there and there in str(answer)):
        raise RuntimeError(f"PUT {path}: {status}: {str(answer)[:500]}")
