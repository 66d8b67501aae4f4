# SPDX-License-Identifier: Apache-2.0
"""An API server and an appliance that do as a test says, where the real ones would not, or are not needed."""
import contextlib
import json
import os
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import cluster as kube
from tests.support.lab import ROOT, stop

BUILD = ROOT / "build" / os.environ.get("SLUICE_BUILD", "release")
LISTS = {"/apis/networking.k8s.io/v1/ingressclasses": "classes", "/apis/networking.k8s.io/v1/ingresses": "ingresses",
         "/api/v1/services": "services", "/api/v1/secrets": "secrets", "/apis/discovery.k8s.io/v1/endpointslices": "slices",
         "/apis/sluice.dev/v1/sluiceconfigs": "configs"}
LEASE = "/apis/coordination.k8s.io/v1/namespaces/sluice-system/leases"


class Server(ThreadingHTTPServer):
    """`mode` decides what every request meets: ok, 500, 429, 404, garbage, lies, half, close, hang, huge."""
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, answer):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer, self.mode, self.asked = answer, "ok", 0
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def reply(self, status, body, headers=()):
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in [("Content-Type", "application/json"), ("Content-Length", str(len(raw))), *headers]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)

    def handle_one(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked += 1
        mode = self.server.mode
        if mode == "404":  # as an API server that starts, which knows no kinds yet
            self.reply(500 if self.path == "/readyz" else 404, {"kind": "Status"})
        elif mode in ("500", "429"):
            self.reply(int(mode), {"kind": "Status"}, [("Retry-After", "1")] if mode == "429" else [])
        elif mode == "garbage":
            self.reply(200, b'{"items": [{"metadata": 7}, "x", {"spec": {"rules": "no"}}, \xff\xfe')
        elif mode == "lies":  # well-formed, and an empty list without a version
            self.reply(200, {"items": []}, [("ETag", '"9"')])
        elif mode == "half":
            self.send_response(200)
            self.send_header("Content-Length", "100000")
            self.end_headers()
            self.wfile.write(b'{"items": [')
            self.close_connection = True
        elif mode == "close":
            self.close_connection = True
        elif mode == "hang":
            while self.server.mode == "hang":
                time.sleep(0.05)
            self.close_connection = True
        elif mode == "huge":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for _ in range(90):  # no end in sight
                self.wfile.write(b"100000\r\n" + b" " * 0x100000 + b"\r\n")
            self.close_connection = True
        else:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the controller went
                self.server.answer(self, self.command, self.path, body)

    do_GET = do_PATCH = do_POST = do_PUT = handle_one

    def log_message(self, *_):
        pass


class FakeApi:
    """Lists, watches and writes. What is written is noted, and changes nothing."""

    def __init__(self):
        self.objects = {name: {} for name in LISTS.values()}
        self.changes = []  # (version, kind, object), for watches
        self.version = 10
        self.changed = threading.Condition()
        self.absent = set()  # kinds that are not there
        self.refuse = None   # the status that writes get
        self.written = []    # (method, path, status)
        self.lease, self.lease_versions = None, 0
        self.reading, self.read = [], []  # Secrets: how many at once, when each was asked for; those that are answered
        self.showing = threading.Event()  # Secrets are answered once it is set
        self.showing.set()
        self.server = Server(self.answer)

    def put(self, kind, obj):
        with self.changed:
            meta = dict(obj["metadata"], uid="u", creationTimestamp="2024-01-01T00:00:00Z", resourceVersion=str(self.version + 1))
            self.put_raw(kind, dict(obj, metadata=meta))

    def put_raw(self, kind, obj):
        with self.changed:
            self.version += 1
            self.objects[kind][json.dumps(obj["metadata"].get("name"))] = obj
            self.changes.append((self.version, kind, obj))
            self.changed.notify_all()

    def answer(self, handler, method, path, body):
        url = urlsplit(path)
        kind = LISTS.get(url.path)
        if url.path.startswith(LEASE):
            return self.answer_lease(handler, method, json.loads(body or b"null"))
        if method != "GET":
            self.written.append((method, url.path, self.refuse or 200))
            return handler.reply(self.refuse or 200, {})
        if url.path.startswith("/api/v1/namespaces/default/secrets/"):
            self.reading.append(len(self.reading) - len(self.read) + 1)
            time.sleep(0.05)
            self.showing.wait(kube.PATIENCE)
            self.read.append(url.path)
            secret = self.objects["secrets"][json.dumps(url.path.split("/")[-1])]
            return handler.reply(200, dict(secret, data={"tls.crt": "bm8=", "tls.key": "bm8="}))
        if url.path == "/apis/discovery.k8s.io/v1":
            return handler.reply(200, {"resources": [{"name": "endpointslices"}]})
        if kind is None or kind in self.absent:
            return handler.reply(200 if url.path == "/readyz" else 404, {})
        query = parse_qs(url.query)
        if "watch" in query:
            return self.watch(handler, kind, int(query["resourceVersion"][0]))
        with self.changed:
            page = {"metadata": {"resourceVersion": str(self.version)}, "items": list(self.objects[kind].values())}
        return handler.reply(200, page)

    def watch(self, handler, kind, since):
        """Until the mode changes, or the kind goes."""
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        while handler.server.mode == "ok" and kind not in self.absent:
            with self.changed:
                self.changed.wait_for(lambda: self.version > since, 0.1)
                events = [obj for version, k, obj in self.changes if version > since and k == kind]
                since = self.version
            for obj in events:
                line = json.dumps({"type": "ADDED", "object": obj}).encode() + b"\n"
                handler.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
        handler.wfile.write(b"0\r\n\r\n")

    def answer_lease(self, handler, method, wanted):
        """A Lease whose writes are done at once and answered late."""
        with self.changed:
            if method == "GET":
                return handler.reply(200 if self.lease else 404, self.lease or {})
            if self.lease and wanted["metadata"].get("resourceVersion") != str(self.lease_versions):
                return handler.reply(409, {})
            self.lease_versions += 1
            self.lease = dict(wanted, metadata=dict(wanted["metadata"], resourceVersion=str(self.lease_versions)))
            lease = self.lease
        time.sleep(1)
        return handler.reply(200, lease)


class FakeAppliance:
    KINDS = ("load_balancers", "listeners", "rules", "server_groups", "certificates", "address_pools",
             "access_control_lists", "certificate_authorities", "tls_policies")

    def __init__(self):
        self.config = {k: {} for k in self.KINDS}
        self.changed = threading.Lock()
        self.revision, self.refuse = 1, None
        self.server = Server(self.answer)

    def answer(self, handler, method, _, body):
        with self.changed:
            self.answer_alone(handler, method, body)

    def answer_alone(self, handler, method, body):
        tag = [("ETag", f'"{self.revision}"')]
        if method == "GET":
            if handler.headers.get("If-None-Match") == tag[0][1]:
                return handler.reply(304, b"", tag)
            return handler.reply(200, {k: list(v.values()) for k, v in self.config.items()}, tag)
        change = json.loads(body)
        if self.refuse:
            wrong = [f"/put/rules/{i}/hosts/0" for i, r in enumerate(change["put"].get("rules", []))
                     if r["hosts"][0]["value"] == self.refuse]
            if wrong:
                return handler.reply(422, {"errors": [{"path": p, "message": "is refused"} for p in wrong]})
        for kind, objects in change["put"].items():
            self.config[kind].update({o["id"]: o for o in objects})
        for kind, ids in change["delete"].items():
            for i in ids:
                self.config[kind].pop(i, None)
        for lb in self.config["load_balancers"].values():
            lb["addresses"] = lb["addresses"] or ["192.0.2.1"]
        self.revision += 1
        return handler.reply(200, {}, [("ETag", f'"{self.revision}"')])

    def hosts(self):
        with self.changed:
            return {r["hosts"][0]["value"] for r in self.config["rules"].values()}

    def held(self, kind):
        """Objects of that kind, as they are now."""
        with self.changed:
            return list(self.config[kind].values())

    def text(self):
        with self.changed:
            return json.dumps(self.config)


@contextlib.contextmanager
def running(folder, api, appliance, *arguments, netns=None, port=None):
    """A controller between these two; in the namespace that they were made in."""
    config = folder / "kubeconfig"
    config.write_text(json.dumps({"current-context": "c", "contexts": [{"name": "c", "context": {"cluster": "c"}}],
                                  "clusters": [{"name": "c", "cluster": {"server": api.server.url}}]}))
    with open(folder / "log", "wb") as log:
        command = [BUILD / "mgmt/ingress/sluice-ingress", "--kubeconfig", config, "--listen", f"127.0.0.1:{port or kube.free_port()}",
                   "--appliance", f"url={appliance.server.url},name=fake", *arguments]
        process = subprocess.Popen(netns.command(*command) if netns else command, stdout=log, stderr=subprocess.STDOUT)
    try:
        yield process
        assert process.poll() in (None, 0), (folder / "log").read_text()[-3000:]
    finally:
        stop(process)
        api.server.mode = appliance.server.mode = "closed"  # ends watches and requests that hang
        for s in (api.server, appliance.server):
            s.shutdown()
            s.server_close()
    assert process.returncode in (0, -9), (folder / "log").read_text()[-3000:]  # -9: late; a sanitizer has others


def make_pair():
    api, appliance = FakeApi(), FakeAppliance()
    api.put("configs", kube.sluice_config("p", {"listener": {"idle_timeout_ms": 31000}}))
    api.put("classes", kube.ingress_class("sluice", "p"))
    api.put("services", kube.service("web"))
    api.put("slices", kube.endpoint_slice("web", ["10.0.0.1"]))
    api.put("ingresses", kube.ingress("first", rules=[kube.rule("first.example", "web")]))
    return api, appliance
