// SPDX-License-Identifier: Apache-2.0
#include "mgmt/daemon/bootstrap.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <set>

#include "mgmt/daemon/settings.h"

namespace sluice::mgmt::daemon {
namespace {

bool is_name(const std::string& s) {
  return !s.empty() && s.size() <= 32 &&
         s.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") ==
             std::string::npos;
}

/// An address that an interface can have.
bool is_usable(const IpAddr& a) {
  return !a.is_unspecified() && !a.is_multicast() && !a.is_loopback() && !a.is_v4_broadcast();
}

void read_port(SettingGroup& g, std::vector<PortConfig>& out) {
  PortConfig port;
  g.require({"name", "device", "addresses"});
  g.parsed("name", "1 to 32 letters, digits, '-' or '_'", [&](const std::string& s) {
    port.name = s;
    return is_name(s);
  });
  g.parsed("device", "a PCI address (\"0000:00:05.0\") or a DPDK device (\"net_af_packet0,iface=eth1\")",
           [&](const std::string& s) {
             port.device = s;
             return !s.empty() && s.size() < 256 && s.find_first_of(" \t\r\n") == std::string::npos;
           });
  g.texts("addresses", "an interface address with its prefix length (\"192.0.2.2/24\")",
          [&](const std::string& s) {
            const auto prefix = s.find('/') == std::string::npos ? std::nullopt : IpPrefix::parse(s);
            if (!prefix || prefix->length == 0 || !is_usable(prefix->address)) return false;
            port.addresses.push_back(*prefix);
            return true;
          });
  g.number("mtu", 576, 9216, port.mtu);
  g.number("vlan", 0, 4094, port.vlan);
  g.number("rx_descriptors", 64, 32768, port.rx_descriptors);
  g.number("tx_descriptors", 64, 32768, port.tx_descriptors);
  for (const PortConfig& other : out) {
    if (other.name == port.name)
      g.error("name", fmt::format("expected a name of its own, \"{}\" is another port's", port.name));
    if (other.device == port.device)
      g.error("device",
              fmt::format("expected a device of its own, \"{}\" is port {}'s", port.device, other.name));
  }
  out.push_back(std::move(port));
}

void read_route(SettingGroup& g, const std::vector<PortConfig>& ports, std::vector<RouteConfig>& out) {
  RouteConfig route;
  bool whole = g.has("destination") && g.has("gateway");
  g.require({"destination", "gateway"});
  g.parsed("destination", "a network (\"0.0.0.0/0\", \"2001:db8::/32\")", [&](const std::string& s) {
    const auto prefix = IpPrefix::parse(s);
    whole = whole && prefix.has_value();
    if (prefix) route.destination = *prefix;
    return prefix.has_value();
  });
  g.parsed("gateway", "an address (\"192.0.2.1\")", [&](const std::string& s) {
    const auto gateway = IpAddr::parse(s);
    whole = whole && gateway.has_value();
    if (gateway) route.gateway = *gateway;
    return gateway.has_value();
  });
  g.parsed("port", "the name of one of the ports", [&](const std::string& s) {
    for (std::uint32_t i = 0; i < ports.size(); ++i) {
      if (ports[i].name == s) route.port = PortId{i};
    }
    whole = whole && route.port.has_value();
    return route.port.has_value();
  });
  if (!whole) return;
  if (route.gateway.is_v4() != route.destination.address.is_v4()) {
    return g.error("gateway", "expected an address of the same family as the destination");
  }
  const bool on_every_link = route.gateway.is_v6() && route.gateway.is_link_local();
  if (on_every_link && !route.port && ports.size() > 1) {
    return g.error("gateway", "expected the port as well: a link-local address may be on any link");
  }
  const bool on_link = on_every_link || std::any_of(ports.begin(), ports.end(), [&](const PortConfig& p) {
                         return (!route.port || &p == &ports[route.port->value]) &&
                                std::any_of(p.addresses.begin(), p.addresses.end(),
                                            [&](const IpPrefix& a) { return a.contains(route.gateway); });
                       });
  if (!on_link) return g.error("gateway", "expected an address inside a network of one of the ports");
  out.push_back(route);
}

void read_workers(SettingGroup& g, RuntimeConfig& out) {
  g.require({"cores"});
  std::vector<long long> cores;
  g.numbers("cores", 0, 1023, cores);
  if (g.has("cores")) {
    if (cores.empty() || cores.size() > kMaxWorkers)
      g.error("cores", fmt::format("expected 1 to {} cores", kMaxWorkers));
    if (std::set<long long>(cores.begin(), cores.end()).size() != cores.size())
      g.error("cores", "expected each core once");
  }
  out.worker_cores.assign(cores.begin(), cores.end());
  std::string idle = out.idle == IdlePolicy::kBusy ? "busy" : "adaptive";
  g.choice("idle", {"busy", "adaptive"}, idle);
  out.idle = idle == "busy" ? IdlePolicy::kBusy : IdlePolicy::kAdaptive;
  long long drain_s = std::chrono::duration_cast<std::chrono::seconds>(out.drain_timeout).count();
  g.number("drain_timeout_s", 0, 3600, drain_s);
  out.drain_timeout = std::chrono::seconds(drain_s);
}

void read_tcp(SettingGroup& g, l4::tcp::Config& out) {
  std::string congestion = "cubic";
  g.choice("congestion", {"cubic", "newreno"}, congestion);
  out.congestion = congestion == "cubic" ? l4::tcp::Algorithm::kCubic : l4::tcp::Algorithm::kNewReno;
  g.boolean("ecn", out.ecn);
  g.boolean("pacing", out.pacing);
  g.boolean("segmentation", out.segmentation);
  g.number("max_mss", 88, 65535, out.max_mss);
}

/// An id, or a path.
bool names_module(const std::string& s) { return !s.empty() && s.size() < 256 && s.find_first_of(" \t\r\n") == std::string::npos; }

void read_tls(SettingGroup& g, l7::tls::CryptoEngineConfig& out) {
  g.parsed("engine", "the id of an OpenSSL engine (\"qatengine\"), or the absolute path of one", [&](const std::string& s) {
    out.name = s;
    return names_module(s);
  });
  g.texts("engine_commands", "a control command of the engine (\"NAME\", \"NAME=VALUE\")", [&](const std::string& s) {
    out.commands.push_back(s);
    return !s.empty() && s.front() != '=';
  });
  g.texts("engine_algorithms", "\"rsa\", \"ecdsa\" or \"x25519\"", [&](const std::string& s) {
    const auto a = l7::tls::engine_algorithm(s);
    if (a) out.algorithms.push_back(*a);
    return a.has_value();
  });
  g.number("engine_jobs", 1, 1024, out.jobs);
  g.texts("providers", "the name of an OpenSSL provider (\"qatprovider\"), or the absolute path of one", [&](const std::string& s) {
    out.providers.push_back(s);
    return names_module(s);
  });
  g.parsed("properties", "a property query (\"?provider=qatprovider\")", [&](const std::string& s) {
    out.properties = s;
    return !s.empty() && s.size() < 256;
  });
  for (const char* name : {"engine_commands", "engine_algorithms"}) {
    if (g.has(name) && !g.has("engine")) g.error(name, "expected an engine as well");
  }
  if (g.has("engine_jobs") && !out.any()) g.error("engine_jobs", "expected an engine or providers as well");
  if (g.has("properties") && !g.has("providers")) g.error("properties", "expected providers as well");
  if (g.has("providers") && g.has("engine")) g.error("providers", "expected no engine beside them");
}

void read_memory(SettingGroup& g, Bootstrap& out) {
  if (const libconfig::Setting* s = g.raw("huge_pages")) {
    if (s->getType() == libconfig::Setting::TypeBoolean) {
      out.huge_pages = bool(*s) ? Bootstrap::HugePages::kYes : Bootstrap::HugePages::kNo;
    } else {
      const std::string word = s->getType() == libconfig::Setting::TypeString ? s->c_str() : "";
      if (word != "auto" && word != "on" && word != "off") {
        g.error("huge_pages", "expected \"on\", \"off\" or \"auto\", not " + describe(*s));
      }
      out.huge_pages = word == "on"    ? Bootstrap::HugePages::kYes
                       : word == "off" ? Bootstrap::HugePages::kNo
                                       : Bootstrap::HugePages::kAuto;
    }
  }
  g.number("memory_mb", 64, 1 << 20, out.runtime.memory_mb);
  g.number("buffers", 0, 1 << 26, out.runtime.mbufs);
  g.parsed("file_prefix", "1 to 32 letters, digits, '-' or '_'", [&](const std::string& s) {
    out.runtime.file_prefix = s;
    return is_name(s);
  });
  g.texts("eal_arguments", "an argument of the EAL", [&](const std::string& s) {
    out.runtime.extra_eal_args.push_back(s);
    return !s.empty();
  });
}

/// "127.0.0.1:8443", "[::1]:8443"
bool parse_listen(const std::string& s, Bootstrap::Management& out) {
  const auto colon = s.rfind(':');
  if (colon == std::string::npos) return false;
  std::string host = s.substr(0, colon);
  const bool brackets = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (brackets) host = host.substr(1, host.size() - 2);
  const auto address = IpAddr::parse(host);
  unsigned port = 0;
  const auto [end, ec] = std::from_chars(s.data() + colon + 1, s.data() + s.size(), port);
  if (!address || address->is_v6() != brackets || ec != std::errc{} || end != s.data() + s.size())
    return false;
  if (port == 0 || port > 65535) return false;
  out.address = host;
  out.port = static_cast<std::uint16_t>(port);
  return true;
}

void read_management(SettingGroup& g, Bootstrap::Management& out) {
  g.parsed("listen", "an address and a port (\"127.0.0.1:8443\", \"[::1]:8443\")",
           [&](const std::string& s) { return parse_listen(s, out); });
  g.boolean("tls", out.tls);
  g.text("certificate", out.certificate);
  g.text("private_key", out.private_key);
  if (out.certificate.empty() != out.private_key.empty()) {
    g.error(out.certificate.empty() ? "certificate" : "private_key",
            "expected certificate and private_key together");
  }
  g.text("token_file", out.token_file);
  g.boolean("metrics_auth", out.metrics_auth);
}

bool is_url(const std::string& s, std::initializer_list<const char*> schemes) {
  const auto begins = [&](const std::string& scheme) { return s.starts_with(scheme) && s.size() > scheme.size(); };
  const bool plain = s.size() <= 2048 && s.find_first_of(" \t\r\n") == std::string::npos;
  return plain && std::any_of(schemes.begin(), schemes.end(), begins);
}

void read_ocsp(SettingGroup& g, Bootstrap::Ocsp& out) {
  g.boolean("stapling", out.stapling);
  g.parsed("responder", "a URL (\"http://192.0.2.9:8888/\")", [&](const std::string& s) {
    out.responder = s;
    return is_url(s, {"http://", "https://"});
  });
  g.parsed("proxy", "the URL of a proxy (\"http://192.0.2.9:3128\", \"socks5h://192.0.2.9:1080\")", [&](const std::string& s) {
    out.proxy = s;
    return is_url(s, {"http://", "https://", "socks5://", "socks5h://"});
  });
}

void read_log(SettingGroup& g, Bootstrap::Log& out) {
  g.choice("level", {"trace", "debug", "info", "warning", "error"}, out.level);
  std::string format = "text";
  g.choice("format", {"text", "json"}, format);
  out.format = format == "json" ? Bootstrap::LogFormat::kJson : Bootstrap::LogFormat::kText;
  g.parsed("file", "a file, or \"-\" for the standard error", [&](const std::string& s) {
    out.file = s;
    return !s.empty();
  });
  g.text("access_log", out.access_log);
}

void read_local_ports(SettingGroup& g, RuntimeConfig& out) {
  std::vector<long long> range = {out.local_ports.first, out.local_ports.last};
  g.numbers("local_ports", 1024, 65535, range);
  const long long workers = std::max<long long>(1, static_cast<long long>(out.worker_cores.size()));
  if (range.size() != 2 || range[1] - range[0] + 1 < workers * 256) {
    return g.error("local_ports", "expected [first, last], with 256 ports for each worker at least");
  }
  out.local_ports = {static_cast<std::uint16_t>(range[0]), static_cast<std::uint16_t>(range[1])};
}

void read_all(SettingGroup& g, Bootstrap& out) {
  g.require({"ports", "workers"});
  g.groups("ports", [&](SettingGroup& inner) { read_port(inner, out.runtime.ports); });
  const libconfig::Setting* ports = g.raw("ports");
  if (ports != nullptr && ports->isList() && (ports->getLength() == 0 || ports->getLength() > 16)) {
    g.error("ports", "expected 1 to 16 ports");
  }
  g.groups("routes", [&](SettingGroup& inner) { read_route(inner, out.runtime.ports, out.runtime.routes); });
  g.group("workers", [&](SettingGroup& inner) { read_workers(inner, out.runtime); });
  read_local_ports(g, out.runtime);
  g.group("tcp", [&](SettingGroup& inner) { read_tcp(inner, out.tcp); });
  g.group("tls", [&](SettingGroup& inner) { read_tls(inner, out.tls_engine); });
  g.group("memory", [&](SettingGroup& inner) { read_memory(inner, out); });
  g.group("management", [&](SettingGroup& inner) { read_management(inner, out.management); });
  g.parsed("data_folder", "an absolute path (\"/var/lib/sluice\")", [&](const std::string& s) {
    out.data_folder = s;
    return !s.empty() && s.front() == '/';
  });
  g.boolean("core_dumps", out.core_dumps);
  g.group("ocsp", [&](SettingGroup& inner) { read_ocsp(inner, out.ocsp); });
  g.group("log", [&](SettingGroup& inner) { read_log(inner, out.log); });
  g.finish();
}

BootstrapResult read_with(const std::string& name, const std::function<void(libconfig::Config&)>& load) {
  BootstrapResult out;
  libconfig::Config file;
  try {
    load(file);
    SettingErrors errors(name);
    SettingGroup root(file.getRoot(), "", errors);
    read_all(root, out.value);
    out.errors = errors.take();
    std::stable_sort(out.errors.begin(), out.errors.end(),
                     [](const auto& a, const auto& b) { return a.line < b.line; });
  } catch (const libconfig::ParseException& e) {
    out.errors = {
        {e.getFile() != nullptr ? e.getFile() : name, static_cast<unsigned>(e.getLine()), "", e.getError()}};
  } catch (const libconfig::FileIOException&) {
    out.errors = {
        {name, 0, "", fmt::format("cannot be read: {}", errno != 0 ? std::strerror(errno) : "not a file")}};
  } catch (const libconfig::ConfigException& e) {
    out.errors = {{name, 0, "", e.what()}};
  }
  return out;
}

}  // namespace

BootstrapResult load_bootstrap(const std::string& path) {
  return read_with(path, [&](libconfig::Config& file) {
    errno = 0;
    file.readFile(path.c_str());
  });
}

BootstrapResult parse_bootstrap(const std::string& text, const std::string& name) {
  return read_with(name, [&](libconfig::Config& file) { file.readString(text); });
}

bool choose_huge_pages(Bootstrap::HugePages wish, unsigned memory_mb, const std::string& meminfo) {
  if (wish != Bootstrap::HugePages::kAuto) return wish == Bootstrap::HugePages::kYes;
  const auto field = [&](std::string_view name) -> std::uint64_t {
    const auto at = meminfo.find(name);
    return at == std::string::npos ? 0 : std::strtoull(meminfo.c_str() + at + name.size(), nullptr, 10);
  };
  const std::uint64_t free_kb = field("HugePages_Free:") * field("Hugepagesize:");
  return free_kb / 1024 >= memory_mb;
}

}  // namespace sluice::mgmt::daemon
