"""A drawn sample of what `nox -s faults` tries in full; see docs/reliability.md."""

import random
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fercli.stages.table import TABLE
from tests.faults.__main__ import fast_folder
from tests.faults.known import unknown
from tests.faults.pairs import Meeting, Meetings
from tests.faults.project import LEFT_OUT, Projects, cases
from tests.faults.server import Server
from tests.faults.strace import is_here
from tests.faults.trials import KILL, SEED, Bench, Fault, faults_of, outages_of, where_of

pytestmark = pytest.mark.skipif(not is_here(), reason="strace is not installed, or this is no Linux")
# Steps that need no trained run: the rest takes longer.
UNTIL = "train"
DISTURBED = ("add {given}/lesson-2.mp4", "subjects merge s001 s002", "labels import {given}/more.csv", "split --seed 7")
UNPLUGGED = ("labels vote --min-votes 3",)
MEETING = (("labels vote --min-votes 3", "add {given}/lesson-2.mp4"), ("split --seed 7", "subjects merge s001 s002"))
CASES = {case.name: case for case in cases()}


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with tempfile.TemporaryDirectory(dir=fast_folder(), prefix="fer-faults-") as name, Server() as server:
        projects = Projects(Path(name), server)
        projects.make(until=UNTIL)
        yield Bench(server, projects, Path(name) / "bench")


def test_every_command_of_the_stage_table_is_tried_or_left_out_for_a_reason() -> None:
    tried = {case.row.words for case in CASES.values()}
    assert {row.words for row in TABLE if not row.alias_of} == tried | set(LEFT_OUT)
    assert all(LEFT_OUT.values())


@pytest.mark.parametrize("name", DISTURBED)
def test_command_that_was_disturbed_ends_as_if_it_had_not_been(bench: Bench, name: str) -> None:
    case = CASES[name]
    reference = bench.reference(case)
    faults = list(faults_of(case, reference, bench.root))
    drawn = random.Random(f"{SEED} {name}")
    kills = [fault for fault in faults if fault.kind == KILL]
    others = [fault for fault in faults if fault.kind != KILL]
    for fault in (*drawn.sample(kills, 2), drawn.choice(others)):
        assert unknown(str(fault), bench.attempt(fault, reference)) == [], fault


@pytest.mark.parametrize("name", UNPLUGGED)
def test_power_that_goes_costs_nothing_that_was_done(bench: Bench, name: str) -> None:
    reference, outages = outages_of(CASES[name], bench)
    assert len(outages) > 20
    drawn = random.Random(f"{SEED} {name}")
    last = [outage for outage in outages if outage.is_last]
    for outage in (*last[:1], *drawn.sample(outages, 3)):
        assert unknown(str(outage), bench.outage(outage, reference)) == [], outage


@pytest.mark.xfail(strict=True, reason="names in a waiting room are not synced, nor parents of new folders")
def test_added_video_is_on_the_strictest_disk_when_it_is_reported(bench: Bench) -> None:
    reference, outages = outages_of(CASES["add {given}/lesson-2.mp4"], bench)
    (last,) = [outage for outage in outages if outage.is_last and outage.policy == "strict"]
    assert bench.outage(last, reference) == []


@pytest.mark.parametrize("names", MEETING, ids=" + ".join)
def test_two_commands_that_meet_end_as_if_they_had_come_in_turn(bench: Bench, names: tuple[str, str]) -> None:
    meeting = Meeting(CASES[names[0]], CASES[names[1]], "commit")
    assert unknown(str(meeting), Meetings(bench).attempt(meeting)) == []


@pytest.mark.parametrize(
    ("name", "kind", "where"),
    [
        pytest.param(
            "labels export --to csv", "signal=INT", r"rename \.fer/running/labels-export/\S+ exports/",
            id="Ctrl-C in the commit of an export",
        ),
        pytest.param(
            "labels vote --min-votes 3", "signal=KILL", r"rmdir \.fer/commit",
            id="kill after the commit",
        ),
    ],
)  # fmt: skip
def test_fault_that_was_found(bench: Bench, name: str, kind: str, where: str) -> None:
    reference = bench.reference(CASES[name])
    place, operation = next(
        (place, one) for place, one in enumerate(reference.operations) if re.match(where, where_of(one, bench.root))
    )
    fault = Fault(CASES[name], place, operation, kind, where)
    assert bench.attempt(fault, reference) == []
