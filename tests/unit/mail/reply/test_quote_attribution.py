import pytest

from shared.mail.reply.quote_attribution import attribution_start, is_lotus_heading

STRONG = [
    "On Mon, May 3, 2021 at 9:02 AM Support <support@desk.example> wrote:",
    "On 5/3/21 9:02 AM, Support wrote:",
    "On Monday, May 3, 2021, Support <support@desk.example> wrote:",
    "Am 03.05.21 um 09:02 schrieb Support:",
    "Am Montag, 3. Mai 2021, 09:02:12 MESZ hat Support <support@desk.example> Folgendes geschrieben:",
    "Support <support@desk.example> schrieb am Mo., 3. Mai 2021, 09:02:",
    "Support schrieb am 03.05.2021 um 09:02:",
    "support@desk.example wrote:",
    "Support <support@desk.example> 于2021年5月3日周一 09:02写道：",
    "2021年5月3日(月) 9:02 Support <support@desk.example>:",
    "2021-05-03 09:02 GMT+02:00 Support <support@desk.example>:",
    "3 May 2021, 09:02 by support@desk.example:",
    "\u202bבתאריך יום ב׳, 3 במאי 2021 ב-9:02 מאת \u202aSupport\u202c\u200f <\u202asupport@desk.example\u202c\u200f>:\u202c",
    "Zitat von Support <support@desk.example>:",
    "---- On Mon, 03 May 2021 09:02:12 +0200 Support <support@desk.example> wrote ----",
    "---- Support wrote ----",
    "*On Mon, May 3, 2021 at 9:02 AM Support <support@desk.example> wrote:*",
]
WEAK = [
    "Support wrote:",
    "Support writes:",
    "Zitat von Support:",
    "qqq <support@desk.example> qqq:",
    "2021/5/3 Support <support@desk.example>",
]
NONE = [
    "On Monday he wrote:",
    "On Monday at 10:30 the customer wrote:",
    "On 3 May the customer wrote:",
    "On 5/3/21 9:02 AM he sent the part, but anna@x.example wrote:",
    "I have asked anna@kunde.example and she wrote:",
    "2021-05-03 09:02:12 postfix: anna@kunde.example:",
    "On 3 May 2021 at 10:30:",
    "Please write to support@desk.example:",
    "wrote:",
    ":",
    "",
    "a" * 5000 + " wrote:",
]


@pytest.mark.parametrize("line", STRONG)
def test_a_full_attribution_is_one_whatever_follows(line: str) -> None:
    assert attribution_start([line], 0, quote_follows=False) == 0


@pytest.mark.parametrize("line", WEAK)
def test_a_short_attribution_is_one_above_a_quote_only(line: str) -> None:
    assert attribution_start([line], 0, quote_follows=True) == 0
    assert attribution_start([line], 0, quote_follows=False) == 1


@pytest.mark.parametrize("line", NONE)
def test_a_sentence_is_no_attribution(line: str) -> None:
    assert attribution_start([line], 0, quote_follows=False) == 1


@pytest.mark.parametrize(
    "lines",
    [
        ["On Mon, May 3, 2021 at 9:02 AM Support", "<support@desk.example> wrote:"],
        ["On Mon, May 3, 2021 at 9:02 AM Support <", "support@desk.example> wrote:"],
        ["On Mon, May 3, 2021 at 9:02 AM Support", "<support@desk.example>", "wrote:"],
        ["Le lundi 3 mai 2021 à 09:02, Support Technique", "<support@desk.example> a", "écrit :"],
        ["Am Montag, den", "03.05.2021 um 09:02 schrieb Support:"][1:],
        ["Support Team <support@desk.example>, 3 May 2021 Pzt, 09:02 tarihinde şunu", "yazdı:"],
    ],
)
def test_a_wrapped_attribution_is_found_whole_and_nothing_above_it(lines: list[str]) -> None:
    above = ["Thanks a lot", ""]
    assert attribution_start(above + lines, len(above + lines) - 1, quote_follows=True) == 2
    assert attribution_start(["Thanks a lot", *lines], len(lines), quote_follows=True) == 1


def test_an_attribution_reaches_no_higher_than_it_may() -> None:
    lines = ["On Mon, May 3, 2021 at 9:02 AM Support", "<support@desk.example> wrote:"]
    assert attribution_start(lines, 1, quote_follows=False, first=1) == 2


def test_the_heading_of_lotus_notes_is_known() -> None:
    assert is_lotus_heading("Support Team ---05/03/2021 09:02:12 AM---Hello Anna, is the printer on?")
    assert not is_lotus_heading("Support Team --- 4711 --- Hello")
