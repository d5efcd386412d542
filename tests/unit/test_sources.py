"""Data by name, networks that not every stage takes, and stages that the report does not know."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from coralline import catalogue, graph, request
from coralline.errors import ProfileError
from stages.dataset import sources
from stages.dataset.sources import Source
from stages.models import Model
from stages.spec import Input, Output, Parameter, Spec, Variant

if TYPE_CHECKING:
    from pathlib import Path

PULSES = Source("pulses", "pulses", ("pulses",), outputs=(Output("pulses.npz", "npz"),))
TABLES = Model("tables", "Tables", 0, network="tables", task="pulses", source="pulses")
WIRE = Spec(
    "wire",
    "wire tables",
    (Variant("dataset", per=("model",), networks=("tables",), inputs={"dataset": Input(stage="dataset")}),),
    (Output("section.json", "json"),),
    reported=True,
)


@pytest.fixture
def extended(monkeypatch: pytest.MonkeyPatch) -> None:
    """A project with a source, a model and a stage more than there are, each declared as its own file would."""
    known, models, specs = catalogue.sources(), catalogue.models(), catalogue.specs()
    data = specs["dataset"]
    source = replace(data.parameters[0], choices=(*data.parameters[0].choices, "pulses"))
    variant = Variant("dataset", when={"source": "pulses"}, outputs=PULSES.outputs)
    data = replace(data, variants=(*data.variants, variant), parameters=(source, *data.parameters[1:]))
    before = {name: spec for name, spec in specs.items() if name not in ("dataset", "report", "paper")}
    after = {name: specs[name] for name in ("report", "paper")}
    monkeypatch.setattr(catalogue, "sources", lambda: {**known, "pulses": PULSES})
    monkeypatch.setattr(catalogue, "models", lambda: {**models, "tables": TABLES})
    monkeypatch.setattr(catalogue, "specs", lambda: {"dataset": data, **before, "wire": WIRE, **after})


@pytest.mark.usefixtures("extended")
def test_a_network_of_its_own_kind_goes_its_own_way_to_the_report() -> None:
    steps = graph.draw(request.make(model="tables"))
    assert list(steps) == ["dataset", "wire/tables", "report"]
    assert steps["dataset"].parameters == {"source": "pulses"}
    assert [output.path for output in steps["dataset"].outputs] == ["dataset.json", "pulses.npz"]
    assert "wire/tables" in steps["report"].needs


@pytest.mark.usefixtures("extended")
def test_other_networks_do_not_see_its_stage() -> None:
    assert not [label for label in graph.draw(request.make(model="inceptionv3")) if label.startswith("wire")]


@pytest.mark.usefixtures("extended")
def test_all_models_are_those_that_can_learn_from_the_data() -> None:
    classifiers = request.make(model="all").models
    assert "tables" not in classifiers
    assert "inceptionv3" in classifiers
    assert request.make(model="all", data="pulses").models == ("tables",)


@pytest.mark.usefixtures("extended")
def test_models_and_data_that_do_not_suit_each_other_are_refused() -> None:
    with pytest.raises(ProfileError) as caught:
        request.make(model="inceptionv3", data="pulses")
    assert caught.value.message == "inceptionv3 cannot learn from 'pulses'"
    assert "simulate" in caught.value.hint
    assert "tables" in caught.value.hint
    with pytest.raises(ProfileError, match="learn from different data: tables from 'pulses', inceptionv3 from 'simul"):
        request.make(model="inceptionv3,tables")
    with pytest.raises(ProfileError, match="tables cannot learn from 'simulate'"):
        request.make(model="tables", settings=["dataset.source=simulate"])


@pytest.mark.usefixtures("extended")
def test_a_setting_of_other_data_is_refused_also_where_the_model_chose_them() -> None:
    with pytest.raises(ProfileError, match=r"means nothing while dataset.source is 'pulses'"):
        request.make(model="tables", settings=["dataset.train_events=10"])


@pytest.mark.usefixtures("extended")
def test_a_folder_named_like_a_source_is_written_as_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pulses").mkdir()
    monkeypatch.chdir(tmp_path)
    assert request.make(model="tables", data="pulses").externals == {}
    assert request.make(model="inceptionv3", data="./pulses").externals == {"data": tmp_path / "pulses"}


def test_a_parameter_of_two_sources_is_one_that_means_something_in_both() -> None:
    seed, shape = (Parameter(name, "int", 1, name) for name in ("seed", "shape"))
    declared = sources.parameters([Source("a", "", (), (seed,)), Source("b", "", (), (seed, shape))])
    assert {one.name: one.when["source"] for one in declared} == {"seed": ("a", "b"), "shape": ("b",)}
    with pytest.raises(ValueError, match="seed of source b"):
        sources.parameters([Source("a", "", (), (seed,)), Source("b", "", (), (replace(seed, default=2),))])


@pytest.mark.parametrize("name", list(catalogue.sources()))
def test_every_source_is_a_choice_of_the_stage_and_serves_a_task(name: str) -> None:
    source = catalogue.sources()[name]
    assert name in catalogue.specs()["dataset"].parameters[0].choices
    assert source.name == name
    assert source.tasks
    assert source.summary


@pytest.mark.parametrize("name", list(catalogue.models()))
def test_every_model_can_learn_from_the_data_that_it_wants(name: str) -> None:
    model = catalogue.models()[name]
    assert model.task in catalogue.sources()[model.source].tasks
