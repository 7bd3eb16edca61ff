"""What was asked for is run, whatever becomes of a job; workers that cannot run an environment take nothing from it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import LiteralString, NamedTuple, TypeVar

import psycopg
import pytest

from otactl.errors import StalledError
from otactl.workers.database import conninfo_of, create_tables, must_have_tables
from otactl.workers.queue import PassQueue, Waiting, open_app, taken
from otactl.workers.requests import OVERDUE_SECONDS, Requests
from otactl.workers.schedule import LIVE, REQUESTED, USUAL, Urgency
from otactl.workers.status import status_of, wait_for_runs
from otactl.workers.store import LOST, Declared, Outcome, Store, Worker

HOME, SOURCE, RUN = "env-00", "/srv/fleet", "r1"
T = TypeVar("T")


class Tables(NamedTuple):
    """The tables of one worker, and their connection string."""

    conninfo: str
    store: Store
    queue: PassQueue
    requests: Requests

    async def declare(self, *names: str, digest: str = "d", source: str = SOURCE, unfit: str = "") -> tuple[str, ...]:
        """Declare environments; what is new is not asked for."""
        declared = {name: Declared(digest=digest, every=300, slot=0) for name in names}
        found = await self.store.declare(source, declared, {*names, unfit})
        self.do("UPDATE environments SET asked_at = NULL")
        return found

    async def start(self, run: str = RUN) -> float:
        """Start a pass; return when."""
        at = await self.store.now()
        await self.store.start_run(run, HOME, "w", "c" * 40, 0, limit=600)
        return at

    async def beat(self, *runs: str) -> None:
        """Say that the worker lives, with the runs that are under way on it."""
        about = {"version": "1", "concurrency": 1, "running": len(runs), "revision": "", "problem": ""}
        await self.store.beat(Worker(name="w", started_at=0, stopping=False, **about), runs)

    async def end(self, at: float, run: str = RUN) -> None:
        """End a pass, as a worker does."""
        await self.store.end_run(run, HOME, Outcome(outcome="ok"), Urgency())
        await self.requests.answered(HOME, at)

    async def take(self) -> None:
        """Take the job that waits, and finish it at once."""
        job = await self.queue.app.job_manager.fetch_job(queues=["passes"], worker_id=1)
        assert job is not None
        self.do("DELETE FROM procrastinate_jobs")

    def runs(self) -> list[tuple[str, str | None]]:
        """Return what the runs of the environment came to, as `workers status` shows it."""
        (found,) = status_of(self.conninfo).environments
        return [(run.outcome, run.message) for run in found.runs]

    def do(self, statement: LiteralString, *values: object) -> None:
        """Change the tables behind the back of the workers, as time would."""
        with psycopg.connect(self.conninfo) as connection:
            connection.execute(statement, values)


@pytest.fixture
def play(conninfo: str) -> Callable[[Callable[[Tables], Awaitable[T]]], T]:
    """Runs one test over open tables."""

    @asynccontextmanager
    async def tables() -> AsyncIterator[Tables]:
        async with open_app(conninfo, 2) as app:
            queue = PassQueue(app)
            await app.job_manager.register_worker()
            yield Tables(conninfo, Store(app), queue, Requests(queue))

    def run(story: Callable[[Tables], Awaitable[T]]) -> T:
        async def opened() -> T:
            async with tables() as found:
                return await story(found)

        return asyncio.run(opened())

    return run


Play = Callable[[Callable[[Tables], Awaitable[None]]], None]


def test_a_request_that_met_a_running_pass_is_asked_again_once_when_that_ends(play: Play) -> None:
    async def story(at: Tables) -> None:
        await at.declare(HOME)
        started = await at.start()
        await at.requests.ask(HOME, REQUESTED)
        await at.take()  # by a worker that finds the environment busy, and drops the job
        await at.end(started)
        assert [(each.environment, each.priority) for each in await at.queue.waiting()] == [(HOME, REQUESTED)]

        await at.take()
        await at.end(await at.start("r2"), "r2")
        assert await at.queue.waiting() == ()

    play(story)


def test_a_pass_that_ends_adds_no_job_where_nothing_was_asked_for(play: Play) -> None:
    async def story(at: Tables) -> None:
        await at.declare(HOME)
        await at.requests.ask(HOME, REQUESTED)
        await at.take()
        await at.end(await at.start())
        assert await at.queue.waiting() == ()

    play(story)


def test_a_request_whose_job_was_lost_with_its_worker_gets_another(play: Play) -> None:
    async def story(at: Tables) -> None:
        await at.declare(HOME)
        await at.requests.ask(HOME, REQUESTED)
        await at.take()
        assert await at.requests.ask_overdue() == 0

        at.do("UPDATE environments SET asked_at = asked_at - make_interval(secs => %s)", OVERDUE_SECONDS + 1)
        assert await at.requests.ask_overdue() == 1
        assert await at.requests.ask_overdue() == 1  # another worker
        (job,) = await at.queue.waiting()
        assert job.priority == REQUESTED

    play(story)


@pytest.mark.parametrize(("under_way", "again"), [((RUN,), 0), ((), 1)], ids=["under way", "lost"])
def test_a_request_waits_for_a_pass_as_long_as_its_worker_says_that_it_is_under_way(
    play: Play, under_way: tuple[str, ...], again: int
) -> None:
    async def story(at: Tables) -> None:
        await at.declare(HOME)
        await at.requests.ask(HOME, REQUESTED)
        await at.start()
        at.do("UPDATE environments SET asked_at = asked_at - interval '1 h'")
        at.do("UPDATE runs SET started_at = started_at - interval '1 h', seen_at = seen_at - interval '1 h'")
        await at.beat(*under_way)
        assert await at.requests.ask_overdue() == again
        assert await at.store.is_running(HOME) == (not again)

    play(story)


def test_a_pass_counts_as_ended_after_its_limit_whatever_its_worker_says(play: Play) -> None:
    async def story(at: Tables) -> None:
        await at.declare(HOME)
        await at.requests.ask(HOME, REQUESTED)
        await at.start()
        at.do("UPDATE environments SET asked_at = asked_at - interval '1 h'")
        at.do("UPDATE runs SET started_at = started_at - interval '1 h', ends_by = ends_by - interval '1 h'")
        await at.beat(RUN)
        assert not await at.store.is_running(HOME)
        assert await at.requests.ask_overdue() == 1
        assert at.runs() == [("lost", LOST)]
        assert await at.store.close_lost() == 1

    play(story)


def test_a_run_of_an_earlier_version_without_a_limit_is_under_way_while_its_worker_says_so(play: Play) -> None:
    async def story(at: Tables) -> None:
        await at.start()
        at.do("UPDATE runs SET started_at = started_at - interval '9 h', ends_by = NULL")
        await at.beat(RUN)
        assert await at.store.is_running(HOME)
        assert await at.store.close_lost() == 0

    play(story)


def test_a_run_whose_worker_is_gone_is_closed_in_words_until_its_end_is_recorded(play: Play) -> None:
    async def story(at: Tables) -> None:
        await at.declare(HOME)
        started = await at.start()
        await at.start("r2")
        at.do("UPDATE runs SET seen_at = seen_at - interval '16 s' WHERE id = %s", RUN)
        assert at.runs() == [("running", None), ("lost", LOST)]
        assert await at.store.close_lost() == 1
        assert at.runs() == [("running", None), ("lost", LOST)]
        assert wait_for_runs(at.conninfo, [HOME], started, 0) == {HOME: None}

        await at.store.end_run(RUN, HOME, Outcome(outcome="ok"), None, ago=5)
        assert at.runs() == [("running", None), ("ok", None)]

    play(story)


def test_the_most_urgent_of_two_requests_counts_and_nothing_is_asked_of_what_is_not_known(play: Play) -> None:
    async def story(at: Tables) -> None:
        await at.declare(HOME)
        await at.requests.ask(HOME, REQUESTED)
        await at.requests.ask(HOME, USUAL)
        await at.requests.ask("unknown", REQUESTED)
        assert [(each.environment, each.priority) for each in await at.queue.waiting()] == [(HOME, REQUESTED)]

    play(story)


def test_a_change_counts_as_asked_for_when_its_worker_dies_before_it_asks(play: Play) -> None:
    async def story(at: Tables) -> None:
        assert await at.store.declare(SOURCE, {HOME: Declared(digest="d", every=300, slot=0)}, {HOME}) == (HOME,)
        at.do("UPDATE environments SET asked_at = asked_at - interval '1 h'")
        assert await at.requests.ask_overdue() == 1

    play(story)


def test_a_job_that_is_put_back_keeps_its_place_and_counts_who_refused_it(play: Play) -> None:
    async def story(at: Tables) -> None:
        await at.queue.defer(HOME, 7.0, LIVE)
        for refusals in range(2):
            job = await at.queue.app.job_manager.fetch_job(queues=["passes"], worker_id=1)
            assert job is not None
            found = taken(job)
            assert (found.since, found.priority, found.refusals) == (7.0, LIVE, refusals)
            await at.queue.put_back(found)
        assert await at.queue.waiting() == (Waiting(environment=HOME, since=7.0, priority=LIVE),)

    play(story)


def test_a_worker_that_cannot_run_an_environment_leaves_it_declared_for_others(play: Play) -> None:
    async def story(at: Tables) -> None:
        assert await at.declare(HOME, "env-01") == (HOME, "env-01")
        await at.declare("env-01", unfit=HOME)
        assert await at.declare(HOME, "env-01") == ()

        await at.declare("env-01")
        assert await at.declare(HOME, "env-01") == (HOME,)

    play(story)


def test_the_good_revision_of_each_environment_is_known_to_every_worker_of_the_source(play: Play) -> None:
    async def story(at: Tables) -> None:
        await at.declare(HOME, "env-01")
        await at.store.record_good("c1", [HOME, "env-01"])
        await at.store.record_good("c2", ["env-01", "unknown"])
        assert await at.store.good_revisions(SOURCE) == {HOME: "c1", "env-01": "c2"}
        assert await at.store.good_revisions("/srv/other") == {}

    play(story)


def test_workers_of_two_folders_with_the_same_manifests_do_not_take_turns_in_changing_them(play: Play) -> None:
    async def story(at: Tables) -> None:
        await at.declare(HOME)
        assert await at.declare(HOME, source="/srv/other") == ()
        assert await at.declare(HOME) == ()
        assert await at.declare(HOME, digest="e", source="/srv/other") == (HOME,)

    play(story)


def test_tables_of_an_earlier_version_are_named_and_upgraded(conninfo: str) -> None:
    with psycopg.connect(conninfo) as connection:
        connection.execute(
            "ALTER TABLE environments DROP COLUMN asked_at, DROP COLUMN asked_priority, DROP COLUMN good_revision"
        )
        connection.execute("ALTER TABLE runs DROP COLUMN seen_at, DROP COLUMN ends_by")
        connection.execute("DROP INDEX runs_open")
        connection.execute("DELETE FROM steps WHERE name LIKE 'otactl/%' AND name > 'otactl/0002'")
    with pytest.raises(StalledError, match="of an earlier version; run `otactl workers init`"):
        must_have_tables(conninfo)
    assert [name.removeprefix("otactl/")[:4] for name in create_tables(conninfo)] == ["0002", "0003", "0004", "0005"]
    must_have_tables(conninfo)


def test_a_database_without_tables_is_named(postgres_database: str) -> None:
    with pytest.raises(StalledError, match="has no tables of the workers"):
        must_have_tables(conninfo_of(None, {"OTACTL_DATABASE": postgres_database}))
