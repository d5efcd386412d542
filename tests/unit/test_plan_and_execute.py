from __future__ import annotations

import contextlib
import json
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from fakes import FakeEngine, make_outputs, project, spec, step, write_record

from coralline import runs
from coralline.code import Code
from coralline.devices import lock
from coralline.engines.base import Job, Outcome
from coralline.errors import ArtifactError, DeviceError, ProfileError, StageError
from coralline.execute import Ended, Execution
from coralline.frozen import Frozen
from coralline.make import Maker
from coralline.notices import Kind, Notice
from coralline.plan import Action, Decision, Planner
from coralline.pool import Threads
from coralline.store import Store
from stages.spec import Input

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from coralline.graph import Step


class House:
    """A project of three stages in a row, an engine and a store."""

    def __init__(self, root: Path) -> None:
        self.root = project(root / "project", "first", "second", "third")
        self.store = Store(root / "artifacts")
        self.engine = FakeEngine()
        self.specs = {
            "first": spec("first"),
            "second": spec("second", after=["first"]),
            "third": spec("third", after=["second"]),
        }
        self.told: list[Notice] = []
        self.cancelled = threading.Event()
        self.device: dict[str, str] = {}
        self.taken: list[str] = []
        self.externals: dict[str, Input] = {}
        self.digest: Callable[[str], str] = str

    def steps(self, **changed: Any) -> dict[str, Step]:
        drawn = {
            name: step(of, **({"size": changed[name]} if name in changed else {})) for name, of in self.specs.items()
        }
        return {name: replace(one, externals=self.externals) for name, one in drawn.items()}

    def planner(self, forced: frozenset[str] = frozenset()) -> Planner:
        code = Code(self.root, self.store.root / "index" / "code.json")
        return Planner(
            store=self.store,
            engine=self.engine,
            code=code,
            external=lambda name: name,
            forced=forced,
            device_missing=self.device.get,
        )

    def plan(self, **changed: Any) -> dict[str, Decision]:
        return self.planner().plan(self.steps(**changed))

    @contextlib.contextmanager
    def hold(
        self, need: str | None, label: str, waiting: Callable[[str], None], stop: Callable[[], bool]
    ) -> Iterator[lock.Held | None]:
        """Give out the one stick of a machine that has one, with others before us when `device` says so."""
        if need is None:
            yield lock.Held()
            return
        if "holder" in self.device:
            waiting(f"used by {self.device['holder']}")
        if stop():
            yield None
            return
        self.taken.append(f"take {label}")
        yield lock.Held(stick="2-1")
        self.taken.append(f"leave {label}")

    def run(self, *, fresh: bool = True, jobs: int = 2, forced: frozenset[str] = frozenset(), **changed: Any) -> Ended:
        self.engine.ran[:] = [] if fresh else self.engine.ran
        self.record = runs.start(self.store.root, {})
        maker = Maker(
            store=self.store,
            engine=self.engine,
            frozen=Frozen(self.root, self.store.root / "home"),
            run=self.record,
            externals=dict.fromkeys(self.externals, self.root / "data"),
            digest=self.digest,
            notify=self.told.append,
            cancelled=self.cancelled,
            hold=self.hold,
        )
        pool = Threads(maker, jobs)
        return Execution(self.steps(**changed), self.planner(forced), maker, pool, self.told.append).run()


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def actions(plan: dict[str, Decision]) -> list[str]:
    return [str(decision.action) for decision in plan.values()]


def test_everything_runs_once_and_is_then_reused(house: House) -> None:
    assert actions(house.plan()) == ["run", "run", "run"]
    assert not house.run().errors
    assert house.engine.ran == ["first", "second", "third"]
    assert actions(house.plan()) == ["reused"] * 3
    house.run()
    assert house.engine.ran == []


def test_a_changed_parameter_is_named_and_reruns_what_depends_on_it(house: House) -> None:
    house.run()
    plan = house.plan(second=2)
    assert [decision.reason for decision in plan.values()] == [
        "reused",
        "parameter second.size 1 -> 2",
        "input second is to be made",
    ]
    house.run(second=2)
    assert house.engine.ran == ["second", "third"]


def test_a_changed_comment_in_a_stage_reruns_that_stage_and_stops_where_bytes_are_equal(house: House) -> None:
    house.run()
    (house.root / "stages" / "second" / "__main__.py").write_text("# stage second, mended\n")
    assert house.plan()["second"].reason == "code stages/second/__main__.py"
    house.run()
    assert house.engine.ran == ["second"]  # its output is the same bytes, so third is found in the store


def test_a_changed_lock_is_named(house: House) -> None:
    house.run()
    house.engine.recipes["image-third"] = {"lock": "1" * 64}
    assert house.plan()["third"].reason == "image: requirements.lock"


def test_a_changed_input_is_named(house: House) -> None:
    house.run()
    house.engine.behaviours["first"] = _other
    house.run(forced=frozenset({"first"}))
    assert house.engine.ran == ["first", "second", "third"]
    assert [n.text for n in house.told if n.kind is Kind.START and n.label == "second"][-1] == "input first"


def _other(job: Job) -> Outcome:
    (job.out / "out.json").write_text('{"other": true}')
    write_record(job)
    return Outcome(exit_code=0)


def test_going_back_to_old_parameters_reuses_the_old_artifact(house: House) -> None:
    house.run()
    house.run(first=2)
    house.run()
    assert house.engine.ran == []


def test_a_blocked_image_blocks_what_needs_it_with_the_first_reason(house: House) -> None:
    house.engine.blocked_images["image-second"] = "no vendor"
    plan = house.plan()
    assert actions(plan) == ["run", "blocked", "blocked"]
    assert plan["third"].reason == "needs second: no vendor"


def test_a_missing_device_blocks(house: House) -> None:
    house.specs["second"] = spec("second", after=["first"], needs="edgetpu")
    house.device["edgetpu"] = "no stick"
    assert house.plan()["second"].reason == "no stick"


def test_what_was_made_with_a_device_is_reused_without_it(house: House) -> None:
    house.specs["second"] = spec("second", after=["first"], needs="edgetpu")
    house.run()
    house.device["edgetpu"] = "no stick"
    assert house.plan()["second"].action is Action.REUSE


def test_a_step_holds_its_stick_while_it_runs_and_is_told_which(house: House) -> None:
    house.specs["second"] = spec("second", after=["first"], needs="edgetpu")
    house.device["holder"] = "ana"
    seen: list[tuple[str, list[str]]] = []
    for name in ("first", "second"):
        house.engine.behaviours[name] = lambda job: (seen.append((job.stick, [*house.taken])), make_outputs(job))[1]
    assert not house.run().errors
    assert seen == [("", []), ("2-1", ["take second"])]
    assert house.taken == ["take second", "leave second"]
    waited = [(notice.label, notice.text) for notice in house.told if notice.kind is Kind.WAITING]
    assert waited == [("second", "used by ana")]


def test_a_stick_that_is_lost_fails_its_step_as_a_device_and_keeps_the_others(house: House) -> None:
    house.specs["second"] = spec("second", after=["first"], needs="edgetpu")
    lost = {"event": "error", "kind": "device", "message": "the Edge TPU was lost", "remedy": "another cable"}
    house.engine.behaviours["second"] = lambda _job: Outcome(exit_code=2, error=lost)
    ended = house.run()
    error = ended.errors["second"]
    assert (type(error), error.message, error.hint) == (DeviceError, "second: the Edge TPU was lost", "another cable")
    assert ended.decided["first"].artifact is not None


def test_a_gathering_step_goes_on_without_what_is_blocked_and_is_told_why(house: House) -> None:
    house.specs["third"] = spec("third", gathers=["first", "second"])
    house.engine.blocked_images["image-second"] = "no vendor"
    seen: list[Job] = []
    house.engine.behaviours["third"] = lambda job: (seen.append(job), make_outputs(job))[1]
    ended = house.run()
    assert not ended.errors
    assert list(seen[0].inputs) == ["first"]
    assert seen[0].missing == [{"step": "second", "reason": "no vendor"}]
    assert house.record.steps["second"]["state"] == "blocked"


def test_a_failed_step_spares_the_others_and_shows_its_log(house: House) -> None:
    house.specs["aside"] = spec("aside", after=["first"])
    (house.root / "stages" / "aside").mkdir()
    house.engine.behaviours["second"] = lambda _job: Outcome(exit_code=1)
    ended = house.run()
    assert set(house.engine.ran) == {"first", "second", "aside"}
    error = ended.errors["second"]
    assert isinstance(error, StageError)
    assert "last line" in error.hint
    assert error.replay == "replay second"
    assert ended.skipped == {"third": "needs second"}
    house.engine.behaviours.clear()
    house.run()
    assert house.engine.ran == ["second", "third"]


def test_a_gathering_step_goes_on_without_what_failed(house: House) -> None:
    house.specs["third"] = spec("third", gathers=["first", "second"])
    house.engine.behaviours["second"] = lambda _job: Outcome(exit_code=1)
    ended = house.run()
    assert list(ended.errors) == ["second"]
    third = ended.decided["third"].artifact
    assert third is not None
    assert third.record["key_parts"]["missing"] == {"second": "failed: second failed: exit code 1"}


def test_another_engine_is_named(house: House) -> None:
    house.run()
    house.engine.name = "other"
    assert house.plan()["first"].reason == "image: engine fake -> other"


def test_a_wrong_input_is_the_users_error_with_the_steps_remedy(house: House) -> None:
    told = {"event": "error", "message": "bad image x.png", "remedy": "mend it"}
    house.engine.behaviours["first"] = lambda _job: Outcome(exit_code=2, error=told)
    error = house.run().errors["first"]
    assert isinstance(error, ProfileError)
    assert (error.message, error.hint) == ("first: bad image x.png", "mend it")


def test_a_step_that_ends_well_without_its_output_has_failed(house: House) -> None:
    house.engine.behaviours["first"] = lambda job: (write_record(job), Outcome(exit_code=0))[1]
    assert isinstance(house.run().errors["first"], ArtifactError)
    assert actions(house.plan()) == ["run", "run", "run"]


def test_a_stopped_run_keeps_what_is_finished_and_goes_on_later(house: House) -> None:
    def stop(_job: Job) -> Outcome:
        house.cancelled.set()
        return Outcome(exit_code=137)

    house.engine.behaviours["second"] = stop
    ended = house.run()
    assert ended.interrupted
    assert not ended.errors
    house.cancelled.clear()
    house.engine.behaviours.clear()
    house.run()
    assert house.engine.ran == ["second", "third"]


def test_measuring_steps_run_alone(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.specs = {name: spec(name, measures=name in "bd") for name in "abcd"}
    for name in "abcd":
        (house.root / "stages" / name).mkdir()
    running, together = set[str](), []

    def behave(job: Job) -> Outcome:
        running.add(job.label)
        together.append(frozenset(running))
        time.sleep(0.05)
        running.remove(job.label)
        return make_outputs(job)

    house.engine.behaviours = dict.fromkeys("abcd", behave)
    assert not house.run(jobs=4).errors
    assert all(len(group) == 1 for group in together if group & {"b", "d"})


def test_what_was_made_from_data_that_changed_meanwhile_is_refused(house: House) -> None:
    house.specs = {"first": spec("first")}
    house.externals = {"data": Input(external="data")}
    (house.root / "data").mkdir()
    (house.root / "data" / "out.json").write_text("{}")
    house.digest = lambda _name: "changed"
    error = house.run().errors["first"]
    assert isinstance(error, ProfileError)
    assert error.message == "first: --data changed while it was read"
    house.digest = str
    assert not house.run().errors


@pytest.mark.parametrize("how", ["made again with other bytes", "put aside"])
def test_what_was_made_while_its_input_was_replaced_is_refused(house: House, how: str) -> None:
    """As `--from` or `fsck` do meanwhile: the key names the bytes that were there before."""

    def replaced_meanwhile(job: Job) -> Outcome:
        ended = make_outputs(job)
        first = str(house.plan()["first"].key)
        found = house.store.find(first)
        assert found is not None
        with house.store.building(first, lambda: None, lambda: False) as folder:
            assert folder is not None
            if how == "put aside":
                house.store.put_aside(first)
            else:
                (folder / "out.json").write_text('"other"')
                (folder / "record.json").write_text('{"numbers": [], "facts": {}}')
                house.store.publish(folder, first, house.specs["first"].outputs, found.record)
        return ended

    house.engine.behaviours = {"second": replaced_meanwhile}
    errors = house.run().errors
    assert list(errors) == ["second"]
    assert isinstance(errors["second"], ArtifactError)
    assert errors["second"].message == "second: its input first was replaced while it was read"
    house.engine.behaviours = {}
    assert not house.run().errors


def test_two_runs_at_once_make_everything_once(house: House) -> None:
    def slow(job: Job) -> Outcome:
        time.sleep(0.2)
        return make_outputs(job)

    house.engine.behaviours = dict.fromkeys(("first", "second", "third"), slow)
    others = House(house.root.parent)
    others.store, others.engine = house.store, house.engine
    thread = threading.Thread(target=others.run, kwargs={"fresh": False})
    thread.start()
    house.run(fresh=False)
    thread.join()
    assert sorted(house.engine.ran) == ["first", "second", "third"]
    states = [[told["state"] for told in of.record.steps.values()] for of in (house, others)]
    assert [sorted(pair) for pair in zip(*states, strict=True)] == [["made", "reused"]] * 3


def test_the_record_says_what_from_what_and_where(house: House) -> None:
    house.run()
    decision = house.plan()["second"]
    assert decision.artifact is not None
    record = decision.artifact.record
    first = house.plan()["first"].artifact
    assert first is not None
    assert record["key_parts"]["inputs"] == {"first": first.digest}
    assert record["engine"] == {"name": "fake", "image": "image-second"}
    assert record["numbers"][0]["metric"] == "answer"
    run = runs.load(house.store.root)
    assert run.steps["second"]["key"] == decision.key


def test_numbers_of_another_host_are_not_reused(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.specs = {"first": spec("first", measures=True)}
    house.run()
    monkeypatch.setattr("coralline.host.fingerprint", lambda _device: "another")
    assert house.plan()["first"].reason == "host: measured on another machine"


def test_a_thousand_cached_steps_have_stable_keys(house: House) -> None:
    house.specs = {"first": spec("first")}
    one = step(house.specs["first"])
    steps = {f"first/{i}": replace(one, label=f"first/{i}", parameters={"size": i}) for i in range(1000)}
    assert len({decision.key for decision in house.planner().plan(steps).values()}) == 1000


def test_the_run_file_is_always_readable(house: House) -> None:
    house.run()
    told = json.loads((house.record.folder / "run.json").read_text())
    assert list(told["steps"]) == ["first", "second", "third"]
    assert told["ended"] is True
    with pytest.raises(ProfileError):
        runs.load(house.store.root, "nonsense")
