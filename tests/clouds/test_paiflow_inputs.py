from __future__ import annotations

import json
from enum import IntEnum, StrEnum
from typing import Any

import pytest
import yaml

from airflow_provider_mlworkflows.clouds.alibaba.paiflow_inputs import (
    arguments_text,
    artifact_items,
    options_text,
    parameter_items,
)
from airflow_provider_mlworkflows.clouds.alibaba.paiflow_manifests import (
    DeclaredInputs,
    declared_inputs,
    manifest_documents,
    manifest_text,
)
from airflow_provider_mlworkflows.exceptions import InvalidInputError

STEP = {"apiVersion": "core/v1", "metadata": {"provider": "pai", "identifier": "data_source", "version": "v1"}}


def step(name: str, **spec: Any) -> dict[str, Any]:
    return {**STEP, "metadata": {**STEP["metadata"], "name": name}, "spec": spec}  # type: ignore[dict-item]


def manifest(*steps: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "apiVersion": "core/v1",
        "metadata": {"provider": "1557702098194904", "identifier": "demo", "version": "v1", "name": "demo"},
        "spec": {
            "inputs": {
                "parameters": [{"name": "table", "type": "String"}, {"name": "rounds", "type": "Int", "value": 3}],
                "artifacts": [{"name": "inputTable", "metadata": {"type": {"DataSet": {"locationType": "OSS"}}}}],
            },
            "pipelines": list(steps),
        },
        **changes,
    }


def bomb(merge: str = "") -> str:
    """A short YAML text that would grow to ten millions of values."""
    begin = "a: &a {x: 1}\n" if merge else "a: &a [x]\n"
    lines = []
    for below, name in zip("abcdefg", "bcdefgh", strict=True):
        tenfold = f"[{', '.join([f'*{below}'] * 10)}]"
        lines.append(f"{name}: &{name} " + (f"{{{merge}: {tenfold}}}" if merge else tenfold))
    return begin + "\n".join(lines)


def endless() -> dict[str, Any]:
    holder: dict[str, Any] = {}
    holder["self"] = [holder]
    return holder


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


class TestManifest:
    def test_text_is_sent_as_it_is(self) -> None:
        text = "# a remark\n" + yaml.safe_dump(manifest(step("read")))
        assert manifest_text(text) == text

    def test_data_is_rendered(self) -> None:
        data = manifest(step("read", arguments={"parameters": [{"name": "p", "value": "1e3"}]}))
        text = manifest_text(data)
        assert yaml.safe_load(text) == data
        assert '"1e3"' in text

    def test_what_occurs_twice_is_written_twice(self) -> None:
        shared = {"name": "p", "value": 1}
        data = manifest(step("a", arguments={"parameters": [shared]}), step("b", arguments={"parameters": [shared]}))
        assert "&" not in manifest_text(data)

    def test_kinds_of_text_and_number_are_what_they_are_made_of(self) -> None:
        class Mode(StrEnum):
            FAST = "fast"

        class Size(IntEnum):
            SMALL = 3

        class Share(float):
            pass

        given = {"m": Mode.FAST, "s": Size.SMALL, "f": Share(0.5), "b": True}
        plainly = {"m": "fast", "s": 3, "f": 0.5, "b": True}
        text = manifest_text(manifest(step("a", arguments=given)))
        assert yaml.safe_load(text)["spec"]["pipelines"][0]["spec"]["arguments"] == plainly
        assert options_text(given) == json.dumps(plainly, separators=(",", ":"))

    def test_outputs_of_steps_that_are_there(self) -> None:
        outputs = {"artifacts": [{"name": "m", "from": "{{pipelines.a.outputs.artifacts.model}}"}]}
        text = yaml.safe_dump(manifest(step("a")))
        assert manifest_text(text.replace("spec:\n  inputs", f"spec:\n  outputs: {json.dumps(outputs)}\n  inputs"))

    def test_key_may_be_merged_and_given(self) -> None:
        text = "a: &a {k: 1, l: 1}\nb: &b {<<: *a, k: 2}\nc: {<<: *a, <<: *b, k: 3, 1: one, '1': text}"
        assert manifest_documents(text)[0]["c"] == {"k": 3, "l": 1, 1: "one", "1": "text"}

    def test_components_come_before_the_pipeline(self) -> None:
        component = {"apiVersion": "core/v1", "metadata": {"guid": "c1"}, "spec": {"container": {"image": "i"}}}
        text = manifest_text([component, manifest(step("read"))])
        assert list(yaml.safe_load_all(text)) == [component, manifest(step("read"))]
        assert manifest_text(text) == text

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            ("a: [1", "not valid YAML: line 1, column"),
            ("a: b: c", "line 1, column 5"),
            ("\tx", "not valid YAML"),
            ("a: 1\nb: 2\na: 3", "line 3, column 1: the key 'a' comes twice"),
            ("x:\n- y: {a: 1, a: 1}", "line 2, column 13: the key 'a' comes twice"),
            ("x: &m {a: 1, a: 2}\ny: {<<: *m}", "line 1, column 14: the key 'a' comes twice"),
            ("", "empty"),
            ("# only a remark", "empty"),
            ("just text", "mapping with apiVersion"),
            ([], "empty"),
            (manifest(apiVersion="core/v2"), "'core/v2', not 'core/v1'"),
            ({"metadata": {}}, "apiVersion is None"),
            (manifest(metadata={"identifier": "x"}), "lacks provider, version"),
            (manifest(metadata="x"), "lacks provider, identifier, version"),
            (manifest(spec=None), "no spec"),
            (manifest(spec={"pipelines": {"a": 1}}), "a list of steps"),
            (manifest(step("a"), step("a")), "several steps 'a'"),
            (manifest(step("a", dependencies=["b"])), "refers to the step 'b'"),
            (
                manifest(step("data-source"), step("b", arguments={"p": "{{pipelines.data_source.outputs.x}}"})),
                "refers to the step 'data_source', which the pipeline does not have. It has data-source, b",
            ),
            (manifest(step("a", dependencies=["a"])), "depend on each other: a -> a"),
            (manifest(step("a", dependencies=["b"]), step("b", dependencies=["a"])), "depend on each other"),
            (manifest(step("a", dependencies=["ghost"], pipelines=[step("x")])), "refers to the step 'ghost'"),
            (manifest(step("a", arguments={"p": "{{inputs.parameters.tabel}}"})), "'tabel', which is not among"),
            (manifest(step("a", arguments={"p": {1, 2}})), "no text, number"),
            (manifest(step("a", arguments={"p": float("nan")})), "nan"),
            (manifest(step("a", arguments={1: "p"})), "keys that are no texts"),
            ('x: !!timestamp "abc"', "line 1, column 4: 'abc' is not of the type timestamp"),
            ("x: !!timestamp 2026-02-30", "type timestamp (day is out of range"),
            ("x: [!!bool abc]", "'abc' is not of the type bool"),
            ('x: !!int ""', "'' is not of the type int"),
            ('x: !!int "-"', "'-' is not of the type int"),
            ('x: !!float ""', "'' is not of the type float"),
            ("x: " + "9" * 5000, "'9999999999999999999999999999999999999999' is not of the type int"),
            ("x: &a [*a]", "contains itself"),
            ("x: &a {y: {z: *a}}", "contains itself"),
            ("x: " + "[" * 101 + "]" * 101, "nested too deeply"),
            ("x: " + "{a: " * 2000 + "}" * 2000, "nested too deeply"),
            (bomb(), "holds too much"),
            (bomb("<<"), "holds too much"),
            (manifest(step("a", arguments=endless())), "contains itself"),
            (manifest(step("a", arguments={"p": 10**5000})), "too many digits"),
            (
                manifest(spec={"outputs": {"x": "{{pipelines.b.outputs.y}}"}, "pipelines": [step("a")]}),
                "outputs of the pipeline refer to the step 'b', which it does not have. It has a.",
            ),
            (manifest(step("a", arguments=deep(150))), "nested too deeply"),
            (manifest(step("a", arguments=deep(5000))), "nested too deeply"),
            (manifest(metadata={"provider": "", "identifier": None, "version": 0}), "lacks provider, identifier;"),
        ],
    )
    def test_what_cannot_be_right_is_named(self, given: Any, words: str) -> None:
        with pytest.raises(InvalidInputError) as caught:
            manifest_text(given)
        assert words in str(caught.value)

    def test_what_is_shared_is_no_loop(self) -> None:
        text = yaml.safe_dump(manifest(step("a")))
        assert manifest_text(text + "x: &a [1]\ny: [*a, *a]\nz: [*a]\n")
        shared = ["p"]
        assert manifest_text(manifest(step("a", arguments={"p": shared, "q": [shared, shared]})))

    def test_a_version_may_be_a_number(self) -> None:
        assert manifest_text(manifest(metadata={"provider": "p", "identifier": "i", "version": 0}))

    def test_steps_without_a_name_may_be_of_one_component(self) -> None:
        nameless = {"apiVersion": "core/v1", "metadata": {"provider": "p", "identifier": "cp", "version": "v1"}}
        manifest_text(manifest(nameless, nameless))

    def test_references_within_a_pipeline_of_a_pipeline_are_its_own(self) -> None:
        inner = step(
            "inner",
            inputs={"parameters": [{"name": "own"}]},
            pipelines=[step("x"), step("y", dependencies=["x"], arguments={"p": "{{inputs.parameters.own}}"})],
        )
        manifest_text(manifest(step("a"), inner))

        wrong = step("inner", inputs={}, pipelines=[step("y", dependencies=["a"])])
        with pytest.raises(InvalidInputError, match="refers to the step 'a', which step 'inner' does not have"):
            manifest_text(manifest(step("a"), wrong))

    def test_declared_inputs(self) -> None:
        declared = declared_inputs(manifest())
        assert list(declared.parameters) == ["table", "rounds"]
        assert list(declared.artifacts) == ["inputTable"]


class TestParameters:
    @pytest.mark.parametrize(
        ("kind", "value", "sent"),
        [
            ("String", "x", "x"), ("String", 3, "3"), ("String", True, "true"), ("Int", "3", 3), ("Int", 3, 3),
            ("integer", "-4", -4), ("Double", "0.5", 0.5), ("Double", 2, 2.0), ("Bool", "True", True),
            ("Bool", False, False), ("Map", '{"a": 1}', {"a": 1}), ("Map", {"a": [1]}, {"a": [1]}),
            ("Array", "[1, 2]", [1, 2]), ("list", ["x"], ["x"]), ("", "3", "3"), ("Unheard", "3", "3"),
        ],
    )  # fmt: skip
    def test_take_their_declared_type(self, kind: str, value: Any, sent: Any) -> None:
        (item,) = parameter_items({"p": value}, {"p": {"name": "p", "type": kind}})
        assert item == {"name": "p", "value": sent}
        assert type(item["value"]) is type(sent)

    @pytest.mark.parametrize(
        ("kind", "value"),
        [
            ("Int", "x"), ("Int", "1.5"), ("Int", True), ("Int", 1.0), ("Double", "nan"), ("Double", True),
            ("Bool", "yes"), ("Bool", 1), ("Map", "[1]"), ("Map", '{"a": NaN}'), ("Map", "x"), ("Array", {"a": 1}),
            ("String", ["x"]),
        ],
    )  # fmt: skip
    def test_that_do_not_fit_are_refused(self, kind: str, value: Any) -> None:
        with pytest.raises(InvalidInputError, match=f"'p' is .*, but its type is {kind}"):
            parameter_items({"p": value}, {"p": {"name": "p", "type": kind}})

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            ({"tabel": 1}, "no parameter 'tabel'. Did you mean 'table'? It declares table"),
            ([{"name": "table", "value": 1}, {"name": "table", "value": 2}], "given twice"),
            ({"table": None}, "no value"),
            ({"": 1}, "cannot be the name"),
            ("table: x", "should be a mapping of names to values"),
            ([{"value": 1}], "with a name each"),
            ({"table": object()}, "no text, number"),
        ],
    )
    def test_that_cannot_be_right_are_named(self, given: Any, words: str) -> None:
        with pytest.raises(InvalidInputError) as caught:
            parameter_items(given, {"table": {"name": "table"}})
        assert words in str(caught.value)

    def test_one_that_is_required_is_missed(self) -> None:
        declared = {"a": {"name": "a", "required": True}, "b": {"name": "b", "required": True, "value": 1}}
        with pytest.raises(InvalidInputError, match="requires the parameter 'a'"):
            parameter_items({}, declared)
        assert parameter_items({"a": 1}, declared)


class TestArtifacts:
    LOCATION = {"location": {"project": "p", "table": "t"}}  # noqa: RUF012
    METADATA = {"type": {"DataSet": {"locationType": "MaxComputeTable"}}}  # noqa: RUF012
    TEXT = '{"location": {"project": "p", "table": "t"}}'

    @pytest.mark.parametrize("value", [LOCATION, TEXT])
    def test_a_value_is_json_in_a_text(self, value: Any) -> None:
        assert artifact_items({"in": value}) == [{"name": "in", "value": self.TEXT}]

    def test_metadata_comes_from_the_caller_or_from_the_declaration(self) -> None:
        sent = [{"name": "in", "metadata": self.METADATA, "value": self.TEXT}]
        assert artifact_items({"in": {"metadata": self.METADATA, "value": self.LOCATION}}) == sent
        assert artifact_items({"in": self.LOCATION}, {"in": {"name": "in", "metadata": self.METADATA}}) == sent
        assert artifact_items([{"name": "in", "metadata": self.METADATA, "value": self.TEXT}]) == sent

    def test_a_repeated_one_is_numbered(self) -> None:
        (item,) = artifact_items({"in": [self.LOCATION, self.TEXT]}, {"in": {"name": "in", "repeated": True}})
        assert item["value"] == [{"name": "in_0", "value": self.TEXT}, {"name": "in_1", "value": self.TEXT}]

    def test_a_repeated_one_may_name_and_describe_each_value(self) -> None:
        given = [{"name": "first", "value": self.TEXT}, {"metadata": self.METADATA, "value": self.LOCATION}]
        sent = [
            {"name": "first", "metadata": {"of": "all"}, "value": self.TEXT},
            {"name": "in_1", "metadata": self.METADATA, "value": self.TEXT},
        ]
        declared = {"in": {"name": "in", "repeated": True, "metadata": {"of": "all"}}}
        assert artifact_items({"in": given}, declared)[0]["value"] == sent
        assert artifact_items([{"name": "in", "value": given}], declared)[0]["value"] == sent

    def test_the_name_is_that_which_it_is_given_by(self) -> None:
        (item,) = artifact_items({"in": {"name": "other", "value": self.LOCATION}})
        assert item == {"name": "in", "value": self.TEXT}

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            ({"in": {"metadata": METADATA}}, "give where it is"),
            ({"in": {}}, "give where it is"),
            ({"in": '{"location": NaN}'}, "give where it is"),
            ({"in": "oss://bucket/x"}, "give where it is"),
            ({"in": "[1]"}, "give where it is"),
            ({"in": 3}, "give where it is"),
            ({"in": [LOCATION]}, "not declared as repeated"),
            ({"out": LOCATION}, "no artifact 'out'"),
        ],
    )
    def test_that_cannot_be_right_are_named(self, given: Any, words: str) -> None:
        with pytest.raises(InvalidInputError) as caught:
            artifact_items(given, {"in": {"name": "in"}})
        assert words in str(caught.value)


class TestArguments:
    def test_are_rendered_to_yaml_that_reads_the_same_everywhere(self) -> None:
        text = arguments_text({"a": "1e3", "b": "yes", "c": 0.1, "d": [True, {"e": "值"}]}, {"in": {"x": 1}})

        assert text is not None
        assert '"1e3"' in text
        assert "值" in text
        assert yaml.safe_load(text) == {
            "arguments": {
                "parameters": [
                    {"name": "a", "value": "1e3"}, {"name": "b", "value": "yes"}, {"name": "c", "value": 0.1},
                    {"name": "d", "value": [True, {"e": "值"}]},
                ],
                "artifacts": [{"name": "in", "value": '{"x": 1}'}],
            }
        }  # fmt: skip

    def test_there_may_be_none(self) -> None:
        assert arguments_text() is None

    def test_are_checked_against_the_manifest(self) -> None:
        text = manifest_text(manifest())
        with pytest.raises(InvalidInputError, match="Did you mean 'rounds'"):
            arguments_text({"round": 1}, manifest=text)
        assert yaml.safe_load(arguments_text({"rounds": "4"}, manifest=text) or "")["arguments"]["parameters"] == [
            {"name": "rounds", "value": 4}
        ]

    def test_finished_text_is_checked_too(self) -> None:
        declared = DeclaredInputs({"a": {"name": "a"}}, {})
        text = "arguments:\n  parameters:\n  - {name: a, value: 1}\n"
        assert arguments_text(arguments=text, declared=declared) == text
        with pytest.raises(InvalidInputError, match="no parameter 'b'"):
            arguments_text(arguments=text.replace("a, v", "b, v"), declared=declared)

    @pytest.mark.parametrize("text", ["parameters: []", "- x", "a: [", "", "arguments: 3"])
    def test_text_that_is_none_is_refused(self, text: str) -> None:
        with pytest.raises(InvalidInputError, match="arguments"):
            arguments_text(arguments=text)

    def test_text_and_data_exclude_each_other(self) -> None:
        with pytest.raises(InvalidInputError, match="not both"):
            arguments_text({"a": 1}, arguments="arguments: {}")


class TestOptions:
    def test_forms(self) -> None:
        assert options_text(None) is None
        assert options_text({"mlflow": {"experimentId": "exp-1"}}) == '{"mlflow":{"experimentId":"exp-1"}}'
        assert options_text('{"a": 1}') == '{"a": 1}'

    @pytest.mark.parametrize("given", ["x", "[1]", "", '{"a": NaN}', 5])
    def test_text_that_is_no_mapping_is_refused(self, given: Any) -> None:
        with pytest.raises(InvalidInputError, match="options"):
            options_text(given)


class TestWhatCannotBeSent:
    DECLARED = DeclaredInputs(
        {"m": {"name": "m", "type": "Map"}, "a": {"name": "a", "type": "Array"}}, {"t": {"name": "t"}}
    )

    @pytest.mark.parametrize("levels", [150, 100_000])
    @pytest.mark.parametrize(("name", "begin", "end"), [("m", '{"x":', "}"), ("a", "[", "]")])
    def test_json_text_that_is_nested_too_deeply(self, name: str, begin: str, end: str, levels: int) -> None:
        text = begin * levels + "1" + end * levels
        with pytest.raises(InvalidInputError, match=f"parameter '{name}' is nested too deeply"):
            arguments_text({name: text}, declared=self.DECLARED)

    @pytest.mark.parametrize("given", [5, {"arguments": {}}, ["a"]])
    def test_arguments_that_are_no_text(self, given: Any) -> None:
        with pytest.raises(InvalidInputError, match=r"arguments should be YAML text, not (int|dict|list)"):
            arguments_text(arguments=given)

    def test_what_is_no_data_in_an_items_own_form(self) -> None:
        with pytest.raises(InvalidInputError, match="The source of artifact 't' contains <object"):
            arguments_text(artifacts=[{"name": "t", "from": object()}])
        with pytest.raises(InvalidInputError, match="cannot be written as YAML"):
            arguments_text([{"name": "m", "value": 1, "more": object()}])

    def test_options_that_are_nested_too_deeply(self) -> None:
        with pytest.raises(InvalidInputError, match="options should be a mapping"):
            options_text('{"x":' * 100_000)
        with pytest.raises(InvalidInputError, match=r"is nested too deeply|give where it is"):
            artifact_items({"t": '{"x":' * 100_000})
