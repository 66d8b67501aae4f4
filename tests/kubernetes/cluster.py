# SPDX-License-Identifier: Apache-2.0
"""A real kube-apiserver on a real etcd, on the loopback: no kubelet and no controllers, so that tests play those: pods are
processes in the lab's backend namespaces, and their EndpointSlices are written here."""
import base64
import contextlib
import http.client
import json
import os
import secrets
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.support.lab import ROOT, run, samples, stop, wait_for

ADMIN = "admin-token"
# Seconds after which a thing will not happen any more. Far more than any of them takes on a machine that has other work, too.
PATIENCE = 120
MANIFESTS = ROOT / "mgmt/ingress/manifests"
PLURALS = {"Ingress": "ingresses", "IngressClass": "ingressclasses", "EndpointSlice": "endpointslices",
           "Endpoints": "endpoints", "CustomResourceDefinition": "customresourcedefinitions"}
CLUSTER_SCOPED = {"Namespace", "IngressClass", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition",
                  "SluiceConfig"}


def eventually(condition, what):
    return wait_for(condition, PATIENCE, what)


_given = set()


def free_port():
    """Of those that the kernel gives to no outgoing connection, which could be there before whoever shall listen."""
    last = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = secrets.choice(range(min(20000, last - 1), last))
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind(("127.0.0.1", port))
            if port not in _given:
                _given.add(port)
                return port


def apiserver_program():
    return run(ROOT / "tests/kubernetes/apiserver.sh").split()[-1]


def plural(kind):
    return PLURALS.get(kind, kind.lower() + "s")


class Cluster:
    def __init__(self, watch_cache=True):
        self.folder = Path(tempfile.mkdtemp(prefix="sluice-kube-"))
        self.etcd_port, self.peer_port, self.port = free_port(), free_port(), free_port()
        self.watch_cache = watch_cache
        self.etcd = self.apiserver = None
        self.newest = {}  # the last resourceVersion of each kind that note() was told of, by its plural
        self._newest_lock = threading.Lock()
        self._own = threading.local()  # a connection a thread
        self.make_credentials()
        run("openssl", "genrsa", "-out", self.folder / "sa.key", "2048")
        try:
            self._start_etcd()
            self.start_apiserver()
        except BaseException:
            self.close()
            raise

    def make_credentials(self):
        """A certificate for the API server, which is its own CA, and tokens. Called again, all but the admin's are others."""
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=kube-apiserver", "-addext",
            "subjectAltName=IP:127.0.0.1,DNS:localhost", "-keyout", self.folder / "tls.key", "-out", self.folder / "tls.crt")
        controller = secrets.token_hex(16)
        (self.folder / "tokens.csv").write_text(
            f'{ADMIN},admin,admin,"system:masters"\n'
            f'{controller},system:serviceaccount:sluice-system:sluice-ingress,sluice,"system:serviceaccounts"\n')
        for name, token in (("admin", ADMIN), ("controller", controller)):
            self.token_file(name).write_text(token)
            (self.folder / f"{name}.kubeconfig").write_text(json.dumps({
                "apiVersion": "v1", "kind": "Config", "current-context": "test",
                "clusters": [{"name": "test", "cluster": {"server": f"https://127.0.0.1:{self.port}",
                                                          "certificate-authority": str(self.folder / "tls.crt")}}],
                "users": [{"name": "test", "user": {"tokenFile": str(self.token_file(name))}}],
                "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}]}))

    def token_file(self, name):
        return self.folder / f"{name}.token"

    def kubeconfig(self, name="admin"):
        return self.folder / f"{name}.kubeconfig"

    def _start_etcd(self):
        url = f"http://127.0.0.1:{self.etcd_port}"
        data = Path("/dev/shm" if os.access("/dev/shm", os.W_OK) else self.folder) / f"{self.folder.name}-etcd"
        self.etcd_data = data
        log = open(self.folder / "etcd.log", "ab")
        self.etcd = subprocess.Popen(["etcd", "--data-dir", data, "--listen-client-urls", url, "--advertise-client-urls", url,
                                      "--listen-peer-urls", f"http://127.0.0.1:{self.peer_port}"],
                                     stdout=log, stderr=subprocess.STDOUT, env=dict(os.environ, ETCD_UNSUPPORTED_ARCH=""))
        wait_for(lambda: subprocess.run(["curl", "-sf", f"{url}/health"], stdout=subprocess.DEVNULL, check=False).returncode == 0,
                 30, "etcd")

    def start_apiserver(self, *flags, seconds=200):
        log = open(self.folder / "apiserver.log", "ab")
        self.apiserver = subprocess.Popen(
            [apiserver_program(), f"--etcd-servers=http://127.0.0.1:{self.etcd_port}", "--bind-address=127.0.0.1",
             f"--secure-port={self.port}", "--insecure-port=0", "--service-cluster-ip-range=10.96.0.0/16",
             f"--tls-cert-file={self.folder}/tls.crt", f"--tls-private-key-file={self.folder}/tls.key",
             f"--token-auth-file={self.folder}/tokens.csv", f"--service-account-key-file={self.folder}/sa.key",
             f"--service-account-signing-key-file={self.folder}/sa.key", "--service-account-issuer=https://kubernetes.test",
             "--disable-admission-plugins=ServiceAccount", "--endpoint-reconciler-type=none", "--authorization-mode=RBAC",
             f"--watch-cache={str(self.watch_cache).lower()}", "--feature-gates=EndpointSliceTerminatingCondition=true",
             f"--cert-dir={self.folder}", *flags],
            stdout=log, stderr=subprocess.STDOUT)
        wait_for(self._ready, seconds, f"kube-apiserver ({self.folder}/apiserver.log)")

    def _ready(self):
        if self.apiserver.poll() is not None:
            raise RuntimeError("kube-apiserver ended:\n" + (self.folder / "apiserver.log").read_text()[-3000:])
        try:
            return self.request("GET", "/readyz")[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def stop_apiserver(self):
        # Killed: a graceful stop would wait for its watchers.
        self.apiserver.kill()
        self.apiserver.wait()

    def restart_apiserver(self, *flags):
        self.stop_apiserver()
        self.start_apiserver(*flags)

    def request(self, method, path, body=None, content_type="application/json"):
        """(status, parsed JSON or text), as the admin."""
        payload = None if body is None else json.dumps(body)
        while True:
            connection = getattr(self._own, "connection", None)
            fresh = connection is None
            if fresh:
                context = ssl.create_default_context(cafile=str(self.folder / "tls.crt"))
                connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=30, context=context)
            self._own.connection = None
            try:
                connection.request(method, path, payload, {"Authorization": f"Bearer {ADMIN}", "Content-Type": content_type})
                answer = connection.getresponse()
                raw = answer.read()
            except (OSError, http.client.HTTPException):
                connection.close()
                if fresh:
                    raise
                continue  # the server was restarted since it was used last
            self._own.connection = connection
            parsed = json.loads(raw) if raw.startswith(b"{") else raw.decode()
            if answer.status < 300 and method != "GET":
                self.note(parsed)
            return answer.status, parsed

    def note(self, obj):
        """That the controller has to see this version, too, before all is settled."""
        version = obj.get("metadata", {}).get("resourceVersion") if isinstance(obj, dict) else None
        if version and obj.get("type", "kubernetes.io/tls") == "kubernetes.io/tls":  # of other Secrets none is listed
            with self._newest_lock:
                kind = plural(obj["kind"])
                self.newest[kind] = max(int(version), self.newest.get(kind, 0))

    def ok(self, method, path, body=None, **kwargs):
        status, answer = self.request(method, path, body, **kwargs)
        if status >= 300:
            raise RuntimeError(f"{method} {path}: {status} {answer}")
        return answer

    @staticmethod
    def path(obj, name=True):
        kind, group = obj["kind"], obj["apiVersion"]
        base = f"/api/{group}" if "/" not in group else f"/apis/{group}"
        if kind not in CLUSTER_SCOPED:
            base += "/namespaces/" + obj["metadata"].get("namespace", "default")
        return f"{base}/{plural(kind)}" + (f"/{obj['metadata']['name']}" if name else "")

    def apply(self, *objects):
        """Creates, or replaces without asking what was there."""
        for obj in objects:
            status, answer = self.request("POST", self.path(obj, name=False), obj)
            if status == 409:
                there = self.ok("GET", self.path(obj))
                merged = dict(obj, metadata=dict(obj["metadata"], resourceVersion=there["metadata"]["resourceVersion"]))
                if obj["kind"] == "Service":
                    merged["spec"] = dict(obj["spec"], clusterIP=there["spec"]["clusterIP"])
                if obj["kind"] == "Ingress" and "finalizers" not in obj["metadata"]:
                    merged["metadata"]["finalizers"] = there["metadata"].get("finalizers", [])
                status, answer = self.request("PUT", self.path(obj), merged)
            if status >= 300:
                raise RuntimeError(f"{obj['kind']} {obj['metadata']['name']}: {status} {answer}")

    def apply_many(self, objects):
        """As apply(), over four connections."""
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(self.apply, objects))  # raises what one of them raised

    def delete(self, obj):
        return self.request("DELETE", self.path(obj))[0]

    def get(self, obj):
        status, answer = self.request("GET", self.path(obj))
        return answer if status == 200 else None

    def namespace(self):
        name = "t-" + secrets.token_hex(4)
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        return name

    def events(self, namespace):
        """{(Ingress, reason)} of Events that the controller wrote."""
        items = self.ok("GET", f"/api/v1/namespaces/{namespace}/events")["items"]
        return {(e["involvedObject"]["name"], e["reason"]) for e in items}

    def kubectl(self, *args, **kwargs):
        return run("kubectl", "--kubeconfig", self.kubeconfig(), f"--cache-dir={self.folder}/cache", *args, **kwargs)

    def compact(self):
        """etcd forgets all history."""
        def post(path, body):
            connection = http.client.HTTPConnection("127.0.0.1", self.etcd_port, timeout=10)
            connection.request("POST", path, json.dumps(body))
            return json.loads(connection.getresponse().read())
        key = base64.b64encode(b"\0").decode()
        revision = post("/v3/kv/range", {"key": key, "count_only": True})["header"]["revision"]
        post("/v3/kv/compaction", {"revision": revision, "physical": True})

    def install(self):
        """What a user installs: CRD, RBAC, class."""
        self.kubectl("apply", "--validate=false", "-k", MANIFESTS)

    def close(self):
        for process in (self.apiserver, self.etcd):
            if process:
                process.kill()
                process.wait()
        shutil.rmtree(getattr(self, "etcd_data", "/nonexistent"), ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)


# -- objects

def ingress(name, namespace="default", rules=None, default=None, tls=None, annotations=None, ingress_class="sluice"):
    spec = {}
    if ingress_class:
        spec["ingressClassName"] = ingress_class
    if rules:
        spec["rules"] = rules
    if default:
        spec["defaultBackend"] = backend(default)
    if tls:
        spec["tls"] = tls
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
            "metadata": {"name": name, "namespace": namespace, "annotations": annotations or {}}, "spec": spec}


def backend(service, port=8080):
    return {"service": {"name": service, "port": {"name": port} if isinstance(port, str) else {"number": port}}}


def rule(host, *paths):
    """paths: (path, type, service) or a service for all."""
    entries = [{"path": "/", "pathType": "Prefix", "backend": backend(p)} if isinstance(p, str) else
               {"path": p[0], "pathType": p[1], "backend": backend(*p[2:])} for p in paths]
    out = {"http": {"paths": entries}}
    if host:
        out["host"] = host
    return out


def service(name, namespace="default", port=8080):
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace},
            "spec": {"clusterIP": "None", "ports": [{"name": "http", "port": port}]}}


def endpoint_slice(name, addresses, namespace="default", port=3000, version="v1beta1", terminating=()):
    """`addresses` are ready, `terminating` end but still serve."""
    endpoints = [{"addresses": [a], "conditions": {"ready": True}} for a in addresses]
    endpoints += [{"addresses": [a], "conditions": {"ready": False, "serving": True, "terminating": True}} for a in terminating]
    return {"apiVersion": f"discovery.k8s.io/{version}", "kind": "EndpointSlice",
            "metadata": {"name": f"{name}-1", "namespace": namespace, "labels": {"kubernetes.io/service-name": name}},
            "addressType": "IPv4", "ports": [{"name": "http", "port": port, "protocol": "TCP"}], "endpoints": endpoints}


def certificate(folder, *names):
    """(certificate, key) in PEM, self-signed."""
    folder = Path(folder)
    key, crt = folder / f"{names[0]}.key", folder / f"{names[0]}.crt"
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30", "-subj",
        f"/CN={names[0]}", "-addext", "subjectAltName=" + ",".join(f"DNS:{n}" for n in names), "-keyout", key, "-out", crt)
    return crt.read_text(), key.read_text()


def secret(name, data, namespace="default", kind="Opaque"):
    return {"apiVersion": "v1", "kind": "Secret", "type": kind, "metadata": {"name": name, "namespace": namespace},
            "data": {k: base64.b64encode(v.encode()).decode() for k, v in data.items()}}


def tls_secret(name, pair, namespace="default"):
    return secret(name, {"tls.crt": pair[0], "tls.key": pair[1]}, namespace, "kubernetes.io/tls")


def sluice_config(name, spec):
    return {"apiVersion": "sluice.dev/v1", "kind": "SluiceConfig", "metadata": {"name": name}, "spec": spec}


def ingress_class(name, parameters):
    """Of ours; `parameters` is the name of a SluiceConfig."""
    return {"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": {"name": name},
            "spec": {"controller": "sluice.dev/ingress",
                     "parameters": {"apiGroup": "sluice.dev", "kind": "SluiceConfig", "name": parameters}}}


def endpoints(name, addresses, namespace="default", port=3000):
    return {"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": name, "namespace": namespace},
            "subsets": [{"addresses": [{"ip": a} for a in addresses], "ports": [{"name": "http", "port": port}]}]}


def slice_v1_crd():
    """EndpointSlice v1, for an API server that is too old to have it."""
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "endpointslices.discovery.k8s.io",
                         "annotations": {"api-approved.kubernetes.io": "unapproved, for a test"}},
            "spec": {"group": "discovery.k8s.io", "scope": "Namespaced",
                     "names": {"kind": "EndpointSlice", "plural": "endpointslices", "singular": "endpointslice"},
                     "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {
                         "type": "object", "x-kubernetes-preserve-unknown-fields": True}}}]}}


class Controller:
    """A sluice-ingress process for some labs' appliances."""

    def __init__(self, cluster, labs, build, *extra, identity="one"):
        self.appliances = len(labs)
        self.port = free_port()
        self.log = cluster.folder / f"ingress-{identity}-{self.port}.log"
        command = [build / "mgmt/ingress/sluice-ingress", "--kubeconfig", cluster.kubeconfig("controller"), "--identity", identity,
                   "--listen", f"127.0.0.1:{self.port}", "--linger", "2", *extra]
        for lab in labs:
            command += ["--appliance", f"url=https://127.0.0.1:{lab.api_port},token-file={lab.folder}/data/admin.token,"
                                       f"ca-file={lab.folder}/data/api.crt,name={lab.prefix}"]
        env = dict(os.environ, ASAN_OPTIONS="detect_leaks=1:exitcode=99",
                   UBSAN_OPTIONS="print_stacktrace=1:halt_on_error=1:exitcode=99")
        env.pop("KUBECONFIG", None)
        self.process = subprocess.Popen([str(c) for c in command], stdout=open(self.log, "ab"), stderr=subprocess.STDOUT, env=env)

    def metrics(self):
        """The page as it is; None while there is none."""
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            connection.request("GET", "/metrics")
            return connection.getresponse().read().decode()
        except (OSError, http.client.HTTPException):
            return None

    def metric(self, name, **labels):
        found = list(samples(self.metrics() or "", name, **labels))
        return sum(found) if found else None

    def has_done(self, versions):
        """Whether it has seen all that was written up to these versions of kinds, has acted upon it, and every appliance holds
        what follows from it. All by one page, so that it cannot mix two moments."""
        page = self.metrics() or ""
        seen = all(version <= next(samples(page, "sluice_ingress_watch_version", kind=kind), version)
                   for kind, version in versions.items())
        in_sync = list(samples(page, "sluice_ingress_appliance_in_sync"))
        return (page and seen and sum(samples(page, "sluice_ingress_pending")) == 0
                and len(in_sync) >= self.appliances and all(in_sync))

    def text(self):
        return self.log.read_text(errors="replace")

    def stop(self):
        return stop(self.process)
