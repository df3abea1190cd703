"""Which scopes an event of an audit log may have changed."""

from dataclasses import replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

import pytest

from snapbase.collect.collector import collectors
from snapbase.event import Action, Actor, Event, Result
from snapbase.model import Scope
from snapbase.operations import touching
from snapbase.operations.touching import touched

EVENT = Event(
    cloud="aws",
    id="1",
    at=datetime(2026, 11, 1, tzinfo=UTC),
    name="ec2:ModifySnapshotAttribute",
    action=Action.SHARE,
    actor=Actor("eve"),
    account="111122223333",
    region="eu-west-1",
)
PLACES = [
    Scope(cloud, EVENT.account, location, each.kind)
    for cloud, locations in (("aws", ("eu-west-1", "us-east-1", "global")), ("gcp", ("global", "eu-west-1")))
    for location in locations
    for each in collectors(cloud)
] + [Scope("azure", EVENT.account, "global", each.kind) for each in collectors("azure")]


@pytest.mark.parametrize(
    ("fields", "kinds"),
    [
        ({"subjects": ("arn:aws:ec2:eu-west-1::snapshot/snap-1",)}, {"aws.ec2.snapshot"}),
        ({"subjects": ("arn:aws:ec2:eu-west-1::snapshot/snap-1/lock",)}, {"aws.ec2.snapshot-lock"}),
        (
            {"subjects": ("arn:aws:ec2:eu-west-1::snapshot/snap-1",), "action": Action.DELETE},
            {"aws.ec2.snapshot", "aws.ec2.recycled-snapshot"},
        ),
        ({"subjects": ("arn:aws:rds:eu-west-1:1:snapshot:x",)}, {"aws.rds.snapshot"}),
        (
            {"subjects": ("arn:aws:rds:eu-west-1:1:cluster-snapshot:x",), "action": Action.EXPORT},
            {"aws.rds.cluster-snapshot", "aws.rds.export-task"},
        ),
        ({"subjects": ("arn:aws:kms:eu-west-1:1:key/1",)}, {"aws.kms.key"}),
        (
            {"subjects": ("arn:aws:ec2:eu-west-1:1:region-settings/default-key",), "action": Action.POLICY},
            {"aws.ec2.region-settings"},
        ),
        ({"subjects": ("arn:",)}, {each.kind for each in collectors("aws") if each.kind.startswith("aws.ec2.")}),
        ({"name": "organizations:CreateAccount", "action": Action.POLICY}, {"aws.organizations"}),
        ({"subjects": ("arn:aws:ec2:eu-west-1::snapshot/snap-1",), "result": Result.DENIED}, set()),
        ({"subjects": ("arn:aws:ec2:eu-west-1::snapshot/snap-1",), "action": Action.RESTORE}, set()),
        ({"subjects": ("arn:aws:ec2:eu-west-1::snapshot/snap-1",), "account": "999988887777"}, set()),
        (
            {
                "cloud": "azure",
                "region": "global",
                "name": "Microsoft.Authorization/roleAssignments/write",
                "subjects": ("/subscriptions/s/resourcegroups/g/providers/microsoft.compute/snapshots/x",),
            },
            {"azure.compute.snapshot", "azure.rbac", "azure.rbac.eligible"},
        ),
        (
            {"cloud": "gcp", "subjects": ("//compute.googleapis.com/projects/p/global/machineImages/x",)},
            {"gcp.compute.machine-image"},
        ),
        (
            {"cloud": "gcp", "subjects": ("projects/p/locations/eu/keyRings/r/cryptoKeys/k",), "action": Action.POLICY},
            {"gcp.kms.key"},
        ),
    ],
)
def test_what_an_event_touches(fields: dict[str, Any], kinds: set[str]) -> None:
    assert {scope.kind for scope in touched([replace(EVENT, **fields)], PLACES)} == kinds


def test_every_kind_that_an_address_may_have_exists() -> None:
    every = {each.kind for cloud in ("aws", "azure", "gcp") for each in collectors(cloud)}
    named = {kind for _, kinds in touching._KINDS for kind in kinds} | {
        kind for kinds in touching._SERVICES.values() for kind in kinds
    }

    assert all(any(fnmatchcase(kind, name) for kind in every) for name in named)
