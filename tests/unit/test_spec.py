"""Specs are frozen, checked values that turn into JSON and back."""

import copy
import dataclasses
import json
import math
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaekit import spec as spec_module
from vaekit.errors import ConfigError
from vaekit.spec import (
    Part,
    Ref,
    Role,
    Spec,
    Within,
    from_json,
    lookup,
    parse_value,
    references,
    registered,
    replace_at,
    spec_from_text,
    spec_of,
    to_json,
)


class Plain(Spec, kind="test/plain"):
    width: Annotated[int, Within(1, 100)] = 3
    rate: float = 0.5
    name: str = "a"
    on: bool = False
    mode: Literal["fast", "slow"] = "fast"
    hidden: tuple[int, ...] = (2, 1)
    limit: float | None = None
    either: int | str = 0


class Needy(Spec, kind="test/needy"):
    size: int
    shape: tuple[float, ...]


class Leaf(Spec, kind="leaf/one"):
    value: Annotated[float, Within(low=0)] = 1.0


class Tree(Spec, kind="test/tree"):
    part: Annotated[Any, Role("leaf")] = Leaf()
    anything: Part | None = None
    parts: tuple[Annotated[Any, Role("leaf")], ...] = ()


class Ordered(Spec, kind="test/ordered"):
    low: int = 0
    high: int = 1

    def validate(self):
        if self.low > self.high:
            raise ConfigError("low exceeds high", where="test/ordered")


class Sharing(Spec, kind="test/sharing"):
    width: int = 1
    voice: Ref = Ref("encoder")


# --- values ---------------------------------------------------------------------------------


def test_specs_are_values():
    assert Plain(width=5) == Plain(width=5) != Plain(width=6)
    assert len({Plain(width=5), Plain(width=5), Plain(width=6)}) == 2
    assert copy.deepcopy(Tree()) == Tree()


def test_specs_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError, match="width"):
        Plain().width = 4


def test_values_are_converted_to_the_annotation():
    made = Plain(rate=2, hidden=[4, 3], limit=1)
    assert (made.rate, made.hidden, made.limit) == (2.0, (4, 3), 1.0)
    assert type(made.rate) is type(made.limit) is float
    assert Plain(hidden=7).hidden == (7,)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"width": 0}, r"test/plain\.width: out of bounds; expected between 1 and 100, got 0$"),
        ({"width": 101}, r"width: out of bounds; expected between 1 and 100, got 101$"),
        ({"width": 2.0}, r"width: wrong type; expected a whole number, got 2\.0$"),
        ({"width": True}, r"width: wrong type; expected a whole number, got True$"),
        ({"rate": math.nan}, r"rate: not a finite number; got nan$"),
        ({"rate": math.inf}, r"rate: not a finite number; got inf$"),
        ({"rate": 10**400}, r"rate: not a finite number; got inf$"),
        ({"rate": -(10**400)}, r"rate: not a finite number; got -inf$"),
        ({"rate": "x"}, r"rate: wrong type; expected a number, got 'x'$"),
        ({"rate": True}, r"rate: wrong type; expected a number, got True$"),
        ({"name": 1}, r"name: wrong type; expected text, got 1$"),
        ({"on": 1}, r"on: wrong type; expected true or false, got 1$"),
        (
            {"mode": "idle"},
            r"mode: not one of the choices; expected 'fast' or 'slow', got 'idle'$",
        ),
        ({"hidden": (1, "b")}, r"hidden\[1\]: wrong type; expected a whole number, got 'b'$"),
        ({"limit": "x"}, r"limit: wrong type; expected a number, got 'x'$"),
        ({"either": 0.5}, r"either: wrong value; expected a whole number or text, got 0\.5$"),
        ({"name": [0] * 99}, r"name: wrong type; expected text, got \[0, 0.{66,}\.\.\.$"),
    ],
)
def test_wrong_values_are_refused_with_their_place(fields, message):
    with pytest.raises(ConfigError, match=message):
        Plain(**fields)


@pytest.mark.parametrize("width", [1, 100])
def test_bounds_are_closed(width):
    assert Plain(width=width).width == width


@pytest.mark.parametrize(
    ("bounds", "text"),
    [
        (Within(1, 2.5), "between 1 and 2.5"),
        (Within(low=0), "at least 0"),
        (Within(high=9), "at most 9"),
    ],
)
def test_bounds_read_as_text(bounds, text):
    assert str(bounds) == text


def test_validate_checks_across_fields():
    with pytest.raises(ConfigError, match=r"^test/ordered: low exceeds high$"):
        Ordered(low=2)


def test_replace_copies_and_checks():
    assert Plain().replace(width=9) == Plain(width=9)
    with pytest.raises(
        ConfigError, match=r"no field 'widht'\. Did you mean 'width'\? Known: either"
    ):
        Plain().replace(widht=9)
    with pytest.raises(ConfigError, match="out of bounds"):
        Plain().replace(width=0)
    with pytest.raises(ConfigError, match="low exceeds high"):
        Ordered().replace(low=5)


# --- parts ----------------------------------------------------------------------------------


def test_a_part_is_a_spec_of_its_role_or_something_callable():
    assert Tree(part=Leaf(2.0)).part == Leaf(2.0)
    assert Tree(part=len).part is len
    with pytest.raises(ConfigError, match=r"test/tree\.part: not a leaf; got test/plain$"):
        Tree(part=Plain())
    with pytest.raises(
        ConfigError, match=r"part: not a leaf; expected a leaf spec or module \(one\), got 3$"
    ):
        Tree(part=3)
    with pytest.raises(ConfigError, match=r"parts\[1\]: not a leaf; got test/plain$"):
        Tree(parts=(Leaf(), Plain()))


def test_a_part_without_a_role_takes_any_spec():
    assert Tree(anything=Plain()).anything == Plain()
    with pytest.raises(
        ConfigError, match=r"anything: not a part; expected a spec or module, got 3$"
    ):
        Tree(anything=3)


# --- registry -------------------------------------------------------------------------------


def test_the_registry_finds_by_kind_and_by_role():
    assert lookup("test/plain") is lookup("plain", role="test") is Plain
    assert registered("leaf") == {"one": Leaf}
    assert registered()["test/tree"] is Tree


def test_unknown_kinds_suggest_the_nearest():
    with pytest.raises(
        ConfigError, match=r"^unknown test 'plian'\. Did you mean 'plain'\? Known: "
    ):
        lookup("plian", role="test")
    with pytest.raises(
        ConfigError, match=r"^unknown part 'test/plian'\. Did you mean 'test/plain'"
    ):
        lookup("test/plian")
    with pytest.raises(ConfigError, match=r"^unknown leaf 'test/plain'"):
        lookup("test/plain", role="leaf")


def test_a_kind_is_taken_once():
    with pytest.raises(
        ConfigError, match=r"the kind 'test/plain' is taken by .*Plain\. Choose another name$"
    ):

        class Impostor(Spec, kind="test/plain"):
            pass

    assert lookup("test/plain") is Plain


@pytest.mark.parametrize("kind", ["plain", "/plain", "test/"])
def test_a_kind_has_a_role_and_a_name(kind):
    with pytest.raises(ConfigError, match=f"a kind is 'role/name'; got {kind}$"):

        class Nameless(Spec, kind=kind):
            pass

    assert kind not in registered()


def test_an_abstract_base_is_not_registered():
    before = registered()

    class Base(Spec):
        shared: int = 1

    assert registered() == before
    with pytest.raises(ConfigError, match=r"^Base\.shared: wrong type"):
        Base(shared="x")


def test_spec_of_finds_what_a_module_was_built_from():
    class Module:
        spec = Leaf(4.0)

    assert spec_of(Module()) == Leaf(4.0)
    assert spec_of(Leaf()) == Leaf()
    with pytest.raises(ConfigError, match=r"^function was not built from a registered spec"):
        spec_of(lambda: None)


# --- JSON -----------------------------------------------------------------------------------


def through_json(value):
    return from_json(json.loads(json.dumps(to_json(value), allow_nan=False)))


def test_json_writes_every_field_and_reads_it_back():
    tree = Tree(part=Leaf(2.0), anything=Plain(limit=0.1), parts=(Leaf(), Leaf(3.0)))
    assert to_json(tree)["parts"] == [
        {"kind": "leaf/one", "value": 1.0},
        {"kind": "leaf/one", "value": 3.0},
    ]
    assert to_json(Plain())["limit"] is None
    assert through_json(tree) == tree


@given(
    width=st.integers(1, 100),
    rate=st.floats(allow_nan=False, allow_infinity=False),
    name=st.text(),
    hidden=st.lists(st.integers(), max_size=5).map(tuple),
    limit=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    either=st.integers() | st.text(),
)
def test_json_round_trip(**fields):
    made = Plain(**fields)
    back = through_json(made)
    assert back == made
    assert hash(back) == hash(made)
    assert math.copysign(1.0, back.rate) == math.copysign(1.0, made.rate)


@given(st.integers(), st.lists(st.floats(allow_nan=False, allow_infinity=False)))
def test_json_round_trip_of_required_fields(size, shape):
    assert through_json(Needy(size, tuple(shape))) == Needy(size, tuple(shape))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (3, r"^spec: not a spec; expected an object with a 'kind', got 3$"),
        ({"width": 3}, r"^spec: not a spec; expected an object with a 'kind'"),
        ({"kind": ["test/plain"]}, r"^spec: not a spec"),
        ({"kind": "test/plian"}, r"^unknown part 'test/plian'\. Did you mean 'test/plain'\?"),
        ({"kind": "os.system"}, r"^unknown part 'os\.system'"),
        ({"kind": "test/plain", "widht": 1}, r"unknown field 'widht' .*Did you mean 'width'\?"),
        ({"kind": "test/plain", "__class__": 1}, r"unknown field '__class__' of test/plain"),
        ({"kind": "test/plain", "width": 10**30}, r"width: out of bounds"),
        ({"kind": "test/plain", "width": "3"}, r"width: wrong type"),
        ({"kind": "test/needy", "size": 1}, r"^test/needy needs shape$"),
        ({"kind": "test/needy"}, r"^test/needy needs size, shape$"),
        ({"kind": "test/tree", "part": {"kind": "nope/x"}}, r"unknown part 'nope/x'"),
        ({"kind": "test/tree", "part": {"kind": "test/plain"}}, r"not a leaf; got test/plain$"),
        (
            {"kind": "test/tree", "part": {"kind": "leaf/one", "v": 1}},
            r"^spec\.part: unknown field 'v'",
        ),
    ],
)
def test_foreign_json_is_refused(value, message):
    with pytest.raises(ConfigError, match=message):
        from_json(value)


def test_a_role_is_asked_of_the_outermost_spec():
    assert from_json({"kind": "leaf/one"}, role="leaf") == Leaf()
    with pytest.raises(ConfigError, match=r"unknown leaf 'test/plain'"):
        from_json({"kind": "test/plain"}, role="leaf")


def test_references_are_written_and_read_back():
    made = Sharing(voice=Ref("decoder"))
    assert to_json(made) == {
        "kind": "test/sharing",
        "width": 1,
        "voice": {"$ref": "decoder"},
    }
    assert through_json(made) == made
    assert hash(through_json(made)) == hash(made)


def test_references_give_the_parts_by_field():
    parts = {"encoder": object(), "decoder": object()}
    assert references(Sharing(), parts) == {"voice": parts["encoder"]}
    assert references(Plain(), parts) == references(object(), parts) == {}
    with pytest.raises(ConfigError, match=r"test/sharing\.voice: no part 'encoder' to refer to"):
        references(Sharing(), {})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"$ref": 3}, "not a reference; expected the name of a part, got 3"),
        ({"$ref": "../encoder"}, "not a reference"),
        ({"$ref": "__class__.x"}, "not a reference"),
        ({"$ref": "a" * 65}, "not a reference"),
        ({"$ref": {"kind": "leaf/one"}}, "not a reference"),
        ({"$ref": "encoder", "kind": "leaf/one"}, r"unknown field '\$ref'"),
        ("encoder", r"voice: wrong type; expected Ref, got 'encoder'"),
        ({"kind": "leaf/one"}, r"voice: wrong type; expected Ref"),
    ],
)
def test_foreign_references_are_refused(value, message):
    with pytest.raises(ConfigError, match=message):
        from_json({"kind": "test/sharing", "voice": value})


def test_a_reference_stands_only_where_one_is_asked_for():
    with pytest.raises(ConfigError, match="width: wrong type"):
        from_json({"kind": "test/plain", "width": {"$ref": "encoder"}})
    with pytest.raises(ConfigError, match="not a leaf"):
        from_json({"kind": "test/tree", "part": {"$ref": "encoder"}})
    with pytest.raises(ConfigError, match="not a spec"):
        from_json({"$ref": "encoder"})


def test_json_depth_is_bounded():
    def nested(depth):
        value = {"kind": "test/tree"}
        for _ in range(depth):
            value = {"kind": "test/tree", "anything": value}
        return value

    assert isinstance(from_json(nested(spec_module.MAX_DEPTH)), Tree)
    with pytest.raises(ConfigError, match=r"anything: nested more than 16 deep$"):
        from_json(nested(spec_module.MAX_DEPTH + 1))


def test_json_lists_nested_without_end_are_refused():
    value = [1]
    for _ in range(5000):
        value = [value]
    with pytest.raises(ConfigError, match=r"hidden(\[0\])+: nested more than 16 deep$"):
        from_json({"kind": "test/plain", "hidden": value})


def test_json_length_is_bounded():
    items = [1] * (spec_module.MAX_ITEMS + 1)
    message = r"hidden: too many items; expected at most 100000, got 100001$"
    with pytest.raises(ConfigError, match=message):
        from_json({"kind": "test/plain", "hidden": items})
    with pytest.raises(ConfigError, match=message):
        Plain(hidden=tuple(items))


# --- text -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("none", None),
        ("NULL", None),
        ("true", True),
        ("False", False),
        ("3", 3),
        (" -3 ", -3),
        ("0.5", 0.5),
        ("1e-3", 0.001),
        ("256,128", (256, 128)),
        ("256,", (256,)),
        ("a,1,none", ("a", 1, None)),
        ("relu", "relu"),
        ("mlp:hidden=8,4", "mlp:hidden=8,4"),
        ("mlp:hidden=8,4:activation=tanh", "mlp:hidden=8,4:activation=tanh"),
        ("a:b,c", ("a:b", "c")),
    ],
)
def test_parse_value(text, value):
    parsed = parse_value(text)
    assert parsed == value
    assert type(parsed) is type(value)


def test_spec_from_text():
    assert spec_from_text("one", role="leaf") == Leaf()
    made = spec_from_text("plain:width=5:hidden=9,8:limit=none:mode=slow", role="test")
    assert made == Plain(width=5, hidden=(9, 8), mode="slow")


def test_commas_in_the_text_of_a_part_belong_to_its_fields():
    value = parse_value("plain:hidden=9,8:mode=slow")
    assert spec_from_text(value, role="test") == Plain(hidden=(9, 8), mode="slow")


class Choosy(Spec, kind="test/choosy"):
    norm: Literal["none", "group"] = "group"
    limit: int | None = 3


def test_none_is_a_word_where_it_is_one_of_the_choices():
    assert spec_from_text("choosy:norm=none:limit=none", role="test") == Choosy("none", None)
    assert replace_at(Choosy(), "norm", parse_value("none")) == Choosy("none", 3)
    with pytest.raises(ConfigError, match=r"test/choosy\.norm: not one of the choices"):
        Choosy(norm=None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("plian", r"^unknown test 'plian'\. Did you mean 'plain'\?"),
        ("plain:width", r"^plain:width: 'width' is not field=value$"),
        ("plain:widht=1", r"unknown field 'widht' of test/plain\. Did you mean 'width'\?"),
        ("plain:width=0", r"width: out of bounds"),
        ("needy:size=1", r"^test/needy needs shape$"),
    ],
)
def test_bad_text_is_refused(text, message):
    with pytest.raises(ConfigError, match=message):
        spec_from_text(text, role="test")


def test_replace_at_reaches_into_parts():
    assert replace_at(Tree(), "part.value", 2) == Tree(part=Leaf(2.0))
    assert replace_at(Tree(), "part", "one:value=3") == Tree(part=Leaf(3.0))
    assert replace_at(Tree(), "part", Leaf(4.0)) == Tree(part=Leaf(4.0))
    assert replace_at(Plain(), "width", 4) == Plain(width=4)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("prat", 1, r"^test/tree: unknown setting 'prat'\. Did you mean 'part'\?"),
        ("part.valeu", 1, r"^leaf/one: unknown setting 'valeu'\. Did you mean 'value'\?"),
        ("anything.x", 1, r"'anything' is None, which has no settings.*e\.g\. anything=NAME$"),
        ("part.value", -1, r"leaf/one\.value: out of bounds; expected at least 0, got -1\.0$"),
        ("part", "two", r"^unknown leaf 'two'"),
    ],
)
def test_replace_at_refuses_what_is_not_there(path, value, message):
    with pytest.raises(ConfigError, match=message):
        replace_at(Tree(), path, value)
