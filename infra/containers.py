"""Defines what the containers of a stack share: how they log, and what boots them. Pure."""

from __future__ import annotations

import re

from .iam_documents import Statement, allow

ECS_TASKS = "ecs-tasks.amazonaws.com"
ECR_PULLS = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
_ECR = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?/(?P<name>[^:@]+)([:@].*)?"
)


def log_driver(group: str, region: str) -> dict[str, object]:
    """Return the log configuration of a container."""
    options = {"awslogs-group": group, "awslogs-region": region, "awslogs-stream-prefix": "otactl"}
    return {"logDriver": "awslogs", "options": options}


def pull_image(image: str, partition: str) -> list[Statement]:
    """Return what pulling one image needs: its repository of ECR and a sign-in; nothing for another registry."""
    found = _ECR.fullmatch(image)
    if found is None:
        return []
    repository = f"arn:{partition}:ecr:{found['region']}:{found['account']}:repository/{found['name']}"
    return [
        allow("SignInToRegistry", ["ecr:GetAuthorizationToken"], ["*"]),
        allow("PullImage", ECR_PULLS, [repository]),
    ]
