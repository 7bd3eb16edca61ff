"""Serves service profiles and destinations: names and parameters that a wireless device needs.

A device is not refused for a profile or destination that is not there, because fleet documents have none [a limit of
the simulator]. Deleting what a device names is allowed, which the service refuses.
"""

from __future__ import annotations

from collections.abc import Mapping

from otactl_simulator.iotwireless.common import page, tags_of
from otactl_simulator.iotwireless.state import Profile, Store, Stores, conflict, not_found
from otactl_simulator.service import Handler, Request

SERVICE, DESTINATION = "ServiceProfile", "Destination"


class Fittings:
    """The operations on service profiles and destinations."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """Operation name to handler."""
        return {
            "CreateServiceProfile": self.create_profile,
            "GetServiceProfile": self.get_profile,
            "ListServiceProfiles": self.list_profiles,
            "DeleteServiceProfile": self.delete_profile,
            "CreateDestination": self.create_destination,
            "GetDestination": self.get_destination,
            "ListDestinations": self.list_destinations,
            "DeleteDestination": self.delete_destination,
        }

    def create_profile(self, request: Request) -> dict[str, object]:
        """CreateServiceProfile."""
        store = self._stores.of(request)
        identifier, arn = store.new(SERVICE)
        store.service_profiles[identifier] = Profile(identifier, arn, _given(request))
        store.tags[arn] = tags_of(request.parameters)
        return {"Id": identifier, "Arn": arn}

    def get_profile(self, request: Request) -> dict[str, object]:
        """GetServiceProfile."""
        found = _found(self._stores.of(request).service_profiles, SERVICE, request.parameters["Id"])
        return {**found.parameters, "Id": found.id, "Arn": found.arn}

    def list_profiles(self, request: Request) -> dict[str, object]:
        """ListServiceProfiles."""
        items, token = page(list(self._stores.of(request).service_profiles.values()), request.parameters)
        listed = [{"Id": p.id, "Arn": p.arn, "Name": p.parameters.get("Name")} for p in items]
        return {"ServiceProfileList": listed, "NextToken": token}

    def delete_profile(self, request: Request) -> dict[str, object]:
        """DeleteServiceProfile."""
        return _delete(self._stores.of(request), self._stores.of(request).service_profiles, SERVICE, request, "Id")

    def create_destination(self, request: Request) -> dict[str, object]:
        """CreateDestination: its name is its own."""
        store, name = self._stores.of(request), str(request.parameters["Name"])
        if name in store.destinations:
            raise conflict(DESTINATION, name, f"destination {name} exists already")
        arn = store.arn(DESTINATION, name)
        store.destinations[name] = Profile(name, arn, _given(request))
        store.tags[arn] = tags_of(request.parameters)
        return {"Name": name, "Arn": arn}

    def get_destination(self, request: Request) -> dict[str, object]:
        """GetDestination."""
        found = _found(self._stores.of(request).destinations, DESTINATION, request.parameters["Name"])
        return {**found.parameters, "Arn": found.arn}

    def list_destinations(self, request: Request) -> dict[str, object]:
        """ListDestinations."""
        items, token = page(list(self._stores.of(request).destinations.values()), request.parameters)
        return {"DestinationList": [{**d.parameters, "Arn": d.arn} for d in items], "NextToken": token}

    def delete_destination(self, request: Request) -> dict[str, object]:
        """DeleteDestination."""
        return _delete(self._stores.of(request), self._stores.of(request).destinations, DESTINATION, request, "Name")


def _given(request: Request) -> dict[str, object]:
    return {k: v for k, v in request.parameters.items() if k not in ("Tags", "ClientRequestToken")}


def _found(kept: Mapping[str, Profile], kind: str, key: object) -> Profile:
    found = kept.get(str(key))
    if found is None:
        raise not_found(kind, str(key))
    return found


def _delete(store: Store, kept: dict[str, Profile], kind: str, request: Request, name: str) -> dict[str, object]:
    found = _found(kept, kind, request.parameters[name])
    del kept[found.id]
    store.tags.pop(found.arn, None)
    return {}
