"""`evaluateOnExit`, as AWS Batch reads it (R39)."""

from __future__ import annotations

from typing import Any

import pytest

from batchhpc.local.retries import exit_rules, wants_retry

ENDED = "Essential container in task exited"
LOST = "Host EC2 (instance i-0123456789abcdef0) terminated."
OURS = [
    {"onExitCode": "75", "action": "RETRY"},
    {"onStatusReason": "Host EC2*", "action": "RETRY"},
    {"onReason": "CannotPullContainerError*", "action": "RETRY"},
    {"onReason": "*", "action": "EXIT"},
]


@pytest.mark.parametrize(
    ("rules", "exit_code", "reason", "status_reason", "retried"),
    [
        pytest.param([], 1, "", ENDED, True, id="no rule means retry"),
        pytest.param([{"onExitCode": "3", "action": "EXIT"}], 4, "", ENDED, True, id="no match means retry"),
        pytest.param([{"onExitCode": "3", "action": "EXIT"}], 3, "", ENDED, False, id="exact code"),
        pytest.param([{"onExitCode": "3", "action": "EXIT"}], 33, "", ENDED, True, id="a code is not a prefix"),
        pytest.param([{"onExitCode": "3*", "action": "EXIT"}], 33, "", ENDED, False, id="unless it ends with an asterisk"),
        pytest.param([{"onExitCode": "3", "action": "exit"}], 3, "", ENDED, False, id="the action in any case"),
        pytest.param([{"onExitCode": "3", "action": "Retry"}, {"onReason": "*", "action": "EXIT"}], 3, "", ENDED, True, id="mixed"),
        pytest.param([{"onStatusReason": "host ec2*", "action": "EXIT"}], None, "", LOST, True, id="patterns mind case"),
        pytest.param([{"onStatusReason": "EC2*", "action": "EXIT"}], None, "", LOST, True, id="patterns begin at the start"),
        pytest.param(
            [{"onExitCode": "1", "onReason": "Out*", "action": "EXIT"}], 1, "", ENDED, True, id="one of two conditions is none"
        ),
        pytest.param(
            [{"onExitCode": "1", "onReason": "Out*", "action": "EXIT"}], 1, "OutOfMemoryError", ENDED, False, id="both conditions"
        ),
        pytest.param(
            [{"onExitCode": "1", "action": "EXIT"}, {"onExitCode": "*", "action": "RETRY"}],
            1,
            "",
            ENDED,
            False,
            id="the first wins",
        ),
        pytest.param([{"onExitCode": "0", "action": "EXIT"}], None, "", LOST, True, id="no code is not code 0"),
        pytest.param(OURS, 75, "", ENDED, True, id="ours: infrastructure"),
        pytest.param(OURS, None, "", LOST, True, id="ours: host lost"),
        pytest.param(OURS, None, "CannotPullContainerError: timeout", "Task failed to start", True, id="ours: image pull"),
        pytest.param(OURS, 1, "", ENDED, False, id="ours: the program's own failure"),
        pytest.param(OURS, 137, "OutOfMemoryError: Container killed due to memory usage", ENDED, False, id="ours: memory"),
    ],
)
def test_the_first_matching_rule_decides(
    rules: list[dict[str, Any]], exit_code: int | None, reason: str, status_reason: str, retried: bool
) -> None:
    """A failed attempt is retried unless the first rule whose conditions all hold says EXIT."""
    assert wants_retry(exit_rules(rules), exit_code=exit_code, reason=reason, status_reason=status_reason) is retried
