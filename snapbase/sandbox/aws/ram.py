"""AWS RAM: shares of what moto does not let be shared, such as backup vaults."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from snapbase.sandbox.aws.ec2 import Handler, Parameters, page
from snapbase.sandbox.aws.shelf import shelf
from snapbase.sandbox.aws.wire import Call, Refusal


def create_share(call: Call, parameters: Parameters) -> Mapping[str, Any]:
    """Of anything, with anyone; AWS asks an account outside the organisation to accept it first."""
    arn = f"arn:aws:ram:{call.region}:{call.account}:resource-share/{uuid4()}"
    now = datetime.now(UTC)
    share = {
        "resourceShareArn": arn,
        "name": parameters["name"],
        "owningAccountId": call.account,
        "allowExternalPrincipals": parameters.get("allowExternalPrincipals", True),
        "status": "ACTIVE",
        "creationTime": now,
        "lastUpdatedTime": now,
    }
    associated = {"PRINCIPAL": parameters.get("principals") or (), "RESOURCE": parameters.get("resourceArns") or ()}
    shelf(call, "shares")[arn] = {**share, "associated": associated}
    return {"resourceShare": share}


def delete_share(call: Call, parameters: Parameters) -> Mapping[str, Any]:
    if shelf(call, "shares").pop(parameters["resourceShareArn"], None) is None:
        raise Refusal("UnknownResourceException", "The resource share was not found")
    return {"returnValue": True}


def get_associations(call: Call, parameters: Parameters) -> Mapping[str, Any]:
    wanted = set(parameters.get("resourceShareArns") or ())
    missing = wanted - set(shelf(call, "shares"))
    if missing:
        raise Refusal("UnknownResourceException", f"ResourceShare {min(missing)} could not be found.")
    found = [
        each
        for each in _associations(call, str(parameters["associationType"]))
        if (not wanted or each["resourceShareArn"] in wanted)
        and parameters.get("resourceArn") in (None, each["associatedEntity"])
    ]
    some, following = page(found, parameters, size="maxResults", token="nextToken")
    return {"resourceShareAssociations": some, "nextToken": following}


def _associations(call: Call, kind: str) -> Iterator[dict[str, Any]]:
    for arn, share in sorted(shelf(call, "shares").items()):
        for entity in share["associated"][kind]:
            yield {
                "resourceShareArn": arn,
                "resourceShareName": share["name"],
                "associatedEntity": entity,
                "associationType": kind,
                "status": "ASSOCIATED",
                "creationTime": share["creationTime"],
            }


def handlers() -> dict[str, Handler]:
    """By operation name, as `ram:CreateResourceShare`."""
    return {
        "ram:CreateResourceShare": create_share,
        "ram:DeleteResourceShare": delete_share,
        "ram:GetResourceShareAssociations": get_associations,
    }
