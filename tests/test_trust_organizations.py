"""Organisations as policies name them: by ARN, by id alone, or by a path of units."""

from datetime import date

import pytest

from snapbase.model import Principal, PrincipalKind
from snapbase.trust import TrustClass, TrustList


@pytest.mark.parametrize(
    ("kind", "key", "trust"),
    [
        (PrincipalKind.ORGANIZATION, "arn:aws:organizations::111122223333:organization/o-ours123456", TrustClass.ORG),
        (PrincipalKind.ORGANIZATION, "o-ours123456", TrustClass.ORG),
        (PrincipalKind.ORGANIZATIONAL_UNIT, "o-ours123456/r-ab12/ou-ab12-11111111/*", TrustClass.ORG),
        (PrincipalKind.ORGANIZATION, "o-theirs1234", TrustClass.UNKNOWN),
        (PrincipalKind.ORGANIZATION, "o-ours123456789", TrustClass.UNKNOWN),
        (PrincipalKind.ORGANIZATIONAL_UNIT, "o-theirs1234/r-ab12/o-ours123456", TrustClass.UNKNOWN),
        (PrincipalKind.ORGANIZATION, "xo-ours123456", TrustClass.UNKNOWN),
    ],
)
def test_ours_by_whichever_form(kind: str, key: str, trust: TrustClass) -> None:
    ours = TrustList(organizations=frozenset({"o-ours123456"}))

    judged = ours.judge(Principal(kind, key), account="", kind="aws.redshift.snapshot", on=date(2026, 11, 25))

    assert judged.trust == trust
