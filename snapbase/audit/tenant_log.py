"""`azure.tenant-log`: what is done above subscriptions, in the directory's own Activity Log.

Chiefly `elevateAccess`, by which a global administrator takes every subscription, and roles given at management groups.
Whoever has Reader at the scope `/providers/Microsoft.Insights` may read it ("Elevate access to manage all Azure
subscriptions and management groups", learn.microsoft.com); a role at a subscription or management group does not do.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Final

from snapbase.audit import activity_log  # not its AUDIT_LOG: whatever module has one is a log
from snapbase.audit.azure_fetch import Classify, Pages
from snapbase.audit.azure_fetch import fetch as _fetch
from snapbase.audit.log import AuditLog, Behaviour, Fetched, Source
from snapbase.event import Action
from snapbase.model import Miss, Outcome

_GRANT: Final = "assign Reader at the scope /providers/Microsoft.Insights to the collector's identity"

AUDIT_LOG = AuditLog(
    name="azure.tenant-log",
    cloud="azure",
    title="Azure tenant's Activity Log",
    recognise=lambda _: False,  # its records are the other log's, by every field
    parse=activity_log.parse,
    fold=activity_log.fold,
    behaviours=(
        Behaviour(Action.SHARE, ("Microsoft.Authorization/elevateAccess/action",), seen=False),
        Behaviour(
            Action.SHARE,
            (
                "Microsoft.Authorization/roleAssignments/write",
                "Microsoft.Authorization/roleEligibilityScheduleRequests/write",
            ),
            seen=False,
        ),
        Behaviour(Action.UNSHARE, ("Microsoft.Authorization/roleAssignments/delete",), seen=False),
    ),
    blind="Roles of the directory itself (Global Administrator), which Microsoft Entra's audit log has; sign-ins.",
    latency="3 to 20 minutes.",
    beside=True,
)


def fetch(pages: Pages, classify: Classify, tenant: str, since: datetime, until: datetime) -> Iterator[Fetched]:
    """As a subscription's log. Its events are of no subscription: they explain what is seen in any of them."""

    def judge(error: BaseException) -> Miss | None:
        miss = classify(error)
        if miss is None or miss.outcome != Outcome.DENIED:
            return miss
        return Miss(miss.outcome, f"the tenant's Activity Log is denied, elevateAccess is not seen: {_GRANT}")

    for each in _fetch(pages, judge, "", since, until):
        yield replace(each, source=Source(AUDIT_LOG.name, tenant, activity_log.REGION))
