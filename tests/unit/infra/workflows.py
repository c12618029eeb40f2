"""The workflows and the action of .github, read once, as the tests look at them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
ACTIONS = sorted((GITHUB / "actions").glob("*/action.yml"))
SCRIPTS = sorted((GITHUB / "scripts").glob("*"))
MAIN = ROOT / "infra" / "main.bicep"


def read(path: Path) -> dict[str, Any]:
    """A workflow or action. YAML 1.1 takes the key ``on`` for true: it is given its name back."""
    found = yaml.safe_load(path.read_text())
    assert isinstance(found, dict)
    return {"on" if key is True else key: value for key, value in found.items()}


def workflow(name: str) -> dict[str, Any]:
    return read(GITHUB / "workflows" / f"{name}.yml")


def deploy_action() -> dict[str, Any]:
    return read(GITHUB / "actions" / "deploy" / "action.yml")


def jobs() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every job of every workflow, as ``check.yml/test``."""
    for path in WORKFLOWS:
        for name, job in read(path)["jobs"].items():
            yield f"{path.name}/{name}", job


def steps() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every step, of jobs and of actions."""
    for place, job in jobs():
        for step in job.get("steps", ()):
            yield place, step
    for path in ACTIONS:
        for step in read(path)["runs"]["steps"]:
            yield f"{path.parent.name}/action.yml", step


def outputs(bicep: str) -> set[str]:
    """The names of a Bicep file's outputs."""
    return set(re.findall(r"(?m)^output (\w+) ", bicep))


def uses_main(parameters: Path) -> bool:
    """Whether a parameter file is for main.bicep."""
    return re.search(r"(?m)^using '(\./)?main\.bicep'$", parameters.read_text()) is not None


def environment_read(parameters: Path) -> set[str]:
    """The environment variables that a parameter file reads."""
    return set(re.findall(r"readEnvironmentVariable\('(\w+)'", parameters.read_text()))


def packaged() -> set[str]:
    """What the workflow deploys: top-level files and folders."""
    (step,) = [step for step in deploy_action()["runs"]["steps"] if step.get("name") == "Package"]
    archived = re.search(r"git archive .* HEAD \\\n(.*)", step["run"])
    assert archived
    return set(archived.group(1).split())
