import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fercli.cli.options import command_of
from fercli.stages.table import GROUPS, TABLE, Row
from tests.cli.run import run_fer

HEAVY = ("numpy", "torch", "cv2", "pandas", "matplotlib", "ray", "av", "sklearn", "torchvision", "PIL")


def test_help_loads_nothing_heavy() -> None:
    """One process gives all of them in turn, and tells the first after which something heavy is there."""
    helps = [["--help"], *[[*row.words.split(), "--help"] for row in TABLE]]
    code = (
        "import sys\nfrom fercli.cli.app import run\n"
        f"for words in {helps!r}:\n"
        "    assert run(words) == 0, words\n"
        f"    loaded = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "    assert not loaded, (words, loaded)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr.strip()) == (0, "")


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.words)
def test_a_help_line_starts_with_a_verb_and_ends_with_a_period(row: Row) -> None:
    assert row.help[0].isupper()
    assert row.help.endswith(".")
    assert len(row.help) < 70
    assert row.alias_of or row.example.startswith(f"fer {row.words}")


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.words)
def test_every_setting_of_a_command_has_a_good_help_line(row: Row) -> None:
    _, settings_class = command_of(row)
    for field in dataclasses.fields(settings_class) if settings_class else ():
        line = field.metadata["help"]
        assert line[0].isupper(), line
        assert line.endswith("."), line
        assert len(line) < 70, line


@pytest.mark.parametrize("row", [row for row in TABLE if row.home], ids=lambda row: row.words)
def test_a_row_leads_to_the_stage_of_its_words(row: Row) -> None:
    assert row.stage().words == (row.alias_of or row.words)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.words)
def test_a_command_has_a_section_in_fer_toml_when_it_reads_one(row: Row) -> None:
    function, settings_class = command_of(row)
    reads = settings_class is not None and not getattr(function, "makes_project", False)
    assert row.has_section >= reads


def test_every_group_has_commands() -> None:
    assert {row.words.split()[0] for row in TABLE if " " in row.words} == set(GROUPS)


def test_version_is_said() -> None:
    assert run_fer("--version")[:2] == (0, "fer 0.1.0\n")


def test_an_unknown_command_is_a_usage_error() -> None:
    code, _, err = run_fer("aligne")
    assert code == 2
    assert err.splitlines()[0].startswith("fer: no such command 'aligne'. Did you mean 'align'?")


def test_an_error_is_one_line_and_a_hint(tmp_path: Path) -> None:
    code, out, err = run_fer("init", tmp_path, "--preset", "nope")
    assert code == 2
    assert out == ""
    assert err.splitlines()[0] == "fer: invalid value 'nope' for --preset"
    assert err.splitlines()[1].strip().startswith("Expected one of: scfed")


def test_json_is_one_object_even_for_an_error(tmp_path: Path) -> None:
    code, out, _ = run_fer("init", tmp_path, "--json")
    answer = json.loads(out)
    assert code == answer["error"]["exit_code"] == 2
    assert (answer["schema"], answer["ok"], answer["result"]) == ("fer.init/1", False, None)


def test_init_makes_a_project_and_says_what_comes_next(tmp_path: Path) -> None:
    code, out, _ = run_fer("init", tmp_path / "mine", "--preset", "scfed")
    assert code == 0
    assert "happy, dedicated, neutral, confused, tired, bored" in out
    assert "fer add VIDEO" in out
    answer = json.loads(run_fer("init", tmp_path / "mine", "--preset", "scfed", "--json")[1])
    assert answer["result"]["is_unchanged"]
    assert answer["project"] == str((tmp_path / "mine").resolve())


def test_dry_run_of_init_makes_no_folder(tmp_path: Path) -> None:
    code, out, _ = run_fer("init", tmp_path / "mine", "--preset", "scfed", "--dry-run")
    assert code == 0
    assert "would make a project in" in out
    assert not (tmp_path / "mine").exists()


def test_settings_come_from_set_and_config_too(tmp_path: Path) -> None:
    config = tmp_path / "init.toml"
    config.write_text('[init]\npreset = "sferd"\nname = "from config"\n', encoding="utf-8")
    answer = json.loads(run_fer("init", tmp_path / "a", "--config", config, "--set", "name=from set", "--json")[1])
    assert answer["result"]["name"] == "from set"
    assert answer["result"]["classes"][0] == "calm"


def test_a_mistake_of_ours_is_told_from_one_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("fercli.cli.init.run_init", lambda *_, **__: 1 // 0)
    code, _, err = run_fer("init", tmp_path, "--preset", "scfed")
    assert code == 1
    assert "a mistake in fercli" in err
    with pytest.raises(ZeroDivisionError):
        run_fer("init", tmp_path, "--preset", "scfed", "--debug")


class OutOfMemoryError(RuntimeError):
    """Named as torch names the error of a GPU."""


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB."),
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory: you tried ..."),
    ],
    ids=["python", "gpu", "torch"],
)
def test_want_of_memory_is_no_mistake_of_ours(
    error: Exception, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def run_out(*_words: object, **_options: object) -> None:
        raise error

    monkeypatch.setattr("fercli.cli.init.run_init", run_out)
    code, _, err = run_fer("init", tmp_path, "--preset", "scfed")
    assert (code, err.splitlines()[0]) == (1, "fer: out of memory")
    assert "--batch-size" in err


def test_output_of_another_encoding_gets_question_marks_and_json_keeps_every_letter(tmp_path: Path) -> None:
    run_fer("init", tmp_path / "Schüler", "--classes", "fröhlich,müde")
    words = [sys.executable, "-m", "fercli", "init", str(tmp_path / "Schüler"), "--classes", "fröhlich,müde"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(words, capture_output=True, env=environment, check=False)
    assert (done.returncode, done.stdout.startswith(b"? init: nothing to do")) == (0, True), done.stderr
    done = subprocess.run([*words, "--json"], capture_output=True, env=environment, check=False)
    assert Path(json.loads(done.stdout)["project"]).name == "Schüler"


def test_what_is_redirected_is_utf8_in_any_locale(tmp_path: Path) -> None:
    run_fer("init", tmp_path, "--classes", "a,b")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONIOENCODING"}
    # Python must neither guess UTF-8 nor change the locale.
    environment |= {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    words = [sys.executable, "-m", "fercli", "init", str(tmp_path), "--classes", "a,b"]
    done = subprocess.run(words, capture_output=True, env=environment, check=False)
    assert (done.returncode, done.stdout.decode("utf-8").startswith("✓ init: nothing to do")) == (0, True), done


@pytest.mark.parametrize("words", [["-p", "{}"], ["--project", "{}"], ["--project={}"]])
def test_the_project_may_stand_before_the_command(words: list[str], tmp_path: Path) -> None:
    run_fer("init", tmp_path, "--classes", "a,b")
    given = [word.format(tmp_path) for word in words]
    assert run_fer(*given, "labels", "--json") == run_fer("labels", "--json", "-p", tmp_path)
    found = run_fer(*given, "config", "show")
    assert found[0] == 0
    assert found == run_fer("config", "show", "-p", tmp_path)
    missing = tmp_path / "missing.mp4"
    assert run_fer(*given, "add", "--", missing) == run_fer("add", "-p", tmp_path, "--", missing)


def test_options_of_other_tools_are_understood(tmp_path: Path) -> None:
    run_fer("init", tmp_path, "--classes", "a,b")
    code, _, err = run_fer("align", "-p", tmp_path, "--imgsz=100")
    assert (code, "invalid value '100' for --size" in err) == (2, True)
    code, _, err = run_fer("align", "-p", tmp_path, "--cfg-options", "sizes=112")
    assert (code, "Did you mean 'size'?" in err) == (3, True)


@pytest.mark.parametrize(
    ("given", "turns"),
    [({}, "10000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "active"}, "None")],
)
def test_threads_of_torch_wait_awake_for_a_short_time_only(given: dict[str, str], turns: str) -> None:
    """Beside another program, waiting awake made training many times slower; what the user sets is obeyed."""
    code = (
        "import os\nfrom fercli.cli.app import main\n"
        "try: main(['--version'])\nexcept SystemExit: print(os.environ.get('GOMP_SPINCOUNT'))"
    )
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("GOMP_", "OMP_"))}

    done = subprocess.run([sys.executable, "-c", code], env=clean | given, capture_output=True, text=True, check=True)

    assert done.stdout.split()[-1] == turns


def test_fer_alone_shows_the_help() -> None:
    code, out, err = run_fer()
    assert (code, "fer demo" in out + err, "Traceback" in err) == (2, True, False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epochs = 5\n", "'epochs' is not in a section"),
        ("[trian]\nepochs = 5\n", "unknown section [trian]"),
        ("train = 5\n", "'train' is not in a section"),
    ],
)
def test_slip_of_the_pen_in_a_config_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "my.toml").write_text(text, encoding="utf-8")
    assert run_fer("init", tmp_path / "mine", "--preset", "scfed")[0] == 0
    code, _, err = run_fer("train", "--config", tmp_path / "my.toml", "-p", tmp_path / "mine")
    assert code == 3
    assert message in " ".join(err.split())
