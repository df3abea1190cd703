"""Chat, mail, pagers: whatever `apprise` has a plug-in for (github.com/caronc/apprise). One message for people each."""

import logging
import re
from collections.abc import Iterator

from pydantic import SecretStr

from snapbase.notify import Channel, Message, NotDelivered, Send, Way, mark
from snapbase.settings import NotifySection

_SCHEME = re.compile("^([a-z][a-z0-9]{1,15})://")


def _ways(section: NotifySection) -> Iterator[Way]:
    for number, each in enumerate(section.services, start=1):
        yield Way(_name(number, each), mark("service", each.get_secret_value()), _sender(each))


def _name(number: int, address: SecretStr) -> str:
    scheme = _SCHEME.match(address.get_secret_value().lower())
    return f"service {number} ({scheme[1]})" if scheme else f"service {number}"


def _sender(address: SecretStr) -> Send:
    return lambda message: _send(address, message)


def _send(address: SecretStr, message: Message) -> None:
    """What apprise logs can have addresses in it, so nothing of that is let out.

    Its own deadline is off: it would be kept by threads that the end of the process waits for.
    """
    try:
        import apprise
    except ImportError:
        raise NotDelivered("apprise is not installed: pip install 'snapbase[notify]'") from None
    log = logging.getLogger("apprise")
    log.propagate, log.disabled = False, True
    asset = apprise.AppriseAsset(
        app_id="snapbase",
        app_desc="snapbase",
        async_mode=False,
        http_redirects=False,
        interpret_emojis=False,
        storage_mode="memory",
        allow_templates=False,
        secure_logging=True,
        service_timeout=0,
    )
    told = apprise.Apprise(asset=asset)
    if not told.add(address.get_secret_value()):
        raise NotDelivered("its address is none that apprise knows")
    for service in told:
        # Left to the service, a message that is longer than it takes would be refused again and again.
        if service.overflow_mode == apprise.OverflowMode.UPSTREAM:
            service.overflow_mode = apprise.OverflowMode.SPLIT
    taken = told.notify(
        title=message.subject,
        body=message.text,
        body_format=apprise.NotifyFormat.TEXT,
        notify_type=apprise.NotifyType.WARNING,
    )
    if not taken:
        raise NotDelivered("the service did not take it")


CHANNEL = Channel("services", _ways)
