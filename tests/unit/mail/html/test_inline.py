import pytest

from shared.mail.attachment import Attachment
from shared.mail.html.inline import mark_inline


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("<img src='cid:a@x'>", True),
        ("<img src=CID:A@X>", True),
        ("<img src='cid:a@x?size=1'>", True),
        ("<td background='cid:a@x'>", True),
        ("<p style=\"background:url('cid:a@x')\">", True),
        ("<img src='plan.png'>", True),
        ("<img src = PLAN.PNG >", True),
        ("<td background=plan.png>", True),
        ("<img src='cid:b@x'>", False),
        ("<img src='https://x.example/plan.png'>", False),
        ("<p>plan.png</p>", False),
        ("", False),
        (None, False),
    ],
)
def test_an_image_is_inline_if_the_html_shows_it(source: str | None, shown: bool) -> None:
    image = Attachment("a.png", "image/png", b"x", "a@x", False, "plan.png")
    assert [one.inline for one in mark_inline([image], source)] == [shown]


@pytest.mark.parametrize(
    ("name", "content_type", "shown"),
    [
        ("a", "image/gif", True),
        ("a.PNG", "application/octet-stream", True),
        ("a.pdf", "application/pdf", False),
        ("a.html", "text/html", False),
    ],
)
def test_only_images_are_inline(name: str, content_type: str, shown: bool) -> None:
    file = Attachment(name, content_type, b"x", "a@x", False)
    assert [one.inline for one in mark_inline([file], "<img src=cid:a@x>")] == [shown]


def test_an_image_without_any_name_is_never_inline() -> None:
    image = Attachment("a.png", "image/png", b"x", None, False)
    assert [one.inline for one in mark_inline([image], "<img src=cid:> <img src=''>")] == [False]
