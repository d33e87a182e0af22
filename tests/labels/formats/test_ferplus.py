from collections import Counter
from pathlib import Path

import pytest

from fercli.core.errors import InputError
from fercli.labels.formats.ferplus import CATEGORIES, read_ferplus, read_ferplus_rows
from fercli.labels.rules import ferplus_verdicts

HEADER = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n"


def written(folder: Path, *lines: str) -> Path:
    path = folder / "fer2013new.csv"
    path.write_text(HEADER + "".join(line + "\n" for line in lines))
    return path


def test_counts_become_numbered_ballots_on_the_row(tmp_path: Path) -> None:
    raw = read_ferplus(written(tmp_path, "Training,,4,0,0,1,3,2,0,0,0,0", "Training,fer9.png,0,0,0,0,0,0,0,0,0,10"))
    first = [vote for vote in raw.votes if vote.item == "row 0"]
    assert Counter(vote.label for vote in first) == {"neutral": 4, "sadness": 1, "anger": 3, "disgust": 2}
    assert len({vote.annotator for vote in first}) == 10
    assert {vote.label for vote in raw.votes if vote.item == "row 1"} == {"NF"}


@pytest.mark.parametrize(
    "line", ["Training,x,4,0,0,1,3,2,0,0,0", "Training,x,4,0,0,1,3,2,0,0,0,-1", "Training,x,4,0,0,1,3,2,0,0,0,x"]
)
def test_line_without_ten_counts_is_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(InputError, match=r"csv:2: expected ten vote counts"):
        read_ferplus_rows(written(tmp_path, line))


def test_other_header_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("face_id,annotator,label\nx,a,b\n")
    with pytest.raises(InputError, match="wrong columns for FERPlus"):
        read_ferplus_rows(path)


@pytest.mark.real_data
def test_rule_leaves_as_many_rows_as_the_published_script(real_data: Path) -> None:
    import numpy as np

    rows = read_ferplus_rows(real_data / "ferplus" / "fer2013new.csv")
    counts = np.array([row.counts for row in rows], dtype=np.float64)
    verdicts = ferplus_verdicts(counts, min_votes=2, num_classes=8)
    stays = Counter(row.usage for row, status in zip(rows, verdicts.status.tolist(), strict=True) if status == 0)
    # Known from the rule published with the votes.
    assert stays == {"Training": 25_060, "PublicTest": 3_199}
    assert Counter(row.usage for row in rows) == {"Training": 28_709, "PublicTest": 3_589}
    assert CATEGORIES[int(verdicts.winner[1])] == "neutral"
    assert verdicts.status[0] != 0
