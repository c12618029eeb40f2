"""Addresses: RFC 5322 section 3.4, read twice. Leniently for display, strictly for the sender.

What a whitelist compares comes from ``parse_sender`` only: one mailbox, one addr-spec, nothing in it that
another reader could understand otherwise. Where readers may differ, the strict one refuses.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field

import idna

from shared.mail import limits
from shared.mail.charset import decode
from shared.mail.encodedword import decode_words
from shared.mail.text import one_line

_ATEXT = r"A-Za-z0-9!#$%&'*+/=?^_`{|}~-"  # RFC 5322 section 3.2.3
# Dots anywhere: a Japanese carrier gave out addresses like john..doe. and they must be able to write to us.
_LOCAL = re.compile(rf"[.{_ATEXT}]+")
_QUOTED_LOCAL = re.compile(r'"(?:[ !#-\[\]-~]|\\[ -~])*"')
# Underscores are no host names, but Windows networks send with them.
_DOMAIN = re.compile(
    r"(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*"
)
_OTHER_DOTS = re.compile("[\u3002\uff0e\uff61]")  # IDNA takes them for dots, other readers do not
_LITERAL = re.compile(r"\[(?:\d{1,3}(?:\.\d{1,3}){3}|ipv6:[0-9a-f:.]{2,45})\]")
_RUN = re.compile(r"[^\s\"(),:;<>@=]+|=(?!\?)")
_WORD = re.compile(r"=\?[A-Za-z0-9_.:+'*-]{1,60}\?[bBqQ]\?[^?]{0,2000}\?=")
# Python's own library encodes the comma between two recipients when it folds the line there (3.11 to 3.13).
_ENCODED_COMMAS = frozenset(["=?utf-8?q?=2c?=", "=?utf-8?q?=2c_?=", "=?us-ascii?q?=2c?="])
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox: who somebody says to be, and where mail to them goes."""

    name: str
    """Display name, decoded, on one line; may be empty. Never proof of anything."""
    address: str
    """addr-spec: the local part as written, one ``@``, the domain in ASCII (IDNA 2008), lower-case."""

    @property
    def domain(self) -> str:
        """In ASCII, lower-case."""
        return self.address.rpartition("@")[2]

    @property
    def key(self) -> str:
        """The whole address lower-cased, for comparison: no provider in use tells Anna@ from anna@."""
        return self.address.lower()


def parse_addresses(values: Iterable[str | bytes]) -> tuple[Address, ...]:
    """The readable mailboxes of To, Cc or Reply-To, groups opened, without repeats, at most ``limits.ADDRESSES``."""
    return read_addresses(values)[0]


def read_addresses(values: Iterable[str | bytes], hint: str | None = None) -> tuple[tuple[Address, ...], bool]:
    """As ``parse_addresses``; and whether some were left out because there were too many."""
    found: dict[str, Address] = {}
    for value in values:
        for mailbox in _mailboxes(_text(value, hint)[0]):
            for address in _lenient(mailbox, hint):
                known = found.get(address.key)
                if known is None and len(found) >= limits.ADDRESSES:
                    return tuple(found.values()), True
                if known is None or (address.name and not known.name):
                    found[address.key] = address
    return tuple(found.values()), False


def parse_sender(values: Iterable[str | bytes], hint: str | None = None) -> Address | None:
    """The one mailbox of the one From field; None if it can be read in more than one way or not at all."""
    fields = list(values)
    if len(fields) != 1 or len(fields[0]) > limits.FIELD_BYTES:
        return None
    text, guessed = _text(fields[0], hint)
    mailboxes = _mailboxes(text)
    if len(mailboxes) != 1 or mailboxes[0].in_group:
        return None
    address = _strict(mailboxes[0], hint)
    return None if address and guessed and not address.address.isascii() else address


def parse_address(text: str) -> Address | None:
    """One address as a person types it into a form, with or without a name; None if it is not exactly one."""
    if len(text) > 2 * limits.LINE_CHARS:
        return None
    return parse_sender([text.strip()])


def addr_spec(text: str) -> str | None:
    """The addr-spec normalised, or None if it is not valid: RFC 5322 section 3.4.1 without comments and folding."""
    if not 0 < len(text) <= limits.ADDRESS_CHARS:
        return None
    local, at, domain = text.rpartition("@")
    if not at or not (_plain_local(local) or _QUOTED_LOCAL.fullmatch(local)):
        return None
    ascii_domain = _ascii_domain(domain)
    return f"{local}@{ascii_domain}" if ascii_domain else None


def _plain_local(local: str) -> bool:
    """A dot-atom; letters beyond ASCII (RFC 6531) if they have no other form that reads differently."""
    if local.isascii():
        return _LOCAL.fullmatch(local) is not None
    ascii_part = "".join(letter for letter in local if letter.isascii())
    others = "".join(letter for letter in local if not letter.isascii())
    return (
        (not ascii_part or _LOCAL.fullmatch(ascii_part) is not None)
        and unicodedata.normalize("NFKC", local) == local
        and all(unicodedata.category(letter)[0] in "LMN" for letter in others)
    )


def _ascii_domain(domain: str) -> str | None:
    domain = domain.lower()
    if not domain.isascii():
        if _OTHER_DOTS.search(domain):
            return None
        try:
            domain = idna.encode(domain, std3_rules=True).decode("ascii")
        except UnicodeError:  # idna.IDNAError is one
            return None
    return domain if _DOMAIN.fullmatch(domain) or _LITERAL.fullmatch(domain) else None


def _text(value: str | bytes, hint: str | None) -> tuple[str, bool]:
    """The field undecoded but for its raw 8-bit bytes; and whether their charset was a guess."""
    if isinstance(value, str):
        return value[: limits.HEADER_BYTES], False
    text, _ = decode(value[: limits.HEADER_BYTES], None, hint)
    return text, text.encode("utf-8", "replace") != value


# --- tokens ---------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Token:
    kind: str  # one of: atom word quoted comment space, or a special character as itself
    text: str  # as written
    content: str  # without quotes, brackets and escapes


@dataclass(slots=True)
class _Mailbox:
    """The tokens between two commas, sorted."""

    phrase: list[_Token] = field(default_factory=list)
    angle: list[_Token] | None = None  # between < and >
    rest: list[_Token] = field(default_factory=list)  # behind >
    comments: list[str] = field(default_factory=list)  # outside < >
    in_group: bool = False
    closed: bool = True  # < has its >


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    position = 0
    endless: set[str] = set()  # characters that open something nothing closes any more
    while position < len(text):
        token = _simple(text, position)
        character = text[position]
        if token is None and character in '"(' and character not in endless:
            token = _quoted(text, position) if character == '"' else _comment(text, position)
            if token is None:
                endless.add(character)
        if token is None:
            token = _Token("atom" if character in '"()=\\' else character, character, character)
        tokens.append(token)
        position += len(token.text)
    return tokens


def _simple(text: str, position: int) -> _Token | None:
    if match := _WORD.match(text, position):
        return _Token("," if match[0].lower() in _ENCODED_COMMAS else "word", match[0], match[0])
    if match := _RUN.match(text, position):
        return _Token("atom", match[0], match[0])
    if match := _SPACE.match(text, position):
        return _Token("space", match[0], " ")
    return None


def _quoted(text: str, start: int) -> _Token | None:
    content: list[str] = []
    position = start + 1
    while position < len(text):
        character = text[position]
        if character == '"':
            return _Token("quoted", text[start : position + 1], "".join(content))
        if character == "\\" and position + 1 < len(text):
            position += 1
            character = text[position]
        content.append(character)
        position += 1
    return None


def _comment(text: str, start: int) -> _Token | None:
    depth = 0
    position = start
    while position < len(text):
        character = text[position]
        position += 2 if character == "\\" else 1
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth == 0:
            return _Token("comment", text[start:position], text[start + 1 : position - 1])
    return None


# --- mailboxes ------------------------------------------------------------------------------------


def _mailboxes(text: str) -> list[_Mailbox]:
    """The field cut at its commas, groups opened. A surname cut off by its comma is put back in front."""
    tokens = _tokens(text)
    semicolons = sum(1 for token in tokens if token.kind == ";")
    found: list[_Mailbox] = []
    current = _Mailbox()
    in_group = False
    for token in tokens:
        if token.kind == ";":
            semicolons -= 1
        if token.kind == ":" and _opens_group(current, semicolons):
            current, in_group = _Mailbox(in_group=True), True
        elif token.kind in ",;" and not _in_route(current):
            _finish(found, current)
            in_group = in_group and token.kind == ","
            current = _Mailbox(in_group=in_group)
        elif token.kind == "<" and current.angle is not None and current.closed:
            _finish(found, current)
            current = _Mailbox(in_group=in_group)
            _add(current, token)
        else:
            _add(current, token)
    _finish(found, current)
    return _surnames(found)


def _opens_group(mailbox: _Mailbox, semicolons: int) -> bool:
    """A colon behind plain words, with a semicolon to come: RFC 5322's group."""
    return semicolons > 0 and mailbox.angle is None and not any(token.kind == "@" for token in mailbox.phrase)


def _in_route(mailbox: _Mailbox) -> bool:
    """Inside ``<@a,@b:user@host>``, the obsolete source route."""
    return bool(mailbox.angle and not mailbox.closed and mailbox.angle[0].kind == "@" and not mailbox.rest)


def _add(mailbox: _Mailbox, token: _Token) -> None:
    if token.kind == "<" and mailbox.angle is None:
        mailbox.angle, mailbox.closed = [], False
    elif token.kind == ">" and mailbox.angle is not None and not mailbox.closed:
        mailbox.closed = True
    elif mailbox.angle is not None and not mailbox.closed:
        mailbox.angle.append(token)
    elif token.kind == "comment":
        mailbox.comments.append(token.content)
        (mailbox.phrase if mailbox.angle is None else mailbox.rest).append(token)
    elif mailbox.angle is None:
        mailbox.phrase.append(token)
    else:
        mailbox.rest.append(token)


def _finish(found: list[_Mailbox], mailbox: _Mailbox) -> None:
    if mailbox.angle is not None or any(token.kind not in ("space", "comment") for token in mailbox.phrase):
        found.append(mailbox)


def _surnames(mailboxes: list[_Mailbox]) -> list[_Mailbox]:
    """``Doe, John <a@b>`` is one mailbox: words without an address before one with brackets are its name."""
    joined: list[_Mailbox] = []
    words = 0  # pieces put in front of the latest mailbox; a surname and a title, not a list of names
    for mailbox in reversed(mailboxes):
        later = joined[-1] if joined else None
        if later and words < 2 and _is_words(mailbox) and _wants_words(later, mailbox.in_group):
            comma = [_Token("atom", ",", ","), _Token("space", " ", " ")]
            later.phrase = mailbox.phrase + comma + later.phrase
            words += 1
        else:
            joined.append(mailbox)
            words = 0
    return joined[::-1]


def _is_words(mailbox: _Mailbox) -> bool:
    return mailbox.angle is None and all(token.kind in _NAME_KINDS for token in mailbox.phrase)


def _wants_words(mailbox: _Mailbox, in_group: bool) -> bool:
    return mailbox.angle is not None and mailbox.in_group == in_group and not _is_blank(mailbox.phrase)


_NAME_KINDS = frozenset(["atom", "word", "quoted", "space", "comment", ":"])


def _is_blank(tokens: list[_Token]) -> bool:
    return all(token.kind == "space" for token in tokens)


# --- the two readings -----------------------------------------------------------------------------


def _strict(mailbox: _Mailbox, hint: str | None) -> Address | None:
    """The mailbox if every reader reads it alike."""
    if not mailbox.closed or any(token.kind not in ("space", "comment") for token in mailbox.rest):
        return None
    if any(token.text in ('"', "(") for token in mailbox.phrase):  # opened and never closed
        return None
    tokens = _trimmed(mailbox.phrase if mailbox.angle is None else mailbox.angle, mailbox.angle is None)
    if any(token.kind not in ("atom", "quoted", "@", ":") for token in tokens):
        return None  # spaces, comments, encoded words, brackets
    address = addr_spec("".join(token.text for token in tokens))
    if address is None or "=?" in address:
        return None
    if mailbox.angle is None:
        return Address(_clean(" ".join(mailbox.comments), hint), address)
    if _names_another(mailbox.phrase, address):
        return None
    return Address(_name(mailbox, hint), address)


def _trimmed(tokens: list[_Token], drop_comments: bool) -> list[_Token]:
    """Without spaces at the ends; and without comments at the ends, where they are a name."""
    outside = ("space", "comment") if drop_comments else ("space",)
    first, last = 0, len(tokens)
    while first < last and tokens[first].kind in outside:
        first += 1
    while last > first and tokens[last - 1].kind in outside:
        last -= 1
    return tokens[first:last]


def _names_another(phrase: list[_Token], address: str) -> bool:
    """Whether unquoted words in front hold an address of another domain: some readers take that one."""
    text = "".join(token.text for token in phrase if token.kind not in ("quoted", "comment", "word"))
    domain = address.rpartition("@")[2]
    named = [word.strip("'`,.:;").rpartition("@")[2].lower() for word in text.split() if "@" in word.strip("@")]
    return any(other != domain for other in named)


def _lenient(mailbox: _Mailbox, hint: str | None) -> list[Address]:
    """Whatever can be read: one address, or several that only spaces keep apart."""
    name = _name(mailbox, hint)
    if mailbox.angle is not None:
        address = _repaired(mailbox.angle)
        if address:
            return [Address("" if _clean(name, None).lower() == address.lower() else name, address)]
    words = _repaired_words(mailbox.phrase)
    if len(words) == 1 and mailbox.angle is None:
        name = " ".join(mailbox.comments) or _words_before(mailbox.phrase)
        return [Address(_clean(name, hint), words[0])]
    return [Address("", address) for address in words]


def _repaired(tokens: list[_Token]) -> str | None:
    """The addr-spec without comments, spaces, route, quotes around it and a scheme in front."""
    texts = [token.text for token in tokens if token.kind not in ("space", "comment")]
    text = "".join(texts)
    if text.startswith("@"):
        text = text.rpartition(":")[2]
    text = text.removeprefix("mailto:").strip("<>'`.,;[]() ")
    return addr_spec(text) or addr_spec(text.strip('"'))


def _repaired_words(tokens: list[_Token]) -> list[str]:
    text = "".join(" " if token.kind == "comment" else token.text for token in tokens)
    if len(text) > limits.FIELD_BYTES or "@" not in text:
        return []
    text = " ".join(text.split()).replace(" @", "@").replace("@ ", "@")
    words = (addr_spec(word.removeprefix("mailto:").strip("<>'`.,;\"()")) for word in text.split())
    return [word for word in words if word]


def _words_before(tokens: list[_Token]) -> str:
    words = "".join(token.text for token in tokens).split()
    return " ".join(word for word in words if "@" not in word)


def _name(mailbox: _Mailbox, hint: str | None) -> str:
    """The display name: the words in front, or else the comments, or what stands behind."""
    phrase = "".join(_shown(token) for token in mailbox.phrase)
    if all(token.kind in ("space", "comment") for token in mailbox.phrase):
        phrase = " ".join(mailbox.comments) or "".join(token.text for token in mailbox.rest)
    return _clean(phrase, hint)


def _shown(token: _Token) -> str:
    return token.content if token.kind == "quoted" else token.text


def _clean(name: str, hint: str | None) -> str:
    name = one_line(decode_words(name[: 8 * limits.LINE_CHARS], hint), limits.LINE_CHARS).strip()
    if len(name) > 1 and name[0] == name[-1] and name[0] in "'\"":
        name = name[1:-1].strip()
    return name
