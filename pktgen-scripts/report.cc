// SPDX-License-Identifier: Apache-2.0
#include "pktgen-scripts/report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace sluice::pktgen {
namespace {

using Json = nlohmann::ordered_json;

double us(Duration d) { return static_cast<double>(d.count()) / 1000; }

/// Null where nothing was counted: no figure is better than a wrong one.
Json per(double value, std::uint64_t count) {
  return count == 0 ? Json(nullptr) : Json(value / static_cast<double>(count));
}

}  // namespace

Json appliance_json(const ApplianceCounters& a) {
  const auto cycles = static_cast<double>(a.busy_cycles);
  return {{"busy_seconds", a.busy_seconds},
          {"busy_cycles", a.busy_cycles},
          {"packets", a.packets},
          {"packets_received", a.received},
          {"connections", a.connections},
          {"handshakes", a.handshakes},
          {"requests", a.requests},
          {"drops", a.drops},
          {"cycles_per_packet", per(cycles, a.packets)},
          {"cycles_per_connection", per(cycles, a.connections)},
          {"cycles_per_request", per(cycles, a.requests)},
          {"requests_per_busy_second",
           a.busy_seconds > 0 ? Json(static_cast<double>(a.requests) / a.busy_seconds) : Json(nullptr)}};
}

std::string as_json(const Measurement& m, const Shape& shape) {
  Json j{{"shape", shape.name},
         {"seconds", m.seconds},
         {"unit", shape.unit()},
         {"count", m.count},
         {"rate", m.rate()},
         {"errors", Json::object()},
         {"connections", m.connections},
         {"bytes", m.bytes},
         {"latency_us",
          {{"p50", us(m.latency.percentile(50))},
           {"p90", us(m.latency.percentile(90))},
           {"p99", us(m.latency.percentile(99))},
           {"p99.9", us(m.latency.percentile(99.9))},
           {"max", us(m.latency.max())},
           {"mean", us(m.latency.mean())}}},
         {"whole_run",
          {{"operations", m.whole_run.operations},
           {"opened", m.whole_run.opened},
           {"answered", m.whole_run.answered}}},
         {"generator", {{"busy_share", m.busy_share}, {"packets_dropped", m.dropped}}}};
  if (m.offered > 0) j["offered_rate"] = m.offered;
  if (m.offered > 0) j["not_started"] = m.behind;
  if (m.highest_rate) j["highest_rate"] = *m.highest_rate;
  if (m.appliance) j["appliance"] = appliance_json(*m.appliance);
  return j.dump(2) + "\n";
}

std::string as_table(const Measurement& m, const Shape& shape) {
  std::string out;
  const auto row = [&](std::string_view name, const std::string& value) {
    out += fmt::format("{:<28}{:>18}\n", name, value);
  };
  row("shape", shape.name);
  row("seconds", fmt::format("{:.2f}", m.seconds));
  row(std::string(shape.unit()), fmt::format("{}", m.count));
  row(fmt::format("{} a second", shape.unit()), fmt::format("{:.0f}", m.rate()));
  if (m.offered > 0) row("offered a second", fmt::format("{:.0f}", m.offered));
  if (m.highest_rate) row("highest rate that holds", fmt::format("{:.0f}", *m.highest_rate));
  row("connections open", fmt::format("{}", m.connections));
  row("received, MB a second",
      fmt::format("{:.1f}", m.seconds > 0 ? static_cast<double>(m.bytes) / m.seconds / 1e6 : 0));
  for (const auto& [name, percent] :
       {std::pair{"p50", 50.0}, {"p90", 90.0}, {"p99", 99.0}, {"p99.9", 99.9}}) {
    row(fmt::format("latency {}, us", name), fmt::format("{:.1f}", us(m.latency.percentile(percent))));
  }
  row("latency max, us", fmt::format("{:.1f}", us(m.latency.max())));
  row("generator busy", fmt::format("{:.0f} %", m.busy_share * 100));
  if (m.dropped > 0) row("packets the generator lost", fmt::format("{}", m.dropped));
  if (m.appliance) {
    const ApplianceCounters& a = *m.appliance;
    row("appliance busy", fmt::format("{:.0f} %", m.seconds > 0 ? a.busy_seconds / m.seconds * 100 : 0));
    const auto cycles = [&](std::string_view of, std::uint64_t n) {
      if (n > 0)
        row(fmt::format("its cycles a {}", of),
            fmt::format("{:.0f}", static_cast<double>(a.busy_cycles) / static_cast<double>(n)));
    };
    cycles("packet", a.packets);
    cycles("connection", a.connections);
    cycles("request", a.requests);
    if (a.requests > 0 && a.busy_seconds > 0) {
      row("its requests a busy second",
          fmt::format("{:.0f}", static_cast<double>(a.requests) / a.busy_seconds));
    }
  }
  return out;
}

}  // namespace sluice::pktgen
