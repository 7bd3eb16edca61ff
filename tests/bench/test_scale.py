"""The models of docs/scale.md: their counts are what otactl sends, and the fleet of workers keeps to its rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pytest

from bench.scale import calls
from bench.scale.fleet import Fleet, Outcome, Shard, even
from bench.scale.tables import BUDGET, PAGE, replaced
from otactl.model import Device, Gate, Rollout, Strategy, Targets, Wave
from tests.support.fuota_stage import FuotaStage, declared, single_devices
from tests.support.ota_stage import THINGS, OtaStage, gateway
from tests.support.tuya_stage import PLUGS, TuyaStage, plugs

Sent = Counter[str]


def strategy(targets: Targets) -> Strategy:
    return Strategy(waves=(Wave(name="all", targets=targets),), gate=Gate(min_success_percent=90))


def sent(stage: FuotaStage, *rollouts: Rollout) -> Sent:
    """The calls of one run."""
    transport = stage.transport()
    report = stage.run(*rollouts, transport=transport)
    assert [r.error for r in report.rollouts if r.error] == []
    return Counter(transport.stats.by_operation)


def settled(stage: FuotaStage, *rollouts: Rollout) -> Sent:
    """The calls of a quiet pass, minutes after what was due was sent."""
    for _ in range(2):
        sent(stage, *rollouts)
        stage.advance(150)
    return sent(stage, *rollouts)


@pytest.mark.server
def test_a_quiet_pass_over_fuota_tasks_sends_what_the_model_counts(fuota_stage: FuotaStage) -> None:
    groups = [f"3f0c1d52-0d1f-4e6e-9f6a-6f3d2b1a0d{n:02x}" for n in range(2)]
    euis = [f"70b3d57ed00010{n:02x}" for n in range(2)]
    fuota_stage.fleet(
        devices=[{"devEui": eui, "rfRegion": "EU868"} for eui in euis],
        groups=[{"name": g, "id": g, "rfRegion": "EU868", "devices": [e]} for g, e in zip(groups, euis, strict=True)],
    )
    rollouts = [declared(name=f"r{n}", strategy=strategy(Targets(multicast_groups=(groups[n],)))) for n in range(2)]

    assert settled(fuota_stage, *rollouts) == calls.fuota(calls.Load(active=2))


@pytest.mark.server
def test_a_quiet_pass_over_ota_updates_sends_what_the_model_counts(ota_stage: OtaStage) -> None:
    ota_stage.behave(**{name.replace("-", "_"): "offline" for name in THINGS})
    rollouts = [gateway(name=f"r{n}", strategy=strategy(Targets(things=(Device(id=THINGS[n]),)))) for n in range(2)]

    assert settled(ota_stage, *rollouts) == calls.ota_update(calls.Load(active=2))


@pytest.mark.server
def test_a_quiet_pass_over_tuya_batches_sends_what_the_model_counts(tuya_stage: TuyaStage) -> None:
    tuya_stage.behave(**{name.replace("-", "_"): "offline" for name in PLUGS})
    rollouts = [plugs(name=f"r{n}", strategy=strategy(Targets(devices=(Device(id=PLUGS[n]),)))) for n in range(2)]

    assert settled(tuya_stage, *rollouts) == calls.tuya(calls.Load(active=2))


def part(found: Mapping[str, int], modelled: Mapping[str, int]) -> dict[str, int]:
    return {key: found.get(key, 0) for key in modelled}


@pytest.mark.server
def test_the_start_of_a_group_sends_what_the_model_counts(fuota_stage: FuotaStage) -> None:
    one = declared(strategy=strategy(declared().strategy.waves[0].targets))
    modelled = calls.start_groups(3, 1)

    assert part(sent(fuota_stage, one), modelled) == modelled


@pytest.mark.server
def test_the_start_of_single_devices_sends_what_the_model_counts(fuota_stage: FuotaStage) -> None:
    named = Targets(wireless_devices=tuple(Device(dev_eui=eui) for eui in fuota_stage.euis[:2]))
    base = single_devices(fuota_stage)
    rollout = declared(backend=base.backend, strategy=strategy(named))
    modelled = calls.start_wireless_devices(2)

    assert part(sent(fuota_stage, rollout), modelled) == modelled


@pytest.mark.server
def test_the_start_of_a_large_thing_group_sends_what_the_model_counts(ota_stage: OtaStage) -> None:
    names = [f"t{n}" for n in range(260)]
    ota_stage.fleet(things=[{"name": n} for n in names], thingGroups=[{"name": "big", "things": names}])
    modelled = calls.start_thing_group(260)

    assert part(sent(ota_stage, gateway(strategy=strategy(Targets(thing_groups=("big",))))), modelled) == modelled


@pytest.mark.server
def test_the_start_of_tuya_devices_sends_what_the_model_counts(tuya_stage: TuyaStage) -> None:
    rollout = plugs(strategy=strategy(Targets(devices=tuple(Device(id=name) for name in PLUGS[:3]))))
    modelled = calls.start_tuya_devices(3)

    assert part(sent(tuya_stage, rollout), modelled) == modelled


def test_the_model_counts_the_calls_that_the_benchmarks_measured() -> None:
    assert "| calls of that pass | 161 |" in (PAGE.parent / "benchmarks.md").read_text()
    assert calls.fuota(calls.Load(active=50)).total() == 161


def test_a_pass_takes_as_long_as_the_operation_that_is_called_most() -> None:
    assert calls.binding(calls.fuota(calls.Load(active=500))) == ("iotwireless:GetFuotaTask", 50.0)
    assert calls.binding(calls.tuya(calls.Load(active=500))) == ("tuya:ListOTATaskByJob", 100.0)


def test_a_fifth_of_a_budget_is_no_ones_to_read() -> None:
    assert (BUDGET, calls.reads_of(BUDGET), calls.reads_of(50)) == (20_000, 16_000, 40)


def ran(*shards: Shard, workers: int = 1, rate: float = 10.0, ticks: int = 3) -> Outcome:
    return Fleet(shards, workers=workers, concurrency=4, rate=rate, every=300.0).run(ticks)


def test_an_environment_alone_runs_each_tick_and_never_waits() -> None:
    found = ran(Shard("one", "here", calls=100, cpu=1.0))

    assert (found.passes, found.worst_wait) == (3, 0.0)
    assert found.longest_pass == pytest.approx(10.0, abs=0.2)


def test_environments_of_one_place_share_its_rate_and_leave_none_of_it_unused() -> None:
    found = ran(*even(8, 1, calls=300, cpu=0.1), workers=2)

    assert found.passes == 24
    assert found.used >= 0.95


def test_environments_of_other_places_do_not_slow_each_other() -> None:
    alone, beside = ran(*even(1, 1, 300, 0.1)), ran(*even(4, 4, 300, 0.1))

    assert beside.longest_pass == pytest.approx(alone.longest_pass)


def test_a_pass_that_lasts_longer_than_a_tick_delays_no_other_environment() -> None:
    heavy = Shard("heavy", "elsewhere", calls=5_000, cpu=1.0)
    found = ran(*even(8, 8, 50, 0.5), heavy)

    assert found.longest_pass > 300
    assert [name for name, wait in found.waits.items() if wait > 0.01 and name != "heavy"] == []


def test_too_few_workers_make_environments_wait_and_more_of_them_do_not() -> None:
    crowd = even(60, 60, calls=5, cpu=10.0)

    assert ran(*crowd).worst_wait > 0.5
    assert ran(*crowd, workers=4).worst_wait < 0.2


def test_an_environment_has_one_waiting_job_at_most() -> None:
    found = ran(*even(10, 10, calls=0, cpu=300.0), ticks=5)

    assert found.passes < 50


@pytest.mark.thorough
def test_the_tables_of_the_page_are_those_of_the_models() -> None:
    assert PAGE.read_text() == replaced(PAGE.read_text()), "run `python -m bench.scale`"
