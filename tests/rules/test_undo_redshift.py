"""The command that takes a Redshift share back."""

from dataclasses import replace

from snapbase.exposure import Exposure
from snapbase.model import Access, Grant, Principal, PrincipalKind, Scope
from snapbase.rules.example import shared
from snapbase.rules.undo import unshare
from snapbase.trust import TrustClass


def test_a_redshift_share_is_revoked_by_cluster_and_name() -> None:
    address = "arn:aws:redshift:eu-west-1:111122223333:snapshot:sales/monthly"
    change = shared(
        PrincipalKind.ACCOUNT,
        "999988887777",
        TrustClass.UNKNOWN,
        scope=Scope("aws", "111122223333", "eu-west-1", "aws.redshift.snapshot"),
        address=address,
    )
    assert isinstance(change.exposure, Exposure)
    grant = Grant(Principal(PrincipalKind.ACCOUNT, "999988887777"), Access.RESTORE, "redshift:restore")

    assert unshare(replace(change, exposure=replace(change.exposure, grant=grant))) == (
        "aws redshift revoke-snapshot-access --snapshot-identifier monthly --snapshot-cluster-identifier sales"
        " --account-with-restore-access 999988887777 --region eu-west-1"
    )
