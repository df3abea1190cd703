"""Defects that were read in other tools, shown not to be here: those that need no cloud, and those that are proven.

The second part maps a defect to the test that proves it; a test that is renamed or removed takes its line along.
"""

from datetime import date
from importlib import import_module

import pytest
from pydantic import ValidationError

from snapbase.audit.cloudtrail import AUDIT_LOG
from snapbase.collect.collector import collectors
from snapbase.event import Action, Event
from snapbase.model import Principal, PrincipalKind
from snapbase.settings import TrustedAccount
from snapbase.trust import TrustClass, TrustedEntry, TrustList
from tests.audit.cloudtrail_records import OTHER, SNAPSHOT, record

DAY = date(2026, 11, 25)
STRANGER = Principal(PrincipalKind.ACCOUNT, "999988887777")
KINDS = {
    "aws": (
        "aws.backup.recovery-point",
        "aws.backup.vault",
        "aws.ec2.image",
        "aws.ec2.incoming-image",
        "aws.ec2.incoming-snapshot",
        "aws.ec2.recycled-snapshot",
        "aws.ec2.region-settings",
        "aws.ec2.snapshot",
        "aws.ec2.snapshot-lock",
        "aws.elasticache.snapshot",
        "aws.fsx.backup",
        "aws.lightsail.snapshot",
        "aws.memorydb.snapshot",
        "aws.rds.cluster-snapshot",
        "aws.rds.snapshot",
        "aws.redshift-serverless.snapshot",
        "aws.redshift.snapshot",
    ),
    "azure": ("azure.compute.gallery", "azure.compute.restore-point", "azure.compute.snapshot", "azure.rbac"),
    "gcp": (
        "gcp.compute.disk",
        "gcp.compute.image",
        "gcp.compute.instant-snapshot",
        "gcp.compute.machine-image",
        "gcp.compute.snapshot",
        "gcp.iam",
    ),
}


@pytest.mark.parametrize("cloud", sorted(KINDS))
def test_whatever_can_be_taken_home_is_a_kind(cloud: str) -> None:
    """IAM Access Analyzer knows three snapshot types; nobody read here asks for a GCP snapshot's IAM policy."""
    assert set(KINDS[cloud]) <= {each.kind for each in collectors(cloud)}


def _judged(entry: TrustedEntry, *, kind: str = "aws.ec2.snapshot", source: str = "") -> TrustClass:
    judged = TrustList(entries=(entry,)).judge(STRANGER, account="1", kind=kind, on=DAY, source=source)
    return judged.trust


def test_an_exception_is_matched_whole() -> None:
    """Prowler: the mute entry `logs` matches every bucket that has it in its name."""
    kinds = TrustedEntry(STRANGER.id, kinds=("snapshot", "aws.ec2"))
    sources = TrustedEntry(STRANGER.id, sources=("vol-1", "ol-1*"))

    assert _judged(kinds) == TrustClass.UNKNOWN
    assert _judged(sources, source="vol-12") == TrustClass.UNKNOWN
    assert _judged(sources, source="vol-1") == TrustClass.TRUSTED
    assert _judged(TrustedEntry(STRANGER.id[:-1])) == TrustClass.UNKNOWN


@pytest.mark.parametrize("key", ["*", "?", "", " ", "99998888 7777"])
def test_nobody_in_particular_cannot_be_trusted(key: str) -> None:
    """IAM Access Analyzer: an archive rule takes any value, one that can be no account too."""
    with pytest.raises(ValidationError):
        TrustedAccount(id=key, reason="all of them")


@pytest.mark.parametrize("kind", [PrincipalKind.PUBLIC, PrincipalKind.AUTHENTICATED])
@pytest.mark.parametrize("key", ["all", "allUsers", "allAuthenticatedUsers"])
def test_everyone_cannot_be_trusted(kind: str, key: str) -> None:
    """Cloud Custodian subtracts its allow list from the holders: `all` on it makes public fine."""
    everyone = TrustList(entries=(TrustedEntry(key),)).judge(Principal(kind, key), account="1", kind="k", on=DAY)

    assert everyone.trust == TrustClass.ANYONE


def _parsed(request: dict[str, object]) -> Event:
    event = AUDIT_LOG.parse(record("ec2", "ModifySnapshotAttribute", {"snapshotId": SNAPSHOT, **request}))
    assert isinstance(event, Event), event
    return event


@pytest.mark.parametrize(
    "request_",
    [
        {"productCodes": {"items": [{"productCode": "abc"}]}, "attributeType": "PRODUCT_CODES"},
        {"attributeType": "CREATE_VOLUME_PERMISSION", "createVolumePermission": {"add": {"items": []}}},
    ],
)
def test_a_change_of_something_else_is_no_share(request_: dict[str, object]) -> None:
    """Sigma: the rule on ModifySnapshotAttribute fires for product codes."""
    event = _parsed(request_)

    assert (event.action, event.targets) == (Action.MODIFY, ())


@pytest.mark.parametrize(
    ("way", "holder", "action"),
    [
        ("add", {"userId": OTHER}, Action.SHARE),
        ("add", {"group": "all"}, Action.SHARE),
        ("remove", {"userId": OTHER}, Action.UNSHARE),
    ],
)
def test_sharing_publishing_and_taking_back_are_told_apart(way: str, holder: dict[str, str], action: str) -> None:
    """Elastic retired its rule: one event name stood for an account added, everyone added and both removed."""
    event = _parsed({"createVolumePermission": {way: {"items": [holder]}}, "attributeType": "CREATE_VOLUME_PERMISSION"})

    kinds = {PrincipalKind.PUBLIC} if "group" in holder else {PrincipalKind.ACCOUNT}
    assert (event.action, {each.kind for each in event.targets}) == (action, kinds)


PROVEN = {
    "Prowler: access denied passes as not public": (
        "test_faults.test_a_refusal_is_lost_coverage_and_nothing_else",
        "collect.aws.test_aws_trouble.test_unread_sharing_is_a_miss_and_never_not_shared",
        "collect.aws.test_aws_least_privilege.test_without_one_action_something_is_lost_and_nothing_reads_as_clean",
    ),
    "Prowler: a role without GetSnapshotBlockPublicAccessState is a line in a log": (
        "collect.aws.test_aws_snapshots.test_an_unreadable_setting_hides_no_other_and_is_not_half_reported",
    ),
    "Prowler: `except Exception: pass` around every thread": (
        "collect.test_engine.test_a_bug_in_one_scope_is_raised_after_all_others_were_read",
    ),
    "Prowler: looks for `all` in a cluster snapshot and says that it is not shared": (
        "collect.aws.test_aws_rds.test_cluster_snapshots_with_a_public_and_an_account_grant",
    ),
    "Prowler: a GCP image is public to allAuthenticatedUsers only": (
        "collect.gcp.test_gcp_kinds.test_every_sort_of_principal_can_hold_a_grant",
    ),
    "Prowler: mutes without an end": (
        "test_evidence_cli.test_what_an_ended_approval_let_through_returns_and_says_who_let_it",
    ),
    "Prowler: trusted accounts count for no snapshot check": ("test_trust.test_classes",),
    "Cartography: a 403 in one place wipes what was known of it": (
        "store.test_record.test_a_listing_that_failed_does_not_make_a_scope_look_empty",
        "store.test_record.test_an_account_that_cannot_be_entered_loses_every_scope_and_deletes_nothing",
        "test_faults.test_a_closed_door_hides_nothing_behind_it",
    ),
    "Cartography: whom a snapshot is shared with is thrown away, only public is kept": (
        "collect.aws.test_aws_theft.test_sharing_of_snapshots_before_and_after",
    ),
    "Cartography: a changed row is a new one and a missing one": (
        "test_diff.test_each_attribute_is_an_entry_of_its_own",
    ),
    "Cartography: an Azure error is an empty list": (
        "collect.azure.test_azure_kinds.test_a_refused_list_is_an_outcome_and_never_empty",
        "collect.azure.test_azure_session.test_an_answer_without_a_list_is_not_an_empty_list",
    ),
    "Cartography: of snapshots shared with us only those in use": (
        "collect.aws.test_ec2_exits.test_snapshots_shared_with_us_are_those_of_others",
        "collect.aws.test_rds_incoming.test_those_that_name_us_and_no_others",
    ),
    "Cloud Custodian, ScoutSuite: NotFound between list and attribute breaks the chunk or the region": (
        "collect.aws.test_aws_snapshots.test_a_snapshot_gone_between_list_and_sharing_is_not_reported",
        "collect.gcp.test_gcp_kinds.test_one_that_vanished_before_its_policy_was_read_is_left_out",
        "collect.azure.test_azure_kinds.test_what_is_deleted_between_two_calls_is_skipped",
    ),
    "Cartography: cleaning up after a list that ended early": (
        "store.test_record.test_what_was_not_listed_is_never_gone",
    ),
    "c7n-org: an account that failed exits with 0, or stops the others": (
        "collect.test_engine.test_an_account_that_cannot_be_entered_is_one_gap",
        "test_faults.test_a_closed_door_hides_nothing_behind_it",
    ),
    "c7n-org: `region all` ends at a region that is off": (
        "collect.aws.test_aws_trouble.test_a_list_in_trouble_is_never_an_empty_one",
        "collect.aws.test_aws_targets.test_all_regions_that_an_account_has_enabled_are_read",
    ),
    "Cloud Custodian: organisations and units in the permissions of an image": (
        "collect.aws.test_aws_snapshots.test_image_shared_with_an_organisation_and_a_unit",
    ),
    "Cloud Custodian: no sharing filter for Azure and GCP snapshots": (
        "collect.azure.test_azure_snapshot.test_direct_assignments_by_kind_of_principal",
        "collect.gcp.test_gcp_collect.test_the_story_is_seen_as_it_is_told",
    ),
    "ScoutSuite: nothing is retried when it is throttled": (
        "collect.test_limit.test_a_call_is_retried_while_the_error_may_pass",
        "collect.aws.test_aws_snapshots.test_throttled_once_then_everything",
    ),
    "Security Monkey: throttling is retried for ever": ("collect.test_limit.test_a_call_is_given_up_in_time",),
    "Steampipe: with `ignore_error_codes` what was not read looks clean": (
        "collect.test_engine.test_a_kind_that_is_skipped_though_it_held_something_is_a_hole",
        "report.test_reports.test_what_was_not_read_is_never_called_clean",
    ),
    "Steampipe: a GCP error is given back as data": (
        "collect.gcp.test_gcp_kinds.test_sharing_that_cannot_be_read_is_unknown_and_the_rest_is_still_read",
    ),
    "Steampipe: a deny from above is told as any AccessDenied": (
        "collect.aws.test_aws_trouble.test_what_denies_from_above_is_named",
    ),
    "driftctl: an error and drift had one exit code": ("test_faults.test_a_refusal_is_lost_coverage_and_nothing_else",),
    "CloudQuery: a list that failed is an empty table": (
        "collect.aws.test_aws_trouble.test_a_list_in_trouble_is_never_an_empty_one",
        "collect.gcp.test_gcp_kinds.test_no_refusal_is_an_empty_list",
    ),
    "Fix Inventory: the permissions of EBS snapshots and images are not read": (
        "collect.aws.test_aws_theft.test_sharing_of_snapshots_before_and_after",
        "collect.aws.test_aws_theft.test_sharing_of_an_image_and_a_database",
    ),
    "IAM Access Analyzer: archived without a reason, and by rules that nobody reviews": (
        "store.test_evidence.test_what_nobody_touched_verifies",
        "detecting.test_approved.test_an_approval_with_an_end_ends",
    ),
    "IAM Access Analyzer: another condition is another finding and the old one is resolved": (
        "test_diff.test_grants_added_removed_and_on_other_terms",
    ),
    "IAM Access Analyzer: a key that cannot be read is an error of its own, and says nothing of the share": (
        "test_exposure.test_a_key_that_was_not_read_leaves_the_effect_unknown",
    ),
    "IAM Access Analyzer: an export to S3 counts as trusted": (
        "collect.aws.test_ec2_exits.test_images_written_to_s3_name_the_buckets",
    ),
    "RDS lists leave out what AWS Backup made": (
        "collect.aws.test_rds_types.test_snapshots_of_aws_backup_are_read_in_a_pass_of_their_own",
    ),
    "CloudMapper: a vendor's name from a public list becomes trust": (
        "test_trust.test_a_vendors_name_is_a_label_and_no_trust",
    ),
    "detect-secrets: a baseline written again differs though nothing changed": (
        "test_evidence_cli.test_an_exported_state_is_what_the_next_run_elsewhere_is_compared_with",
    ),
    "osquery: every consumer has to tell by itself that a first scan is no news": (
        "test_diff.test_new_is_a_fact_only_where_absence_was_one",
    ),
    "Elastic: whatever a backup service does is dropped as noise": (
        "audit.test_azure_fetch.test_the_backup_service_is_one_and_no_tag_makes_it",
        "rules.test_detections.test_a_schedule_that_shares_with_a_stranger_is_no_excuse",
    ),
    "Azure rules: a live link, the network policy and roles are judged apart": (
        "collect.azure.test_azure_snapshot.test_what_the_network_settings_do_to_a_link",
        "collect.azure.test_azure_snapshot.test_every_state_with_a_readable_link_counts",
    ),
}


@pytest.mark.parametrize(("defect", "proof"), [(defect, proof) for defect, found in PROVEN.items() for proof in found])
def test_what_proves_that_a_defect_is_not_here_is_still_there(defect: str, proof: str) -> None:
    """A defect read elsewhere stays mapped to the test which shows that it is not here."""
    module, _, name = proof.rpartition(".")

    assert callable(getattr(import_module(f"tests.{module}"), name, None)), f"{defect}: {proof} is gone"
