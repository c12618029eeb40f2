from __future__ import annotations

import inspect

import pytest

from shared import errors
from shared.errors import CallerError, InboundError, Invalid, ServerError, SettingsError, StoreError

TREE = [value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, InboundError)]


def test_every_error_is_drawn_in_the_tree() -> None:
    assert errors.__doc__ is not None
    drawing, _, _ = errors.__doc__.partition("A bad message")
    assert sorted(word for word in drawing.split() if word in {kind.__name__ for kind in TREE}) == sorted(
        kind.__name__ for kind in TREE
    )


def test_codes_are_unique_and_written_small() -> None:
    codes = [kind.code for kind in TREE]
    assert len(set(codes)) == len(codes)
    assert all(code == code.lower() and code.replace("_", "").isalpha() for code in codes)


@pytest.mark.parametrize("kind", [kind for kind in TREE if kind is not InboundError], ids=lambda kind: kind.__name__)
def test_every_error_is_of_exactly_one_family(kind: type[InboundError]) -> None:
    families = [SettingsError, ServerError, StoreError, CallerError]
    assert sum(issubclass(kind, family) for family in families) == 1


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("NotSignedIn", 401),
        ("NotAllowed", 403),
        ("NotFound", 404),
        ("Conflict", 409),
        ("Invalid", 422),
        ("TooManyRequests", 429),
    ],
)
def test_what_a_caller_did_has_the_status_that_http_gives_it(kind: str, status: int) -> None:
    assert getattr(errors, kind).status == status


def test_an_error_carries_what_happened_and_what_to_do() -> None:
    error = SettingsError("Happened.", "Do.")
    assert (str(error), error.message, error.fix) == ("Happened.", "Happened.", "Do.")
    assert SettingsError("Happened.").fix == ""
    assert ServerError("Wait.", retry_after=7).retry_after == 7


def test_invalid_names_its_fields_and_speaks_for_one_of_them() -> None:
    assert Invalid([("port", "Use 1 to 65535.")]).message == "Use 1 to 65535."
    two = Invalid([("port", "a"), ("host", "b")])
    assert two.errors == [("port", "a"), ("host", "b")]
    assert "fields" in two.message
