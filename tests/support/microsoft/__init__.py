"""A stand-in for Entra ID and Microsoft Graph mail, over HTTPS on this machine.

Built from Microsoft's documented contract and strict: what a client may not do is refused as Microsoft refuses it, and what it
would get away with there is noted as a violation, which the tests look at.
"""

from tests.support.microsoft.server import Fault, Microsoft, Reply, Request

__all__ = ["Fault", "Microsoft", "Reply", "Request"]
