"""The shapes of what people write into the configuration: a pattern each, and words for when it does not fit."""

from ipaddress import ip_network
from typing import Annotated

from pydantic import AfterValidator, StringConstraints

WORDS: dict[str, str] = {}
"""What a value must be, in words, by its pattern."""


def _shaped(words: str, pattern: str, *, to_lower: bool = False) -> StringConstraints:
    WORDS[pattern] = words
    return StringConstraints(pattern=pattern, to_lower=to_lower)


AwsAccountId = Annotated[str, _shaped("an AWS account id (12 digits, in quotes)", r"^[0-9]{12}$")]
AwsRegion = Annotated[str, _shaped("an AWS region such as eu-west-1", r"^[a-z]{2,}(-[a-z]+)+-[0-9]{1,2}$")]
AwsRole = Annotated[
    str,
    _shaped(
        "a role's name, or its ARN with {account} for the account",
        r"^(arn:[^:\s]+:iam::([0-9]{12}|\{account\}):role/)?[A-Za-z0-9_+=,.@/-]+$",
    ),
]
AwsTrail = Annotated[
    str, _shaped("s3://bucket or s3://bucket/prefix", r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[\w./!*'()-]*)?$")
]
AwsQueue = Annotated[
    str,
    _shaped(
        "the URL of a standard SQS queue (a FIFO queue would hold messages back)",
        r"^(https://sqs\.[a-z0-9-]+\.amazonaws\.(com|com\.cn|eu)|http://(127\.0\.0\.1|localhost)(:[0-9]+)?)"
        r"/[0-9]{12}/[A-Za-z0-9_-]{1,80}$",
    ),
]
AwsOrganizationId = Annotated[str, _shaped("an AWS organisation id (o-...)", r"^o-[a-z0-9]{10,32}$")]
GUID = r"(?i)^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
Guid = Annotated[str, _shaped("an Azure id (8-4-4-4-12 hexadecimal digits)", GUID, to_lower=True)]
GcpProject = Annotated[str, _shaped("a GCP project id or number", r"^([a-z][a-z0-9.:-]{4,61}[a-z0-9]|[0-9]{6,})$")]
GcpParent = Annotated[str, _shaped("folders/NUMBER or organizations/NUMBER", r"^(folders|organizations)/[0-9]{1,19}$")]
GcpSubscription = Annotated[
    str,
    _shaped(
        "projects/PROJECT/subscriptions/NAME",
        r"^projects/[a-z0-9][a-z0-9.:-]+/subscriptions/[A-Za-z][A-Za-z0-9._~+%-]{2,254}$",
    ),
]
ServiceAccount = Annotated[str, _shaped("a service account's mail", r"^[a-z0-9-]+@[a-z0-9.-]+\.gserviceaccount\.com$")]
OrganizationId = Annotated[
    str, _shaped("an AWS organisation id (o-...) or a GCP organisation number", r"^(o-[a-z0-9]{10,32}|[0-9]{6,})$")
]
Domain = Annotated[str, _shaped("a mail domain such as example.com", r"(?i)^[a-z0-9.-]+\.[a-z]{2,}$", to_lower=True)]
Holder = Annotated[str, _shaped("the id of an account, project or identity, without spaces", r"^[A-Za-z0-9/]\S*$")]
OwnAccount = Annotated[
    str,
    _shaped(
        "an AWS account id (12 digits), an Azure subscription's id, a GCP project's id, folders/NUMBER or "
        "organizations/NUMBER",
        r"^([0-9]{12}|(?i:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})|([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]"
        r"|(folders|organizations)/[0-9]{1,19})$",
    ),
]
"""As reports name it: a project by its id, never by its number."""
Name = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Country = Annotated[str, _shaped("a country's two capital letters (ISO 3166-1) such as DE", r"^[A-Z]{2}$")]
KindGlob = Annotated[str, _shaped("a kind or a glob of kinds such as aws.ec2.*", r"^[a-z0-9.*?\[\]!-]+$")]


def _network(value: str) -> str:
    ip_network(value, strict=False)
    return value


Network = Annotated[str, AfterValidator(_network)]
"""192.0.2.0/24, 2001:db8::/32 or a single address."""
