"""No package's modules import each other in a circle, for type checking or otherwise."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGES = {name: ROOT / name for name in ("autograder", "benchmarks", "coursebuild", "tests")}
PACKAGES["dlcourse"] = ROOT / "dlcourse" / "src" / "dlcourse"


def modules() -> dict[str, Path]:
    found = {}
    for name, folder in PACKAGES.items():
        for path in folder.rglob("*.py"):
            parts = [name, *path.relative_to(folder).with_suffix("").parts]
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(text: str, known, inside_functions: bool) -> set[str]:
    """The known modules that a module's text imports, those below `if TYPE_CHECKING` included."""
    found = set()

    def visit(node):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and not inside_functions:
            return
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "this course writes its imports in full"
            for alias in node.names:  # a module of a package, or a name of a module
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in known else node.module)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(text))
    return found & set(known)


def graph(inside_functions: bool) -> dict[str, set[str]]:
    known = modules()
    return {name: imports(path.read_text(encoding="utf-8"), known, inside_functions) - {name} for name, path in known.items()}


def circle(graph: dict[str, set[str]]) -> list[str]:
    """The modules of one circle, or none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def test_no_module_imports_itself_in_a_circle():
    assert circle(graph(inside_functions=False)) == []


def test_imports_inside_functions_close_no_circle_either():
    assert circle(graph(inside_functions=True)) == []


@pytest.mark.parametrize("text", ["import b", "from b import x", "if TYPE_CHECKING:\n    from b import x"])
def test_a_circle_would_be_found(text):
    known = ["a", "b"]
    found = {"a": imports(text, known, False), "b": imports("import a", known, False)}
    assert sorted(set(circle(found))) == known
    assert imports("def f():\n    import b", known, False) == set() and imports("def f():\n    import b", known, True) == {"b"}
