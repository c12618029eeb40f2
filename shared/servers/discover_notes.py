"""What discovery says to a person, in whole sentences. No text of a server is among them."""

from __future__ import annotations

DNS_TROUBLE = {
    "no_such_name": "DNS knows no domain {domain}. Check the spelling of the address.",
    "silent": "DNS did not answer in time, so little is known about {domain}. Try again, or fill in the form by hand.",
    "refused": "The name servers of {domain} do not answer properly just now. Try again later, or fill in the form.",
    "odd": "DNS gives answers for {domain} that make no sense. Fill in the form by hand.",
}
NOTHING = "No mail server was found for {domain}. Ask its provider for the server's name, and fill in the form."
BUSY = "Too many addresses are being looked up just now. Try again in a moment, or fill in the form."
NO_DOMAIN = "{domain} is no domain that DNS could be asked about. Fill in the form by hand."
NO_MAIL = "{domain} says in DNS that it takes no mail (null MX). Check the address."
NO_MX = "{domain} names no server for its mail in DNS (no MX)."
FILTER = "Mail to {domain} passes through {filter} first, so DNS does not say where the mailbox is."
MICROSOFT_SILENT = "Microsoft could not be asked whether {domain} is at Microsoft 365. If it is, choose Office 365."
TENANT_LIKELY = "{domain} signs in at Microsoft, so the mailbox is probably at Microsoft 365. Sign in there."
TENANT_ALSO = "{domain} also signs in at Microsoft. If the mailbox is at Microsoft 365, choose Office 365 instead."
NO_SERVICE = "{domain} says in DNS that it offers no {service}."
ELSEWHERE = "{host} is not part of {domain}. Check that it belongs to your provider before you give it a password."
CLEAR = "{host} is named without encryption: passwords and mail would cross the internet readable."
BAD_FILE = "The mail settings that {host} publishes cannot be used."
USUAL = "These are the usual servers of this provider; none of them could be reached from here just now."
SLOW = "{host}:{port} does not answer."
DNS_PARTLY = "Not all that DNS says about {domain} could be read, so something may be missing."
INTERNAL = "{host} does not point to a public server. It was not asked."
