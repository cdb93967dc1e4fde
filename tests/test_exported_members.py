"""The public surface is two names, each of them documented."""

from __future__ import annotations

import inspect

import workbench


def test_the_package_exports_two_names_and_nothing_by_accident():
    assert workbench.__all__ == ["Workbench", "WorkbenchError"]
    assert workbench.Workbench  # which is imported when it is first used
    classes = {
        name for name, value in vars(workbench).items() if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert classes == set(workbench.__all__)


def test_each_name_and_each_public_method_is_documented():
    for name in workbench.__all__:
        assert inspect.getdoc(getattr(workbench, name)), name
    for name, method in inspect.getmembers(workbench.Workbench, inspect.isfunction):
        assert name.startswith("_") or inspect.getdoc(method), name


def test_every_error_of_the_tree_is_caught_by_the_base():
    errors = [
        value for value in vars(workbench.errors).values() if inspect.isclass(value) and issubclass(value, Exception)
    ]
    named = {error.__name__ for error in errors if f" {error.__name__} " in workbench.errors.__doc__}
    assert named == {error.__name__ for error in errors} - {"WorkbenchError"}
    assert {error.__name__ for error in errors if not issubclass(error, workbench.WorkbenchError)} == {"RecordRefused"}
