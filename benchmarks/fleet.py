"""A made-up fleet: as many snapshots as wanted, the same ones every time, one in twenty shared."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from snapbase.model import (
    Aspect,
    Coverage,
    Grant,
    Observation,
    Outcome,
    Principal,
    PrincipalKind,
    Reading,
    Resource,
    Scope,
)

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
_OUTSIDER = Grant(Principal(PrincipalKind.ACCOUNT, "999988887777"), "read", "ec2:createVolumePermission")


def scopes(number: int) -> list[Scope]:
    return [Scope("aws", f"{each // 20:012}", f"region-{each % 20}", "aws.ec2.snapshot") for each in range(number)]


def snapshot(scope: Scope, number: int, edition: int = 0) -> Observation:
    """About half a kilobyte, as EC2 describes one; another `edition` has another tag."""
    uid = f"arn:aws:ec2:{scope.location}:{scope.account}:snapshot/snap-{number:017x}"
    return Observation(
        Resource(
            uid=uid,
            address=uid,
            name=f"nightly-{number}",
            created_at=EPOCH + timedelta(minutes=number % 100_000),
            owner=scope.account,
            source=f"vol-{number // 50:017x}",
            origin="schedule:policy-0123456789abcdef0",
            encrypted=True,
            key=f"arn:aws:kms:{scope.location}:{scope.account}:key/0",
            guards=(f"arn:aws:kms:{scope.location}:{scope.account}:key/0",),
            attributes={"state": "completed", "tier": "standard"},
            facts={"size_gib": number % 500, "description": "made by a lifecycle policy"},
            tags={"Name": f"nightly-{number}", "team": "storage", "edition": str(edition)},
        ),
        frozenset({_OUTSIDER}) if number % 20 == 0 else frozenset(),
    )


def reading(scope: Scope, size: int, turn: int, changed: int = 0) -> Reading:
    """The scope's whole list in the hour `turn`; its first `changed` snapshots are of another edition."""
    found = [snapshot(scope, number, turn if number < changed else 0) for number in range(size)]
    complete = tuple(Coverage(scope, aspect, Outcome.COMPLETE) for aspect in (Aspect.LIST, Aspect.SHARING))
    return Reading(scope, EPOCH + timedelta(hours=turn), found, complete)


def readings(number: int, size: int, turn: int, changed: int = 0) -> Iterator[Reading]:
    """`number` scopes of `size` snapshots, one at a time; `changed` in all are of another edition."""
    for position, scope in enumerate(scopes(number)):
        share = changed * (position + 1) // number - changed * position // number
        yield reading(scope, size, turn, share)
