"""How much of one mail is looked at. Over a limit: what fits is kept, a defect says so, the raw mail stays whole.

Other parsers need smaller figures, because their time grows faster than their input. Everything here is linear,
so some figures are larger; each says why.
"""

RAW_BYTES = 50 * 1024 * 1024
"""Parsed of one mail: as much as is kept whole (``model.inbound.MAX_RAW_BYTES``), so that nothing kept goes unread."""

HEADER_BYTES = 1024 * 1024
"""Of one header block. 10,000 References are 400 KB; beyond this only the end of the block is looked for."""

FIELDS = 1000
"""Header fields of one block. Mail through many gateways has 150; more than this is an attack."""

FIELD_BYTES = 64 * 1024
"""Of one field's value. 500 recipients with long names are 50 KB."""

PARTS = 1000
"""Body parts of one mail. A digest of a busy list has 300."""

BOUNDARY_LINES = 1_000_000
"""Lines beginning with ``--`` that are looked up; a second's work. A large database dump has 100,000."""

DEPTH = 20
"""Levels of multipart in multipart that mean something; deeper parts count as if they were at this level."""

BOUNDARY_BYTES = 250
"""Of one boundary. RFC 2046 section 5.1.1 allows 70; longer ones are seen."""

BOUNDARY_GUESSES = 10
"""Boundaries that may be searched for in the whole mail. Each search reads the mail once."""

BOUNDARY_PEEK = 8 * 1024
"""Bytes of a multipart's body in which its first boundary line is expected; preambles are a few lines."""

BODY_BYTES = 4 * 1024 * 1024
"""Transfer-encoded bytes of one body part that are decoded: enough for TEXT_CHARS in any encoding."""

TEXT_CHARS = 1024 * 1024
"""Of the whole text. A person does not read more; logs belong in an attachment."""

HTML_CHARS = 1024 * 1024
"""Of the whole HTML body. Cleaning it for display has its own, smaller limit (256 KiB)."""

LINE_CHARS = 998
"""Of a subject, a name or another value shown on one line: a line of RFC 5322 section 2.1.1."""

ADDRESS_CHARS = 320
"""Of an addr-spec: 64 for the local part, '@', 255 for the domain (RFC 5321 section 4.5.3.1)."""

ADDRESSES = 500
"""Recipients read from one kind of header (Dovecot CVE-2026-27852 is what unlimited lists lead to)."""

REFERENCES = 20
"""References kept: the first, which began the thread, and the last 19."""

MESSAGE_IDS = 20_000
"""Message-IDs read from one header value, before References are cut to the first and the last."""

MESSAGE_ID_CHARS = 998
"""Of one Message-ID: a line of RFC 5322 section 2.1.1. Longer ones are not used."""

NAME_CHARS = 120
"""Of an attachment's name: fits every file system with room for a counter."""

PARAMETERS = 100
"""Parameters of one Content-Type or Content-Disposition; RFC 2231 may split one name into ten."""

BASE64_PIECES = 10_000
"""Base64 texts joined in one part, each ended by its own padding. Real ones have one, broken senders a few."""

UU_RATIO = 4
"""Bytes that one byte of uuencode may become. It is 0.7, and more only if spaces (zeros) were cut off at the ends of
lines: up to 22, which would be 800 MB from one mail."""

SUBJECT_TAGS = 10
"""Incident numbers read from one subject."""

URL_CHARS = 2000
"""Of a link shown in plain text; longer ones are tracking codes nobody reads."""

MAPI_PROPERTIES = 1000
"""Properties of one object in a winmail.dat, each of many values counted. Outlook writes about 100."""

TNEF_ATTRIBUTES = 20_000
"""Attributes of one winmail.dat: 1000 files with ten each, and the message's own."""

TNEF_DEPTH = 3
"""Messages in messages in a winmail.dat that are unpacked. Each level is written anew, so more would cost memory."""

SMIME_DEPTH = 3
"""Signed messages in signed messages that are unpacked: a signature in a list's or gateway's signature."""

RTF_BYTES = 1024 * 1024
"""Of rich text that is read: as much as of any text (TEXT_CHARS)."""

CALENDAR_CHARS = 1024 * 1024
"""Of one calendar object that are read. An invitation has 5,000; the rest of a whole calendar stays in its file."""

CALENDAR_LINES = 20_000
"""Content lines of it."""

CALENDAR_COMPONENTS = 5
"""Events told in words. An invitation has one, with a few more for dates moved out of a series."""

CALENDAR_ANSWERS = 20
"""Attendees whose answer is told. A REPLY has one."""

CLEAN_CHARS = 256 * 1024
"""Of an HTML mail once it is tidied for display. Word's HTML shrinks to a tenth; beyond this the text is shown."""

CLEAN_DEPTH = 100
"""Elements in elements for display. Newsletters have 60; nh3 takes 0.2 s for 10,000 nested divs, 21 s for 100,000."""

CLEAN_DATA_CHARS = 512 * 1024
"""Of images written into the HTML itself, all together; each may be 400,000 (300 KB of picture)."""
