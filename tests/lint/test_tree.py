# SPDX-License-Identifier: Apache-2.0
"""Rules of the tree that a compiler does not check."""
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LAYERS = {"dataplane": {"dataplane"}, "l4": {"dataplane", "l4"}, "l7": {"dataplane", "l4", "l7"},
          "mgmt": {"dataplane", "l4", "l7", "mgmt"}}
# A header family, and the only places that may see it.
HOMES = {
    r"rte_\w+\.h": ("dataplane/", "tests/support/", "pktgen-scripts/"),
    r"openssl/.*": ("l7/tls/", "mgmt/", "tests/", "pktgen-scripts/"),
    r"intel-ipsec-mb\.h": ("l7/tls/", "tests/", "pktgen-scripts/"),
    r"hs(/.*|_\w+)?\.h": ("l7/route/", "tests/"),
    r"nghttp2/.*": ("l7/http2/", "tests/"),
    r"httplib\.h": ("mgmt/", "tests/"),
    r"sqlite3\.h": ("mgmt/store/", "tests/"),
    r"libconfig.*": ("mgmt/daemon/", "pktgen-scripts/", "tests/"),
}


def tracked(*suffixes):
    names = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True,
                           stdout=subprocess.PIPE, text=True).stdout.splitlines()
    return [n for n in names if n.endswith(suffixes) and (ROOT / n).is_file()]


def sources():
    return tracked(".cc", ".h")


def includes(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    return re.findall(r'^\s*#\s*include\s*[<"]([^">]+)[">]', text, re.M)


def test_includes_point_from_l7_to_l4_to_dataplane_and_never_into_mgmt():
    wrong = []
    for name in sources():
        layer = name.split("/")[0]
        for header in includes(name):
            target = header.split("/")[0]
            if layer in LAYERS and target in LAYERS and target not in LAYERS[layer]:
                wrong.append(f"{name} includes {header}")
    assert not wrong


def test_each_foreign_library_is_seen_only_in_its_home():
    wrong = [f"{name} includes {header}" for name in sources() for header in includes(name)
             for pattern, homes in HOMES.items() if re.fullmatch(pattern, header) and not name.startswith(homes)]
    assert not wrong


def test_product_code_includes_no_test_code():
    wrong = [f"{name} includes {header}" for name in sources() if not name.startswith("tests/")
             for header in includes(name) if header.startswith(("tests/", "gtest", "gmock"))]
    assert not wrong


def test_every_source_file_names_its_licence_in_one_spdx_line():
    wrong = []
    for name in tracked(".cc", ".h", ".py", ".sh", "meson.build"):
        head = (ROOT / name).read_text(encoding="utf-8").splitlines()[:3]
        if sum("SPDX-License-Identifier: Apache-2.0" in line for line in head) != 1:
            wrong.append(name)
    assert not wrong


def test_no_file_outgrows_its_room():
    wrong = [f"{name}: {n} lines" for name in tracked(".cc", ".h", ".py", ".sh")
             if (n := len((ROOT / name).read_text(encoding="utf-8").splitlines())) > 800]
    assert not wrong


def test_no_private_key_and_no_path_of_a_machine_is_committed():
    key = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----\n[A-Za-z0-9+/=\n]{80,}")
    home = re.compile(r"(/work/main|/root/|/home/[a-z]+/)")
    wrong = []
    for name in tracked(".cc", ".h", ".py", ".sh", ".md", ".json", ".conf", "meson.build", ".service"):
        if name == "tests/lint/test_tree.py":
            continue
        text = (ROOT / name).read_text(encoding="utf-8", errors="replace")
        if key.search(text) or home.search(text):
            wrong.append(name)
    assert not wrong


@pytest.mark.parametrize("script", tracked(".sh"))
def test_shell_scripts_parse(script):
    subprocess.run(["bash", "-n", ROOT / script], check=True)
