"""The command `secure-files`: one module per command, each with `register` and `run`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from cli.manner import Manner, Parser
from server.version import VERSION

if TYPE_CHECKING:
    import argparse

ABOUT = "A vault for the files that app signing depends on, speaking GitLab's REST API v4."
EPILOG = """\
Begin with `secure-files serve --data ./data`; every command explains itself with --help.

EXIT STATUS
  0  done
  1  the command's own "no": a file that expires too soon, a check that failed
  2  the command line or a setting is wrong
  3  the keyring is missing, or not the one of the data
  4  another server is using the data folder
  5  anything else that kept the command from its work

A command that speaks to a server may have more of its own; its --help has them all.
"""


class Command(NamedTuple):
    """A command's name, its line in the overview, and the module that holds it."""

    name: str
    about: str
    module: str


COMMANDS = (
    Command("serve", "run the server; the first start makes the vault", "cli.serve"),
    Command("expiry-report", "tell what expires, soonest first, across all projects", "cli.expiry_report"),
    Command("notify", "tell people before files expire, where they already look", "cli.notify"),
    Command("doctor", "tell what is wrong with a project's signing files as one set", "cli.doctor"),
    Command("pull", "bring a project's secure files into a folder, checked", "cli.pull"),
    Command("push", "upload files into a project", "cli.push"),
    Command("import", "bring a project's secure files over from a GitLab or another vault", "cli.import_files"),
    Command("artifacts", "tell what job artifacts there are, what becomes of each, and why", "cli.artifacts"),
    Command("verify", "look at all that is stored, and say what is damaged", "cli.verify"),
    Command("backup", "bring all of a vault into a folder, while it serves", "cli.backup"),
    Command("restore", "make a vault out of a backup", "cli.restore"),
    Command("inspect", "tell what the parsers see in a local file", "cli.inspect"),
    Command("parsers", "list the parsers there are, those of plugins among them", "cli.parsers"),
    Command("completion", "print what makes a shell complete commands and options", "cli.completion"),
    Command("keys", "list, rotate, re-wrap and retire the master keys", "cli.keys"),
    Command("migrate", "move a vault to a database and a blob store of their own", "cli.migrate"),
    Command("audit", "check the audit log and name the first bad line, or show its lines", "cli.audit"),
    Command("token", "make a personal access token", "cli.token"),
)


def parser(argv: list[str] | None) -> argparse.ArgumentParser:
    """Return the parser of the whole command line.

    Only the command that `argv` asks for is loaded, with `None` every one.
    """
    top = Parser(
        prog="secure-files",
        description=ABOUT,
        epilog=EPILOG,
        formatter_class=Manner,
    )
    top.add_argument("--version", action="version", version=f"%(prog)s {VERSION}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    asked = next((word for word in argv or () if not word.startswith("-")), "")
    for command in COMMANDS:
        sub = commands.add_parser(
            command.name,
            help=command.about,
            description=f"{command.about[0].upper()}{command.about[1:]}.",
            formatter_class=Manner,
            allow_abbrev=False,  # `--password hunter2` is not to be taken for --password-env
        )
        if argv is None or command.name == asked:
            module = import_module(command.module)
            module.register(sub)
            sub.set_defaults(run=module.run, exit_codes=getattr(module, "EXIT_CODES", ()))
    return top
