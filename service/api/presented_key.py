"""Where a request holds its key: X-API-Key, a bearer token, or the password of Basic authentication (any user name).

Basic is for programs that know nothing else, such as Excel. Browsers keep such a password and send it along with what
other sites' pages order, so a browser may only read with it.
"""

import base64
import binascii

from fastapi import Request

from service.errors import Forbidden

_READS = ("GET", "HEAD")
_CHALLENGE = 'Bearer realm="fluxgate"'
_BASIC_CHALLENGE = 'Basic realm="fluxgate", charset="UTF-8"'


def presented_key(request: Request) -> str | None:
    """The key as it was sent; None when none was.

    Raises Forbidden: a browser's kept password is to change something.
    """
    key = request.headers.get("X-API-Key")
    if key:
        return key
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    credentials = credentials.strip()
    if scheme.lower() == "bearer":
        return credentials or None
    if scheme.lower() != "basic" or not credentials:
        return None
    if request.method not in _READS and "Origin" in request.headers:
        raise Forbidden(
            "With Basic authentication a browser may only read. Send the key as X-API-Key to change anything."
        )
    return _password(credentials)


def _password(credentials: str) -> str | None:
    """What stands behind the first colon; text that is no Basic credentials counts as a key, which is then refused."""
    try:
        text = base64.b64decode(credentials, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return credentials
    return text.partition(":")[2] or None


def challenges(request: Request) -> str:
    """The value of WWW-Authenticate. Scripts of a page are not offered Basic: the browser would ask with a window."""
    is_script = request.headers.get("Sec-Fetch-Mode", "navigate") != "navigate"
    return _CHALLENGE if is_script else f"{_BASIC_CHALLENGE}, {_CHALLENGE}"
