// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "pktgen-scripts/packets/packet_run.h"
#include "pktgen-scripts/report.h"

namespace sluice::pktgen::packets {
namespace {

using Json = nlohmann::ordered_json;

struct Answer {
  Seen seen;
  const char* key;
  const char* words;
};
constexpr Answer kAnswers[] = {{Seen::kReturned, "returned", "came back"},
                               {Seen::kSynAck, "syn_acks", "answered by SYN-ACK"},
                               {Seen::kAck, "acks", "answered by ACK"},
                               {Seen::kReset, "resets", "answered by RST"},
                               {Seen::kIcmp, "icmp_errors", "answered by an ICMP error"}};

}  // namespace

std::string as_json(const PacketMeasurement& m, const PacketShape& shape) {
  Json answers = Json::object();
  for (const Answer& a : kAnswers) answers[a.key] = m.load.tally.of(a.seen);
  const auto lost = m.lost(shape);
  Json j{{"shape", shape.name},
         {"seconds", m.load.seconds},
         {"unit", "packets"},
         {"count", m.load.sent},
         {"rate", m.rate()},
         {"errors", Json::object()},
         {"bytes", m.load.tally.bytes},
         {"answers", answers},
         {"lost", lost ? Json(*lost) : Json(nullptr)},
         {"latency_us", Json::object()},
         {"generator", {{"busy_share", 1.0}, {"packets_dropped", 0}}}};
  if (m.offered > 0) j["offered_rate"] = m.offered;
  if (m.highest_rate) j["highest_rate"] = *m.highest_rate;
  if (m.appliance) j["appliance"] = appliance_json(*m.appliance);
  return j.dump(2) + "\n";
}

std::string as_table(const PacketMeasurement& m, const PacketShape& shape) {
  std::string out;
  const auto row = [&](std::string_view name, const std::string& value) {
    out += fmt::format("{:<28}{:>18}\n", name, value);
  };
  row("shape", shape.name);
  row("seconds", fmt::format("{:.2f}", m.load.seconds));
  row("packets sent", fmt::format("{}", m.load.sent));
  row("packets a second", fmt::format("{:.0f}", m.rate()));
  if (m.offered > 0) row("offered a second", fmt::format("{:.0f}", m.offered));
  if (m.highest_rate) row("highest rate that holds", fmt::format("{:.0f}", *m.highest_rate));
  for (const Answer& a : kAnswers) {
    if (m.load.tally.of(a.seen) > 0) row(a.words, fmt::format("{}", m.load.tally.of(a.seen)));
  }
  if (const auto lost = m.lost(shape)) row("lost", fmt::format("{}", *lost));
  if (!m.appliance || m.appliance->packets == 0) return out;
  const auto packets = static_cast<double>(m.appliance->packets);
  row("appliance busy", fmt::format("{:.0f} %", m.appliance->busy_seconds / m.load.seconds * 100));
  row("its cycles a packet", fmt::format("{:.0f}", static_cast<double>(m.appliance->busy_cycles) / packets));
  row("its packets a busy second", fmt::format("{:.0f}", packets / m.appliance->busy_seconds));
  return out;
}

}  // namespace sluice::pktgen::packets
