"""benchmarks/parity.py on stand-ins for the authors' checkouts (tests/models/authors), narrow and with their names."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import parity
from benchmarks.parity import BY_NAME, Authors, compare, main
from fercli.core.errors import InputError

CHECKOUTS = Path(__file__).parent / "authors"


def narrow(name: str, *, size: int, arguments: dict[str, object], options: dict[str, object]) -> Authors:
    row = BY_NAME[name]
    return replace(row, size=size, arguments={**row.arguments, **arguments}, options={**row.options, **options})


EMONEXT = narrow(
    "emonext-tiny",
    size=64,
    arguments={"depths": [1, 2, 1, 1], "dims": [16, 32, 32, 48], "size": 64},
    options={"depths": (1, 2, 1, 1), "widths": (16, 32, 32, 48), "image_size": 64},
)
DDAMFN = narrow(
    "ddamfn",
    size=64,
    arguments={"side": 4},
    options={"width": 0.125, "repeats": (2, 1, 1), "image_size": 64},
)
EAC = narrow("eac", size=224, arguments={"blocks": [1, 1, 1, 1]}, options={"blocks": (1, 1, 1, 1)})
_LANDMARKS = {"landmark_width": 0.125, "landmark_blocks": (1, 1, 1)}
POSTER = narrow(
    "poster",
    size=224,
    arguments={"widths": [8, 8, 16], "blocks": [1, 2, 1], "points": (8, 16, 32, 64)},
    options={"depth": 1, "ir_blocks": (1, 2, 1), "ir_widths": (8, 8, 16), **_LANDMARKS},
)
POSTER_PP = narrow(
    "poster-pp",
    size=224,
    arguments={"blocks": [1, 1, 2], "points": (8, 16, 32, 64), "embed": 32},
    options={"ir_blocks": (1, 1, 2), "embed": 32, **_LANDMARKS},
)
# Names of layers that never run. POSTER: an output layer and a token; POSTER++: an output layer, five layers of two
# names, and one in both blocks. DDAMFN: see below.
NUM_LEFT_OVER = {"emonext-tiny": 0, "ddamfn": 49, "eac": 0, "poster": 6 + 1, "poster-pp": 6 + 5 * 2 + 2 * 2}
# A row of the table, and the folder of its stand-in.
STAND_INS = [(EMONEXT, "EmoNeXt"), (DDAMFN, "DDAMFN"), (EAC, "EAC"), (POSTER, "POSTER"), (POSTER_PP, "POSTER")]


@pytest.mark.parametrize(("row", "folder"), STAND_INS, ids=[row.network for row, _ in STAND_INS])
def test_a_network_of_the_same_wiring_gives_the_same_numbers(row: Authors, folder: str) -> None:
    found = compare(row, CHECKOUTS / folder)
    assert found.is_close
    assert max(found.logits, found.input_gradient, found.weight_gradients) < 1e-9
    theirs, ours = found.parameters
    assert (theirs > ours) == bool(found.left_over)
    assert len(found.left_over) == NUM_LEFT_OVER[row.network]


def test_layers_that_never_run_are_left_over() -> None:
    found = compare(DDAMFN, CHECKOUTS / "DDAMFN")
    # Five names of a norm-and-PReLU for each of 7 blocks, five of a convolution and its norm for each head, four of bn.
    assert len(found.left_over) == 7 * 5 + 2 * 5 + 4
    assert {"bn.weight", "cat_head1.CoordAtt.Linear.conv.weight", "features.2.conv_dw.prelu.weight"} < set(
        found.left_over
    )


def test_landmarks_that_ask_themselves_are_found() -> None:
    found = compare(POSTER, CHECKOUTS / "POSTER", factory="models.emotion_hyp:crossed")
    assert not found.is_close


def test_nothing_of_the_checkout_stays_imported() -> None:
    path = list(sys.path)
    compare(EAC, CHECKOUTS / "EAC")
    assert not {"model", "resnet"} & set(sys.modules)
    assert sys.path == path


def test_the_same_network_twice_is_reported_close(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(parity.BY_NAME, "emonext-tiny", EMONEXT)
    assert main([f"emonext-tiny={CHECKOUTS / 'EmoNeXt'}", "--factory", "models:narrow"]) == 0
    table = capsys.readouterr().out
    assert "| emonext-tiny |" in table
    assert "DIFFERS" not in table


def test_other_wiring_with_the_same_layers_is_found(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(parity.BY_NAME, "emonext-tiny", EMONEXT)
    assert main([f"emonext-tiny={CHECKOUTS / 'EmoNeXt'}", "--factory", "models:ungated"]) == 1
    assert "emonext-tiny: DIFFERS by more than 1e-05" in capsys.readouterr().out


def test_a_layer_that_we_lack_is_refused() -> None:
    with pytest.raises(InputError, match=r"we have nothing for second_head\.weight, second_head\.bias"):
        compare(EMONEXT, CHECKOUTS / "EmoNeXt", factory="models:with_more")


def test_another_width_is_refused() -> None:
    wide = replace(EMONEXT, options={**EMONEXT.options, "widths": (32, 32, 32, 48)})
    with pytest.raises(InputError, match=r"other sizes: .*\(16, 3, 4, 4\).*\(32, 3, 4, 4\)"):
        compare(wide, CHECKOUTS / "EmoNeXt")


def test_another_network_is_refused() -> None:
    deep = replace(EMONEXT, options={**EMONEXT.options, "depths": (2, 2, 1, 1)})
    with pytest.raises(InputError, match=r"stages\.0\.1\.gamma .* not in the authors' network"):
        compare(deep, CHECKOUTS / "EmoNeXt")


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ("emonext-tiny=nowhere", "no folder 'nowhere'. Clone https://github.com/yelboudouri/EmoNeXt"),
        ("emonext-tiny", "no folder ''"),
        ("sfer-mdfae=.", "'sfer-mdfae' is not compared with its authors' code"),
        (f"poster={CHECKOUTS}", "no models/emotion_hyp.py. Expected a checkout of https://github.com/zczcwh/POSTER"),
    ],
)
def test_a_missing_checkout_is_named(pair: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([pair]) == 4
    assert message in capsys.readouterr().err


def test_a_package_that_the_checkout_needs_is_named(tmp_path: Path) -> None:
    (tmp_path / "models.py").write_text("import no_such_package\n")
    with pytest.raises(InputError, match="'models' cannot be imported: No module named 'no_such_package'"):
        compare(EMONEXT, tmp_path)


def test_a_factory_that_is_not_there_is_named() -> None:
    with pytest.raises(InputError, match="module 'models' has no 'nothing' to call"):
        compare(EMONEXT, CHECKOUTS / "EmoNeXt", factory="models:nothing")
