"""EC2 operations that moto lacks or answers unlike AWS, on moto's own state."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from moto.ec2.models import ec2_backends
from moto.kms.models import kms_backends
from moto.organizations.models import organizations_backends

from snapbase.sandbox.aws.wire import Call, Refusal

Parameters = Mapping[str, Any]
Handler = Callable[[Call, Parameters], Mapping[str, Any] | None]
"""Answers one operation, or returns None to let moto answer; raises `Refusal`."""

_BLOCK_NONE = "unblocked"


def _backend(call: Call) -> Any:
    return ec2_backends[call.account][call.region]


def _settings(call: Call) -> dict[str, str]:
    """Region-wide settings moto has no place for, kept on its backend so that a reset forgets them too."""
    backend = _backend(call)
    if not hasattr(backend, "region_settings"):
        backend.region_settings = {"snapshot": _BLOCK_NONE, "image": _BLOCK_NONE}
    settings: dict[str, str] = backend.region_settings
    return settings


def page(items: Sequence[Any], parameters: Parameters, *, size: str, token: str) -> tuple[Sequence[Any], str | None]:
    """One page and the token of the next, as `parameters` ask for it."""
    start = int(parameters.get(token) or 0)
    limit = int(parameters.get(size) or 0)
    end = start + limit if limit else len(items)
    return items[start:end], str(end) if end < len(items) else None


def describe_snapshots(call: Call, parameters: Parameters) -> dict[str, Any]:
    if parameters.get("SnapshotIds") and parameters.get("MaxResults"):
        raise Refusal("InvalidParameterCombination", "The parameter SnapshotIds cannot be used with MaxResults")
    found = [
        snapshot
        for account in list(ec2_backends)
        for snapshot in ec2_backends[account][call.region].describe_snapshots(filters=_filters(parameters))
        if _selected(snapshot, call, parameters)
    ]
    wanted = set(parameters.get("SnapshotIds", ()))
    missing = wanted - {each.id for each in found}
    if missing:
        raise Refusal("InvalidSnapshot.NotFound", f"The snapshot '{min(missing)}' does not exist.")
    found.sort(key=lambda each: each.id)
    shown, after = page(found, parameters, size="MaxResults", token="NextToken")
    return {"Snapshots": [_snapshot(each) for each in shown], "NextToken": after}


def _selected(snapshot: Any, call: Call, parameters: Parameters) -> bool:
    users, groups = snapshot.create_volume_permission_userids, snapshot.create_volume_permission_groups
    if not (snapshot.owner_id == call.account or call.account in users or "all" in groups):
        return False
    ids, owners = parameters.get("SnapshotIds"), parameters.get("OwnerIds")
    if ids and snapshot.id not in ids:
        return False
    if owners and snapshot.owner_id not in {call.account if each == "self" else each for each in owners}:
        return False
    restorable = parameters.get("RestorableByUserIds")
    if not restorable:
        return True
    explicit = {call.account if each == "self" else each for each in restorable}
    own = "self" in restorable and snapshot.owner_id == call.account
    return own or ("all" in restorable and "all" in groups) or bool(explicit & users)


def _filters(parameters: Parameters) -> dict[str, list[str]]:
    return {each["Name"]: each["Values"] for each in parameters.get("Filters", ())}


def _snapshot(snapshot: Any) -> dict[str, Any]:
    described = {
        "SnapshotId": snapshot.id,
        "OwnerId": snapshot.owner_id,
        "VolumeId": snapshot.volume.id,
        "VolumeSize": snapshot.volume.size,
        "StartTime": snapshot.start_time,
        "CompletionTime": snapshot.start_time,
        "Description": snapshot.description or "",
        "State": snapshot.status,
        "Progress": "100%",
        "Encrypted": bool(snapshot.encrypted),
        "StorageTier": snapshot.storage_tier,
        "Tags": snapshot.tag_set or None,
        "KmsKeyId": _key(snapshot),
    }
    return {name: value for name, value in described.items() if value is not None}


def _key(snapshot: Any) -> str | None:
    """The key's ARN, whatever form it was given in."""
    if not snapshot.encrypted:
        return None
    given = snapshot.kms_key_id or getattr(snapshot.volume, "kms_key_id", None)
    if not given:
        return None
    if given.startswith("arn:"):
        return str(given)
    backend = kms_backends[snapshot.ec2_backend.account_id][snapshot.ec2_backend.region_name]
    key = backend.keys.get(backend.any_id_to_key_id(given))
    return key.arn if key is not None else str(given)


def _own_snapshot(call: Call, snapshot_id: str) -> Any:
    snapshot = _backend(call).snapshots.get(snapshot_id)
    if snapshot is None:
        raise Refusal("InvalidSnapshot.NotFound", f"The snapshot '{snapshot_id}' does not exist.")
    return snapshot


def describe_snapshot_attribute(call: Call, parameters: Parameters) -> dict[str, Any]:
    snapshot = _own_snapshot(call, parameters["SnapshotId"])
    if parameters["Attribute"] == "productCodes":
        return {"SnapshotId": snapshot.id, "ProductCodes": []}
    permissions = [{"Group": each} for each in sorted(snapshot.create_volume_permission_groups)]
    permissions += [{"UserId": each} for each in sorted(snapshot.create_volume_permission_userids)]
    return {"SnapshotId": snapshot.id, "CreateVolumePermissions": permissions}


def modify_snapshot_attribute(call: Call, parameters: Parameters) -> dict[str, Any]:
    snapshot = _own_snapshot(call, parameters["SnapshotId"])
    change = parameters.get("CreateVolumePermission", {})
    adding = parameters.get("OperationType") == "add"
    named = {
        "UserId": parameters.get("UserIds", ()),
        "Group": parameters.get("GroupNames", ()),
    }
    given = [{kind: value} for kind, values in named.items() for value in values]
    add = [*change.get("Add", ()), *(given if adding else ())]
    remove = [*change.get("Remove", ()), *(() if adding else given)]
    if add:
        _may_share(call, snapshot, public={"Group": "all"} in add)
    users, groups = snapshot.create_volume_permission_userids, snapshot.create_volume_permission_groups
    users.update(each["UserId"] for each in add if "UserId" in each)
    groups.update(each["Group"] for each in add if "Group" in each)
    users.difference_update(each["UserId"] for each in remove if "UserId" in each)
    groups.difference_update(each["Group"] for each in remove if "Group" in each)
    return {}


def _may_share(call: Call, snapshot: Any, *, public: bool) -> None:
    """What ModifySnapshotAttribute refuses, per its API reference."""
    if snapshot.encrypted and public:
        raise Refusal("OperationNotPermitted", "Encrypted snapshots cannot be made public")
    if snapshot.encrypted and is_aws_managed(call, _key(snapshot)):
        raise Refusal("OperationNotPermitted", "Encrypted snapshots with EBS default key cannot be shared")
    if public and _settings(call)["snapshot"] != _BLOCK_NONE:
        raise Refusal("OperationNotPermitted", "Block public access for snapshots is enabled in this Region")


def is_aws_managed(call: Call, arn: str | None) -> bool:
    """Whether a key is one that a service made for itself."""
    key = kms_backends[call.account][call.region].keys.get((arn or "").rpartition("/")[2])
    return key is not None and managed_by_aws(key)


def managed_by_aws(key: Any) -> bool:
    """Moto's key behind `alias/aws/...`; no customer can make such an alias."""
    return any(str(name).startswith("alias/aws/") for name in key.aliases)


def reset_snapshot_attribute(call: Call, parameters: Parameters) -> dict[str, Any]:
    snapshot = _own_snapshot(call, parameters["SnapshotId"])
    snapshot.create_volume_permission_userids.clear()
    snapshot.create_volume_permission_groups.clear()
    return {}


def describe_images(call: Call, parameters: Parameters) -> dict[str, Any]:
    images = [
        image
        for account in list(ec2_backends)
        for image in ec2_backends[account][call.region].describe_images(filters=_filters(parameters))
        if _selected_image(image, call, parameters)
    ]
    missing = set(parameters.get("ImageIds", ())) - {each.id for each in images}
    if missing:
        raise Refusal("InvalidAMIID.NotFound", f"The image id '[{min(missing)}]' does not exist")
    if not parameters.get("IncludeDisabled"):
        images = [each for each in images if each.state != "disabled"]
    images.sort(key=lambda each: each.id)
    shown, after = page(images, parameters, size="MaxResults", token="NextToken")
    return {"Images": [_image(each) for each in shown], "NextToken": after}


def _selected_image(image: Any, call: Call, parameters: Parameters) -> bool:
    own = image.owner_id == call.account
    explicit = any(each in _names_of(call.account) for each in image.launch_permissions)
    if not (own or image.is_public or explicit):
        return False
    ids, owners = parameters.get("ImageIds"), parameters.get("Owners")
    if ids and image.id not in ids:
        return False
    if owners and image.owner_id not in {call.account if each == "self" else each for each in owners}:
        return False
    users = parameters.get("ExecutableUsers")
    if not users:
        return True
    named = any({"UserId": each} in image.launch_permissions for each in users)
    return named or ("all" in users and image.is_public) or (explicit and bool({"self", call.account} & set(users)))


def _names_of(account: str) -> list[dict[str, str]]:
    """Every launch permission that lets an account in, but the public one: its own, its organisation's, its units'."""
    names = [{"UserId": account}]
    master, _ = organizations_backends.master_accounts.get(account, (account, ""))
    backend = organizations_backends[master]["aws"]
    if backend.org is None:
        return names
    names.append({"OrganizationArn": backend.org.arn})
    above = next((each.parent_id for each in backend.accounts if each.id == account), None)
    while unit := next((each for each in backend.ou if each.id == above), None):
        names.append({"OrganizationalUnitArn": unit.arn})
        above = unit.parent_id
    return names


def modify_image_attribute(call: Call, parameters: Parameters) -> None:
    """What ModifyImageAttribute refuses while public access is blocked; the rest is moto's."""
    add = (parameters.get("LaunchPermission") or {}).get("Add") or ()
    adding = parameters.get("OperationType") == "add" and "all" in (parameters.get("UserGroups") or ())
    if (adding or {"Group": "all"} in add) and _settings(call)["image"] != _BLOCK_NONE:
        raise Refusal("OperationNotPermitted", "You can't publicly share this image: block public access is enabled")


def _image(image: Any) -> dict[str, Any]:
    mappings = getattr(image, "given_mappings", None)
    described = {
        "ImageId": image.id,
        "Name": image.name,
        "Description": image.description,
        "OwnerId": image.owner_id,
        "State": image.state,
        "Public": image.is_public,
        "CreationDate": image.creation_date.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "BlockDeviceMappings": mappings or [_with_key(each) for each in image.block_device_mappings],
        "RootDeviceType": "ebs",
        "ImageType": image.image_type,
        "Architecture": image.architecture or "x86_64",
        "SourceInstanceId": image.source_instance_id,
        "Tags": image.tag_set or None,
    }
    return {name: value for name, value in described.items() if value is not None}


def _with_key(mapping: Mapping[str, Any]) -> dict[str, Any]:
    return {**mapping, "Ebs": {**mapping["Ebs"], "Encrypted": False}}


def register_image(call: Call, parameters: Parameters) -> dict[str, Any]:
    """Keeps the snapshots it was given; moto would make a new one."""
    backend = _backend(call)
    before = set(backend.snapshots)
    image = backend.register_image(parameters.get("Name"), parameters.get("Description", ""))
    given = [each for each in parameters.get("BlockDeviceMappings", ()) if each.get("Ebs", {}).get("SnapshotId")]
    if given:
        for made in set(backend.snapshots) - before:
            backend.snapshots.pop(made)
        image.given_mappings = [_mapping(call, each) for each in given]
    for specification in parameters.get("TagSpecifications", ()):
        image.add_tags({tag["Key"]: tag["Value"] for tag in specification["Tags"]})
    return {"ImageId": image.id}


def _mapping(call: Call, given: Mapping[str, Any]) -> dict[str, Any]:
    snapshot = _own_snapshot(call, given["Ebs"]["SnapshotId"])
    ebs = {"SnapshotId": snapshot.id, "VolumeSize": snapshot.volume.size, "Encrypted": bool(snapshot.encrypted)}
    key = _key(snapshot)
    return {"DeviceName": given.get("DeviceName", "/dev/sda1"), "Ebs": {**ebs, **({"KmsKeyId": key} if key else {})}}


def describe_image_attribute(call: Call, parameters: Parameters) -> dict[str, Any]:
    image = _backend(call).amis.get(parameters["ImageId"])
    if image is None:
        raise Refusal("InvalidAMIID.NotFound", f"The image id '[{parameters['ImageId']}]' does not exist")
    return {"ImageId": image.id, "LaunchPermissions": list(image.launch_permissions)}


def snapshot_block_state(call: Call, _: Parameters) -> dict[str, Any]:
    return {"State": _settings(call)["snapshot"], "ManagedBy": "account"}


def enable_snapshot_block(call: Call, parameters: Parameters) -> dict[str, Any]:
    _settings(call)["snapshot"] = parameters["State"]
    return {"State": parameters["State"]}


def disable_snapshot_block(call: Call, _: Parameters) -> dict[str, Any]:
    _settings(call)["snapshot"] = _BLOCK_NONE
    return {"State": _BLOCK_NONE}


def image_block_state(call: Call, _: Parameters) -> dict[str, Any]:
    return {"ImageBlockPublicAccessState": _settings(call)["image"], "ManagedBy": "account"}


def enable_image_block(call: Call, parameters: Parameters) -> dict[str, Any]:
    _settings(call)["image"] = parameters["ImageBlockPublicAccessState"]
    return {"ImageBlockPublicAccessState": parameters["ImageBlockPublicAccessState"]}


def disable_image_block(call: Call, _: Parameters) -> dict[str, Any]:
    _settings(call)["image"] = _BLOCK_NONE
    return {"ImageBlockPublicAccessState": _BLOCK_NONE}


def default_key(call: Call, _: Parameters) -> dict[str, Any]:
    return {"KmsKeyId": _backend(call).default_kms_key_id or "alias/aws/ebs"}


def handlers() -> dict[str, Handler]:
    """By operation name, as `ec2:DescribeSnapshots`."""
    return {
        "ec2:DescribeSnapshots": describe_snapshots,
        "ec2:DescribeSnapshotAttribute": describe_snapshot_attribute,
        "ec2:ModifySnapshotAttribute": modify_snapshot_attribute,
        "ec2:ResetSnapshotAttribute": reset_snapshot_attribute,
        "ec2:DescribeImages": describe_images,
        "ec2:DescribeImageAttribute": describe_image_attribute,
        "ec2:ModifyImageAttribute": modify_image_attribute,
        "ec2:RegisterImage": register_image,
        "ec2:GetSnapshotBlockPublicAccessState": snapshot_block_state,
        "ec2:EnableSnapshotBlockPublicAccess": enable_snapshot_block,
        "ec2:DisableSnapshotBlockPublicAccess": disable_snapshot_block,
        "ec2:GetImageBlockPublicAccessState": image_block_state,
        "ec2:EnableImageBlockPublicAccess": enable_image_block,
        "ec2:DisableImageBlockPublicAccess": disable_image_block,
        "ec2:GetEbsDefaultKmsKeyId": default_key,
    }
