"""A POST of the report as JSON, signed."""

import hashlib
import hmac
import time
from collections.abc import Iterator

from snapbase import __version__
from snapbase.notify import Channel, Message, NotDelivered, Way, mark
from snapbase.settings import NotifySection

SIGNATURE = "X-Snapbase-Signature"


def signature(key: str, body: bytes, at: int) -> str:
    """`t=1764055020,sha256=…`: HMAC-SHA256 over the time (Unix seconds), a dot, and the body.

    The time is signed too, so that whoever gets it can refuse what somebody else sends once more.
    """
    return f"t={at},sha256={hmac.new(key.encode(), b'%d.' % at + body, hashlib.sha256).hexdigest()}"


def _ways(section: NotifySection) -> Iterator[Way]:
    if section.webhook is not None:
        address = section.webhook.get_secret_value()
        yield Way("webhook", mark("webhook", address), lambda message: _post(section, message))


def _post(section: NotifySection, message: Message) -> None:
    """Any answer of 2xx is a delivery. Nobody is followed elsewhere: the report is for this address only."""
    import requests

    if section.webhook is None:
        return
    headers = {"Content-Type": "application/json", "User-Agent": f"snapbase/{__version__}"}
    if section.key is not None:
        headers[SIGNATURE] = signature(section.key.get_secret_value(), message.body, int(time.time()))
    try:
        answer = requests.post(
            section.webhook.get_secret_value(),
            data=message.body,
            headers=headers,
            timeout=section.timeout,
            allow_redirects=False,
            stream=True,
        )
    except requests.RequestException as error:
        raise NotDelivered(f"failed: {type(error).__name__}") from None
    answer.close()
    if 300 <= answer.status_code < 400:
        raise NotDelivered(f"it redirects ({answer.status_code}), which is not followed: configure where it leads")
    if not 200 <= answer.status_code < 300:
        raise NotDelivered(f"it answered {answer.status_code}")


CHANNEL = Channel("webhook", _ways)
