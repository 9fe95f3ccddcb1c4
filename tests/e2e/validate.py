#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Holds a JSON document (or, for watch, guard and ocsf, one a line) against its schema: validate.py SCHEMA-FOLDER NAME FILE"""
import json
import pathlib
import sys

import jsonschema


def no_twice(pairs):
    """A member that is there twice would hide one of the two."""
    keys = [key for key, _ in pairs]
    assert len(keys) == len(set(keys)), f"a member is there twice: {keys}"
    return dict(pairs)


def main():
    folder, name, path = sys.argv[1:]
    schemas = {}
    for file in pathlib.Path(folder).glob("*.schema.json"):
        schema = json.loads(file.read_text())
        assert schema["$id"] == file.name, f"{file}: $id is {schema['$id']}"
        jsonschema.Draft202012Validator.check_schema(schema)
        schemas[file.name] = schema
    data = pathlib.Path(path).read_bytes()
    # What a document may put on a terminal.
    odd = {byte for byte in data if byte != 0x0A and not 0x20 <= byte < 0x7F}
    assert not odd, f"bytes that are not printable ASCII: {sorted(odd)}"
    assert data.endswith(b"\n"), "no line end at the end"
    lines = data.decode().splitlines()
    assert name in ("watch", "guard", "ocsf") or len(lines) == 1, f"one line expected, not {len(lines)}"
    schema = schemas[f"{name}.schema.json"]
    resolver = jsonschema.RefResolver("", schema, store=schemas)
    validator = jsonschema.Draft202012Validator(schema, resolver=resolver)
    for line in lines:
        validator.validate(json.loads(line, object_pairs_hook=no_twice))


if __name__ == "__main__":
    main()
