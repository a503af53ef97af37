"""The monthly budget."""

from __future__ import annotations

from typing import Any

from batchhpc.compiler.environment import ENVIRONMENT_TAG, EnvironmentPlan
from batchhpc.compiler.stack.resource import Resources, tags


def budget(plan: EnvironmentPlan) -> Resources:
    """A budget for what carries the environment's tag, once that is activated as a cost-allocation tag in the account."""
    wanted = plan.spec.budget
    if wanted is None:
        return {}
    who = [{"SubscriptionType": "EMAIL", "Address": address} for address in wanted.emails]

    def told(kind: str, percent: int) -> dict[str, Any]:
        over = {"NotificationType": kind, "ComparisonOperator": "GREATER_THAN", "Threshold": percent, "ThresholdType": "PERCENTAGE"}
        return {"Notification": over, "Subscribers": who}

    return {
        "Budget": {
            "Type": "AWS::Budgets::Budget",
            "Properties": {
                "Budget": {
                    "BudgetName": plan.stack,
                    "BudgetType": "COST",
                    "TimeUnit": "MONTHLY",
                    "BudgetLimit": {"Amount": wanted.monthly_usd, "Unit": "USD"},
                    # AWS Budgets writes a tag of the user's own as user:KEY$VALUE
                    "CostFilters": {"TagKeyValue": [f"user:{ENVIRONMENT_TAG}${plan.spec.name}"]},
                },
                "NotificationsWithSubscribers": [told("ACTUAL", 80), told("FORECASTED", 100)],
                "ResourceTags": tags(plan),
            },
        }
    }
