// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <fstream>

#include "pktgen-scripts/cores.h"
#include "pktgen-scripts/engine.h"
#include "pktgen-scripts/measure.h"
#include "pktgen-scripts/packets/packet_run.h"
#include "pktgen-scripts/report.h"

namespace {

using namespace sluice;
using namespace sluice::pktgen;

// Documented in --help.
enum ExitStatus { kResult = 0, kFailed = 1, kUsage = 2 };

constexpr const char* kFooter =
    "Example, beside a sluiced with memif ports (docs/samples/memif.conf):\n"
    "  sluice-pktgen --shape http-1k --core 2 --target 10.77.0.100\n"
    "    --clients net_memif0,role=client,socket=/run/sluice/wan.sock,socket-abstract=no\n"
    "    --backends net_memif1,role=client,socket=/run/sluice/lan.sock,socket-abstract=no\n"
    "Exit status: 0 with a result; 1 when the run failed: a port, the target, a wrong or missing answer;\n"
    "2 for wrong arguments or a wrong shape. Without a result there is one line on standard error that says "
    "why.";

/// "10.77.0.100", "10.77.0.100:8080", "[fd77::100]:443", "fd77::100".
std::optional<Endpoint> parse_target(const std::string& text, std::uint16_t port) {
  if (const auto address = IpAddr::parse(text)) return Endpoint{*address, port};
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) return std::nullopt;
  std::string host = text.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  const auto address = IpAddr::parse(host);
  unsigned long n = 0;
  try {
    n = std::stoul(text.substr(colon + 1));
  } catch (const std::exception&) {
    return std::nullopt;
  }
  if (!address || n == 0 || n > 65535) return std::nullopt;
  return Endpoint{*address, static_cast<std::uint16_t>(n)};
}

/// The command line as it was typed.
struct Arguments {
  Options options;
  std::string target, target_mac, client_net;
  std::vector<std::string> client_addresses{"10.77.0.2/24", "fd77::2/64"};
  std::vector<std::string> backend_addresses{"10.78.0.2/24", "fd78::2/64"};
  std::string hugepages = "on";
};

void declare(CLI::App& cli, Arguments& a) {
  Options& o = a.options;
  cli.add_option("--shape", o.shape, "What to do: a name of --list, or a file");
  cli.add_flag("--list", o.list, "Names the shapes, and ends");
  cli.add_option("--shapes-folder", o.shapes_folder, "Where --list and names look")->capture_default_str();
  cli.add_option("--clients", o.clients,
                 "DPDK device on the appliance's client side: vdev string or PCI address")
      ->group("Ports");
  cli.add_option("--backends", o.backends, "The same on its backend side")->group("Ports");
  cli.add_option("--client-address", a.client_addresses, "Addresses of the clients' port, with prefix length")
      ->group("Ports")
      ->capture_default_str();
  cli.add_option("--backend-address", a.backend_addresses, "Of the backends' port")
      ->group("Ports")
      ->capture_default_str();
  cli.add_option(
         "--client-net", a.client_net,
         "Where shapes with many client addresses take them from (default 198.18.0.0/15 or 2001:2::/48); the "
         "appliance needs a route to it by the clients' port")
      ->group("Ports");
  cli.add_option("--backend-port", o.backend_port, "Where backends listen")
      ->group("Ports")
      ->capture_default_str();
  cli.add_option("--mtu", o.mtu, "Of both ports")
      ->group("Ports")
      ->check(CLI::Range(576, 9000))
      ->capture_default_str();
  cli.add_option("--core", o.core, "The worker's core, which nobody else should use");
  cli.add_flag("--share-core", o.share_core,
               "Runs also beside another worker on that core: for tests, not for figures");
  cli.add_option("--hugepages", a.hugepages, "on, off")
      ->check(CLI::IsMember({"on", "off"}))
      ->capture_default_str();
  cli.add_option("--memory", o.memory_mb, "MB for packets")
      ->check(CLI::Range(64, 1 << 20))
      ->capture_default_str();
  cli.add_option("--eal", o.eal, "A further argument for DPDK's EAL; may be given again");
  cli.add_option("--target", a.target, "Where clients connect: VIP or VIP:PORT (80, or 443 with TLS)");
  cli.add_option("--target-mac", a.target_mac,
                 "Packet shapes: where to send, for a target that does not answer ARP");
  cli.add_option("--rate", o.rate,
                 "Operations a second, on a fixed schedule (open loop) instead of one after the other")
      ->group("Load")
      ->check(CLI::PositiveNumber);
  cli.add_option("--connections", o.connections, "At the same time")
      ->group("Load")
      ->check(CLI::Range(1, 4'000'000));
  cli.add_option("--seconds", o.seconds, "How long to measure")
      ->group("Load")
      ->check(CLI::Range(0.1, 86400.0))
      ->capture_default_str();
  cli.add_option("--warmup", o.warmup, "Seconds before")
      ->group("Load")
      ->check(CLI::Range(0.0, 3600.0))
      ->capture_default_str();
  cli.add_flag("--find-rate", o.find_rate, "Looks for the highest rate that holds; each step takes --seconds")
      ->group("Load");
  cli.add_option("--late-ms", o.late_ms, "A rate holds while p99 is at most this")
      ->group("Load")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  cli.add_option("--json", o.json, "Writes the result there, too; -: to standard output, and no table");
  cli.add_option("--appliance", o.appliance,
                 "sluiced's API (https://127.0.0.1:8443): adds its own busy cycles");
  cli.add_option("--token-file", o.token_file, "Token for the API, as in its data folder's admin.token");
  cli.footer(kFooter);
}

Status addresses(const std::vector<std::string>& texts, std::vector<IpPrefix>& out) {
  for (const std::string& t : texts) {
    const auto p = t.find('/') == std::string::npos ? std::nullopt : IpPrefix::parse(t);
    if (!p) return Error{"expected an address with prefix length, not \"" + t + "\""};
    out.push_back(*p);
  }
  return Ok{};
}

/// What a shape asks of the command line.
struct Needs {
  std::uint16_t port = 80;  ///< Of the target, unless given.
  std::uint32_t client_addresses = 1;
  bool backends = true;
  bool fixed_rate = false;
};

Status complete(Arguments& a, const Needs& needs) {
  Options& o = a.options;
  if (o.clients.empty()) return Error{"--clients is missing: the port on the appliance's client side"};
  if (needs.backends && o.backends.empty())
    return Error{"--backends is missing: the port on the appliance's backend side"};
  if (o.clients == o.backends) return Error{"--clients and --backends name the same device"};
  if (a.target.empty()) return Error{"--target is missing: the VIP"};
  const auto target = parse_target(a.target, needs.port);
  if (!target) return Error{"--target: expected an address or address:port, not \"" + a.target + "\""};
  o.target = *target;
  if (Status s = addresses(a.client_addresses, o.client_addresses); !s)
    return Error{"--client-address: " + s.error().message};
  if (Status s = addresses(a.backend_addresses, o.backend_addresses); !s)
    return Error{"--backend-address: " + s.error().message};
  const bool v4 = o.target.address.is_v4();
  const auto net = IpPrefix::parse(!a.client_net.empty() ? a.client_net
                                   : v4                  ? "198.18.0.0/15"
                                                         : "2001:2::/48");
  if (!net || net->address.is_v4() != v4)
    return Error{"--client-net: expected a network of the target's family"};
  const unsigned host_bits = (v4 ? 32u : 128u) - net->length;
  if (host_bits < 32 && needs.client_addresses + 2 > (std::uint64_t{1} << host_bits)) {
    return Error{fmt::format("--client-net: {} has no room for {} addresses", net->to_string(),
                             needs.client_addresses)};
  }
  o.client_net = *net;
  o.huge_pages = a.hugepages == "on";
  if (needs.fixed_rate && o.find_rate) return Error{"--find-rate and a rate exclude each other"};
  if (a.target_mac.empty()) return Ok{};
  o.target_mac = MacAddr::parse(a.target_mac);
  return o.target_mac ? Status(Ok{})
                      : Error{"--target-mac: expected a MAC address, not \"" + a.target_mac + "\""};
}

int fail(ExitStatus status, const std::string& why) {
  fmt::print(stderr, "sluice-pktgen: {}\n", why);
  return status;
}

Status core_is_usable(const Options& o) { return o.share_core ? Status(Ok{}) : core_is_free(o.core); }

std::string description_of(const std::string& file) {
  if (packets::is_packet_shape(file)) {
    const auto shape = packets::load_packet_shape(file);
    return shape ? shape->description : shape.error().message;
  }
  const auto shape = load_shape(file);
  return shape ? shape->description : shape.error().message;
}

int list(const std::string& folder) {
  for (const auto& file : list_shapes(folder)) {
    fmt::print("{:<24} {}\n", file.stem().string(), description_of(file));
  }
  return kResult;
}

/// The table, and the JSON where it was asked for.
int tell(const Options& o, const std::string& table, const std::string& json) {
  fmt::print("{}", o.json == "-" ? json : table);
  if (o.json.empty() || o.json == "-") return kResult;
  std::ofstream out(o.json);
  out << json << std::flush;
  return out ? kResult : fail(kFailed, "cannot write " + o.json);
}

int run_streams(Arguments& a, const std::string& file) {
  Options& o = a.options;
  auto shape = load_shape(file);
  if (!shape) return fail(kUsage, shape.error().message);
  if (o.rate) shape->rate = *o.rate;
  if (o.connections) shape->connections = *o.connections;
  const std::uint16_t port = shape->tls.on ? 443 : 80;
  if (Status s = complete(a, {port, shape->client_addresses, true, shape->rate > 0}); !s)
    return fail(kUsage, s.error().message);
  if (o.find_rate && shape->kind == Shape::Kind::kIdle)
    return fail(kUsage, "--find-rate: an idle shape has no rate");
  if (o.target_mac) return fail(kUsage, "--target-mac is for packet shapes");
  if (Status s = core_is_usable(o); !s) return fail(kFailed, s.error().message);
  auto engine = start_streams(o, *shape);
  if (!engine) return fail(kFailed, engine.error().message);
  const auto result = measure(**engine, o, *shape);
  if (!result) return fail(kFailed, result.error().message);
  return tell(o, as_table(*result, *shape), as_json(*result, *shape));
}

int run_packets(Arguments& a, const std::string& file) {
  Options& o = a.options;
  auto shape = packets::load_packet_shape(file);
  if (!shape) return fail(kUsage, shape.error().message);
  if (o.rate) shape->rate = *o.rate;
  if (o.connections) return fail(kUsage, "--connections: a packet shape has flows");
  if (Status s = complete(a, {80, shape->client_addresses, false, shape->rate > 0}); !s)
    return fail(kUsage, s.error().message);
  if (!o.target.address.is_v4()) return fail(kUsage, "--target: packet shapes are of IPv4");
  if (Status s = core_is_usable(o); !s) return fail(kFailed, s.error().message);
  const auto result = packets::run_packets(o, *shape);
  if (!result) return fail(kFailed, result.error().message);
  return tell(o, packets::as_table(*result, *shape), packets::as_json(*result, *shape));
}

int run(Arguments& a) {
  const Options& o = a.options;
  if (o.shape.empty()) return fail(kUsage, "--shape is missing (--list names those there are)");
  const auto file = find_shape(o.shape, o.shapes_folder);
  if (!file) return fail(kUsage, file.error().message);
  return packets::is_packet_shape(*file) ? run_packets(a, *file) : run_streams(a, *file);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App cli("sluice-pktgen: a load generator on DPDK that plays a load balancer's clients and backends");
  Arguments arguments;
  arguments.options.shapes_folder = std::filesystem::path(PKTGEN_SHAPES).string();
  declare(cli, arguments);
  try {
    cli.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return cli.exit(e) == 0 ? kResult : kUsage;
  }
  signal(SIGPIPE, SIG_IGN);
  return arguments.options.list ? list(arguments.options.shapes_folder) : run(arguments);
}
