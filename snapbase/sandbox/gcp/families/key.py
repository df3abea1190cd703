"""Cloud KMS: key rings, keys with their versions, and who may use them."""

from datetime import UTC, datetime, timedelta

from snapbase.sandbox.gcp.call import Call, Handler, Refusal, conflict, missing, project_id, replace_policy
from snapbase.sandbox.gcp.estate import Body, Estate, Shelf, utc_now

_DAYS = 30
"""From a destruction to the end of a version, where the key says nothing else (cloudkms.v1 discovery)."""


def _rings(estate: Estate, call: Call) -> Shelf:
    return Shelf(project_id(estate, call), f"locations/{call.parameters['locationsId']}", "keyRings")


def _keys(estate: Estate, call: Call) -> Shelf:
    rings = _rings(estate, call)
    return Shelf(rings.project, f"{rings.place}/keyRings/{call.parameters['keyRingsId']}", "cryptoKeys")


def _create_ring(estate: Estate, call: Call) -> Body:
    return _create(estate, _rings(estate, call), call.query.get("keyRingId", ""), {})["body"]


def _create_key(estate: Estate, call: Call) -> Body:
    """With its first version, which becomes the primary."""
    _ring(estate, call)
    shelf, name = _keys(estate, call), call.query.get("cryptoKeyId", "")
    version = {"state": "ENABLED", "protectionLevel": "SOFTWARE", "algorithm": "GOOGLE_SYMMETRIC_ENCRYPTION"}
    primary = {**version, "name": f"{shelf.path(name)}/cryptoKeyVersions/1", "createTime": utc_now()}
    fields = {"purpose": "ENCRYPT_DECRYPT", "destroyScheduledDuration": f"{_DAYS * 86_400}s", **(call.body or {})}
    return _create(estate, shelf, name, {**fields, "primary": primary})["body"]


def _create(estate: Estate, shelf: Shelf, name: str, fields: Body) -> Body:
    if not name:
        raise Refusal(400, "invalid", "INVALID_ARGUMENT", f"A name is needed for one of {shelf.collection}")
    if estate.get(shelf, name) is not None:
        raise conflict(shelf.path(name))
    body = {**fields, "name": shelf.path(name), "createTime": utc_now()}
    return estate.put(shelf, {"name": name, "body": body})


def _found(estate: Estate, shelf: Shelf, name: str) -> Body:
    found = estate.get(shelf, name)
    if found is None:
        raise missing(shelf.path(name))
    return found


def _ring(estate: Estate, call: Call) -> Body:
    return _found(estate, _rings(estate, call), call.parameters["keyRingsId"])["body"]


def _key(estate: Estate, call: Call) -> Body:
    return _found(estate, _keys(estate, call), call.parameters["cryptoKeysId"])["body"]


def _destroy(estate: Estate, call: Call) -> Body:
    """Not at once: until its time is over, the version can be restored."""
    end = datetime.now(UTC) + timedelta(days=_DAYS)
    return _change(estate, call, {"state": "DESTROY_SCHEDULED", "destroyTime": f"{end:%Y-%m-%dT%H:%M:%SZ}"})


def _patch(estate: Estate, call: Call) -> Body:
    mask = set(call.query.get("updateMask", "").split(","))
    return _change(estate, call, {name: value for name, value in (call.body or {}).items() if name in mask})


def _change(estate: Estate, call: Call, fields: Body) -> Body:
    """Of the only version that a key has here."""
    shelf, name = _keys(estate, call), call.parameters["cryptoKeysId"]
    stored = _found(estate, shelf, name)
    wanted = f"{shelf.path(name)}/cryptoKeyVersions/{call.parameters['cryptoKeyVersionsId']}"
    primary = stored["body"]["primary"]
    if primary["name"] != wanted:
        raise missing(wanted)
    changed: Body = {**primary, **fields}
    estate.put(shelf, {**stored, "body": {**stored["body"], "primary": changed}})
    return changed


def _get_policy(estate: Estate, call: Call) -> Body:
    version = int(call.query.get("options.requestedPolicyVersion") or 1)
    return estate.policy(_governed(estate, call)).document(version)


def _set_policy(estate: Estate, call: Call) -> Body:
    return replace_policy(estate, _governed(estate, call), (call.body or {}).get("policy", {}))


def _governed(estate: Estate, call: Call) -> str:
    found = _key(estate, call) if "cryptoKeysId" in call.parameters else _ring(estate, call)
    return str(found["name"])


_RINGS = "cloudkms.projects.locations.keyRings"
ANSWERS: dict[str, Handler] = {
    f"{_RINGS}.create": _create_ring,
    f"{_RINGS}.get": _ring,
    f"{_RINGS}.cryptoKeys.create": _create_key,
    f"{_RINGS}.cryptoKeys.get": _key,
    f"{_RINGS}.cryptoKeys.cryptoKeyVersions.destroy": _destroy,
    f"{_RINGS}.cryptoKeys.cryptoKeyVersions.patch": _patch,
}
for _collection in (_RINGS, f"{_RINGS}.cryptoKeys"):
    ANSWERS |= {f"{_collection}.getIamPolicy": _get_policy, f"{_collection}.setIamPolicy": _set_policy}
