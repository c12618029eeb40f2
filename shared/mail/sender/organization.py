"""Which domains belong together: organizational domains and relaxed alignment (RFC 7489 sections 3.1 and 3.2)."""

from functools import cache

from publicsuffixlist import PublicSuffixList

from shared.mail.address import addr_spec


@cache
def _suffixes() -> PublicSuffixList:
    # The list comes with the package; reading it takes 50 ms, so only once and only when a mail needs it.
    return PublicSuffixList()


def ascii_domain(text: str) -> str:
    """The domain in ASCII (IDNA 2008), lower-case, of a domain or an address; "" if there is none."""
    spec = addr_spec("x@" + text.rpartition("@")[2].strip(" <>").removesuffix("."))
    return spec.rpartition("@")[2] if spec else ""


def organizational_domain(domain: str) -> str:
    """The part of a domain that somebody registered: ``mail.example.co.uk`` → ``example.co.uk``. A public suffix
    (``co.uk``), a name without dots and an address in numbers stand for themselves. ``domain``: as of ``ascii_domain``.
    """
    if domain.startswith("[") or domain.rpartition(".")[2].isdigit():
        return domain
    return _suffixes().privatesuffix(domain) or domain


def aligned(domain: str, sender_domain: str) -> bool:
    """Whether both domains have one owner: relaxed alignment. Both as of ``ascii_domain``."""
    if not domain or not sender_domain:
        return False
    return domain == sender_domain or organizational_domain(domain) == organizational_domain(sender_domain)
