"""Writes the latest state of every item that changed into the domain, from DynamoDB Streams: Lambda brings batches."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .documents import from_streams
from .domain import write


def handler(event: Mapping[str, Any], context: object) -> dict[str, list[dict[str, str]]]:
    """Say which records of a batch could not be indexed; Lambda sends the batch again from the first of them on.

    That does no harm to those that were: a document is written over by a later change only. Where the domain is busy
    for long the whole batch fails, and is sent again.
    """
    documents, numbers, failures = [], [], {}
    for record in event["Records"]:
        number = record["dynamodb"]["SequenceNumber"]
        try:
            documents.append(from_streams(record))
            numbers.append(number)
        except Exception as error:  # whatever it is, the rest of the batch is not lost for it
            failures[number] = f"{type(error).__name__}: {error}"[:200]
    failures |= {numbers[place]: why for place, why in write(documents).items()}
    print(
        json.dumps(
            {
                "level": "WARN" if failures else "INFO",
                "message": "indexed",
                "records": len(event["Records"]),
                "failed": len(failures),
                "failures": dict(list(failures.items())[:20]),
            }
        )
    )
    return {"batchItemFailures": [{"itemIdentifier": number} for number in failures]}
