"""Counts the calls of passes by operation, for any size. Pure; a test compares them with what otactl sends.

1. A quiet pass reads a list a page of what is active, and a few calls for each active rollout. Finished rollouts cost
   nothing: their units are deleted after their results are recorded.
2. Calls of one operation are spaced by its rate, operations run side by side: a pass takes as long as the operation
   that is called most.
3. A run stops at the call budget of its environment; a fifth of it is for writes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from otactl.backends.aws.client import DEFAULT_RATES as AWS_RATES
from otactl.backends.fuota.reads import PAGE as FUOTA_PAGE
from otactl.backends.iot_ota.reads import PAGE as OTA_PAGE
from otactl.backends.transport.usage import Stats
from otactl.backends.tuya.batching import MOST_NAMES
from otactl.backends.tuya.client import DEFAULT_RATES as TUYA_RATES
from otactl.errors import BudgetSpentError

RATES: Mapping[str, float] = {**AWS_RATES, **TUYA_RATES}
TASKS_PAGE = 100  # tasks of a Tuya batch in one answer
_IMAGE = ("s3:HeadObject", "s3:GetBucketLocation", "s3:GetBucketPolicy", "s3:GetBucketVersioning")
_ROLE = ("GetRole", "GetRolePolicy", "ListAttachedRolePolicies", "ListRolePolicies", "SimulatePrincipalPolicy")

Calls = Counter[str]


@dataclass(frozen=True)
class Load:
    """An environment in a quiet pass: how many rollouts have a unit that is not finished, with how many images."""

    active: int
    images: int = 1


def fuota(load: Load) -> Calls:
    """Return the calls of a quiet pass over FUOTA tasks of one group each, before their start."""
    reads = ("GetFuotaTask", "ListTagsForResource", "ListMulticastGroupsByFuotaTask")
    checks = [*_IMAGE, *(f"iam:{name}" for name in _ROLE)]
    return _counted(
        {
            "sts:GetCallerIdentity": 1,
            "iotwireless:ListFuotaTasks": pages(load.active, FUOTA_PAGE),
            **{f"iotwireless:{name}": load.active for name in reads},
            **dict.fromkeys(checks, load.images),
        }
    )


def ota_update(load: Load) -> Calls:
    """Return the calls of a quiet pass over OTA updates that run for longer than two minutes."""
    lists, reads = ("ListOTAUpdates", "ListJobs", "ListStreams"), ("GetOTAUpdate", "DescribeJob", "GetJobDocument")
    reads = (*reads, "ListTagsForResource", "DescribeStream")
    return _counted(
        {
            "sts:GetCallerIdentity": 1,
            **{f"iot:{name}": pages(load.active, OTA_PAGE) for name in lists},
            **{f"iot:{name}": load.active for name in reads},
            "s3:HeadObject": load.images,
        }
    )


def tuya(load: Load) -> Calls:
    """Return the calls of a quiet pass over Tuya rollouts of one batch with at most 100 devices each."""
    reads = ("QueryOTAFirmware", "QueryOTAJob", "ListOTATaskByJob")
    return _counted({"sts:GetCallerIdentity": 1, **{f"tuya:{name}": load.active for name in reads}})


QUIET = {"fuota": fuota, "otaUpdate": ota_update, "tuya": tuya}


def start_groups(devices: int, groups: int) -> Calls:
    """Return what a wave of multicast groups of one size costs: the members, and the checks before the start."""
    listed = 1 + 3 * pages(devices // groups, FUOTA_PAGE)
    return _counted(
        {
            "iotwireless:AssociateMulticastGroupWithFuotaTask": groups,
            "iotwireless:GetMulticastGroup": 3 * groups,
            "iotwireless:ListWirelessDevices": listed * groups,
        }
    )


def start_wireless_devices(devices: int) -> Calls:
    """Return what a wave of single wireless devices, named by DevEUI, costs."""
    return _counted(
        {
            "iotwireless:AssociateWirelessDeviceWithFuotaTask": devices,
            "iotwireless:GetWirelessDevice": devices,
            "iotwireless:ListWirelessDevices": 1 + 2 * pages(devices, FUOTA_PAGE),
        }
    )


def start_thing_group(devices: int) -> Calls:
    """Return what a wave of one thing group of more than a page of things costs."""
    return _counted(
        {"iot:CreateOTAUpdate": 1, "iot:ListThingsInThingGroup": pages(devices, OTA_PAGE), "iot:ListJobs": 3}
    )


def start_tuya_devices(devices: int) -> Calls:
    """Return what a wave of named Tuya devices costs: each is checked, and 200 share a batch."""
    whole, rest = divmod(devices, MOST_NAMES)
    batches = whole + bool(rest)
    tasks = whole * pages(MOST_NAMES, TASKS_PAGE) + (pages(rest, TASKS_PAGE) if rest else 0)
    return _counted(
        {
            "tuya:ListOTAModuleVersionsByDevice": devices,
            "tuya:ListOTAUnfinishedTaskByDevice": devices,
            "tuya:CreateOTAStaticUpgradeJob": batches,
            "tuya:QueryOTAJob": batches,
            "tuya:ListOTATaskByJob": tasks,
        }
    )


def pages(items: int, size: int) -> int:
    """Return how many pages a list has; an empty one is asked for, too."""
    return max(1, -(-items // size))


def binding(calls: Calls, rates: Mapping[str, float] = RATES) -> tuple[str, float]:
    """Return the operation that decides how long the calls take, with the seconds; only services that have a rate."""
    paced = {
        key: number / rates[key.partition(":")[0]] for key, number in calls.items() if key.partition(":")[0] in rates
    }
    found = max(sorted(paced), key=lambda key: paced[key])
    return found, paced[found]


def reads_of(budget: int) -> int:
    """Return how many reads a run may send with a call budget, as the product counts them."""
    try:
        Stats(calls=budget).count("x:Read", writes=False, budget=budget)
    except BudgetSpentError as spent:
        return spent.limit
    raise AssertionError("a spent budget lets no read pass")


def _counted(found: Mapping[str, int]) -> Calls:
    return Counter({key: number for key, number in found.items() if number})
