"""Templates of acknowledgements: a tenant's text with a few named fields in braces.

Nothing of what a stranger writes is echoed by default: whoever forges a sender would have us carry his words to a third
person (Zendesk's customers in October 2025). So the default texts name the incident and no more, a name is letters or
nothing, and the mail's text is no field at all. Not ``str.format``: its fields reach into objects.
"""

import re
import unicodedata
from collections.abc import Mapping

from shared.mail.writing.outgoing import header_text

FIELDS = ("number", "name", "group", "subject")
"""``number``: INC-000123; ``name``: the sender's, letters only; ``group``: whose mailbox it is; ``subject``: of the
mail that is answered, only where the tenant asks for it."""

DEFAULT_SUBJECT = "We have received your message [{number}]"
DEFAULT_TEXT = """\
Hello {name},

thank you for your message. We have received it and will answer as soon as we can.

Your number is {number}. To add something, just answer this mail.

Kind regards
{group}

This message was sent automatically.
"""

TEMPLATE_CHARS = 4000
"""Two pages; an acknowledgement that is read has ten lines."""

SUBJECT_CHARS = 150
"""Of a subject's template, so that there is room for the fields."""

_VALUE_CHARS = {"number": 40, "name": 40, "group": 100, "subject": 150}
_NAME_WORDS = 5
"""María de los Ángeles García has five; more is a sentence."""

_FIELD = re.compile(r"\{([A-Za-z0-9_]{0,40})\}")
_BRACES = re.compile(r"[{}]")
_FILLED = re.compile(rf" ?\{{({'|'.join(FIELDS)})\}}")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_HOST = re.compile(r"\w{2}\.\w{2}")
_LEFT_OUT = re.compile("[,.()]")


def check_template(template: str) -> list[str]:
    """What is wrong with a template of a text, in whole sentences for the tenant; nothing if it can be used."""
    problems = [] if template.strip() else ["The text is empty."]
    if len(template) > TEMPLATE_CHARS:
        problems.append(f"The text is too long: {len(template)} characters, {TEMPLATE_CHARS} at most.")
    return problems + _problems(template[:TEMPLATE_CHARS])


def check_subject(template: str) -> list[str]:
    """The same for a subject, which must be one line and name the incident in brackets: by that an answer is found
    whose mail program kept nothing else."""
    problems = [] if template.strip() else ["The subject is empty."]
    if len(template) > SUBJECT_CHARS:
        problems.append(f"The subject is too long: {len(template)} characters, {SUBJECT_CHARS} at most.")
    if "\n" in template or "\r" in template:
        problems.append("The subject must be one line.")
    if template.strip() and "[{number}]" not in template:
        problems.append("The subject needs [{number}], so that answers to it find their incident.")
    return problems + _problems(template[:SUBJECT_CHARS])


def fill(template: str, fields: Mapping[str, str]) -> str:
    """The template with its fields filled in. Total: a field that is unknown stays as written, one without a value
    takes the space before it along. What is filled in is not looked through for fields again."""

    values = {name: _value(name, fields.get(name, "")) for name in FIELDS}

    def filled(match: re.Match[str]) -> str:
        value = values[match[1]]
        return f" {value}" if value and match[0].startswith(" ") else value

    return _FILLED.sub(filled, template)


def letters_of_name(name: str) -> str:
    """A display name if it looks like one, else nothing: letters, spaces, hyphens and apostrophes, five words at most.

    "www.evil.example" is no name, and mail programs would make a link of it. Commas, full stops and brackets are left
    out: "Doe, John (Sales)".
    """
    if _HOST.search(name[:200]):
        return ""
    words = header_text(_LEFT_OUT.sub(" ", name[:200]), 200).split()
    plain = " ".join(words)
    if len(words) > _NAME_WORDS or len(plain) > _VALUE_CHARS["name"]:
        return ""
    return plain if all(map(_belongs_to_name, plain)) and any(map(str.isalpha, plain)) else ""


def _problems(template: str) -> list[str]:
    problems = []
    names = dict.fromkeys(match[1] for match in _FIELD.finditer(template))
    for name in [name for name in names if name not in FIELDS][:5]:  # enough to see what is meant
        problems.append(f"{{{name}}} is no field. The fields are {_known()}.")
    if _BRACES.search(_FIELD.sub("", template)):
        problems.append(f"A brace stands alone. Braces are for fields only: {_known()}.")
    if _CONTROL.search(template.replace("\r\n", "\n")):
        problems.append("There is a control character in it.")
    return problems


def _known() -> str:
    return ", ".join(f"{{{name}}}" for name in FIELDS)


def _value(name: str, value: str) -> str:
    if name == "name":
        return letters_of_name(value)
    return header_text(value, _VALUE_CHARS[name])


def _belongs_to_name(character: str) -> bool:
    return character in " '’-" or unicodedata.category(character)[0] in "LM"
