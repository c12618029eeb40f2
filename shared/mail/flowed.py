"""format=flowed: RFC 3676. Lines that end in a space go on in the next."""


def unflow(text: str, delete_space: bool) -> str:
    """The text with its paragraphs joined; ``delete_space`` is the parameter DelSp=yes (for text without spaces)."""
    lines: list[str] = []
    paragraph: list[str] = []
    depth = 0
    for line in text.split("\n"):
        quoted, content = _quote(line.rstrip("\r"))
        if paragraph and (quoted != depth or content == "-- "):
            lines.append(_marked(paragraph, depth))
            paragraph = []
        depth = quoted
        flows = content.endswith(" ") and content != "-- "
        paragraph.append(content[:-1] if flows and delete_space else content)
        if not flows:
            lines.append(_marked(paragraph, depth))
            paragraph = []
    if paragraph:
        lines.append(_marked(paragraph, depth))
    return "\n".join(lines)


def _quote(line: str) -> tuple[int, str]:
    """Quote depth and the content without quote marks and stuffed space (RFC 3676 section 4.4, 4.5)."""
    content = line.lstrip(">")
    depth = len(line) - len(content)
    return depth, content[1:] if content.startswith(" ") else content


def _marked(paragraph: list[str], depth: int) -> str:
    content = "".join(paragraph)
    return f"{'>' * depth} {content}" if depth else content
