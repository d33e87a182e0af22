"""A study as tables on the terminal, and what its data can show and what they cannot."""

from typing import Any

from rich.console import Console
from rich.text import Text

from fercli.cli.show.compare import print_table
from fercli.core.words import counted
from fercli.stages.study import StudyResult
from fercli.stages.study.words import cost_table, gap_table, paper_words, score_table


def show_study(result: StudyResult, *_: Any) -> bool:
    """Print scores, differences in accuracy, costs and conclusions; the other differences stand in the files."""
    if result.is_dry_run or not result.variants:
        return False
    console = Console(highlight=False)
    same = " (up to date)" if result.is_unchanged else ""
    compared = counted(sum(bool(one["runs"]) for one in result.variants), "variant")
    console.print(f"[green]✓[/green] {compared} of {result.model} compared{same}", soft_wrap=True)
    print_table(console, score_table(result))
    if gaps := [one for one in result.differences if one["score"] == "accuracy"]:
        print_table(console, gap_table(result, gaps))
    print_table(console, cost_table(result))
    for sentence in (*result.conclusions, *paper_words(result)):
        console.print(Text(sentence), soft_wrap=True)
    console.print()
    return True
