"""Bodies of notes: a property of the row while they are short, else a blob that is written before the row."""

from __future__ import annotations

from shared.model.incident import TEXT_LOST, Body
from shared.store import rows
from shared.store.raw import Blobs
from shared.store.tables import Row, Value

INLINE_BODY = 30_000
"""UTF-16 units of a note's body, or a cursor, that a row holds."""


def write_body(blobs: Blobs, tenant: str, name: str, body: Body) -> dict[str, Value]:
    """The body as a property, or stored in Blob with its name as the property. ``name``: never used for another."""
    text = rows.encode_body(body)
    if len(text.encode("utf-16-le")) <= INLINE_BODY * 2:
        return {"body": text}
    blobs.write("bodies", f"{tenant}/{name}.json", text.encode())
    return {"body_name": name}


def read_body(blobs: Blobs, tenant: str, row: Row) -> Body:
    """What ``write_body`` wrote."""
    if name := row.text("body_name"):
        content = blobs.read("bodies", f"{tenant}/{name}.json")
        if content is None:
            return Body(TEXT_LOST)
        return rows.decode_body(content.decode())
    return rows.decode_body(row.text("body"))
