"""`otactl approve`: writes an approval of one wave, with the digest of what is approved, into its manifest.

1. The digest is over content, strategy, windows and the wave's devices (membership.py): time passing leaves an approval
   good, another image or another device does not.
2. Which devices a wave by percent has depends on the waves that started, so the journal is read if there is one.
3. Of a wave of groups an approval names the devices inside as well: as the run saw them that asked for it, which the
   journal knows; as a plan shows them; or as the service shows them now. Without any it lets nothing start.
4. `by` is self-asserted. Who may merge the pull request is the guard: the repository's code owners.
"""

from __future__ import annotations

import re
from datetime import datetime

import click

from otactl.backends.transport.machine_clock import utc_now
from otactl.cli.errors import Verb, guarded
from otactl.cli.group_members import look_into
from otactl.cli.journal_option import Place, journal_option, place_for
from otactl.cli.manifest_edit import Found, change, find, form_option, rollout_option, unchanged
from otactl.errors import JournalMissingError, StalledError, UsageError
from otactl.journal import open_journal
from otactl.manifest.edit import Append, Edit, Put, Remove
from otactl.model import Approval, Environment, JsonObject, Record, Rollout, Wave, iso
from otactl.planning.membership import approval_digest, groups_of, inside, named_devices, resolved
from otactl.report.journals_used import document, lines
from otactl.report.sanitize import plain
from otactl.wording import count

_DEVICES = re.compile(r"[0-9]{1,9}:[0-9a-f]{64}")


@click.command(cls=Verb, name="approve", short_help="approve a wave, in its manifest")
@click.argument("path", metavar="PATH")
@click.option("--wave", "wave_name", required=True, metavar="WAVE", help="The wave to approve.")
@click.option("--role", metavar="ROLE", help="The role you approve for; by default the one the wave asks for.")
@click.option("--by", required=True, metavar="WHO", help="Who approves, as the environment's approvalRoles spell it.")
@click.option("--at", metavar="TIME", help="When, with its zone; now by default.")
@click.option("--devices", metavar="DEVICES", help="The devices of its groups, as a plan shows them.")
@click.option("--read-groups", "look", is_flag=True, help="Read the devices of its groups from the service.")
@journal_option
@rollout_option
@form_option
@guarded
def command(
    path: str,
    wave_name: str,
    role: str | None,
    by: str,
    at: str | None,
    devices: str | None,
    look: bool,
    journal: str | None,
    name: str | None,
    style: str,
) -> None:
    """Add an approval of WAVE to spec.approvals of the manifest PATH.

    It names the digest of what is approved: rollout, environment, firmware, backend block, strategy, windows and the
    wave's devices, those inside its groups too, as the last run saw them. When one of these changes, the wave
    asks for a new approval, and this command puts it in place of the old one.

    WHO is what you say it is. Who may merge the pull request is up to the code owners of your repository.
    """
    found = find(path, name, strict=True)
    declared = next(e for e in found.reading.environments if e.name == found.rollout.environment)
    place = place_for(declared, [path], journal)
    record = _record(found.rollout, place)
    rollout = resolved(found.rollout, record or Record(environment=found.rollout.environment, name=found.rollout.name))
    wave = _wave(rollout, wave_name)
    wanted = _role(found, wave, role, by)
    digest = approval_digest(rollout, wave)
    number = len(rollout.targets_of(wave).keys)
    seen = record.wave(wave.name) if record is not None else None
    named, unread = _named(
        found, rollout, wave, devices or ("" if look or seen is None else seen.approval_devices), look=look
    )
    used = document((place.used(declared.name),)) if record is not None else {"journal": None}
    more: JsonObject = {"wave": wave.name, "digest": digest, "targets": number, "devices": named, **used}
    theirs = [a for a in found.rollout.approvals if (a.wave, a.role) == (wave.name, wanted)]
    good = [a for a in theirs if a.digest == digest and named in (None, a.devices)]
    current = next((a for a in good if a.by == by), None)
    if current is not None:
        text = f"wave {wave.name} is approved by {by} as it is, since {iso(current.at)}"
        unchanged(found, style=style, text=text, **more)
        return
    entry: JsonObject = {"wave": wave.name, "role": wanted, "by": by, "digest": digest, "at": _moment(at)}
    if named is not None:
        entry["devices"] = named
    text = f"wave {wave.name} of rollout {rollout.name}, {count(number, 'target')}, is approved by {by}"
    if record is None and any(w.percent is not None for w in found.rollout.strategy.waves):
        text += f" (no journal at {place.shown}: devices are divided as if no wave had started)"
    text += f" with the {named.partition(':')[0]} devices in its groups" if named is not None else ""
    text += f" ({unread})" if unread else ""
    change(found, *_edits(found.rollout.approvals, theirs, good, entry), style=style, text=text, **more)
    if record is not None and style == "text":
        click.echo(plain(lines((place.used(),))[0]))


def _named(found: Found, rollout: Rollout, wave: Wave, given: str, *, look: bool) -> tuple[str | None, str]:
    """Return what names the devices inside the wave's groups (rule 3), and why nothing does where something should."""
    groups = groups_of(rollout, wave)
    if given:
        if not groups:
            raise UsageError(f"wave {wave.name} has no groups, so its targets are its devices; omit --devices")
        if _DEVICES.fullmatch(given) is None:
            raise UsageError(
                f"--devices {given!r} is not what a plan shows: a number, a colon and 64 hexadecimal digits"
            )
        return given, ""
    if not groups:
        return None, ""
    if not look:
        return (
            None,
            "no run has asked for this approval yet, so the devices of its groups are unknown; add --read-groups",
        )
    environment = next(e for e in found.reading.environments if e.name == rollout.environment)
    devices = inside(groups, look_into(environment, rollout, wave))
    if devices is None:
        raise StalledError("AnswerInvalid", f"the lists of {', '.join(groups)} are not whole; run the command again")
    return named_devices(devices), ""


def _record(rollout: Rollout, place: Place) -> Record | None:
    """Return what the journal remembers of the rollout, by its former name while its record has not moved.

    None without a journal.
    """
    try:
        with open_journal(place.url, must_exist=True) as journal:
            own = journal.load(rollout.environment, rollout.name).record
            if own.attempts or rollout.renamed_from is None:
                return own
            before = journal.load(rollout.environment, rollout.renamed_from).record
            return own if before.renamed_to else before
    except JournalMissingError:
        return None


def _wave(rollout: Rollout, name: str) -> Wave:
    waves = {w.name: w for w in rollout.strategy.waves}
    asking = ", ".join(f"{w.name} (of {w.requires.approval})" for w in waves.values() if w.requires is not None)
    asks = f"those that ask for an approval: {asking}" if asking else "no wave of it asks for an approval"
    if name not in waves:
        raise UsageError(f"rollout {rollout.name} has no wave {name} with devices; {asks}")
    if waves[name].requires is None:
        raise UsageError(f"wave {name} of rollout {rollout.name} needs no approval; {asks}")
    return waves[name]


def _role(found: Found, wave: Wave, given: str | None, by: str) -> str:
    """Return the role to approve for, of which `by` must be a member."""
    environment = next(e for e in found.reading.environments if e.name == found.rollout.environment)
    wanted = wave.requires.approval if wave.requires is not None else ""
    role = given or wanted
    known = {r.name: r for r in environment.approval_roles}
    if role not in known:
        there = f"its roles: {', '.join(known)}" if known else "it has none; add spec.approvalRoles"
        raise UsageError(f"environment {environment.name} has no approval role {role}; {there}")
    if role != wanted:
        raise UsageError(f"wave {wave.name} asks for the approval of {wanted}; one of {role} would not be valid")
    if known[role].members and by not in known[role].members:
        raise UsageError(f"{by} is not a member of the approval role {role}; {_members(environment, role)}")
    return role


def _members(environment: Environment, role: str) -> str:
    members = next(r.members for r in environment.approval_roles if r.name == role)
    return f"members in environment {environment.name}: {', '.join(members)}"


def _moment(given: str | None) -> str:
    if given is None:
        return iso(utc_now())
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise UsageError(f"--at {given!r} is no time with its zone; write it as 2027-01-01T00:00:00Z")
    return given


def _edits(
    approvals: tuple[Approval, ...], theirs: list[Approval], good: list[Approval], entry: JsonObject
) -> tuple[Edit, ...]:
    """Return the entry in place of the first outdated one of the wave and role; further outdated ones are taken out."""
    outdated = [n for n, a in enumerate(approvals) if a in theirs and a not in good]
    if not outdated:
        return (Append(("spec", "approvals"), entry),)
    first, *others = outdated
    gone = tuple(Remove(("spec", "approvals", n)) for n in reversed(others))
    return (Put(("spec", "approvals", first), entry), *gone)
