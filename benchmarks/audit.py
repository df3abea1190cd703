"""`python -m benchmarks.audit [--records N]`: CloudTrail records per second from a .json.gz."""

import argparse
import gzip
import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from snapbase.audit.cloudtrail import AUDIT_LOG
from snapbase.audit.files import read_file
from snapbase.event import Event

_FILE = 25_000
"""Records in one file: about 50 MB, as large as CloudTrail's own are."""


def main() -> None:
    """Files such as a busy account delivers, and such where every record concerns us."""
    parser = argparse.ArgumentParser(prog="benchmarks.audit", description=__doc__)
    parser.add_argument("--records", type=int, default=200_000)
    asked = parser.parse_args()
    measure(asked.records)


def measure(records: int) -> None:
    """One in fifty records is about snapshots in the first; all of them in the second."""
    print(f"\naudit logs: {records:,} CloudTrail records from .json.gz, by time of one core")
    with TemporaryDirectory(prefix="snapbase-bench-") as folder:
        for name, share in (("one in 50 about snapshots", 50), ("every one about snapshots", 1)):
            path = Path(folder) / f"{share}.json.gz"
            count = min(_FILE, records)
            path.write_bytes(
                gzip.compress(json.dumps({"Records": [_record(n, share) for n in range(count)]}).encode(), 6)
            )
            began, events = time.process_time(), 0
            rounds = max(1, records // count)
            for _ in range(rounds):
                found = (each for each in read_file(path) if isinstance(each, Event))
                events += sum(1 for _ in AUDIT_LOG.fold(found))
            spent = time.process_time() - began
            rate = rounds * count / spent
            print(f"    {name:<34}{rate:>10,.0f} records/s{events:>12,} events", flush=True)


def _record(number: int, share: int) -> dict[str, Any]:
    wanted = number % share == 0
    account, session = "111122223333", f"session-{number % 40}"
    request: dict[str, Any] = {"instancesSet": {"items": [{"instanceId": f"i-{number:017x}"}]}, "filterSet": {}}
    if wanted:
        change = {"add": {"items": [{"userId": f"{number % 10**12:012}"}]}}
        request = {"snapshotId": f"snap-{number:017x}", "createVolumePermission": change, "attributeType": "x"}
    return {
        "eventVersion": "1.09",
        "userIdentity": {
            "type": "AssumedRole",
            "principalId": f"AROAEXAMPLEEXAMPLE:{session}",
            "arn": f"arn:aws:sts::{account}:assumed-role/deploy/{session}",
            "accountId": account,
            "accessKeyId": "ASIAEXAMPLEEXAMPLE",
            "sessionContext": {
                "sessionIssuer": {
                    "type": "Role",
                    "principalId": "AROAEXAMPLEEXAMPLE",
                    "arn": f"arn:aws:iam::{account}:role/deploy",
                    "accountId": account,
                    "userName": "deploy",
                },
                "attributes": {"creationDate": "2026-03-04T05:00:00Z", "mfaAuthenticated": "false"},
            },
        },
        "eventTime": f"2026-03-04T{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}Z",
        "eventSource": "ec2.amazonaws.com",
        "eventName": "ModifySnapshotAttribute" if wanted else "DescribeInstances",
        "awsRegion": "eu-west-1",
        "sourceIPAddress": f"203.0.113.{number % 250}",
        "userAgent": "aws-sdk-go-v2/1.30.3 os/linux lang/go#1.22.5 md/GOOS#linux md/GOARCH#amd64 api/ec2#1.170.0",
        "requestParameters": request,
        "responseElements": {"requestId": f"{number:032x}", "_return": True} if wanted else None,
        "requestID": f"{number:032x}",
        "eventID": f"{number:036x}",
        "readOnly": not wanted,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": account,
        "eventCategory": "Management",
        "tlsDetails": {
            "tlsVersion": "TLSv1.3",
            "cipherSuite": "TLS_AES_128_GCM_SHA256",
            "clientProvidedHostHeader": "ec2.eu-west-1.amazonaws.com",
        },
    }


if __name__ == "__main__":
    main()
