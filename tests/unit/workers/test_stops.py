"""Of newer manifests an environment that keeps older ones obeys what stops, and nothing else."""

from __future__ import annotations

import msgspec
import pytest

from otactl.errors import Problem
from otactl.manifest.unreadable import UnreadableDocument
from otactl.model import DriftPolicy, Environment, FirmwarePolicy, Guards, Ignore, Rollout, SigningKey, Window
from otactl.model.environment import RequireSignature
from otactl.model.rollout import Abort, Approval, Suspend
from otactl.workers.stops import REMOVED_KEY, left_alone, stopped_environment, stopped_rollouts
from tests.support.builders import ENVIRONMENT, NOW, rollout

ABORT, SUSPEND = Abort(reason="wrong build"), Suspend(reason="crashes", owner="ada")
NIGHT = Window(kind="allow", schedule="0 22 * * *", duration="6h", time_zone="UTC", overrun="finish")
FREEZE = Window(kind="deny", schedule="0 0 24 12 *", duration="72h", time_zone="UTC")
APPROVAL = Approval(wave="fleet", role="release", by="ada", digest="d" * 64, at=NOW)


def broken(name: str = "other", kind: str = "Rollout") -> UnreadableDocument:
    wrong = Problem(file="other.yaml", line=1, column=1, pointer="", code="wrong", message="wrong")
    return UnreadableDocument("other.yaml", kind, name, "prod-eu", (wrong,))


def stopped(older: Rollout, newer: Rollout) -> Rollout:
    (found,) = stopped_rollouts((older,), (newer,), (broken(),))
    return found


def kept(older: Environment, **newer: object) -> Environment:
    return stopped_environment(older, msgspec.structs.replace(ENVIRONMENT, **newer))


@pytest.mark.parametrize("stop", [{"abort": ABORT}, {"suspend": SUSPEND}])
def test_an_abort_and_a_suspension_are_obeyed_over_the_older_revision(stop: dict[str, object]) -> None:
    newer = rollout(firmware=msgspec.structs.replace(rollout().firmware, version="3.0.0"), **stop)
    assert stopped(rollout(), newer) == rollout(**stop)


def test_an_abort_or_a_suspension_is_not_lifted_by_newer_manifests() -> None:
    older = rollout(abort=ABORT, suspend=SUSPEND)
    assert stopped(older, rollout()) == older


def test_an_approval_that_was_withdrawn_does_not_count_and_a_new_one_waits() -> None:
    new = msgspec.structs.replace(APPROVAL, by="grace")
    assert stopped(rollout(approvals=(APPROVAL,)), rollout(approvals=(new,))).approvals == ()
    assert stopped(rollout(approvals=(APPROVAL,)), rollout(approvals=(APPROVAL, new))).approvals == (APPROVAL,)


PERMISSIONS = ("allow_downgrade", "allow_shrunk", "allow_uncounted")


def test_a_permission_that_was_withdrawn_does_not_count_and_a_new_one_waits() -> None:
    strategy = rollout().strategy
    loss, label = (Ignore(field=name, reason="known") for name in ("unit", "description"))
    plain = rollout(drift=DriftPolicy(ignore=(label,)))
    free = rollout(
        resend=True,
        strategy=msgspec.structs.replace(strategy, **dict.fromkeys(PERMISSIONS, True)),
        drift=DriftPolicy(ignore=(loss, label)),
    )
    assert (stopped(free, plain), stopped(plain, free), stopped(free, free)) == (plain, plain, free)


@pytest.mark.parametrize(
    ("older", "newer", "counts"),
    [
        ((), (NIGHT,), (NIGHT,)),
        ((NIGHT,), (), (NIGHT,)),
        ((NIGHT,), (msgspec.structs.replace(NIGHT, duration="2h"),), (msgspec.structs.replace(NIGHT, duration="2h"),)),
        ((NIGHT,), (msgspec.structs.replace(NIGHT, duration="8h"),), (NIGHT,)),
        (
            (NIGHT,),
            (msgspec.structs.replace(NIGHT, overrun="doNotStart"),),
            (msgspec.structs.replace(NIGHT, overrun="doNotStart"),),
        ),
        ((msgspec.structs.replace(NIGHT, overrun="doNotStart"),), (NIGHT,), None),
        ((NIGHT,), (msgspec.structs.replace(NIGHT, schedule="0 3 * * *"),), (NIGHT,)),
        ((NIGHT,), (FREEZE,), (NIGHT, FREEZE)),
        ((FREEZE,), (), (FREEZE,)),
    ],
    ids=["first", "dropped", "shorter", "longer", "whole", "overrun", "moved", "denied", "deny-dropped"],
)
def test_windows_are_taken_where_they_are_narrower(
    older: tuple[Window, ...], newer: tuple[Window, ...], counts: tuple[Window, ...] | None
) -> None:
    assert stopped(rollout(windows=older), rollout(windows=newer)).windows == (older if counts is None else counts)


def test_a_removed_rollout_runs_no_more_where_every_wrong_manifest_has_a_name() -> None:
    assert stopped_rollouts((rollout(),), (), (broken(),)) == ()
    assert stopped_rollouts((rollout(),), (), (broken(), broken(""))) == (rollout(),)
    assert stopped_rollouts((rollout(),), (), (broken("probe"),)) == (rollout(),)
    assert stopped_rollouts((rollout(),), (), (broken("clay")._replace(renamed_from="probe"),)) == (rollout(),)


def test_the_abort_of_a_renamed_rollout_stops_the_one_that_it_was() -> None:
    newer = rollout(name="renamed", renamed_from="probe", abort=ABORT)
    assert stopped(rollout(), newer) == rollout(abort=ABORT)


@pytest.mark.parametrize("stop", [{"abort": ABORT}, {"suspend": SUSPEND}])
def test_a_rollout_that_only_the_newer_manifests_have_is_run_where_it_is_stopped(stop: dict[str, object]) -> None:
    """It may be under way: the environment may have run by a revision that was wrong for another one."""
    new = rollout(name="new", **stop)
    assert stopped_rollouts((), (new,), (broken(),)) == (new,)
    assert left_alone((), (new,), (broken(),)) == ()


def test_a_rollout_that_only_the_newer_manifests_have_is_left_alone_otherwise() -> None:
    new = rollout(name="new")
    assert stopped_rollouts((), (new,), (broken(),)) == ()
    assert [(each.kind, each.name) for each in left_alone((), (new,), (broken(),))] == [("Rollout", "new")]
    assert left_alone((rollout(),), (rollout(),), (broken(),)) == ()


def test_freezes_are_added_and_none_is_lifted() -> None:
    later = msgspec.structs.replace(FREEZE, schedule="0 0 31 12 *")
    older = msgspec.structs.replace(ENVIRONMENT, freezes=(FREEZE,))
    assert kept(older, freezes=(later,)).freezes == (FREEZE, later)


def test_the_lower_of_two_guards_counts() -> None:
    older = msgspec.structs.replace(ENVIRONMENT, guards=Guards(max_affected_devices=100, max_affected_percent=5.0))
    newer = Guards(max_affected_devices=10, max_affected_percent=50.0, max_shrink_percent=1.0)
    found = kept(older, guards=newer).guards
    assert found == Guards(max_affected_devices=10, max_affected_percent=5.0, max_shrink_percent=1.0)


def test_a_required_signature_and_a_revoked_key_count_at_once() -> None:
    def policy(*keys: SigningKey) -> FirmwarePolicy:
        return FirmwarePolicy(require_signature=RequireSignature(keys=keys))

    one, two = SigningKey(name="one", public_key="a"), SigningKey(name="two", public_key="b")
    assert kept(ENVIRONMENT, firmware=policy(one)).firmware == policy(one)
    older = msgspec.structs.replace(ENVIRONMENT, firmware=policy(one, two))
    found = kept(older, firmware=policy(msgspec.structs.replace(one, revoked="leaked"))).firmware
    assert found is not None
    assert [key.revoked for key in found.require_signature.keys] == ["leaked", REMOVED_KEY]


def test_what_would_let_more_happen_is_not_taken_of_an_environment() -> None:
    newer = {"call_budget": 1, "endpoints": {"iot": "https://iot.example"}, "every": "1h", "guards": Guards()}
    assert kept(ENVIRONMENT, **newer) == ENVIRONMENT


def test_an_environment_whose_newer_manifest_is_wrong_keeps_the_older_one() -> None:
    assert stopped_environment(ENVIRONMENT, None) == ENVIRONMENT
