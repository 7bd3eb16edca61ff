"""Policy documents and requests the IAM tests are written with."""

from __future__ import annotations

from typing import Any

from otactl_simulator.iam.policy import Decision, Document, Request

ALLOWED, EXPLICIT, IMPLICIT = Decision.ALLOWED, Decision.EXPLICIT_DENY, Decision.IMPLICIT_DENY

ACCOUNT, OTHER = "111122223333", "444455556666"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/updater"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/updater/night"
USER = f"arn:aws:iam::{ACCOUNT}:user/ada"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
OBJECT = "arn:aws:s3:::images/soil/probe.bin"
SERVICE = "iotwireless.amazonaws.com"


def policy(*statements: dict[str, Any], version: str = "2012-10-17") -> Document:
    """A policy document of these statements."""
    return {"Version": version, "Statement": list(statements)}


def allow(**elements: Any) -> dict[str, Any]:
    """An Allow for s3:GetObject on everything, unless stated otherwise."""
    named = {"Action", "NotAction"} & set(elements), {"Resource", "NotResource"} & set(elements)
    return {
        "Effect": "Allow",
        **({} if named[0] else {"Action": "s3:GetObject"}),
        **({} if named[1] else {"Resource": "*"}),
        **elements,
    }


def deny(**elements: Any) -> dict[str, Any]:
    """The same as a Deny."""
    return {**allow(**elements), "Effect": "Deny"}


def asked(principal: str = ROLE, **changes: Any) -> Request:
    """A request to read the image."""
    return Request(**{"principal": principal, "action": "s3:GetObject", "resource": OBJECT, **changes})


def trust(**elements: Any) -> Document:
    """A trust policy with one statement."""
    return policy({"Effect": "Allow", "Action": "sts:AssumeRole", **elements})
