"""A mailbox's settings, in and out."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, model_validator
from pydantic_core import PydanticCustomError

from shared.model.mailbox import EmailAddress, Mailbox, Outgoing, Settings
from shared.web.shapes.secret import ClientSecret, Secret
from shared.web.surprises import surprises

SetOrNot = Literal["set", "not set"]


class OutgoingIn(Outgoing):
    """Where answers leave, with the password."""

    model_config = ConfigDict(strict=True)

    password: Secret | None = None


class MailboxIn(Settings):
    """A mailbox's settings as they come in; secrets that are left out stay as they are stored.

    Strict: ``"enabled": "yes"`` or ``"port": true`` is a mistake of whoever wrote it, not a value.
    """

    model_config = ConfigDict(strict=True)

    password: Secret | None = None
    client_secret: ClientSecret | None = None
    outgoing: OutgoingIn = OutgoingIn()

    def settings(self) -> Settings:
        """Everything but the secrets."""
        sent = self.model_dump(exclude={"outgoing": {"password"}})
        return Settings.model_validate({name: sent[name] for name in Settings.model_fields})

    def secrets(self) -> dict[str, str | None]:
        """The secrets that were sent, by the name they are stored under; None keeps what is stored."""
        sent = {
            "password": self.password,
            "client_secret": self.client_secret,
            "outgoing_password": self.outgoing.password,
        }
        return {field: secret.get_secret_value() if secret else None for field, secret in sent.items()}


class ProbeIn(MailboxIn):
    """Settings to test. ``other_address``: of Office 365, a mailbox that the app should not be able to read, to prove
    that it cannot; nothing in it is read."""

    other_address: EmailAddress = ""

    @model_validator(mode="after")
    def _is_another(self) -> Self:
        if not self.other_address:
            return self
        if self.server_type != "office365":
            raise _other_address("Only what an app of Office 365 may read is proved so: leave it out.")
        if self.other_address.lower() == self.email.lower():
            raise _other_address("This is the mailbox itself: name another one, such as a colleague's.")
        return self


def _other_address(message: str) -> PydanticCustomError:
    return PydanticCustomError("field", "{message}", {"message": message, "field": "other_address"})


class OutgoingOut(Outgoing):
    """Where answers leave; whether its password is set."""

    password: SetOrNot


class MailboxOut(Settings):
    """A mailbox's settings as they go out: of secrets only whether they are set. ``warnings``: sentences about what may
    surprise."""

    id: str
    created: datetime
    password: SetOrNot
    client_secret: SetOrNot
    outgoing: OutgoingOut
    warnings: list[str]

    @model_validator(mode="wrap")
    @classmethod
    def _as_it_is(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        # Answers are validated on their way out: what was stored under older rules has to be seen to be mended.
        return value if isinstance(value, cls) else handler(value)


def mailbox_out(mailbox: Mailbox) -> MailboxOut:
    """A stored mailbox as an answer."""
    settings = mailbox.settings
    outgoing = OutgoingOut.model_construct(
        **_fields(settings.outgoing), password=_set_or_not(mailbox, "outgoing_password")
    )
    # Constructed, not validated: see ``_as_it_is``.
    return MailboxOut.model_construct(
        **{**_fields(settings), "outgoing": outgoing},
        id=mailbox.id,
        created=mailbox.created,
        password=_set_or_not(mailbox, "password"),
        client_secret=_set_or_not(mailbox, "client_secret"),
        warnings=surprises(settings),
    )


def etag(mailbox: Mailbox) -> str:
    """A strong entity tag of the settings (RFC 9110, 8.8.3); the row's version is none by itself."""
    return f'"{hashlib.sha256(mailbox.version.encode()).hexdigest()[:32]}"'


def _fields(model: BaseModel) -> dict[str, Any]:
    return {name: getattr(model, name) for name in type(model).model_fields}


def _set_or_not(mailbox: Mailbox, field: str) -> SetOrNot:
    return "set" if mailbox.secret(field) else "not set"
