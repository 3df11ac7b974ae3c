"""The documents keep up with the commands."""

import re
import subprocess
import sys
from pathlib import Path

from model_files import binary_conv, write_lce

ROOT = Path(__file__).parents[2]


def test_every_command_has_a_section_and_every_section_a_command():
    from irnet_cli.app import app

    commands = {c.name or c.callback.__name__.replace("_", "-") for c in app.registered_commands}
    commands |= {group.name for group in app.registered_groups}
    page = (ROOT / "docs" / "reference" / "cli.md").read_text()
    assert set(re.findall(r"^## irnet (\S+)$", page, re.MULTILINE)) == commands


def test_every_option_is_in_its_commands_section():
    from typer.main import get_command

    from irnet_cli.app import app

    page = (ROOT / "docs" / "reference" / "cli.md").read_text()
    sections = dict(re.findall(r"^## irnet (\S+)$(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL))

    def options(command):
        parts = getattr(command, "commands", {}).values()
        own = [p.opts for p in command.params if p.opts[0].startswith("-")]
        return own + [names for part in parts for names in options(part)]

    for name, command in get_command(app).commands.items():
        section = set(re.findall(r"--?[a-z][a-z-]*", sections[name])) | {"--help"}
        assert [names for names in options(command) if section.isdisjoint(names)] == [], name


def test_readme_holds_the_two_commands():
    for name, words in (("main", ["irnet", "quickstart"]), ("test", ["-m", "pytest"])):
        out = subprocess.run(
            [sys.executable, ROOT / "tools" / "readme_command.py", name],
            capture_output=True,
            text=True,
            check=True,
        )
        assert out.stdout.startswith("pip install -r requirements.txt && ")
        assert out.stdout.split()[-len(words) :] == words


def test_links_between_documents_lead_somewhere():
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_readme_python_examples_run(tmp_path):
    text = (ROOT / "README.md").read_text()
    examples = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert sum("my_network" in code for code in examples) == 1
    write_lce(binary_conv(), tmp_path / "mine.tflite")
    for code in examples:
        code = code.replace('model.save("my_network")', "assert model.output_shape == (None, 10)")
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, cwd=tmp_path)
