# SPDX-License-Identifier: Apache-2.0
"""Certificates for tests, made by openssl's own command."""
import subprocess


def openssl(*args):
    subprocess.run(["openssl", *map(str, args)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


class Certificate:
    """A self-signed one (ECDSA P-256) in `folder`: NAME.pem and NAME.key."""

    def __init__(self, folder, name, days=30):
        self.name, self.folder = name, folder
        self.path, self.key = folder / f"{name}.pem", folder / f"{name}.key"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", days, "-subj",
                f"/CN={name}.test", "-addext", f"subjectAltName=DNS:{name}.test", "-keyout", self.key, "-out", self.path)

    def resource(self):
        """As the REST API takes it."""
        return {"id": self.name, "certificate": self.path.read_text(), "private_key": self.key.read_text()}
