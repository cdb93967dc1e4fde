"""Writes the latest state of every item that changed into the domain, and hands Firehose a document of each change.

Firehose gives its documents ids of its own, so what it indexes itself can only be appended: that is the index of
changes. The index of the latest state is written here, where the id is the item's.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from workbench.errors import RecordRefused
from workbench.model.records import parse_objects

from .documents import Document, from_kinesis
from .domain import write


def handler(event: Mapping[str, Any], context: object) -> dict[str, list[dict[str, str]]]:
    """Answer every record in its order; one that cannot be read or indexed fails alone, and is kept in S3.

    Where the domain is busy for long the whole batch fails, and Firehose sends it again.
    """
    answers, documents, places, failures = [], [], [], {}
    for place, record in enumerate(event["records"]):
        answers.append({"recordId": record["recordId"], "result": "ProcessingFailed"})
        try:
            documents.append(_read(record))
            places.append(place)
        except Exception as error:  # whatever it is, the rest of the batch is not lost for it
            failures[record["recordId"]] = f"{type(error).__name__}: {error}"[:200]
    refused = write(documents)
    for number, (place, document) in enumerate(zip(places, documents, strict=True)):
        if number in refused:
            failures[answers[place]["recordId"]] = refused[number][:200]
        else:
            answers[place] |= {"result": "Ok", "data": _line(document)}
    print(
        json.dumps(
            {
                "level": "WARN" if failures else "INFO",
                "message": "indexed",
                "records": len(answers),
                "failed": len(failures),
                "failures": dict(list(failures.items())[:20]),
            }
        )
    )
    return {"records": answers}


def _read(record: Mapping[str, Any]) -> Document:
    values = list(parse_objects(base64.b64decode(record["data"], validate=True).decode("utf-8")))
    if len(values) != 1:
        raise RecordRefused(f"{len(values)} changes in one record: Firehose indexes one document a record")
    if isinstance(values[0], RecordRefused):
        raise values[0]
    return from_kinesis(values[0])


def _line(document: Document) -> str:
    body = {name: value for name, value in document.body.items() if name != "image"}  # the log has it
    return base64.b64encode(json.dumps(body, ensure_ascii=False).encode()).decode()
