"""The mutants are changes that compile, of code that runs."""

from __future__ import annotations

from pathlib import Path

from tests.mutants import mutants_of

SOURCE = '''
def choose(a: int = 2, *, b: "bool | None" = None) -> int:
    """Return 1."""
    if a and not b:
        note(f"{a + 1}")
    return 3 if a < 4 else -1
'''


def test_each_kind_of_change() -> None:
    """Comparisons, operators, conditions, numbers and statements change; annotations and texts stay."""
    mutants = [*mutants_of(SOURCE, Path("chosen.py"))]
    assert sorted((mutant.before, mutant.after) for mutant in mutants) == [
        ("1", "2"),
        ("2", "3"),
        ("3", "4"),
        ("4", "5"),
        ("a < 4", "a <= 4"),
        ("a and (not b)", "a or not b"),
        ("not b", "b"),
        ("note(f'{a + 1}')", "pass"),
    ]
    for mutant in mutants:
        compile(mutant.source, "chosen.py", "exec")
        assert mutant.source != SOURCE
