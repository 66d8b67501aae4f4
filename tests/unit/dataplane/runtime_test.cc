// SPDX-License-Identifier: Apache-2.0
// The whole data plane, without root or network: the port is DPDK's pcap driver, which receives from one file
// and sends into another. The EAL starts once a process, so tests that start it run in a child process each.
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "dataplane/worker/runtime.h"
#include "tests/unit/dataplane/frames.h"

namespace sluice::test {
namespace {

using namespace net::wire;
using namespace std::chrono_literals;

const MacAddr kPort = *MacAddr::parse("02:70:63:61:70:00");  // the pcap driver's first port
const MacAddr kPeer = mac(0x77);
const IpAddr kOwn = ip("10.0.0.1"), kVip = ip("10.0.0.100"), kPeer4 = ip("10.0.0.7");

/// What the applications saw, by worker.
struct Seen {
  std::mutex mutex;
  std::map<std::uint32_t, std::set<FlowKey>> flows;
  std::map<std::uint32_t, PortRange> ports;
  std::atomic<int> packets{0}, alive{0};
};

class RecordingApp final : public App {
 public:
  RecordingApp(const WorkerServices& services, Seen& seen, const net::VipSet& vips)
      : services_(services), seen_(seen), vips_(vips) {
    const std::lock_guard lock(seen_.mutex);
    seen_.ports[services.id.value] = services.local_ports;
    ++seen_.alive;
  }
  ~RecordingApp() override { --seen_.alive; }
  const net::VipSet* refresh(Instant) override { return &vips_; }
  void on_packets(std::span<net::Packet> batch, Instant) override {
    const std::lock_guard lock(seen_.mutex);
    for (net::Packet& p : batch) {
      seen_.flows[services_.id.value].insert(p.flow);
      p.chain.clear();
      ++seen_.packets;
    }
  }
  void on_icmp_error(const net::IcmpError&, Instant) override {}
  void on_poll(Instant) override {}
  void begin_drain(Instant) override { draining_ = true; }
  bool drained() const override { return draining_; }

 private:
  WorkerServices services_;
  Seen& seen_;
  const net::VipSet& vips_;
  bool draining_ = false;
};

struct Factory final : AppFactory {
  std::unique_ptr<App> create(const WorkerServices& s) override {
    return std::make_unique<RecordingApp>(s, seen, vips);
  }
  Seen seen;
  net::VipSet vips{{kVip}};
};

std::vector<unsigned> cores(std::size_t at_most) {
  std::vector<unsigned> out;
  cpu_set_t set;
  sched_getaffinity(0, sizeof set, &set);
  for (unsigned c = 0; c < CPU_SETSIZE && out.size() < at_most; ++c) {
    if (CPU_ISSET(c, &set)) out.push_back(c);
  }
  return out;
}

RuntimeConfig config() {
  RuntimeConfig c;
  c.huge_pages = false;
  c.memory_mb = 128;
  c.worker_cores = cores(1);
  c.ports.push_back({"wan", "net_null0", {*IpPrefix::parse("10.0.0.1/24")}});
  return c;
}

std::string error_of(const RuntimeConfig& c) {
  Factory factory;
  auto r = Runtime::start(c, factory);
  return r ? "" : r.error().message;
}

void write_pcap(const std::string& path, const std::vector<Bytes>& frames) {
  std::ofstream file(path, std::ios::binary);
  const std::uint32_t head[6] = {0xa1b2c3d4, 2 | 4 << 16, 0, 0, 65535, 1};
  file.write(reinterpret_cast<const char*>(head), sizeof head);
  for (const Bytes& f : frames) {
    const auto n = static_cast<std::uint32_t>(f.size());
    const std::uint32_t record[4] = {0, 0, n, n};
    file.write(reinterpret_cast<const char*>(record), sizeof record);
    file.write(reinterpret_cast<const char*>(f.data()), n);
  }
}

std::vector<Bytes> read_pcap(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const Bytes all{std::istreambuf_iterator<char>(file), {}};
  std::vector<Bytes> out;
  for (std::size_t at = 24; at + 16 <= all.size();) {
    std::uint32_t n;
    std::memcpy(&n, &all[at + 8], 4);
    at += 16;
    if (at + n > all.size()) break;
    out.emplace_back(all.begin() + static_cast<std::ptrdiff_t>(at),
                     all.begin() + static_cast<std::ptrdiff_t>(at + n));
    at += n;
  }
  return out;
}

TEST(RuntimeStart, SaysWhatIsWrongBeforeAnythingIsTouched) {
  RuntimeConfig c = config();
  c.ports.clear();
  EXPECT_NE(error_of(c).find("no ports"), std::string::npos);
  c = config();
  c.worker_cores = {1000};
  EXPECT_NE(error_of(c).find("core 1000"), std::string::npos);
  c = config();
  c.worker_cores.push_back(c.worker_cores[0]);
  EXPECT_NE(error_of(c).find("named twice"), std::string::npos);
  c = config();
  for (const std::uint16_t mtu : {100, 9217}) {
    c.ports[0].mtu = mtu;
    EXPECT_NE(error_of(c).find("wan"), std::string::npos);
  }
  c = config();
  c.local_ports = {100, 200};
  EXPECT_NE(error_of(c).find("local ports 100"), std::string::npos);
  c = config();
  c.huge_pages = true;
  c.memory_mb = 4'000'000'000u / 1024;
  EXPECT_NE(error_of(c).find("nr_hugepages"), std::string::npos);
}

/// Prints the error of a start in a child process.
void print_error(RuntimeConfig c) {
  std::fprintf(stderr, "%s\n", error_of(c).c_str());
  std::fflush(stderr);
  _exit(0);
}

TEST(RuntimeStartDeathTest, NamesThePortThatCannotBeOpened) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  RuntimeConfig c = config();
  c.ports[0].device = "net_nonsense0";
  EXPECT_EXIT(print_error(c), testing::ExitedWithCode(0), "port wan \\(net_nonsense0\\)");
  c.ports[0].device = "net_af_packet0,iface=nosuchinterface";
  EXPECT_EXIT(print_error(c), testing::ExitedWithCode(0), "port wan .*no network interface nosuchinterface");
  c.ports[0].device = "eth0";
  EXPECT_EXIT(print_error(c), testing::ExitedWithCode(0), "port wan .*neither a PCI address");
  c.ports[0].device = "net_null0";
  c.mbufs = 100;
  EXPECT_EXIT(print_error(c), testing::ExitedWithCode(0), "packet buffers");
  c.mbufs = 0;
  c.routes.push_back({*IpPrefix::parse("0.0.0.0/0"), ip("192.0.2.1")});
  EXPECT_EXIT(print_error(c), testing::ExitedWithCode(0), "gateway 192.0.2.1");
}

/// Prints driver and link of a port in a child process.
void print_port(RuntimeConfig c) {
  Factory factory;
  {
    auto r = Runtime::start(c, factory);
    if (!r) {
      std::fprintf(stderr, "%s\n", r.error().message.c_str());
      _exit(1);
    }
    const auto p = (*r)->ports().at(0);
    std::fprintf(stderr, "%s is %s\n", p.driver.c_str(), p.link_up ? "up" : "down");
  }
  std::fflush(stderr);
  _exit(0);
}

TEST(RuntimeStartDeathTest, TakesSocketsOfOtherProcessesForPortsThatAreDownUntilSomebodyComes) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const auto dir = std::filesystem::temp_directory_path() / ("sluice-sockets-" + std::to_string(getpid()));
  std::filesystem::remove_all(dir);  // of a killed process that had our number
  std::filesystem::create_directory(dir);
  RuntimeConfig c = config();
  c.ports[0].device = "net_memif0,role=server,socket=" + (dir / "m").string() + ",socket-abstract=no";
  EXPECT_EXIT(print_port(c), testing::ExitedWithCode(0), "net_memif is down");
  c.ports[0].device = "net_vhost0,iface=" + (dir / "v").string();
  EXPECT_EXIT(print_port(c), testing::ExitedWithCode(0), "net_vhost is down");
  std::filesystem::remove_all(dir);
}

/// A socket file whose process is gone.
void leave_socket(const std::filesystem::path& path, int type) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.string().copy(address.sun_path, sizeof address.sun_path - 1);
  const int fd = socket(AF_UNIX, type, 0);
  ASSERT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  close(fd);
}

TEST(RuntimeStartDeathTest, TakesOverASocketThatADeadProcessLeftAndNoOther) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const auto dir = std::filesystem::temp_directory_path() / ("sluice-stale-" + std::to_string(getpid()));
  std::filesystem::remove_all(dir);  // of a killed process that had our number
  std::filesystem::create_directory(dir);
  RuntimeConfig c = config();
  leave_socket(dir / "m", SOCK_SEQPACKET);
  c.ports[0].device = "net_memif0,role=server,socket=" + (dir / "m").string() + ",socket-abstract=no";
  EXPECT_EXIT(print_port(c), testing::ExitedWithCode(0), "net_memif is down");
  leave_socket(dir / "v", SOCK_STREAM);
  c.ports[0].device = "net_vhost0,iface=" + (dir / "v").string();
  EXPECT_EXIT(print_port(c), testing::ExitedWithCode(0), "net_vhost is down");
  std::ofstream(dir / "file") << "precious";
  c.ports[0].device = "net_memif0,role=server,socket=" + (dir / "file").string() + ",socket-abstract=no";
  EXPECT_EXIT(print_port(c), testing::ExitedWithCode(1), "port wan");
  EXPECT_EQ(std::filesystem::file_size(dir / "file"), 8u);
  std::filesystem::remove_all(dir);
}

std::vector<Bytes> traffic() {
  std::vector<Bytes> frames{ethernet(kBroadcastMac, kPeer, kEtherArp, arp(1, kPeer, kPeer4, {}, kVip)),
                            ethernet(kPort, kPeer, kEtherIpv4,
                                     ipv4(kPeer4, kOwn, kIcmp, icmp(kPeer4, kOwn, 8, 0, 7, text("ping"))))};
  for (std::uint16_t port = 40000; port < 40200; ++port) {
    frames.push_back(
        ethernet(kPort, kPeer, kEtherIpv4, ipv4(kPeer4, kVip, kTcp, tcp(kPeer4, port, kVip, 80))));
  }
  // Replies to connections that the last worker opened.
  for (std::uint16_t port = 65500; port < 65510; ++port) {
    frames.push_back(
        ethernet(kPort, kPeer, kEtherIpv4, ipv4(kPeer4, kOwn, kTcp, tcp(kPeer4, 80, kOwn, port))));
  }
  Bytes bad = frames.back();
  bad.back() ^= 1;
  frames.push_back(bad);
  return frames;
}

TEST(Runtime, FeedsEachFlowToTheOneWorkerThatOwnsItAndStopsClean) {
  const auto dir = std::filesystem::temp_directory_path() / ("sluice-runtime-" + std::to_string(getpid()));
  std::filesystem::remove_all(dir);  // of a killed process that had our number
  std::filesystem::create_directory(dir);
  write_pcap(dir / "in.pcap", traffic());
  Factory factory;
  RuntimeConfig c = config();
  c.worker_cores = cores(2);
  c.ports[0].device =
      "net_pcap0,rx_pcap=" + (dir / "in.pcap").string() + ",tx_pcap=" + (dir / "out.pcap").string();
  {
    auto runtime = Runtime::start(c, factory);
    ASSERT_TRUE(runtime) << runtime.error().message;
    EXPECT_EQ((*runtime)->ports().at(0).mac, kPort);
    EXPECT_EQ((*runtime)->workers(), c.worker_cores.size());
    for (int i = 0; i < 60'000 && factory.seen.packets < 210; ++i) std::this_thread::sleep_for(1ms);
    (*runtime)->rcu().synchronize();
    EXPECT_TRUE((*runtime)->stop());
    std::uint64_t bad = 0;
    for (std::uint32_t w = 0; w < (*runtime)->workers(); ++w)
      bad += (*runtime)->drops(WorkerId{w}).get(DropReason::kTcpChecksum);
    EXPECT_EQ(bad, 1u);
    EXPECT_EQ(factory.seen.alive, static_cast<int>(c.worker_cores.size()))
        << "applications live as long as the runtime";
  }
  EXPECT_EQ(factory.seen.alive, 0);
  EXPECT_EQ(factory.seen.packets, 210);

  std::set<FlowKey> all;
  std::size_t sum = 0;
  for (auto& [worker, flows] : factory.seen.flows) {
    all.insert(flows.begin(), flows.end());
    sum += flows.size();
    EXPECT_GT(flows.size(), 50u) << "worker " << worker;
    for (const FlowKey& f : flows) {
      if (f.local.address == kOwn) {
        EXPECT_EQ(worker, c.worker_cores.size() - 1);
      }
    }
  }
  EXPECT_EQ(factory.seen.flows.size(), c.worker_cores.size());
  EXPECT_EQ(all.size(), 210u);
  EXPECT_EQ(sum, 210u) << "no flow has two owners";
  EXPECT_EQ(factory.seen.ports.rbegin()->second.last, 65535);

  const auto sent = read_pcap(dir / "out.pcap");
  const auto has = [&](const Bytes& tail) {
    return std::ranges::any_of(sent, [&](const Bytes& f) {
      return f.size() >= tail.size() && std::equal(tail.rbegin(), tail.rend(), f.rbegin());
    });
  };
  EXPECT_TRUE(has(ethernet(kPeer, kPort, kEtherArp, arp(2, kPort, kVip, kPeer, kPeer4))));
  EXPECT_TRUE(has(icmp(kOwn, kPeer4, 0, 0, 7, text("ping"))));
  EXPECT_TRUE(has(ethernet(kBroadcastMac, kPort, kEtherArp, arp(1, kPort, kOwn, {}, kOwn))))
      << "announced at start";
  std::filesystem::remove_all(dir);
}

}  // namespace
}  // namespace sluice::test

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
