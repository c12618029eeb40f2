from __future__ import annotations

from typing import Any

from shared.servers.imap_search import LIST_WINDOW, MAX_LISTED, search_range


class Folder:
    """An open folder's SEARCH by UIDs."""

    def __init__(self, *uids: int) -> None:
        self.uids = uids
        self.asked: list[str] = []

    def search(self, criteria: Any) -> list[int]:
        self.asked.append(criteria[1])
        low, high = criteria[1].split(":")
        end = max(self.uids) if high == "*" else int(high)
        return [uid for uid in self.uids if int(low) <= uid <= end]


def test_few_mails_are_one_question_however_high_their_uids_are() -> None:
    """Some servers make UIDs of the time: in pieces of the numbers that would be 85,000 questions."""
    folder = Folder(1_700_000_000, 1_700_000_020, 1_763_000_000)
    assert search_range(folder, 1, 1_763_000_001, 1_763_000_001, 3) == list(folder.uids)
    assert folder.asked == ["1:*"]


def test_of_a_part_of_few_mails_no_more_is_listed_than_was_asked_for() -> None:
    folder = Folder(5, 1_700_000_000, 1_763_000_000)
    assert search_range(folder, 1, 1_700_000_001, 1_763_000_001, 3) == [5, 1_700_000_000]
    assert folder.asked == ["1:1700000001"]


def test_more_mails_than_one_answer_holds_are_asked_for_in_pieces() -> None:
    folder = Folder(*range(1, 50_000))
    assert search_range(folder, 1, 50_000, 50_000, MAX_LISTED + 1) == list(folder.uids)
    assert len(folder.asked) == 50_000 // LIST_WINDOW + 1
