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


class Authority:
    """A CA with its key in `folder`: NAME.pem, NAME.key, and NAME.crl of those that were revoked."""

    def __init__(self, folder, name):
        self.name, self.folder = name, folder
        self.base = folder / f"ca-{name}"
        self.base.mkdir()
        (self.base / "index.txt").touch()
        self.config = self.base / "openssl.conf"
        self.config.write_text(f"[ca]\ndefault_ca = this\n[this]\ndatabase = {self.base}/index.txt\ndefault_md = sha256\n"
                               f"default_crl_days = 30\nunique_subject = no\n")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", 365, "-subj",
                f"/CN={name}", "-keyout", self.base / "ca.key", "-out", self.base / "ca.pem")
        self._list()

    def issue(self, name, hosts=(), addresses=(), rsa=False, extensions=()):
        """NAME.pem and NAME.key in `folder`; of a server with these host names and addresses, else of a client. `extensions`:
        more of them, as openssl.cnf has them: "extendedKeyUsage=OCSPSigning"."""
        request = self.base / f"{name}.csr"
        key = ("rsa:2048",) if rsa else ("ec", "-pkeyopt", "ec_paramgen_curve:P-256")
        subjects = [f"DNS:{host}" for host in hosts] + [f"IP:{address}" for address in addresses]
        if subjects:
            extensions = ["subjectAltName=" + ",".join(subjects), "crlDistributionPoints=URI:http://ca.test/crl", *extensions]
        more = [word for extension in extensions for word in ("-addext", extension)]
        openssl("req", "-new", "-newkey", *key, "-nodes", "-subj", f"/CN={name}", *more, "-keyout", self.folder / f"{name}.key",
                "-out", request)
        openssl("x509", "-req", "-in", request, "-CA", self.base / "ca.pem", "-CAkey", self.base / "ca.key", "-CAcreateserial",
                "-copy_extensions", "copy", "-days", 365, "-out", self.folder / f"{name}.pem")
        openssl("ca", "-config", self.config, "-cert", self.base / "ca.pem", "-keyfile", self.base / "ca.key", "-valid",
                self.folder / f"{name}.pem")

    def issued(self, name, chain=False):
        """As the REST API takes a certificate with its key; `chain`: and its issuer's."""
        issuer = (self.base / "ca.pem").read_text() if chain else ""
        return {"id": name, "certificate": (self.folder / f"{name}.pem").read_text() + issuer,
                "private_key": (self.folder / f"{name}.key").read_text()}

    def revoke(self, name):
        openssl("ca", "-config", self.config, "-cert", self.base / "ca.pem", "-keyfile", self.base / "ca.key", "-revoke",
                self.folder / f"{name}.pem")
        self._list()

    def list_until(self, hours):
        """A fresh CRL that ends then."""
        self._list("-crlhours", hours)

    def _list(self, *more):
        openssl("ca", "-config", self.config, "-cert", self.base / "ca.pem", "-keyfile", self.base / "ca.key", "-gencrl", *more,
                "-out", self.base / "crl.pem")

    def start_responder(self, netns, port, minutes=1):
        """`openssl ocsp` in that namespace, for all that was issued; its answers are good for so long."""
        if not (self.folder / f"ocsp-{self.name}.pem").exists():
            self.issue(f"ocsp-{self.name}", extensions=["extendedKeyUsage=OCSPSigning"])
        return netns.start("openssl", "ocsp", "-index", self.base / "index.txt", "-port", port, "-CA", self.base / "ca.pem",
                           "-rsigner", self.folder / f"ocsp-{self.name}.pem", "-rkey", self.folder / f"ocsp-{self.name}.key",
                           "-nmin", minutes, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def resource(self):
        """As the REST API takes it."""
        return {"id": self.name, "certificates": (self.base / "ca.pem").read_text(),
                "revocation_lists": (self.base / "crl.pem").read_text()}
