// SPDX-License-Identifier: Apache-2.0
#include "pktgen-scripts/packets/packet_shape.h"

#include <filesystem>

#include "pktgen-scripts/shape_file.h"

namespace sluice::pktgen::packets {
namespace {

using mgmt::daemon::SettingGroup;

constexpr long long kMinFrame = 60, kMaxFrame = 1514, kMaxWeight = 1000, kMaxRound = 4096;

void read_packet(SettingGroup& g, Kind& out) {
  std::string word = "udp";
  g.require({"packet"});
  g.choice("packet", {"udp", "syn", "segment", "established"}, word);
  if (word == "syn") out = Kind::kSyn;
  if (word == "segment") out = Kind::kSegment;
  if (word == "established") out = Kind::kEstablished;
}

void read_sizes(SettingGroup& g, std::vector<FrameSize>& out) {
  if (!g.has("sizes")) return;
  out.clear();
  std::uint64_t round = 0;
  g.groups("sizes", [&](SettingGroup& s) {
    FrameSize size;
    s.require({"bytes"});
    s.number("bytes", kMinFrame, kMaxFrame, size.bytes);
    s.number("weight", 1, kMaxWeight, size.weight);
    round += size.weight;
    out.push_back(size);
  });
  if (out.empty()) g.error("sizes", "expected at least one size");
  if (round > kMaxRound) g.error("sizes", "expected weights of 4096 at most in all");
}

void read_shape(SettingGroup& g, PacketShape& out) {
  std::string kind;
  g.require({"kind"});
  g.choice("kind", {"packets"}, kind);
  g.text("description", out.description);
  read_packet(g, out.kind);
  read_sizes(g, out.sizes);
  g.number("flows", 1, 4'000'000'000, out.flows);
  g.number("client_addresses", 1, 131'000, out.client_addresses);
  g.number("rate", 1, 1'000'000'000, out.rate);
  g.number("burst", 1, 64, out.burst);
  g.number("loss_ppm", 0, 1'000'000, out.loss_ppm);
  g.boolean("returned", out.returned);
  if (out.flows > out.client_addresses * kPorts) {
    g.error("flows", "expected at most " + std::to_string(kPorts) + " for each of client_addresses");
  }
  const bool bare = out.kind == Kind::kSyn || out.kind == Kind::kEstablished;
  if (bare && (out.sizes.size() != 1 || out.sizes[0].bytes != kMinFrame)) {
    g.error("sizes", "expected 60 bytes: these segments carry nothing");
  }
  if (out.kind == Kind::kEstablished && out.flows > 1'000'000) {
    g.error("flows", "expected at most 1000000 connections");
  }
  if (out.kind == Kind::kEstablished && out.returned) {
    g.error("returned", "what comes back cannot also be connected");
  }
}

Result<PacketShape> read_with(const std::string& name, const std::function<void(libconfig::Config&)>& load) {
  PacketShape out;
  out.name = std::filesystem::path(name).stem();
  if (Status s = read_shape_file(name, load, [&](SettingGroup& root) { read_shape(root, out); }); !s)
    return s.error();
  return out;
}

}  // namespace

Result<PacketShape> load_packet_shape(const std::string& path) {
  return read_with(path, [&](libconfig::Config& file) { file.readFile(path.c_str()); });
}

Result<PacketShape> parse_packet_shape(const std::string& text, const std::string& name) {
  return read_with(name, [&](libconfig::Config& file) { file.readString(text); });
}

bool is_packet_shape(const std::string& path) {
  libconfig::Config file;
  std::string kind;
  try {
    file.readFile(path.c_str());
  } catch (const libconfig::ConfigException&) {
    return false;
  }
  return file.lookupValue("kind", kind) && kind == "packets";
}

}  // namespace sluice::pktgen::packets
