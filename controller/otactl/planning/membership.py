"""Assigns devices to waves where a rollout divides one list by percent, and names what an approval of a wave covers.

1. The order is a stable hash of the rollout's first name and the device: the same on every machine, and not the same
   canaries for every rollout.
2. Percent is cumulative over the devices declared now, rounded up; a wave has one device at least while any is left.
3. Devices whose labels a wave includes are in that wave, whatever its percent; those it excludes come in a later one.
4. A started wave keeps its members. What is declared later joins the next wave that has not started, or, when all
   have, a wave of its own at the end (`top-up`). A device never moves between started waves. A wave without devices
   is dropped.
5. A target added to a wave that names its targets, after that wave started, gets a wave at the end too, judged and
   approved as the wave it was added to; one that was started already, in any wave and under any name, gets none.
   A device that joined a group of such a wave, where the service sends it nothing, gets one likewise (`joining`).
6. An approval is of one rollout in one environment: its content, strategy, windows and targets; never of time,
   attempts, other approvals, holds, labels or drift. Of targets that are groups it names the devices inside as well, as
   they were when it was given.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Collection, Container, Iterator, Mapping

import msgspec

from otactl.model import Device, Observation, Record, Rollout, Targets, Wave, WaveRecord, canonical_digest, exact
from otactl.model.rollout import TOP_UP

ANY_DEVICES = "any"
"""What an approval names that stands in for one in a rehearsal: no manifest can."""
_GROUPS = ("group:", "thingGroup:")
_SINGLES = ("wireless_devices", "things", "devices")


def resolved(rollout: Rollout, record: Record) -> Rollout:
    """Return the rollout with every wave's targets named (rules 1 to 5); unchanged without percent or started waves."""
    waves = rollout.strategy.waves
    if rollout.targets is None or not any(w.percent is not None for w in waves):
        return _topped_up(rollout, record)
    declared = {d.key: d for kind in _SINGLES for d in getattr(rollout.targets, kind)}
    started = _top_ups(rollout, record)
    frozen = {w.name: _frozen(record.wave(w.name), rollout.generation) for w in (*waves, *started)}
    taken = {key for keys in frozen.values() for key in keys}
    left = sorted(
        (k for k in declared if k not in taken), key=lambda key: _rank((*record.previous_names, rollout.name)[0], key)
    )
    shares = _divided(waves, frozen, left, declared, len({*declared, *taken}))
    members = {w.name: frozen[w.name] or shares.get(w.name, ()) for w in waves}
    named = [_with(rollout, w, members[w.name], declared) for w in waves if members[w.name]]
    if all(frozen[w.name] for w in waves):
        named += [_with(rollout, w, frozen[w.name], declared) for w in started]
        named += _last(rollout, frozen, tuple(left), declared)
    strategy = msgspec.structs.replace(rollout.strategy, waves=tuple(named))
    homes = {w.name: waves[-1].name for w in named if w.top_up}
    return msgspec.structs.replace(rollout, strategy=strategy, homes=homes)


def approval_digest(rollout: Rollout, wave: Wave) -> str:
    """Return the digest of what is approved with a wave (rule 6). `rollout` and `wave` are resolved."""
    declared = [msgspec.structs.replace(w, targets=None) for w in rollout.strategy.waves if not w.top_up]
    strategy = msgspec.structs.replace(rollout.strategy, waves=tuple(declared))
    return canonical_digest(
        {
            "rollout": rollout.name,
            "environment": rollout.environment,
            "firmware": rollout.firmware.sent,
            "backend": rollout.backend,
            "strategy": strategy,
            "windows": rollout.windows,
            "wave": wave.name,
            "targets": rollout.targets_of(wave).keys,
            **({"resend": True} if rollout.resend else {}),
        }
    )


def groups_of(rollout: Rollout, wave: Wave) -> tuple[str, ...]:
    """Return the targets of a wave that hold devices and are none themselves."""
    return tuple(key for key in rollout.targets_of(wave).keys if key.startswith(_GROUPS))


def inside(groups: tuple[str, ...], seen: Observation) -> tuple[str, ...] | None:
    """Return the devices inside groups; None where one of them was not read whole."""
    facts = {target.key: target for target in seen.targets}
    if any(key not in facts or not facts[key].members_complete for key in groups):
        return None
    return tuple(sorted({device for key in groups for device in facts[key].members}))


def named_devices(devices: Collection[str]) -> str:
    """Return the devices of groups as an approval names them: how many, and a digest of which."""
    return f"{len(set(devices))}:{canonical_digest(sorted(set(devices)))}"


def _frozen(known: WaveRecord | None, generation: str) -> tuple[str, ...]:
    """Return the members a wave of this revision started with; a create that may still become visible counts.

    Another revision that was never sent in between leaves them as they were: a passed wave gains no members.
    """
    if known is None:
        return ()
    mine = known.attempts_since(generation)
    if known.members and any(a.live for a in mine):
        return known.members
    whole = (a for a in mine if a.was_sent and not (a.retry_targets or a.never_started))
    sent = {key for a in whole for key in (*a.members, *a.skipped_devices.values())}
    if not mine:
        return ()  # another revision was started since: devices that had this one get it again
    if known.started(generation) or known.verdict_generation == generation:
        return tuple(sorted(sent)) or known.members
    return ()


def _topped_up(rollout: Rollout, record: Record) -> Rollout:
    """Return the waves as they started, and at the end those for what was added since (rule 5)."""
    waves = rollout.strategy.waves
    known = {w.name: record.wave(w.name) for w in waves}
    adopted = {name for name, wave in known.items() if _adopted(wave, rollout.generation)}
    frozen = {n: () if n in adopted else _frozen(wave, rollout.generation) for n, wave in known.items()}
    if not any(frozen.values()):
        return rollout
    started = _top_ups(rollout, record)
    used = {**frozen, **{w.name: _frozen(record.wave(w.name), rollout.generation) for w in started}}
    elsewhere = {key for w in started for key in used[w.name]}
    taken = {key for keys in used.values() for key in keys} | _called(record, rollout.generation)
    named, last = [], []
    homes: dict[str, str] = {}
    for wave in waves:
        declared = rollout.targets_of(wave)
        if not frozen[wave.name]:
            named.append(msgspec.structs.replace(wave, targets=declared))
            continue
        added = tuple(k for k in declared.keys if k not in taken)
        kept = declared.only(set(declared.keys) - elsewhere - set(added))
        named.append(msgspec.structs.replace(wave, targets=kept))
        if added:
            name = next(n for n in _names() if n not in used)
            used[name] = added
            homes[name] = wave.name
            taken |= set(added)
            more = Wave(
                name=name, gate=wave.gate, requires=wave.requires, top_up=True, targets=declared.only(set(added))
            )
            last.append(more)
    joined = {w.name: record.wave(w.name) for w in waves if frozen[w.name]}
    late = {name: known.joined for name, known in joined.items() if known is not None}
    for wave in waves:
        added = tuple(k for k in late.get(wave.name, ()) if k not in taken)
        if added and groups_of(rollout, wave):
            name = next(n for n in _names() if n not in used)
            used[name] = added
            homes[name] = wave.name
            last.append(_for_joined(Wave(name=name, top_up=True), wave, added))
    before = []
    for wave in started:
        home, as_started = _as_started(rollout, wave, frozenset(used[wave.name]), late)
        homes[wave.name] = home.name
        before.append(as_started)
    if not before and not last:
        return rollout
    strategy = msgspec.structs.replace(rollout.strategy, waves=(*named, *before, *last))
    return msgspec.structs.replace(rollout, strategy=strategy, homes=homes)


def _adopted(known: WaveRecord | None, generation: str) -> bool:
    """Return whether a unit of a wave was found without a journal: only the manifest shows its devices."""
    return known is not None and any(a.generation == generation and not a.annotation_digest for a in known.attempts)


def _for_joined(wave: Wave, home: Wave, keys: Collection[str]) -> Wave:
    """Return a wave for devices that joined a group, with the gate and approval of the wave of that group."""
    targets = Targets(things=tuple(_device(key) for key in sorted(keys)))
    return msgspec.structs.replace(wave, gate=home.gate, requires=home.requires, targets=targets)


def _as_started(
    rollout: Rollout, wave: Wave, keys: frozenset[str], joined: Mapping[str, tuple[str, ...]]
) -> tuple[Wave, Wave]:
    """Return the wave that the targets of a started wave at the end were added to; and it, with that wave's rules."""
    for home in rollout.strategy.waves:
        if keys & set(joined.get(home.name, ())):
            return home, _for_joined(wave, home, keys)
    found = [(w, rollout.targets_of(w).only(keys)) for w in rollout.strategy.waves]
    home, targets = next(((w, t) for w, t in found if t.keys), (wave, Targets()))
    return home, msgspec.structs.replace(wave, gate=home.gate, requires=home.requires, targets=targets)


def _called(record: Record, generation: str) -> set[str]:
    """Return every name of a device that a unit of this content was started with."""
    attempts = [a for a in record.attempts if a.generation == generation and (a.was_sent or a.live)]
    ids = {f"device:{device}" for a in attempts for device in a.devices}
    return ids | {f"devEui:{name}" for a in attempts for name in a.names.values()}


def _names() -> Iterator[str]:
    return (TOP_UP if n == 1 else f"{TOP_UP}-{n}" for n in itertools.count(1))


def _rank(name: str, key: str) -> str:
    return hashlib.sha256(f"{name}/{key}".encode()).hexdigest()


def _divided(
    waves: tuple[Wave, ...],
    frozen: Mapping[str, tuple[str, ...]],
    left: list[str],
    declared: Mapping[str, Device],
    number: int,
) -> dict[str, tuple[str, ...]]:
    """Divide the devices over the waves that have not started (rules 2 and 3)."""
    open_waves = [w for w in waves if not frozen[w.name]]
    pins = {k: next((w.name for w in open_waves if _matches(declared[k], w.include)), "") for k in left}
    free = [k for k in left if not pins[k]]
    shares: dict[str, tuple[str, ...]] = {}
    reached = 0
    for wave in waves:
        if frozen[wave.name]:
            reached += len(frozen[wave.name])
            continue
        mine = [k for k in left if pins[k] == wave.name]
        room = max(math.ceil(exact(wave.percent or 100.0) * number / 100) - reached - len(mine), 0 if mine else 1)
        last = wave is open_waves[-1]
        able = [k for k in free if last or not _matches(declared[k], wave.exclude)]
        chosen = able if last else able[:room]
        free = [k for k in free if k not in set(chosen)]
        shares[wave.name] = tuple(sorted((*mine, *chosen)))
        reached += len(shares[wave.name])
    return shares


def _matches(device: Device, labels: Mapping[str, str]) -> bool:
    return bool(labels) and all(device.labels.get(name) == value for name, value in labels.items())


def _with(rollout: Rollout, wave: Wave, keys: tuple[str, ...], declared: Mapping[str, Device]) -> Wave:
    devices = tuple(declared.get(key) or _device(key) for key in sorted(keys))
    kind = next((k for k in _SINGLES if rollout.targets is not None and getattr(rollout.targets, k)), _SINGLES[0])
    return msgspec.structs.replace(wave, targets=msgspec.structs.replace(Targets(), **{kind: devices}))


def _device(key: str) -> Device:
    """Return a device that is in a started wave and was removed from the manifest."""
    kind, _, rest = key.partition(":")
    return Device(dev_eui=rest) if kind == "devEui" else Device(id=rest)


def _top_ups(rollout: Rollout, record: Record) -> tuple[Wave, ...]:
    """Return the waves at the end that have started."""
    names = {w.name for w in rollout.strategy.waves}
    found = [w.name for w in record.waves if w.name.startswith(TOP_UP) and w.name not in names]
    return tuple(_top_up(rollout, name) for name in found if _frozen(record.wave(name), rollout.generation))


def _top_up(rollout: Rollout, name: str) -> Wave:
    """Return a wave at the end, judged and approved as the last one declared."""
    last = rollout.strategy.waves[-1]
    return Wave(name=name, gate=last.gate, requires=last.requires, top_up=True)


def _last(rollout: Rollout, used: Container[str], left: tuple[str, ...], declared: Mapping[str, Device]) -> list[Wave]:
    """Return a wave for the devices that are left, by a name that none has; none where no device is left."""
    if not left:
        return []
    return [_with(rollout, _top_up(rollout, next(n for n in _names() if n not in used)), left, declared)]
