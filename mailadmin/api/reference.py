"""The OpenAPI document as values for the page of the API reference."""

import functools
import json
from operator import itemgetter

from mailadmin.accounts.models import Role
from mailadmin.api.document import load_document


@functools.cache
def group_operations_by_tag(role: Role) -> list[tuple[str, list[dict]]]:
    """Return [(table, its operations)] of the document for this role."""
    document = load_document(role)
    groups: dict[str, list[dict]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            described = describe_operation(document, method.upper(), path, operation)
            groups.setdefault(operation["tags"][0], []).append(described)
    return list(groups.items())


def describe_operation(document: dict, method: str, path: str, operation: dict) -> dict:
    """Return what the page shows of an operation."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    examples = [example["value"] for example in content.get("examples", {}).values()]
    return {
        "method": method,
        "place": path,
        "summary": operation["summary"],
        "description": operation.get("description", ""),
        "parameters": operation.get("parameters", []),
        "fields": describe_schema_fields(document, content.get("schema", {})),
        "example": json.dumps(examples[0], indent=2, ensure_ascii=False) if examples else "",
        "statuses": sorted(operation["responses"].items()),
    }


def describe_schema_fields(document: dict, schema: dict) -> list[dict]:
    """Return the fields of a body: of the object, or of each object of a list."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return describe_schema_fields(document, document["components"]["schemas"][name])
    if "oneOf" in schema:
        return describe_schema_fields(document, schema["oneOf"][0])
    if "items" in schema:
        return describe_schema_fields(document, schema["items"])
    required = schema.get("required", [])
    fields = [
        {"name": name, "required": name in required} | describe_type(field)
        for name, field in schema.get("properties", {}).items()
    ]
    return sorted(fields, key=itemgetter("required"), reverse=True)


def describe_type(field: dict) -> dict[str, str]:
    """Return the type of a field in a word, and its description."""
    kind = field.get("type", "")
    if isinstance(kind, list):
        kind = " or ".join(kind)
    return {
        "type": f"[{field['items']['type']}]" if kind == "array" else kind,
        "description": field.get("description", ""),
    }
