# SPDX-License-Identifier: Apache-2.0
"""sluiced in a virtual machine, on virtio-net PCI devices behind a vIOMMU: what it is on a cloud's ENIs."""
import json
import os
import re
import subprocess

import pytest

from tests.support.lab import wait_for
from tests.vm.conftest import check_bodies_both_ways, digest
from tests.vm.vm_lab import CLIENT4, HOST, VIP4, VIP6

IOMMU = True
SMALL = "s/memory_mb = 1024/memory_mb = 256/"  # hugepages are cleared at each start


@pytest.mark.parametrize("vip,path", [(VIP4, "/"), (VIP4, "/v6"), (VIP6, "/"), (VIP6, "/v6")])
def test_https_with_a_verified_certificate_is_answered_by_the_backend(vm, vip, path):
    answer = vm.get(path, vip=vip)
    assert answer.startswith(f"backend=b1 host=shop.test uri={path} proto=https for=")


@pytest.mark.parametrize("vip,client", [(VIP4, "198.51.100.7"), (VIP6, "2001:db8:f::7")])
def test_a_client_beyond_the_subnet_is_answered_over_the_gateway(vm, vip, client):
    vm.client.ip("address", "add", client, "dev", "lo")
    assert f"for={client} " in vm.get("/", "--interface", client, vip=vip)


@pytest.mark.parametrize("vip", [VIP4, VIP6])
def test_big_bodies_arrive_byte_for_byte_both_ways(vm, vip):
    check_bodies_both_ways(vm, vip)


def test_fifty_connections_are_served_by_both_workers_over_both_queues(vm):
    def total(name, **labels):
        return vm.api.metric(f"sluice_{name}_total", **labels)
    done = subprocess.run(vm.client.command("h2load", "--h1", "-n", 500, "-c", 50, f"--connect-to={VIP4}:443",
                                              f"https://{HOST}/"),
                          check=True, stdout=subprocess.PIPE, text=True, timeout=200)
    assert "500 succeeded, 0 failed, 0 errored, 0 timeout" in done.stdout
    assert "status codes: 500 2xx" in done.stdout
    for worker in "01":
        assert total("http_requests", worker=worker) > 0
        assert total("worker_rx_packets", worker=worker) > 0
    # What one worker gives the other takes, once the rings are empty.
    wait_for(lambda: total("worker_handovers_out") == total("worker_handovers_in"), 30, "handovers given to be taken")


def test_both_enis_have_a_queue_for_each_worker_and_negotiated_offloads(vm):
    """eni1 offers RSS, eni2 steers by what it has seen sent."""
    for port in vm.api.ok("GET", "/api/v1/health")["ports"]:
        assert (port["driver"], port["link"], port["queues"]) == ("net_virtio", "up", 2)
        assert port["checksum_offload"] == {"rx": True, "tx": True}
        assert port["tcp_segmentation_offload"] == {"rx": True, "tx": True}
    for name in ("cl", "b1"):  # so the kernel hands over packets whose checksums are only begun
        assert "tx-checksumming: on" in vm.namespaces[name].run("ethtool", "-k", "eth0")


def test_bulk_data_passes_the_nics_in_packets_larger_than_the_mtu(vm):
    """LRO from the backend to us, TSO from us to the client: packets as each side counts them."""
    def counted():
        ours = next(p for p in vm.api.ok("GET", "/api/v1/health")["ports"] if p["name"] == "eni2")
        (theirs,) = json.loads(vm.client.ip("-s", "-j", "link", "show", "eth0"))
        received = theirs["stats64"]["rx"]
        return [ours["rx_bytes"], ours["rx_packets"], received["bytes"], received["packets"]]
    before = counted()
    vm.get("/static/8m", "-o", vm.folder / "got", vip=VIP4)
    in_bytes, in_packets, out_bytes, out_packets = (after - b for after, b in zip(counted(), before))
    assert in_bytes > 8_000_000 and out_bytes > 8_000_000
    assert in_bytes / in_packets > 2 * 1500
    assert out_bytes / out_packets > 2 * 1500


BEGUN = r"""
from scapy.all import *
import struct
ip, tcp = IP(src="%s", dst="%s"), TCP(sport=40000, dport=443, flags="S")
mac = next(filter(None, (getmacbyip(ip.dst) for _ in range(20))))  # each waits for some seconds
pseudo = inet_aton(ip.src) + inet_aton(ip.dst) + struct.pack("!HH", 6, 20)
tcp.chksum = 0xffff ^ checksum(pseudo)
sendp(Ether(dst=mac)/ip/tcp, iface="eth0", verbose=False)
"""


def test_a_begun_checksum_is_refused_where_the_device_does_not_vouch_for_it(vm):
    """A frame from a raw socket is one from a wire: the device says nothing about its checksum."""
    before = vm.api.metric("sluice_drops_total", reason="tcp_checksum")
    vm.client.run("/usr/bin/python3", "-c", BEGUN % (CLIENT4, VIP4))
    wait_for(lambda: vm.api.metric("sluice_drops_total", reason="tcp_checksum") == before + 1, 30, "the drop")


def test_a_link_that_goes_down_is_seen_and_comes_back(vm):
    vm.monitor("set_link cl off")
    wait_for(lambda: vm.api.metric("sluice_port_link_up", port="eni1") == 0, 60, "link down")
    assert vm.api.metric("sluice_port_link_up", port="eni2") == 1
    vm.monitor("set_link cl on")
    wait_for(lambda: vm.api.metric("sluice_port_link_up", port="eni1") == 1, 60, "link up")
    assert vm.get("/").startswith("backend=b1")


def test_only_noise_of_the_segment_and_late_segments_were_dropped(vm):
    text = vm.api.request("GET", "/metrics")[2]
    dropped = set(re.findall(r'^sluice_drops_total{.*reason="(\w+)"} [1-9]', text, re.M))
    noise = {"arp_ignored", "nd_ignored", "icmp_ignored", "ip_not_local"}
    late = {"tcp_out_of_window", "tcp_no_connection"}  # sent again, or sent to a connection that was reset
    provoked = {"tcp_checksum", "link_down"}  # by the tests above
    full = {"tx_queue_full"}  # while the host had no time to empty its ring
    assert dropped <= noise | late | provoked | full
    assert vm.api.metric("sluice_drops_total", reason="tx_queue_full") <= 0.02 * vm.api.metric("sluice_port_tx_packets_total")
    for what in ("rx_missed", "rx_nombuf"):
        assert vm.api.metric(f"sluice_port_{what}_total") == 0


def test_a_second_instance_is_told_that_the_nics_are_taken_and_the_first_serves_on(vm):
    edit = "s/:8443/:9443/; s/var.lib/run/; s/huge_pages = \"on\"; memory_mb = 1024/huge_pages = \"off\"; memory_mb = 64/"
    vm.sh(f"sed '{edit}' /etc/sluice/sluice.conf >/run/second.conf")
    status, log = vm.sh("sluiced --config /run/second.conf")
    assert status == 1
    assert "although vfio-pci has it" in log
    assert vm.get("/").startswith("backend=b1")


def test_sigterm_lets_a_download_end_and_the_exit_status_is_0(vm):
    got = vm.folder / "got"
    got.unlink(missing_ok=True)
    download = subprocess.Popen(vm.client.command(
        "curl", "-sS", "--max-time", 120, "--limit-rate", "4M", "--cacert", vm.folder / "cert.pem",
        "--connect-to", f"{HOST}:443:{VIP4}:443", "-o", got, f"https://{HOST}/static/8m"))
    wait_for(lambda: got.exists() and os.path.getsize(got) > 0, 60, "the download's first bytes")
    status, log = vm.end()
    assert (download.wait(120), status) == (0, 0), log
    assert digest(got) == digest(vm.folder / "b1/www/static/8m")


def test_jumbo_frames_are_received_and_sent(stopped):
    for name in ("cl", "b1"):
        stopped.namespaces[name].ip("link", "set", "eth0", "mtu", 9001)
    stopped.serve(SMALL + "; s/\"; addresses/\"; mtu = 9001; addresses/")
    got = stopped.folder / "got"
    stopped.get("/static/8m", "-o", got)
    assert digest(got) == digest(stopped.folder / "b1/www/static/8m")
    assert stopped.api.metric("sluice_port_tx_packets_total", port="eni1") < 8_000_000 / 5000


def test_without_hugepages_and_with_the_adaptive_policy_it_serves_too(stopped):
    stopped.serve(SMALL + "; s/huge_pages = \"on\"/huge_pages = \"off\"/; s/\"busy\"/\"adaptive\"/")
    assert stopped.get("/").startswith("backend=b1")
    assert stopped.api.metric("sluice_worker_sleeps_total") > 0


@pytest.mark.parametrize("prepare,edit,reason", [
    ("bind-nic virtio-pci 0000:00:06.0", "", "the kernel's driver virtio-pci has this PCI device; bind it to vfio-pci"),
    ("echo 0000:00:06.0 >/sys/bus/pci/drivers/vfio-pci/unbind", "", "no driver has this PCI device; bind it to vfio-pci"),
    ("", "s/0000:00:06.0/0000:00:0c.0/", "there is no PCI device at this address"),
], ids=["kernel", "unbound", "absent"])
def test_a_nic_that_cannot_be_used_ends_the_start_with_a_line_that_says_why(stopped, prepare, edit, reason):
    stopped.sh(prepare or "true")
    status, log = stopped.fail_to_serve(f"{SMALL}; {edit}" if edit else SMALL)
    assert status == 1
    assert "port eni1 (0000:00:0" in log and reason in log
    assert len(log.splitlines()) < 10, log
