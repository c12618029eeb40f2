"""azure.yaml: ``azd up`` takes the same Bicep and the same package as the workflow.

What azd wants is in its published schema (github.com/Azure/azure-dev, schemas/v1.0/azure.yaml.json) and in its Bicep
provider, which takes ``<module>.bicepparam`` before ``<module>.bicep``.
"""

from __future__ import annotations

import fnmatch
import re
import subprocess
from typing import Any

import yaml

from tests.unit.infra import workflows
from tests.unit.infra.workflows import MAIN, ROOT


def azure() -> dict[str, Any]:
    found = yaml.safe_load((ROOT / "azure.yaml").read_text())
    assert isinstance(found, dict)
    return found


def test_it_has_what_azd_knows_and_nothing_else() -> None:
    assert set(azure()) == {"name", "infra", "services", "hooks"}
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", azure()["name"])
    for service in azure()["services"].values():
        assert set(service) == {"project", "language", "host", "remoteBuild"}


def test_the_service_is_a_function_app_in_python_built_in_azure() -> None:
    (service,) = azure()["services"].values()
    assert (service["host"], service["language"], service["remoteBuild"]) == ("function", "py", True)
    project = ROOT / service["project"]
    assert all((project / name).exists() for name in ("host.json", "function_app.py", "requirements.txt"))


def test_azd_finds_the_function_app_by_its_tag() -> None:
    (name,) = azure()["services"]
    assert f"'azd-service-name': '{name}'" in (ROOT / "infra" / "modules" / "app.bicep").read_text()


def test_its_infrastructure_is_the_one_that_the_workflow_deploys() -> None:
    infra = azure()["infra"]
    assert infra["provider"] == "bicep"
    parameters = ROOT / infra["path"] / f"{infra['module']}.bicepparam"
    assert workflows.uses_main(parameters)
    assert "'AZURE_ENV_NAME'" in parameters.read_text()


def test_its_hook_uses_outputs_and_scripts_that_exist() -> None:
    hook = azure()["hooks"]["postdeploy"]
    assert hook["shell"] == "sh"
    used = set(re.findall(r"\$(\w+)", hook["run"]))
    assert used
    assert used <= workflows.outputs(MAIN.read_text())
    scripts = re.findall(r"\.github/[\w/.]+", hook["run"])
    assert len(scripts) == 2
    assert all((ROOT / script).exists() for script in scripts)


def test_what_azd_packs_is_what_the_workflow_packs() -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    top = {name.partition("/")[0] for name in tracked.stdout.splitlines() if (ROOT / name).exists()}
    ignored = (ROOT / ".funcignore").read_text().split()
    left = {name for name in top if not any(fnmatch.fnmatch(name, pattern) for pattern in ignored)}
    assert left == workflows.packaged()
