"""Holds what stands in a folder to docs/format.schema.json."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from jsonschema import Draft202012Validator

SCHEMA = Path(__file__).parent.parent / "docs" / "format.schema.json"


@cache
def validator(kind: str) -> Draft202012Validator:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator({"$defs": schema["$defs"], "$ref": f"#/$defs/{kind}"})


def assert_format(root: Path) -> int:
    """Check all chats and indexes under a root; give how many there were."""
    files = [path for path in root.glob("user_*/**/*.json") if path.parent.name != "files"]
    for path in files:
        kind = "index" if path.name == "index.json" else "chat"
        errors = list(validator(kind).iter_errors(json.loads(path.read_bytes())))
        assert errors == [], (path, [error.message for error in errors])
    return len(files)
