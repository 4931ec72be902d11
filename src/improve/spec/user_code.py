"""Functions that users bring: FILE.py:FUNCTION from the spec's own folder. Looked at without running it; run on demand.

Running it is running code, by design: only from the folder of the spec that names it, and never with --no-code.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import re
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from improve.errors import ImproveError, UsageError, did_you_mean
from improve.lazy import OPTIONAL_PACKAGES

FORM = re.compile(r"[A-Za-z0-9_][\w.-]*\.py:[A-Za-z_]\w*")


def located_target(target: str, folder: Path) -> str:
    """`target` with the whole path of its file. Raises UsageError where that does not lie in `folder` itself."""
    if not FORM.fullmatch(target):
        raise UsageError(
            f"{target!r} is not a function in a file of the spec's own folder", fix="write mymodel.py:build"
        )
    name, function = target.split(":")
    file = (folder / name).resolve()
    if file.parent != folder.resolve():
        raise UsageError(f"{name} is a link out of the spec's own folder", fix="put the file itself beside the spec")
    return f"{file}:{function}"


def digest(file: Path) -> str:
    """SHA-256 of the user's code."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def file_and_function(target: str) -> tuple[Path, str]:
    """The two halves of FILE:FUNCTION."""
    file, _, function = target.rpartition(":")
    return Path(file), function


def check(target: str, positional: int, options: Mapping[str, Any]) -> None:
    """Read the file, without running it, and see that the function can be called with so many `positional` arguments
    and `options`. Raises UsageError."""
    file, name = file_and_function(target)
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"), str(file))
    except FileNotFoundError:
        raise UsageError(f"there is no {file.name} beside the spec", fix=f"put it into {file.parent}") from None
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError) as error:  # the last two: nested too deep
        where = f":{error.lineno}" if isinstance(error, SyntaxError) else ""
        raise UsageError(f"{file.name}{where} cannot be read: {error}", fix="mend the file") from error
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    if name not in functions:
        raise UsageError(
            f"{file.name} has no function {name}{did_you_mean(name, functions)}", fix=f"it has: {_list(functions)}"
        )
    check_call(functions[name].args, f"{file.name}:{name}", positional, options)


def check_call(arguments: ast.arguments, where: str, count: int, options: Mapping[str, Any]) -> None:
    positional = [argument.arg for argument in arguments.posonlyargs + arguments.args]
    if len(positional) < count and arguments.vararg is None:
        raise UsageError(
            f"{where} takes {len(positional)} arguments, not {count}", fix="def build(input_shape, classes)"
        )
    known = positional[count:] + [argument.arg for argument in arguments.kwonlyargs]
    for option in options:
        if option not in known and arguments.kwarg is None:
            raise UsageError(
                f"{where} has no parameter '{option}'{did_you_mean(option, known)}", fix=f"it has: {_list(known)}"
            )
    required = positional[count : len(positional) - len(arguments.defaults)] + [
        argument.arg
        for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        if default is None
    ]
    missing = [name for name in required if name not in options]
    if missing:
        raise UsageError(f"{where} needs '{missing[0]}'", fix=f"add {missing[0]}: … beside the target")


def _list(names: Any) -> str:
    return ", ".join(names) or "none"


def call(target: str, *arguments: Any, **options: Any) -> Any:
    """Run the function. Raises ImproveError, with the line in the user's file, where that fails."""
    file, name = file_and_function(target)
    try:
        return _loaded(file, name)(*arguments, **options)
    except ImproveError:
        raise
    except Exception as error:
        _blame(file, name, error)


def _loaded(file: Path, name: str) -> Callable[..., Any]:
    spec = importlib.util.spec_from_file_location(f"_users_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise UsageError(f"{file} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    OPTIONAL_PACKAGES.show()
    spec.loader.exec_module(module)
    function: Callable[..., Any] = getattr(module, name)
    return function


def _blame(file: Path, name: str, error: Exception) -> NoReturn:
    where, what = place_in(file, error) or file.name, what_happened(error)
    raise ImproveError(f"{name} failed: {what}", where, "mend it; nothing was trained") from error


def blame(file: Path, name: str, error: Exception) -> None:
    """Raises ImproveError, with the line in the user's file, where an error while it trained comes from there."""
    where = None if isinstance(error, ImproveError) else place_in(file, error)
    if where:
        raise ImproveError(f"{name} failed: {what_happened(error)}", where, "mend it; what was saved stays") from error


def place_in(file: Path, error: Exception) -> str | None:
    """The line of the user's file that the error comes from: in its traceback, or named in its message, as TensorFlow
    does for what a compiled function raises; None where there is none."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
    lines += [int(found) for found in re.findall(rf'File "{re.escape(str(file))}", line (\d+)', str(error))]
    return f"{file.name}:{lines[-1]}" if lines else None


def what_happened(error: Exception) -> str:
    """The kind of an error, and the line of its message that says something."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = [line for line in lines if not line.startswith(("Graph execution error", "Detected at", "File ", "<stack"))]
    return f"{type(error).__name__}: {(said or lines or ['no message'])[0]}"
