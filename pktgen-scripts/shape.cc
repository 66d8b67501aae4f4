// SPDX-License-Identifier: Apache-2.0
#include "pktgen-scripts/shape.h"

#include <algorithm>

#include "pktgen-scripts/shape_file.h"

namespace sluice::pktgen {
namespace {

using mgmt::daemon::SettingGroup;

constexpr long long kMaxConnections = 4'000'000, kMaxBody = 1 << 28, kMillion = 1'000'000;

void milliseconds(SettingGroup& g, const char* name, long long min, long long max, Duration& out) {
  long long ms = std::chrono::duration_cast<std::chrono::milliseconds>(out).count();
  g.number(name, min, max, ms);
  out = std::chrono::milliseconds(ms);
}

void read_kind(SettingGroup& g, Shape& out) {
  g.require({"kind"});
  std::string kind;
  g.choice("kind", {"http", "connect", "idle"}, kind);
  if (kind == "connect") out.kind = Shape::Kind::kConnect;
  if (kind == "idle") out.kind = Shape::Kind::kIdle;
}

void read_tls(SettingGroup& g, TlsShape& out) {
  out.on = true;
  g.choice("version", {"1.2", "1.3"}, out.version);
  g.text("suite", out.suite);
  g.text("group", out.group);
  g.choice("key", {"ecdsa", "rsa"}, out.key);
  g.boolean("resume", out.resume);
}

void read_impairment(SettingGroup& g, Impairment& out) {
  g.number("loss_ppm", 0, kMillion, out.loss_ppm);
  g.number("duplicate_ppm", 0, kMillion, out.duplicate_ppm);
  g.number("reorder_ppm", 0, kMillion, out.reorder_ppm);
  g.number("reorder_by", 1, 64, out.reorder_by);
  g.number("seed", 0, UINT32_MAX, out.seed);
}

/// What stands on the wire as it is must not end its line or word.
void read_word(SettingGroup& g, const char* name, std::string& out) {
  g.parsed(name, "a text of visible characters", [&](const std::string& s) {
    out = s;
    return !s.empty() && std::ranges::all_of(s, [](unsigned char c) { return c > 0x20 && c < 0x7f; });
  });
}

void read_shape(SettingGroup& g, Shape& out) {
  read_kind(g, out);
  g.text("description", out.description);
  g.number("connections", 1, kMaxConnections, out.connections);
  g.number("client_addresses", 1, 65000, out.client_addresses);
  g.number("rate", 1, 1'000'000'000, out.rate);
  g.boolean("keep_alive", out.keep_alive);
  g.number("request_body", 0, kMaxBody, out.request_body);
  g.number("response_body", 0, kMaxBody, out.response_body);
  read_word(g, "host", out.host);
  read_word(g, "path", out.path);
  if (!out.path.starts_with('/')) g.error("path", "expected a path that begins with \"/\"");
  milliseconds(g, "think_ms", 0, 3'600'000, out.think);
  milliseconds(g, "timeout_ms", 1, 3'600'000, out.timeout);
  g.number("read_rate", 1000, 1'000'000'000'000, out.read_rate);
  g.group("tls", [&](SettingGroup& t) { read_tls(t, out.tls); });
  g.group("impair", [&](SettingGroup& i) { read_impairment(i, out.impair); });
  if (out.tls.resume && out.kind != Shape::Kind::kConnect) g.error("tls", "resume is for kind \"connect\"");
}

Result<Shape> read_with(const std::string& name, const std::function<void(libconfig::Config&)>& load) {
  Shape out;
  out.name = std::filesystem::path(name).stem();
  if (Status s = read_shape_file(name, load, [&](SettingGroup& root) { read_shape(root, out); }); !s)
    return s.error();
  return out;
}

}  // namespace

std::string_view Shape::unit() const {
  if (kind == Kind::kHttp) return "requests";
  return kind == Kind::kConnect && tls.on ? "handshakes" : "connections";
}

Result<Shape> load_shape(const std::string& path) {
  return read_with(path, [&](libconfig::Config& file) { file.readFile(path.c_str()); });
}

Result<Shape> parse_shape(const std::string& text, const std::string& name) {
  return read_with(name, [&](libconfig::Config& file) { file.readString(text); });
}

std::vector<std::filesystem::path> list_shapes(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> out;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    if (entry.path().extension() == ".conf") out.push_back(entry.path());
  }
  std::ranges::sort(out);
  return out;
}

Result<std::string> find_shape(const std::string& wanted, const std::filesystem::path& folder) {
  std::error_code ignored;
  if (std::filesystem::is_regular_file(wanted, ignored)) return wanted;
  const auto named = folder / (wanted + ".conf");
  if (wanted.find('/') == std::string::npos && std::filesystem::is_regular_file(named, ignored))
    return named.string();
  return Error{"shape " + wanted + ": neither a file nor one of those in " + folder.string() +
               " (--list names them)"};
}

}  // namespace sluice::pktgen
