"""The seam to Azure Tables: four verbs, and the limits that neither the SDK nor Azurite enforce.

``AzureTables`` is the real one (Azure and Azurite); the fake of the fast tests keeps the same promises
(tests/contract/test_tables.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from azure.core.exceptions import AzureError, HttpResponseError, ResourceNotFoundError
from azure.data.tables import TableServiceClient, TableTransactionError, UpdateMode

from shared.errors import RowChanged, StoreUnavailable, TooLarge

Value = str | int | bool
Values = Mapping[str, Value]

TABLES = ("desk", "schedule", "tenants")

MAX_OPERATIONS = 100
"""Of one entity-group transaction (Azure Tables; Azurite answers 101 with a broken connection)."""
MAX_COMMIT_BYTES = 3_500_000
"""Azure's limit is 4 MiB on the wire, with all its framing; we stop early."""
MAX_ROW_BYTES = 900_000
"""Azure's limit is 1 MiB of UTF-16; Azurite takes any."""
MAX_PROPERTIES = 252
MAX_NUMBER = 2**31 - 1
"""A plain number is an Int32; the SDK refuses others."""
MAX_TEXT = 32_000
"""UTF-16 units of one property: Azure's limit is 32 Ki."""

_KEY = re.compile(r"^[0-9A-Za-z.:_-]{1,500}$")
"""What our keys are made of. Azure refuses / \\ # ? and controls, and % and + have caused trouble; foreign text is
hashed before it becomes a key."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row as read. ``etag`` names this state of it."""

    partition: str
    key: str
    values: Values
    etag: str

    def text(self, name: str) -> str:
        """A text property; empty when it is not there."""
        value = self.values.get(name, "")
        return value if isinstance(value, str) else str(value)

    def number(self, name: str) -> int:
        """A whole number; 0 when it is not there."""
        value = self.values.get(name, 0)
        return int(value)

    def flag(self, name: str) -> bool:
        """A truth value; False when it is not there."""
        return bool(self.values.get(name, False))


@dataclass(frozen=True, slots=True)
class Insert:
    """Write a row that must not exist."""

    key: str
    values: Values


@dataclass(frozen=True, slots=True)
class Replace:
    """Write a row that must still be as it was read."""

    key: str
    values: Values
    etag: str


@dataclass(frozen=True, slots=True)
class Upsert:
    """Write a row whatever is there."""

    key: str
    values: Values


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove a row that must exist (and, with an etag, still be as it was read)."""

    key: str
    etag: str = ""


Operation = Insert | Replace | Upsert | Delete


@dataclass(frozen=True, slots=True)
class Where:
    """A condition on a property, checked by the service. Text compares by code point."""

    name: str
    operator: Literal["eq", "le"]
    value: Value

    def holds(self, values: Values) -> bool:
        """The same condition, in Python."""
        actual = values.get(self.name)
        if isinstance(actual, str) and isinstance(self.value, str):
            return actual == self.value if self.operator == "eq" else actual <= self.value
        return actual == self.value and self.operator == "eq"


class Tables(Protocol):
    """Tables of rows, ordered by partition and key. Raises ``StoreUnavailable``, ``RowChanged``, ``TooLarge``."""

    def get(self, table: str, partition: str, key: str) -> Row | None: ...

    def query(
        self,
        table: str,
        partition: str | None,
        start: str = "",
        end: str = "",
        where: Sequence[Where] = (),
        page: int = 1000,
        columns: Sequence[str] = (),
    ) -> Iterator[Row]:
        """Rows with ``start`` <= key < ``end`` in order, fetched by pages; without a partition, of all of them.

        ``columns`` limits what is fetched; none means all.
        """
        ...

    def commit(self, table: str, partition: str, operations: Sequence[Operation]) -> tuple[str, ...]:
        """All operations or none; the new ETag of each row, empty for a deleted one.

        After ``StoreUnavailable`` and ``RowChanged`` it is unknown which: read again.
        """
        ...


def check_limits(operations: Sequence[Operation]) -> None:
    """Raise ``TooLarge`` for what Azure would refuse: a bug of ours, to be seen in tests, where Azurite is kind."""
    if not 1 <= len(operations) <= MAX_OPERATIONS:
        raise TooLarge(f"A commit of {len(operations)} operations; 1 to {MAX_OPERATIONS} are possible.")
    if len({operation.key for operation in operations}) != len(operations):
        raise TooLarge("A commit may touch each row once only.")
    total = 0
    for operation in operations:
        if not _KEY.fullmatch(operation.key):
            raise TooLarge("A key holds a character that keys may not hold.")
        if not isinstance(operation, Delete):
            total += _row_size(operation.values)
    if total > MAX_COMMIT_BYTES:
        raise TooLarge(f"A commit of {total} bytes; {MAX_COMMIT_BYTES} are possible.")


def _row_size(values: Values) -> int:
    if len(values) > MAX_PROPERTIES:
        raise TooLarge(f"A row of {len(values)} properties; {MAX_PROPERTIES} are possible.")
    size = 0
    for name, value in values.items():
        if not isinstance(value, str) and abs(value) > MAX_NUMBER:
            raise TooLarge(f"Property {name} is beyond 32 bits.")
        length = len(value.encode("utf-16-le")) if isinstance(value, str) else 8
        if length > MAX_TEXT * 2:
            raise TooLarge(f"Property {name} is longer than {MAX_TEXT} UTF-16 units.")
        size += length + len(name) * 2
    if size > MAX_ROW_BYTES:
        raise TooLarge(f"A row of {size} bytes; {MAX_ROW_BYTES} are possible.")
    return size


_CONFLICTS = {"EntityAlreadyExists", "UpdateConditionNotSatisfied", "ResourceNotFound", "EntityNotFound"}


class AzureTables:
    """Azure Tables and Azurite through azure-data-tables."""

    def __init__(self, service: TableServiceClient) -> None:
        self._service = service
        self._clients = {name: service.get_table_client(name) for name in TABLES}

    def create(self) -> None:
        """Make the tables that are missing: for local runs; in Azure, Bicep makes them."""
        for name in TABLES:
            try:
                self._service.create_table_if_not_exists(name)
            except AzureError as error:
                raise _unavailable(error) from error

    def get(self, table: str, partition: str, key: str) -> Row | None:
        """See ``Tables.get``."""
        try:
            return _row(self._clients[table].get_entity(partition, key))
        except ResourceNotFoundError as error:
            if _error_code(error) == "TableNotFound":
                raise _unavailable(error) from error
            return None
        except AzureError as error:
            raise _unavailable(error) from error

    def query(
        self,
        table: str,
        partition: str | None,
        start: str = "",
        end: str = "",
        where: Sequence[Where] = (),
        page: int = 1000,
        columns: Sequence[str] = (),
    ) -> Iterator[Row]:
        """See ``Tables.query``. Values go in as parameters, never into the filter's text."""
        conditions: list[str] = []
        parameters: dict[str, Value] = {}

        def add(name: str, operator: str, value: Value) -> None:
            placeholder = f"p{len(parameters)}"
            conditions.append(f"{name} {operator} @{placeholder}")
            parameters[placeholder] = value

        if partition is not None:
            add("PartitionKey", "eq", partition)
        if start:
            add("RowKey", "ge", start)
        if end:
            add("RowKey", "lt", end)
        for condition in where:
            add(condition.name, condition.operator, condition.value)
        try:
            entities = self._clients[table].query_entities(
                " and ".join(conditions),
                parameters=parameters,
                results_per_page=min(page, 1000),
                select=["PartitionKey", "RowKey", *columns] if columns else None,
            )
            for entity in entities:
                yield _row(entity)
        except AzureError as error:
            raise _unavailable(error) from error

    def commit(self, table: str, partition: str, operations: Sequence[Operation]) -> tuple[str, ...]:
        """See ``Tables.commit``."""
        check_limits(operations)
        try:
            done = self._clients[table].submit_transaction([_azure_operation(partition, one) for one in operations])
        except TableTransactionError as error:
            if _error_code(error) in _CONFLICTS or error.status_code in (404, 409, 412):
                raise RowChanged("A row is not as it was read.") from error
            raise _unavailable(error) from error
        except AzureError as error:
            raise _unavailable(error) from error
        return tuple(str(one.get("etag") or "") for one in done)


def _row(entity: Mapping[str, object]) -> Row:
    values: dict[str, Value] = {}
    for name, value in entity.items():
        if name in ("PartitionKey", "RowKey"):
            continue
        if isinstance(value, (str, int, bool)):
            values[name] = value
    metadata = getattr(entity, "metadata", {})
    return Row(str(entity["PartitionKey"]), str(entity["RowKey"]), values, str(metadata.get("etag") or ""))


def _azure_operation(partition: str, operation: Operation) -> Any:
    from azure.core import MatchConditions

    entity: dict[str, object] = {"PartitionKey": partition, "RowKey": operation.key}
    if not isinstance(operation, Delete):
        entity |= operation.values
    if isinstance(operation, Insert):
        return ("create", entity)
    if isinstance(operation, Upsert):
        return ("upsert", entity, {"mode": UpdateMode.REPLACE})
    condition = {"etag": operation.etag, "match_condition": MatchConditions.IfNotModified} if operation.etag else {}
    if isinstance(operation, Replace):
        return ("update", entity, {"mode": UpdateMode.REPLACE, **condition})
    return ("delete", entity, condition)


def _error_code(error: HttpResponseError) -> str:
    return str(getattr(error, "error_code", "") or "").rpartition(".")[2]


def _unavailable(error: AzureError) -> StoreUnavailable:
    # The class and status say enough for a log; the SDK's text may quote keys and values.
    status = getattr(error, "status_code", None)
    return StoreUnavailable(f"Table storage: {type(error).__name__}{f' {status}' if status else ''}")
