"""Stages run before what they work on exists, and command lines that ask for what there is not."""

import json
from pathlib import Path

import pytest

from tests.bad_input.refusal import refused
from tests.cli.run import run_fer
from tests.drawn import must, tree
from tests.stages.voted import all_votes, make_faces, write_votes

# What each command wants first, in a project that has nothing yet.
FIRST = {
    "extract-frames": "fer add",
    "align": "fer extract-frames",
    "subjects": "fer align",
    "subjects assign pupils.csv": "fer align",
    "labels": "fer align",
    "labels export": "fer align",
    "labels import votes.csv": "fer align",
    "labels vote": "fer labels import",
    "labels agreement": "fer labels import",
    "split": "fer align",
    "stats": "fer align",
    "check": "fer align",
    "check images": "fer align",
    "check labels": "fer labels import",
    "check leakage": "fer split",
    "train": "fer align",
    "eval": "fer train",
    "gradcam": "fer train",
    "predict lesson.mp4": "fer train",
    "trace lesson-1/f000001-0": "fer align",
    "run --until train": "fer add",
}


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    must("init", tmp_path / "mine", "--classes", "happy,neutral,bored")
    return tmp_path / "mine"


@pytest.mark.parametrize("line", FIRST)
def test_stage_without_its_input_names_the_command_that_makes_it(empty: Path, line: str) -> None:
    before = tree(empty)
    assert FIRST[line] in refused(7, *line.split(), "-p", empty).hint
    assert tree(empty) == before


def test_labels_without_subjects_ask_for_subjects_before_a_split(tmp_path: Path) -> None:
    root = make_faces(tmp_path / "mine").root
    faces = root / "manifests/faces.csv"
    faces.write_text(_without_subjects(faces), encoding="utf-8")
    must("labels", "import", write_votes(tmp_path / "votes.csv", all_votes()), "-p", root)
    assert "fer subjects track" in refused(7, "split", "-p", root).hint


def _without_subjects(faces: Path) -> str:
    lines = faces.read_text(encoding="utf-8").splitlines()
    place = lines[0].split(",").index("subject_id")
    cells = [line.split(",") for line in lines[1:]]
    return "\n".join([lines[0], *(",".join([*row[:place], "", *row[place + 1 :]]) for row in cells)]) + "\n"


def test_labels_without_a_split_ask_for_a_split_before_training(tmp_path: Path) -> None:
    root = make_faces(tmp_path / "mine").root
    must("labels", "import", write_votes(tmp_path / "votes.csv", all_votes()), "-p", root)
    assert "fer split" in refused(7, "train", "-p", root).hint


WRONG_WORDS = {
    "no such option": (2, ("align", "--siz", "112"), "no such option: --siz", "fer align --help"),
    "no such command": (2, ("alin",), "no such command 'alin'", "fer --help"),
    "no such sub-command": (2, ("labels", "imprt", "x"), "no such command 'imprt'", "fer labels --help"),
    "a word too many": (2, ("align", "lesson-1"), "unexpected extra argument", "fer align --help"),
    "a word too few": (2, ("trace",), "missing argument", "fer trace --help"),
    "no number": (2, ("align", "--limit", "all"), "'--limit'", "fer align --help"),
    "not one of the choices": (2, ("align", "--size", "100"), "invalid value '100' for --size", "112, 224"),
    "below the minimum": (2, ("align", "--min-face", "1"), "invalid value 1 for --min-face", "at least 8"),
    "no duration": (2, ("extract-frames", "--every", "often"), "invalid value 'often' for --every", "2s"),
    "end before start": (2, ("extract-frames", "--start", "9s", "--end", "3s"), "'--end 3s' is not after", "later"),
    "no such key": (3, ("align", "--set", "sizes=112"), "unknown setting 'sizes'", "Did you mean 'size'?"),
    "key without value": (2, ("align", "--set", "size"), "missing value", "key=value"),
    "no such config": (4, ("align", "--config", "nowhere.toml"), "'nowhere.toml' cannot be read", "path"),
    "no such video": (7, ("extract-frames", "lesson-9"), "no videos", "fer add"),
    "no such model": (7, ("train", "--model", "drf"), "no faces", "fer align"),
    "no such run": (4, ("eval", "yesterday"), "run 'yesterday' not found", "Available runs: none"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_WORDS)
def test_wrong_words_are_one_line_and_the_next_step(empty: Path, name: str) -> None:
    code, words, says, hints = WRONG_WORDS[name]
    refusal = refused(code, *words, "-p", empty) if name != "no such command" else refused(code, *words)
    assert says in refusal.message
    assert hints in refusal.hint


@pytest.mark.parametrize("name", WRONG_WORDS)
def test_wrong_words_with_json_are_one_object_with_the_same_code(empty: Path, name: str) -> None:
    code, words, _, _ = WRONG_WORDS[name]
    got, out, _ = run_fer(*words, "-p", empty, "--json")
    answer = json.loads(out)
    assert got == answer["error"]["exit_code"] == code
    assert answer["error"]["hint"]
    assert (answer["ok"], answer["result"]) == (False, None)


CONFIGS = {
    "no TOML": ("[align\nsize = 112\n", "not valid TOML", 3),
    "unknown section": ("[alin]\nsize = 112\n", "unknown section [alin]", 3),
    "unknown key": ("[align]\nsizes = 112\n", "unknown setting 'sizes'", 3),
    "impossible value": ("[align]\nsize = 100\n", "invalid value '100' for 'size' (", 3),
    "wrong type": ("[align]\nmin-face = 'large'\n", "invalid value 'large' for 'min-face' (", 3),
    "truth for a number": ("[align]\nmin-face = true\n", "invalid value 'True' for 'min-face' (", 3),
    "broken elsewhere": (
        "[labels.aliases]\njoyful = 'glad'\n",
        "alias 'joyful' maps to 'glad', which is not a class",
        3,
    ),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_broken_config_is_named_and_nothing_changes(aligned: Path, name: str) -> None:
    text, says, code = CONFIGS[name]
    path = aligned / "fer.toml"
    path.write_text(path.read_text(encoding="utf-8") + "\n" + text, encoding="utf-8")
    before = tree(aligned)
    refusal = refused(code, "align", "-p", aligned)
    assert "fer.toml" in refusal.message
    assert says in refusal.message
    assert tree(aligned) == before


def test_config_in_another_encoding_is_named(aligned: Path) -> None:
    path = aligned / "fer.toml"
    path.write_bytes(path.read_bytes() + "# café\n".encode("latin-1"))
    assert "fer.toml: not valid TOML" in refused(3, "status", "-p", aligned).message


def test_folder_without_a_project_says_how_to_make_one(tmp_path: Path) -> None:
    assert "fer init" in refused(3, "align", cwd=tmp_path).hint
    assert "fer init" in refused(3, "align", "-p", tmp_path / "nowhere").hint


def test_class_list_that_will_not_do_leaves_no_folder(tmp_path: Path) -> None:
    assert "at least two different words" in refused(2, "init", tmp_path / "mine", "--classes", "happy").message
    assert not (tmp_path / "mine").exists()
