"""The shape of the package: who imports whom, what loads when, how long files get, what none may contain."""

from __future__ import annotations

import ast
import contextlib
import inspect
import io
import re
import subprocess
import sys
import tokenize
import tomllib
from pathlib import Path

import pytest

import cba
from tests.longest_files import LONGEST

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "cba"
MODULES = sorted(PACKAGE.rglob("*.py"))
HEAVY = ("arviz", "matplotlib", "numba", "numpy", "pandas", "pandera", "preliz", "pymc", "scipy", "xarray")
FORBIDDEN_NAMES = {"utils", "helpers", "common", "misc", "core", "base"}
LONGEST_FILE, LONGEST_FUNCTION = 400, 40
"""In lines of code: docstrings, comments and blank lines are not counted."""

DECISIONS_MAY_IMPORT = (
    "cba.errors",
    "cba.discounting",
    "cba.decisions",
    "numpy",
    "pandas",
    "scipy",
    "xarray",
)


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def imported_modules(path: Path) -> set[str]:
    """Modules a file imports anywhere in it, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def in_fresh_interpreter(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


# --- imports --------------------------------------------------------------------------------------------


def test_import_contracts_are_kept():
    """The contracts of pyproject.toml, as `lint-imports` runs them."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()"]
    done = subprocess.run([*command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert " 0 broken" in done.stdout, done.stdout[-500:]


def test_decisions_import_only_arrays_and_discounting():
    """They are pure functions on arrays: no inputs, no model, no plotting."""
    allowed = tuple(sys.stdlib_module_names) + DECISIONS_MAY_IMPORT
    for path in sorted((PACKAGE / "decisions").rglob("*.py")):
        for name in imported_modules(path):
            assert any(name == other or name.startswith(f"{other}.") for other in allowed), (
                f"{path.name}: {name}"
            )


def needed_modules(path: Path) -> set[str]:
    """Modules of the package that a file names: at its top, inside functions, for types alone or by string."""
    package = path.name == "__init__.py"
    own = module_name(path).removesuffix(".__init__")
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inside = {f"{node.module}.{alias.name}" for alias in node.names} & NAMES
            found |= inside or {node.module}
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            found |= {str(a.value) for a in node.args if isinstance(a, ast.Constant)}
    return (found & NAMES) - {own} - ({f"{own}.__init__"} if package else set())


NAMES = {module_name(path).removesuffix(".__init__") for path in MODULES}


def test_no_file_needs_itself_by_way_of_another():
    """Imports inside functions and for types count: who reads a file needs what it names."""
    left = {module_name(path).removesuffix(".__init__"): needed_modules(path) for path in MODULES}
    while free := {name for name, needs in left.items() if not needs & left.keys()}:
        left = {name: needs for name, needs in left.items() if name not in free}
    waiting = {name: sorted(needs & left.keys()) for name, needs in left.items()}
    assert not left, f"files in or above a circle: {waiting}"


def test_importing_cba_loads_no_heavy_library():
    loaded = in_fresh_interpreter("import cba, sys; print(*[m for m in sys.modules if '.' not in m])").split()
    assert set(loaded).isdisjoint(HEAVY)


def test_the_command_line_loads_no_heavy_library_before_it_needs_one():
    loaded = in_fresh_interpreter(
        "import cba.cli, sys; print(*[m for m in sys.modules if '.' not in m])"
    ).split()
    assert set(loaded).isdisjoint(HEAVY)


def test_public_names_are_pinned_and_all_can_be_fetched():
    """What users may rely on; adding or dropping one is a decision, recorded here."""
    assert sorted(cba.__all__) == [
        "Appraisal", "appraise", "costs", "decisions", "fit_baseline", "fit_effects",
        "load_analysis", "load_evidence", "load_observations", "load_priors", "projection",
    ]  # fmt: skip
    for name in cba.__all__:
        assert getattr(cba, name) is not None
        assert name in dir(cba)
    with pytest.raises(AttributeError, match="load_everything"):
        cba.load_everything  # noqa: B018
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert cba.__version__ == project["version"]


# --- size and names -------------------------------------------------------------------------------------


def code_lines(text: str) -> set[int]:
    """Numbers of the lines that hold a token which is neither comment, docstring nor blank."""
    alone = set()
    for node in ast.walk(ast.parse(text)):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            alone.update(range(node.lineno, node.end_lineno + 1))
    silent = (
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENDMARKER,
    )
    found = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in silent:
            found.update(range(token.start[0], token.end[0] + 1))
    return found - alone


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_files_and_functions_stay_small(path):
    text = path.read_text(encoding="utf-8")
    lines = code_lines(text)
    assert len(lines) <= LONGEST_FILE, (
        f"{path.name} has {len(lines)} lines of code: it holds more than one idea"
    )
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = len(lines & set(range(node.lineno, node.end_lineno + 1)))
            assert length <= LONGEST_FUNCTION, f"{path.name}: {node.name} has {length} lines of code"


def test_counting_leaves_out_docstrings_comments_and_blank_lines():
    text = 'def one():\n    """What.\n\n    More.\n    """\n\n    # why\n    return (\n        1\n    )\n'
    assert code_lines(text) == {1, 8, 9, 10}


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_files_are_named_for_what_they_compute(path):
    assert path.stem not in FORBIDDEN_NAMES
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), (
        f"{path} does not say what it is for"
    )


MOST_FILES, MOST_CODE_LINES = 175, 32_000
"""The package's budget: what would push it over is earned by taking something away."""


def test_the_package_keeps_to_its_budget():
    assert len(MODULES) <= MOST_FILES
    assert sum(len(code_lines(path.read_text(encoding="utf-8"))) for path in MODULES) <= MOST_CODE_LINES


# --- docstrings -----------------------------------------------------------------------------------------

DOCUMENTED = [cba, *(getattr(cba, room) for room in ("costs", "decisions", "projection"))]
LONGEST_DOCSTRING = 3
"""Lines with text in the docstring of something users do not call: what it is, its arguments where names do not say."""


def documented_code() -> set[tuple[str, int]]:
    """File and first line of every function and class that the documentation lists, methods included."""
    found = set()
    for module in DOCUMENTED:
        things = [getattr(module, name) for name in module.__all__]
        for inner in [thing for thing in things if inspect.ismodule(thing)]:
            things += [
                part for part in vars(inner).values() if getattr(part, "__module__", "") == inner.__name__
            ]
        for thing in things:
            thing = inspect.unwrap(thing)
            for part in [thing, *vars(thing).values()] if inspect.isclass(thing) else [thing]:
                part = inspect.unwrap(getattr(part, "fget", None) or getattr(part, "__func__", part))
                if inspect.isclass(part) or inspect.isfunction(part):
                    with contextlib.suppress(OSError, TypeError):  # made by dataclass: no source
                        found.add((inspect.getsourcefile(part), inspect.getsourcelines(part)[1]))
    return found


def test_only_the_documented_api_has_long_docstrings():
    public, long = documented_code(), []
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.FunctionDef | ast.ClassDef):
                continue
            first = min([node.lineno, *(mark.lineno for mark in node.decorator_list)])
            if (str(path), first) in public:
                continue
            written = [line for line in (ast.get_docstring(node) or "").splitlines() if line.strip()]
            if len(written) > LONGEST_DOCSTRING:
                long.append(f"{module_name(path)}: {node.name} has {len(written)} lines")
    assert not long, "\n".join(long)


def test_json_is_read_by_one_door():
    """Damaged text is a ValueError there, whatever is wrong with it; elsewhere it was a RecursionError, or NaN."""
    doors = [path for path in MODULES if re.search(r"json\.loads?\(", path.read_text(encoding="utf-8"))]
    assert [path.name for path in doors] == ["safe_files.py"]


def test_no_example_is_skipped():
    skipped = [
        module_name(path) for path in MODULES if "doctest: +" + "SKIP" in path.read_text(encoding="utf-8")
    ]
    assert not skipped


def test_no_module_hides_a_public_function():
    """Importing `cba.appraise` as a module would put it in the place of the function of that name."""
    assert not {path.stem for path in PACKAGE.glob("*.py")} & set(cba.__all__)


# --- what no file may contain ---------------------------------------------------------------------------

# Assembled from pieces, so that this file does not contain what it looks for.
LEAKS = re.compile(
    "|".join(
        [
            r"(?<![\w.])/" + "(?:ho" + r"me|Us" + r"ers|ro" + r"ot|wo" + r"rk|tm" + r"p)/[\w.]",
            "pyp" + r"i\.org",
            "pythonho" + "sted",
            "extra-index" + "-url",
            r"\.\./sha" + "red",
        ]
    )
)


def project_files() -> list[Path]:
    """Text files a commit would hold: not environments, caches or the results of runs."""
    wanted = {".py", ".toml", ".md", ".csv", ".lock", ".yaml", ".yml", ".ipynb", ".html", ".txt", ""}
    files = []
    for path in ROOT.rglob("*"):
        *folders, _ = path.relative_to(ROOT).parts
        generated = any(name == "__pycache__" or name.startswith(".") for name in folders if name != ".ci")
        is_run = len(folders) > 1 and folders[0] == "reports"
        if path.name == ".git":
            continue  # in a linked worktree a file that names another folder
        if path.is_file() and path.suffix in wanted and not generated and not is_run:
            files.append(path)
    return files


def test_no_file_holds_a_machine_path_or_an_index_host():
    leaks = []
    for path in project_files():
        for number, line in enumerate(
            path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1
        ):
            if LEAKS.search(line):
                leaks.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    assert not leaks, "\n".join(leaks[:20])


def test_the_lock_pins_every_requirement_with_hashes():
    """A requirement without hash would let another file be installed than the one that was tested."""
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    entries = re.split(r"\n(?=[a-z0-9])", lock)
    for entry in entries:
        assert re.match(r"[a-z0-9][a-z0-9._-]*==\S+", entry), entry[:80]
        assert "--hash=sha256:" in entry, entry[:80]
    pinned = {re.match(r"[a-z0-9._-]+", entry).group() for entry in entries}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    assert {re.match(r"[a-z0-9._-]+", requirement).group() for requirement in named} <= pinned


# --- documents --------------------------------------------------------------------------------------------


def test_the_longest_test_files_are_there():
    """A file that was renamed would quietly be begun last, and one core would wait for it."""
    assert [name for name in LONGEST if not (ROOT / name).is_file()] == []
    assert len(set(LONGEST)) == len(LONGEST)


@pytest.mark.parametrize("document", ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_places_named_in_documents_exist(document):
    """A path in backticks is a place of the project, or of the package; `*` and `<...>` stand for any name."""
    text = (ROOT / document).read_text(encoding="utf-8")
    named = {place for place in re.findall(r"`([\w.*<>/-]+/[\w.*<>/-]*)`", text)}
    made_by_runs = {"tables/*.csv", "reports/latest/<run>/report.html"}
    missing = []
    for place in sorted(named - made_by_runs):
        pattern = re.sub(r"<\w+>", "*", place).rstrip("/")
        if not any(next(root.glob(pattern), None) for root in (ROOT, PACKAGE)):
            missing.append(place)
    assert not missing, f"{document} names what is not there: {missing}"
