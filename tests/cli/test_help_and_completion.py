"""Every command's help ends with examples that can be typed, and shells complete commands and options."""

import argparse
import os
import pty
import select
import shlex
import shutil
import signal
import subprocess
import time

import pytest

from promptatlas import cli
from promptatlas.cli import completion, manual
from promptatlas.cli.command import parser
from promptatlas.cli.examples import EXAMPLES

COMMANDS = {name: command for name, _, command in manual.commands()}
TYPED = [(name, example) for name, examples in EXAMPLES.items() for example in examples]


def test_every_command_has_examples_and_there_are_none_of_others():
    assert EXAMPLES.keys() == COMMANDS.keys() and all(EXAMPLES.values())


@pytest.mark.parametrize(("name", "example"), TYPED, ids=[example for _, example in TYPED])
def test_an_example_is_typed_as_its_command_has_to_be(name, example, capsys):
    program, command, *words = shlex.split(example.partition(" > ")[0])
    assert program == "promptatlas" and command == name
    options, more = parser().parse_known_args([command, *words])
    assert callable(options.run) and (not more or options.takes_more), more
    assert f"\n  {example}\n" in COMMANDS[name].format_help()


def typed(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    return ended.value.code


def test_help_of_all_commands_names_each(capsys):
    assert typed("--help") == 0
    told = capsys.readouterr().out
    assert all(name in told for name in COMMANDS) and "examples:" not in told


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_a_script_names_every_command_and_option_and_the_shell_reads_it(shell, capsys):
    assert typed("completion", shell) == 0
    script = capsys.readouterr().out
    options = {option for command in COMMANDS.values() for action in command._actions for option in action.option_strings}
    mark = "-l " if shell == "fish" else "--"
    assert all(name in script for name in COMMANDS)
    assert not [option for option in options if option.startswith("--") and mark + option[2:] not in script]
    if program := shutil.which(shell):
        done = subprocess.run([program, "-n"], input=script, text=True, capture_output=True)
        assert (done.returncode, done.stderr) == (0, "")


COMPLETE = """{script}
COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
{function}
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


BEGUN = [
    ("promptatlas sta", {"status"}),
    ("promptatlas recommend --no", {"--no-labels"}),
    ("promptatlas import-prompt --resize sq", {"squash"}),
    ("promptatlas completion ", {"bash", "fish", "zsh"}),
    ("promptatlas card here/a", {"here/a.safetensors"}),
    ("promptatlas plan --configfile here/a", {"here/a.safetensors"}),
    ("promptatlas analyse config.yaml here/a", {"here/a.safetensors"}),
]


def needs(shell: str):
    return pytest.mark.skipif(shutil.which(shell) is None, reason=f"{shell} is not installed")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "a.safetensors").touch()
    return tmp_path


@needs("bash")
@pytest.mark.parametrize(("words", "expected"), BEGUN)
def test_bash_completes_what_was_begun(words, expected, folder):
    script = completion.script(parser(), "bash")
    function = next(line.split()[-2] for line in reversed(script.splitlines()) if line.startswith("complete "))
    quoted = " ".join(f"'{word}'" for word in words.split(" "))
    text = COMPLETE.format(script=script, words=quoted, function=function)
    done = subprocess.run(["bash"], input=text, cwd=folder, text=True, capture_output=True)
    assert expected <= {line.strip() for line in done.stdout.splitlines()}, done.stdout + done.stderr


@needs("fish")
@pytest.mark.parametrize(("words", "expected"), BEGUN)
def test_fish_completes_what_was_begun(words, expected, folder):
    text = f"{completion.script(parser(), 'fish')}\ncomplete -C '{words}'\n"
    done = subprocess.run(["fish", "--no-config"], input=text, cwd=folder, text=True, capture_output=True)
    assert expected <= {line.partition("\t")[0] for line in done.stdout.splitlines()}, done.stdout + done.stderr


@needs("zsh")
@pytest.mark.parametrize(("words", "expected"), BEGUN)
def test_zsh_completes_what_was_begun(words, expected, folder):
    """Typed at a terminal, as zsh completes nowhere else."""
    (folder / "functions").mkdir()
    (folder / "functions" / "_promptatlas").write_text(completion.script(parser(), "zsh"))
    (folder / "begin").write_text("fpath=($PWD/functions $fpath); autoload -Uz compinit; compinit -u -D; PROMPT='typed: '\n")
    shell, terminal = pty.fork()
    if not shell:
        os.chdir(folder)
        os.environ["TERM"] = "dumb"
        os.execvp("zsh", ["zsh", "-f", "-i"])
    try:
        os.write(terminal, b"source begin\n")
        shown(terminal, {"typed: "})
        os.write(terminal, f"{words}\t".encode())
        shown(terminal, expected)
    finally:
        os.kill(shell, signal.SIGKILL)
        os.waitpid(shell, 0)
        os.close(terminal)


def shown(terminal: int, expected: set[str], seconds: float = 60.0) -> None:
    """Wait until all of it is on a terminal."""
    text, end = "", time.monotonic() + seconds
    while not all(one in text for one in expected):
        ready, _, _ = select.select([terminal], [], [], max(0.0, end - time.monotonic()))
        assert ready, f"{expected} is not in {text!r}"
        text += os.read(terminal, 1 << 16).decode(errors="replace")


def test_help_is_of_the_kind_that_ends_with_examples():
    assert all(type(command) is not argparse.ArgumentParser for command in COMMANDS.values())
