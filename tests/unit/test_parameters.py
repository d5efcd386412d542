from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coralline import parameters
from coralline.errors import ProfileError
from stages.spec import Parameter, Spec, Variant

COUNT = Parameter("count", "int", 3, "how many", minimum=1, maximum=9)
RATE = Parameter("rate", "float", 0.5, "how fast", minimum=0.0, maximum=1.0)
SWITCH = Parameter("switch", "bool", False, "whether")
COLOUR = Parameter("colour", "choice", "red", "which", choices=("red", "blue"))
SHARES = Parameter("shares", "ints", (1, 1), "shares", minimum=1)


@given(st.integers(1, 9))
def test_a_whole_number_within_its_bounds_is_read_back(number: int) -> None:
    assert parameters.from_word(COUNT, str(number), "") == number


@given(st.floats(0, 1))
def test_a_number_is_read_back_exactly(number: float) -> None:
    assert parameters.from_word(RATE, repr(number), "") == number


@given(st.lists(st.integers(1, 10**6), min_size=1))
def test_several_numbers_are_read_back(numbers: list[int]) -> None:
    assert parameters.from_word(SHARES, ",".join(map(str, numbers)), "") == tuple(numbers)


@pytest.mark.parametrize(
    ("parameter", "word"),
    [
        *((COUNT, word) for word in ("0", "10", "two", "1.5")),
        *((RATE, word) for word in ("1.01", "nan")),
        (SWITCH, "perhaps"),
        (COLOUR, "green"),
        *((SHARES, word) for word in ("1,0", "")),
    ],
)
def test_an_impossible_word_is_refused_with_what_is_expected(parameter: Parameter, word: str) -> None:
    with pytest.raises(ProfileError) as caught:
        parameters.from_word(parameter, word, f"--set stage.{parameter.name}")
    assert parameter.name in caught.value.message
    assert parameters.expected(parameter) in caught.value.hint


@given(st.one_of(st.text(), st.booleans(), st.none(), st.lists(st.text()), st.floats(allow_nan=True)))
def test_a_profile_value_of_another_kind_is_refused(value: object) -> None:
    with pytest.raises(ProfileError):
        parameters.checked(COUNT, value, "profile: stage.count")


def test_a_whole_number_is_also_a_number() -> None:
    assert parameters.checked(RATE, 1, "") == 1.0


def test_a_parameter_that_does_not_apply_is_left_out() -> None:
    spec = Spec("s", "", (Variant("i"),), (), (COLOUR, Parameter("depth", "int", 1, "", when={"colour": ("blue",)})))
    assert parameters.complete(spec, {}, lambda _: None) == {"colour": "red"}
    assert parameters.complete(spec, {}, {"colour": "blue"}.get) == {"colour": "blue", "depth": 1}
