"""What a stage shows by itself comes back as it was written, and nothing else is taken for it."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.contract import InputError
from stages.section import MAX_BYTES, NAME, Section, SectionFigure, SectionTable, read_picture, read_section

CELLS = st.one_of(
    st.none(),
    st.text(max_size=8).filter(lambda text: text.isprintable()),
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False),
)
TABLES = st.integers(1, 4).flatmap(
    lambda width: st.builds(
        SectionTable,
        title=st.just("a table"),
        columns=st.lists(st.sampled_from("abc"), min_size=width, max_size=width),
        rows=st.lists(st.lists(CELLS, min_size=width, max_size=width), max_size=4),
        note=st.sampled_from(["", "a note"]),
    )
)


@given(st.lists(TABLES, max_size=3))
def test_a_section_comes_back_as_it_was_written(tables: list[SectionTable]) -> None:
    told = Section("Wiring", ["One sentence."], tables, [SectionFigure("figures/a.svg", "A figure")])
    folder = Path(tempfile.mkdtemp())
    try:
        told.write(folder)
        assert read_section(folder, "wire/x") == told
    finally:
        shutil.rmtree(folder)


def document(**changed: Any) -> dict[str, Any]:
    table = {"title": "t", "columns": ["a"], "rows": [["x"]], "note": ""}
    told = {"schema": "coralline.section", "version": 1, "title": "W", "text": [], "tables": [table], "figures": []}
    return told | changed


@pytest.mark.parametrize(
    "told",
    [
        [],
        document(version=2),
        document(title=3),
        document(text=[None]),
        document(tables=[{"title": "t", "columns": ["a"], "rows": [["x", "y"]], "note": ""}]),
        document(tables=[{"title": "t", "columns": ["a"], "rows": [[{}]], "note": ""}]),
        document(tables=[{"title": "t", "columns": ["a"], "rows": [[True]], "note": ""}]),
        document(tables=[{"title": "t", "columns": ["a"], "rows": [[1e999]], "note": ""}]),
        document(figures=[{"path": "a.svg", "caption": ""}] * 33),
        document(text=["x" * MAX_BYTES]),
    ],
)
def test_what_is_no_section_is_refused_by_name(tmp_path: Path, told: Any) -> None:
    (tmp_path / NAME).write_text(json.dumps(told))
    with pytest.raises(InputError, match="of wire/x cannot be read"):
        read_section(tmp_path, "wire/x")


def test_a_figure_is_read_from_its_artifact_only(tmp_path: Path) -> None:
    inside = tmp_path / "artifact"
    inside.mkdir()
    (inside / "a.svg").write_bytes(b"<svg/>")
    (tmp_path / "b.svg").write_bytes(b"<svg/>")
    (inside / "c.svg").symlink_to(tmp_path / "b.svg")
    assert read_picture(inside, SectionFigure("a.svg", ""), "wire/x") == ("image/svg+xml", b"<svg/>")
    for path in ("../b.svg", str(tmp_path / "b.svg"), "c.svg", "a.html", "none.svg", ""):
        with pytest.raises(InputError, match="cannot be read"):
            read_picture(inside, SectionFigure(path, ""), "wire/x")
