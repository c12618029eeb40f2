"""A certified OpenID provider in the place of Entra ID, and somebody at a browser who signs in there."""

from tests.support.oidc.browser import Browser as Browser
from tests.support.oidc.provider import Account as Account
from tests.support.oidc.provider import Client as Client
from tests.support.oidc.provider import Provider as Provider
from tests.support.oidc.provider import missing as missing
