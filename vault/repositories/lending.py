"""Handing pygit2 a name without losing it: each call with a name leaks that string, up to pygit2 1.21.

`pgit_borrow_fsdefault` in its `src/utils.c` takes a reference to the string and never gives it back. With some names a
request, of branches, files and folders, a server would grow by a quarter of a kilobyte with each, without an end.
"""

from __future__ import annotations

import ctypes
import sys
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    import pygit2
else:
    from vault.repositories.libgit2 import pygit2

P = ParamSpec("P")
T = TypeVar("T")

_release = ctypes.pythonapi.Py_DecRef
_release.argtypes, _release.restype = (ctypes.py_object,), None


def lend(function: Callable[Concatenate[str, P], T], name: str, *args: P.args, **kwargs: P.kwargs) -> T:
    """Return `function(name, ...)`; if it lost the name, that is taken back.

    The function has to be one of pygit2's own, in C, that keeps no name: who else holds it would hold what is freed.
    """
    if len(name) < 2 and name < "\u0100":  # of these Python has one for all, and none is lost
        return function(name, *args, **kwargs)
    own = f"{name}/"[:-1]  # a string of our own: nothing but this call changes how often it is referred to
    before = sys.getrefcount(own)
    try:
        found = function(own, *args, **kwargs)
    except (KeyError, pygit2.InvalidSpecError) as error:
        # These have it in `args` or nowhere. Of another error it is not known: then it is rather lost.
        error.args = tuple([name if each is own else each for each in error.args])
        if sys.getrefcount(own) == before + 1:
            _release(own)
        raise
    if sys.getrefcount(own) == before + 1:
        _release(own)
    return found
