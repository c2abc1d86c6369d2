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

P = ParamSpec("P")
T = TypeVar("T")

_release = ctypes.pythonapi.Py_DecRef
_release.argtypes, _release.restype = (ctypes.py_object,), None


def lend(function: Callable[Concatenate[str, P], T], name: str, *args: P.args, **kwargs: P.kwargs) -> T:
    """Return `function(name, ...)`; if it keeps the name, which nobody else has, the name is taken back.

    The function has to be pygit2's own, in C: the frames of one in Python may rightly hold the name after an error.
    """
    own = name[:1] + name[1:]  # a string of our own: nothing but this call changes how often it is referred to
    if len(own) < 2:  # of these Python may have one for all, and none is lost
        return function(own, *args, **kwargs)
    before = sys.getrefcount(own)
    try:
        return function(own, *args, **kwargs)
    finally:
        if sys.getrefcount(own) > before:
            _release(own)
