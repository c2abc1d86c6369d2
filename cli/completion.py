"""`secure-files completion`: the shell completes commands, options and file names."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

EPILOG = """\
Prints a script for the shell.

EXAMPLES
  secure-files completion bash > ~/.local/share/bash-completion/completions/secure-files
  secure-files completion zsh > ~/.zfunc/_secure-files

EXIT STATUS
  0 printed; 2 an option is wrong
"""


def register(sub: argparse.ArgumentParser) -> None:
    """Declare the options."""
    sub.epilog = EPILOG
    sub.add_argument("shell", choices=("bash", "zsh", "tcsh"), help="which shell the script is for")


def run(options: argparse.Namespace) -> int:
    """Print the script."""
    import shtab

    from cli import parser

    print(shtab.complete(parser(None), shell=options.shell))
    return 0
