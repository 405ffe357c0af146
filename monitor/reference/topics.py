"""topics.md, the JSON Schemas and the AsyncAPI 3 document from the table of topics and the payload types."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from monitor.alerts.payloads import schemas
from monitor.alerts.settings import AlertsSettings
from monitor.alerts.topics import KINDS, REPUBLISH_SECONDS, RETAINED_EXPIRY_SECONDS, TopicRow
from monitor.reference.text import code, page, table

BINDING = "0.2.0"  # of the mqtt binding: 5.0 properties included
PREFIX = "undertow/v1"

PARTS = {
    "instance": "the instance's name, as in the settings",
    "asset": "the coin in upper case (BTC); MARKET for the whole market",
    "kind": "the kind of alert",
    "subject": "tells apart what can be open at once: a level's name, venue:market, long, short, or all",
    "venue": "the venue's name",
}

INTRODUCTION = f"""
MQTT 5, under the prefix of the settings (`{PREFIX}` unless changed). Payloads are JSON, content type `application/json`, times RFC 3339 in
UTC with microseconds; unknown is null. Availability is bare text.

Retained state (`open`, `regimes`, `feeds`) carries an expiry of {RETAINED_EXPIRY_SECONDS} s and is published again every
{REPUBLISH_SECONDS:g} s and after every connect, so that a dead service leaves no false calm behind.

Alerts are delivered at least once, in order per alert `id`. A subscriber drops duplicates by (`id`, `sequence`). An alert raised
while the broker is away is delivered when it returns, also after a restart of the service.
"""


def schema_path(name: str) -> str:
    return f"schemas/{name}.json"


def schema_files() -> dict[str, str]:
    return {schema_path(name): pretty(schema) for name, schema in schemas().items()}


def pretty(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def topics_page(rows: Iterable[TopicRow]) -> str:
    head = ("topic", "retained", "QoS", "expiry", "payload", "schema")
    cells = [
        (
            code(row.template),
            "yes" if row.retained else "no",
            str(row.qos),
            f"{row.expiry_seconds} s" if row.expiry_seconds is not None else "none",
            row.about,
            f"[{row.schema}]({schema_path(row.schema)})",
        )
        for row in rows
    ]
    parts = table(("part", "what stands there"), [(code("{" + part + "}"), said) for part, said in PARTS.items()])
    raised = [kind for kind in KINDS if kind in AlertsSettings.model_fields]
    reserved = [kind for kind in KINDS if kind not in raised]
    kinds = "Kinds of alerts: " + ", ".join(map(code, raised)) + "."
    if reserved:
        kinds += " Reserved, and not raised yet: " + ", ".join(map(code, reserved)) + "."
    return page("Topics", INTRODUCTION, table(head, cells), "## Parts of a topic\n\n" + parts, kinds)


def asyncapi(rows: Iterable[TopicRow]) -> dict[str, Any]:
    """The AsyncAPI 3.0 document: what the service sends, and the bindings it sends it with."""
    rows = list(rows)
    channels, operations, messages = {}, {}, {}
    for row in rows:
        parts = re.findall(r"{(\w+)}", row.template)
        channels[row.name] = {
            "address": f"{PREFIX}/{row.template}",
            "description": row.about,
            "parameters": {part: _parameter(part) for part in parts},
            "messages": {row.name: {"$ref": f"#/components/messages/{row.name}"}},
        }
        binding: dict[str, Any] = {"qos": row.qos, "retain": row.retained, "bindingVersion": BINDING}
        if row.expiry_seconds is not None:
            binding["messageExpiryInterval"] = row.expiry_seconds
        operations[f"send_{row.name}"] = {
            "action": "send",
            "channel": {"$ref": f"#/channels/{row.name}"},
            "messages": [{"$ref": f"#/channels/{row.name}/messages/{row.name}"}],
            "bindings": {"mqtt": binding},
        }
        messages[row.name] = {
            "name": row.name,
            "title": row.about,
            "contentType": row.content_type,
            "payload": {
                "schemaFormat": "application/schema+json;version=2020-12",
                "schema": {"$ref": schema_path(row.schema)},
            },
            "bindings": {
                "mqtt": {"payloadFormatIndicator": 1, "contentType": row.content_type, "bindingVersion": BINDING}
            },
        }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Undertow",
            "version": "1.0.0",
            "description": "Alerts, regimes, liquidations and feed states of crypto markets. USD are US dollars, ratios 0..1.",
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "broker": {
                "host": "127.0.0.1:1883",
                "protocol": "mqtt",
                "protocolVersion": "5.0",
                "description": "The embedded broker; mqtt.url names another.",
                "bindings": {
                    "mqtt": {
                        "lastWill": {
                            "topic": f"{PREFIX}/instances/undertow-1/availability",
                            "qos": 1,
                            "message": "offline",
                            "retain": True,
                        },
                        "bindingVersion": BINDING,
                    }
                },
            }
        },
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages},
    }


def _parameter(part: str) -> dict[str, Any]:
    parameter: dict[str, Any] = {"description": PARTS[part]}
    if part == "kind":
        parameter["enum"] = list(KINDS)
    return parameter
