"""Keeps state by account and Region, as regional services do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from otactl_simulator.service import Request

S = TypeVar("S")


class Regional(Generic[S]):
    """A store for every account and Region, made when first used."""

    def __init__(self, make: Callable[[str, str], S]) -> None:
        self._make = make
        self.all: dict[tuple[str, str], S] = {}

    def of(self, request: Request) -> S:
        """Return the store a request belongs to."""
        return self.at(request.account, request.region)

    def at(self, account: str, region: str) -> S:
        """Return the store of an account's Region."""
        key = (account, region)
        if key not in self.all:
            self.all[key] = self._make(account, region)
        return self.all[key]
