"""The organisation and its accounts: who is one of us."""

from collections.abc import Iterator
from typing import Any

from snapbase.collect.aws.session import Region
from snapbase.collect.collector import Collector, Where
from snapbase.model import Observation, Resource, ResourceType, Scope


def read(home: Region, _: Scope) -> Iterator[Observation]:
    """The organisation, then every account that is or was being closed in it."""
    organization = home.call("organizations", "DescribeOrganization")["Organization"]
    yield Observation(
        Resource(
            uid=organization["Arn"],
            address=organization["Arn"],
            type=ResourceType.CONTAINER,
            name=organization["Id"],
            owner=organization.get("MasterAccountId"),
            attributes={"features": organization.get("FeatureSet")},
            facts={"organization_id": organization["Id"]},
        )
    )
    for account in home.pages("organizations", "ListAccounts", "Accounts"):
        yield Observation(_account(account, organization["Id"]))


def _account(account: dict[str, Any], organization: str) -> Resource:
    # Status was replaced by State in 2026 (Organizations API reference, Account).
    state = account.get("State") or account.get("Status")
    return Resource(
        uid=account["Arn"],
        address=account["Arn"],
        type=ResourceType.CONTAINER,
        name=account.get("Name"),
        created_at=account.get("JoinedTimestamp"),
        owner=account["Id"],
        attributes={"state": state, "joined": account.get("JoinedMethod"), "paths": sorted(account.get("Paths") or ())},
        facts={"account_id": account["Id"], "organization_id": organization},
    )


COLLECTOR = Collector(
    kind="aws.organizations",
    title="accounts of the organisation",
    where=frozenset({Where.MANAGEMENT}),
    read=read,
    permissions=("organizations:DescribeOrganization", "organizations:ListAccounts"),
    calls="1 + 1 per 20 accounts",
    blind="Service control policies; the accounts behind an organisational unit of another organisation.",
    shares=False,
)
