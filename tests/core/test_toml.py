import tomllib

from hypothesis import given
from hypothesis import strategies as st

from fercli.core.toml import toml_text

TEXT = st.text(st.characters(codec="utf-8"), max_size=10)
PLAIN = st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False) | TEXT
TABLE = st.dictionaries(TEXT, PLAIN | st.lists(PLAIN, max_size=3), max_size=4)


@given(st.dictionaries(TEXT, PLAIN | TABLE, max_size=4))
def test_what_is_written_reads_back(values: dict[str, object]) -> None:
    assert tomllib.loads(toml_text(values)) == values
