// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <charconv>

#include "mgmt/rest/certificate_facts.h"
#include "mgmt/rest/change.h"
#include "mgmt/rest/group_status.h"
#include "mgmt/rest/metric_text.h"
#include "mgmt/rest/openapi.h"

// What runs: health, counters, events, and the description of the API itself.
namespace sluice::mgmt::rest {
namespace {

using nlohmann::json;

json port_json(const Runtime::PortStatus& p) {
  return {{"name", p.name},
          {"driver", p.driver},
          {"mac", p.mac.to_string()},
          {"link", p.link_up ? "up" : "down"},
          {"queues", p.queues},
          {"checksum_offload", {{"rx", p.checksum_offload_rx}, {"tx", p.checksum_offload_tx}}},
          {"tcp_segmentation_offload", {{"rx", p.lro}, {"tx", p.tso}}},
          {"rx_packets", p.rx_packets},
          {"tx_packets", p.tx_packets},
          {"rx_bytes", p.rx_bytes},
          {"tx_bytes", p.tx_bytes},
          {"rx_missed", p.rx_missed},
          {"rx_no_buffer", p.rx_nombuf}};
}

Reply health(const Api& api, const Call& call) {
  if (auto bad = unknown_parameters(call, {})) return std::move(*bad);
  const auto config = api.engine.current();
  bool degraded = false;
  json ports = json::array(), groups = json::array();
  for (const auto& p : api.appliance.ports()) {
    ports.push_back(port_json(p));
    degraded |= !p.link_up;
  }
  for (const auto& [id, group] : config->server_groups) {
    groups.push_back(group_status(api, group));
    degraded |= groups.back()["state"] == "down";
  }
  const std::string_view status = api.appliance.draining() ? "draining" : degraded ? "degraded" : "ok";
  return json_reply(200, {{"status", status},
                          {"revision", api.engine.revision()},
                          {"started", utc_time(api.appliance.started())},
                          {"workers", api.appliance.workers()},
                          {"ports", ports},
                          {"server_groups", groups}});
}

/// `worker="0",reason="x"` back into an object; values are unescaped.
json labels_json(std::string_view labels) {
  json out = json::object();
  while (!labels.empty()) {
    const auto equals = labels.find("=\"");
    if (equals == std::string_view::npos) break;
    std::string value;
    std::size_t i = equals + 2;
    for (; i < labels.size() && labels[i] != '"'; ++i) {
      if (labels[i] == '\\' && i + 1 < labels.size()) {
        value += labels[++i] == 'n' ? '\n' : labels[i];
      } else {
        value += labels[i];
      }
    }
    out[std::string(labels.substr(0, equals))] = value;
    labels = labels.substr(std::min(labels.size(), i + 1));
    if (labels.starts_with(',')) labels.remove_prefix(1);
  }
  return out;
}

Reply stats(const Api& api, const Call& call) {
  if (auto bad = unknown_parameters(call, {})) return std::move(*bad);
  MetricCollector collected;
  api.appliance.visit(collected);
  json metrics = json::object();
  for (const auto& family : collected.families()) {
    json samples = json::array();
    for (const auto& s : family.samples) {
      const json value = json::parse(s.value, nullptr, false);  // NaN and infinity have no JSON
      samples.push_back(
          {{"labels", labels_json(s.labels)}, {"value", value.is_discarded() ? json() : value}});
    }
    metrics[family.name] = {
        {"type", family.is_counter ? "counter" : "gauge"}, {"help", family.help}, {"samples", samples}};
  }
  return json_reply(200, {{"revision", api.engine.revision()}, {"metrics", metrics}});
}

Reply events(const Api& api, const Call& call) {
  if (auto bad = unknown_parameters(call, {"after", "limit"})) return std::move(*bad);
  std::uint64_t after = 0, limit = 100;
  for (auto [name, out] : {std::pair{"after", &after}, {"limit", &limit}}) {
    const auto text = call.parameter(name);
    if (!text) continue;
    const auto [end, ec] = std::from_chars(text->data(), text->data() + text->size(), *out);
    if (ec != std::errc{} || end != text->data() + text->size())
      return problem(400, fmt::format("{}: expected a number", name));
  }
  json items = json::array();
  for (const Event& e : api.events.after(after, limit)) {
    items.push_back({{"id", e.id},
                     {"time", utc_time(e.time_ms / 1000)},
                     {"type", e.type},
                     {"subject", e.subject},
                     {"message", e.message}});
  }
  return json_reply(200, {{"items", items}, {"last", api.events.last_id()}});
}

Reply metrics(const Api& api) {
  MetricCollector collected;
  api.appliance.visit(collected);
  return {200, "text/plain; version=0.0.4; charset=utf-8", collected.prometheus(), {}};
}

Reply healthz(const Api& api) {
  if (api.appliance.draining()) return {503, "text/plain", "draining\n", {}};
  return {200, "text/plain", "ok\n", {}};
}

}  // namespace

void add_status_routes(RouteTable& table, const Api& api) {
  table.add({"GET", "/healthz", Role::kNone, [api](const Call&) { return healthz(api); }});
  table.add({"GET", "/metrics", api.metrics_auth ? Role::kViewer : Role::kNone,
             [api](const Call&) { return metrics(api); }});
  table.add({"GET", "/api/v1/health", Role::kViewer, [api](const Call& c) { return health(api, c); }});
  table.add({"GET", "/api/v1/stats", Role::kViewer, [api](const Call& c) { return stats(api, c); }});
  table.add({"GET", "/api/v1/events", Role::kViewer, [api](const Call& c) { return events(api, c); }});
  table.add({"GET", "/api/v1/openapi.json", Role::kNone, [](const Call&) {
               return Reply{200, "application/json", std::string(openapi_document()), {}};
             }});
}

RouteTable make_routes(const Api& api) {
  RouteTable table;
  add_status_routes(table, api);
  add_resource_routes(table, api);
  add_config_routes(table, api);
  add_explain_routes(table, api);
  add_ticket_key_routes(table, api);
  add_tls_policy_routes(table, api);
  return table;
}

}  // namespace sluice::mgmt::rest
