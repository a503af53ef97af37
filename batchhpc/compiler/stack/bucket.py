"""The bucket for inputs, results and checkpoints."""

from __future__ import annotations

from typing import Any, Final

from batchhpc.compiler.environment import EnvironmentPlan
from batchhpc.compiler.stack.policies import document
from batchhpc.compiler.stack.resource import Resources, att, kept, ref, sub, tags, unchecked
from batchhpc.spec import Duration

BUCKET: Final = "Bucket"
_REASONS: Final = {
    "CKV_AWS_18": "access logs need a second bucket, and CloudTrail's data events tell more; neither is free",
}


def bucket(plan: EnvironmentPlan) -> Resources:
    """The bucket and its policy. CloudFormation names it, so that two accounts never quarrel about a name."""
    spec = plan.spec.bucket
    encryption: dict[str, Any] = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": plan.spec.kms_key}
    by = {"ServerSideEncryptionByDefault": encryption if plan.spec.kms_key else {"SSEAlgorithm": "AES256"}}
    if plan.spec.kms_key:
        by["BucketKeyEnabled"] = True  # type: ignore[assignment]
    skipped = dict(_REASONS)
    if not spec.versioning:
        skipped["CKV_AWS_21"] = "the spec says versioning: false"
    return {
        BUCKET: kept(
            unchecked(
                {
                    "Type": "AWS::S3::Bucket",
                    "Properties": {
                        "BucketEncryption": {"ServerSideEncryptionConfiguration": [by]},
                        "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
                        "PublicAccessBlockConfiguration": {
                            "BlockPublicAcls": True,
                            "BlockPublicPolicy": True,
                            "IgnorePublicAcls": True,
                            "RestrictPublicBuckets": True,
                        },
                        **({"VersioningConfiguration": {"Status": "Enabled"}} if spec.versioning else {}),
                        "LifecycleConfiguration": {"Rules": _lifecycle(plan)},
                        "Tags": tags(plan),
                    },
                },
                skipped,
            )
        ),
        "BucketPolicy": {
            "Type": "AWS::S3::BucketPolicy",
            "Properties": {
                "Bucket": ref(BUCKET),
                "PolicyDocument": document(
                    {
                        "Sid": "OnlyOverTls",
                        "Effect": "Deny",
                        "Principal": "*",
                        "Action": "s3:*",
                        "Resource": [att(BUCKET, "Arn"), sub(f"${{{BUCKET}.Arn}}/*")],
                        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                    }
                ),
            },
        },
    }


def _days(time: Duration) -> int:
    return int(time.seconds // 86400)


def _lifecycle(plan: EnvironmentPlan) -> list[dict[str, Any]]:
    spec = plan.spec.bucket
    made: list[dict[str, Any]] = [
        # Parts of uploads that a lost node never finished are paid for, and seen in no listing
        {"Id": "unfinished-uploads", "Status": "Enabled", "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}},
    ]
    if spec.versioning:
        older = {"NoncurrentDays": _days(spec.keep_versions)}
        made.append({"Id": "older-versions", "Status": "Enabled", "NoncurrentVersionExpiration": older})
    if spec.infrequent_access is not None:
        move = [{"StorageClass": "STANDARD_IA", "TransitionInDays": _days(spec.infrequent_access)}]
        made.append({"Id": "infrequent-access", "Status": "Enabled", "Transitions": move})
    for i, each in enumerate(spec.expire):
        rule = {"Id": f"expire-{i}", "Status": "Enabled", "ExpirationInDays": _days(each.after)}
        made.append({**rule, "Prefix": each.prefix} if each.prefix else rule)
    return made
