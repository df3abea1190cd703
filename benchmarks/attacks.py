"""Attacks that hide in churn (and a few that do not), each done to the made-up estate on one day."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from benchmarks.estate import FORMER, Estate, Maker, ec2
from snapbase.model import Grant, Principal, PrincipalKind, Resource, Scope

_STRANGER = Grant(Principal(PrincipalKind.ACCOUNT, "999988887777"), "read", "ec2:createVolumePermission")
_EVERYONE = Grant(Principal(PrincipalKind.PUBLIC, "all"), "read", "ec2:createVolumePermission")


@dataclass(frozen=True, slots=True)
class Trace:
    """What a report must name: a uid, an origin or a scope; and how it is undone by those who found it."""

    names: frozenset[str]
    undo: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Attack:
    name: str
    rules: frozenset[str]
    do: Callable[[Estate], Trace]
    wait: int = 0
    """Days until inventory can see it at all."""


def _maker(estate: Estate, start: str, number: int = 0) -> Maker:
    return [each for each in estate.makers if each.scope.kind.startswith(start)][number]


def _live(estate: Estate, maker: Maker, days: float) -> Resource:
    """One of the maker's points that is about so old."""
    wanted = estate.now - timedelta(days=days)
    own = [each.resource for uid, each in estate.there[maker.scope].items() if uid.startswith(f"{maker.name}|")]
    return min(own, key=lambda each: abs((each.created_at or wanted) - wanted))


def _made(estate: Estate, scope: Scope, resource: Resource, grants: frozenset[Grant] = frozenset()) -> Trace:
    estate.add(scope, resource, grants)
    return Trace(frozenset({resource.uid}), lambda: estate.remove(scope, resource.uid))


def _by_hand(estate: Estate) -> Trace:
    maker = _maker(estate, "aws.ec2.snapshot")
    at = estate.now - timedelta(hours=3)
    return _made(estate, maker.scope, ec2(maker, maker.sources[0], at, estate.name()))


def _regrant(estate: Estate, grants: frozenset[Grant], kind: str = "aws.ec2.snapshot") -> Trace:
    maker = _maker(estate, kind)
    victim = _live(estate, maker, 5)
    old = estate.there[maker.scope][victim.uid].grants or frozenset()

    def undo() -> None:
        if victim.uid in estate.there[maker.scope]:
            estate.add(maker.scope, victim, old)

    estate.add(maker.scope, victim, old | grants)
    return Trace(frozenset({victim.uid}), undo)


def _policy(estate: Estate) -> Trace:
    maker = _maker(estate, "aws.ec2.snapshot")
    scope = replace(maker.scope, kind="aws.dlm.policy")
    uid = next(each for each in estate.there[scope] if each.endswith(maker.name[4:]))
    policy = estate.there[scope][uid].resource
    estate.add(scope, policy, frozenset({replace(_STRANGER, mechanism="dlm:ShareRules")}))

    def undo() -> None:
        estate.add(scope, policy)

    return Trace(frozenset({uid, f"origin:{maker.name} cohort:policy"}), undo)


def _borrowed_tag(estate: Estate) -> Trace:
    maker = _maker(estate, "aws.ec2.snapshot")
    tags = {"pipeline": "base-image", "created-by": "scanner"}
    at = estate.now - timedelta(hours=2)
    return _made(estate, maker.scope, ec2(maker, maker.sources[-1], at, estate.name(), tags=tags))


def _swapped(estate: Estate) -> Trace:
    maker = _maker(estate, "gcp.compute.snapshot")
    victim = _live(estate, maker, 11)
    new = replace(
        victim, uid=f"hand|{estate.name()}", created_at=estate.now - timedelta(hours=1), origin=None, facts={}
    )
    estate.remove(maker.scope, victim.uid)
    made = _made(estate, maker.scope, new)
    return replace(made, names=made.names | {victim.uid})


def _one_more(estate: Estate) -> Trace:
    maker = _maker(estate, "aws.ec2.snapshot")
    extra = estate.make(maker, maker.sources[0], estate.now - timedelta(minutes=30))
    return Trace(frozenset({extra.uid}), lambda: None)


def _other_key(estate: Estate) -> Trace:
    maker = _maker(estate, "aws.backup.recovery-point")
    victim = _live(estate, maker, 0)
    changed = replace(victim, key="arn:aws:kms:eu-west-1:999988887777:key/theirs")
    return _made(estate, maker.scope, changed)


def _other_region(estate: Estate) -> Trace:
    maker = _maker(estate, "aws.ec2.snapshot")
    scope = replace(maker.scope, location="ap-south-1")
    copy = maker.build(replace(maker, scope=scope), maker.sources[0], estate.now - timedelta(hours=1), estate.name())
    return _made(estate, scope, copy)


def _deleted_young(estate: Estate, kind: str) -> Trace:
    maker = _maker(estate, kind)
    victim = _live(estate, maker, 2)
    estate.remove(maker.scope, victim.uid)
    return Trace(frozenset({victim.uid}), lambda: None)


def _deleted_all(estate: Estate) -> Trace:
    maker = _maker(estate, "aws.backup.recovery-point")
    gone = [
        each.resource.uid
        for uid, each in list(estate.there[maker.scope].items())
        if uid.startswith(f"{maker.name}|") and each.resource.source == maker.sources[0]
    ]
    for uid in gone:
        estate.remove(maker.scope, uid)
    return Trace(frozenset({*gone, f"origin:{maker.name} cohort:stopped"}), lambda: None)


def _stopped(estate: Estate) -> Trace:
    maker = _maker(estate, "gcp.compute.snapshot")
    maker.off = True

    def undo() -> None:
        maker.off = False

    return Trace(frozenset({f"origin:{maker.name} cohort:stopped"}), undo)


def _blinded(estate: Estate) -> Trace:
    scope = _maker(estate, "azure.compute.snapshot").scope
    estate.denied.add(scope)

    def undo() -> None:
        estate.denied.discard(scope)
        estate.dirty.add(scope)

    return Trace(frozenset({f"scope:{scope.cloud}/{scope.account}/{scope.location}/{scope.kind}"}), undo)


def _left(estate: Estate) -> Trace:
    """The account that an approved share goes to leaves the organisation."""
    account = FORMER.principal.id
    estate.members.discard(account)
    held = {
        uid for there in estate.there.values() for uid, each in there.items() if each.grants and FORMER in each.grants
    }

    def undo() -> None:
        for scope, there in estate.there.items():
            for uid in held & there.keys():
                estate.add(scope, there[uid].resource, (there[uid].grants or frozenset()) - {FORMER})

    return Trace(frozenset(held), undo)


def _new_source(estate: Estate) -> Trace:
    maker = _maker(estate, "aws.backup.recovery-point")
    secret = "aws.backup.recovery-point/payroll"
    point = estate.make(maker, secret, estate.now - timedelta(hours=2))
    return Trace(frozenset({point.uid}), lambda: estate.remove(maker.scope, point.uid))


def _opened(estate: Estate) -> Trace:
    maker = _maker(estate, "azure.compute.snapshot")
    victim = _live(estate, maker, 0)
    return _made(
        estate, maker.scope, replace(victim, attributes={**victim.attributes, "network_access_policy": "AllowAll"})
    )


ATTACKS = (
    Attack("snapshot by hand at backup time", frozenset({"snapshot-appeared"}), _by_hand),
    Attack(
        "an old snapshot shared", frozenset({"unknown-account-share"}), lambda e: _regrant(e, frozenset({_STRANGER}))
    ),
    Attack("an old snapshot made public", frozenset({"public-share"}), lambda e: _regrant(e, frozenset({_EVERYONE}))),
    Attack("ShareRules added to a policy", frozenset({"standing-share"}), _policy),
    Attack("tags of a cohort borrowed", frozenset({"snapshot-appeared", "origin-violated"}), _borrowed_tag),
    Attack("re-created under an approved name", frozenset({"snapshot-replaced"}), _swapped),
    Attack("one extra snapshot with the policy's tags", frozenset({"origin-violated"}), _one_more),
    Attack("encrypted with a foreign key", frozenset({"origin-violated", "foreign-key"}), _other_key),
    Attack("copied to a region nobody uses", frozenset({"origin-violated", "snapshot-appeared"}), _other_region),
    Attack(
        "a young recovery point deleted",
        frozenset({"early-deletion"}),
        lambda e: _deleted_young(e, "aws.backup.recovery-point"),
    ),
    Attack("a young DLM snapshot deleted", frozenset({"early-deletion"}), lambda e: _deleted_young(e, "aws.ec2")),
    Attack("every restore point of one source deleted", frozenset({"early-deletion"}), _deleted_all),
    Attack("a schedule switched off", frozenset({"backup-stopped"}), _stopped, wait=2),
    Attack("the collector's role taken away", frozenset({"coverage-lost"}), _blinded),
    Attack("an account leaves with a share", frozenset({"trust-lost"}), _left),
    Attack("another volume put under a plan", frozenset({"origin-violated"}), _new_source),
    Attack("a new snapshot opened to all networks", frozenset({"network-exposure", "origin-violated"}), _opened),
)
INVISIBLE = (
    "shared, copied and unshared between two runs",
    "a SAS minted and revoked between two runs",
    "blocks read through the EBS direct APIs",
    "an export or a point-in-time restore, which leaves no snapshot",
)
"""Left to the rules on audit events."""
