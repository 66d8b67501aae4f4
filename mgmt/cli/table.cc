// SPDX-License-Identifier: Apache-2.0
#include "mgmt/cli/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

namespace sluice::mgmt::cli {
namespace {

using nlohmann::json;

std::string text(const json& v) { return v.is_string() ? v.get<std::string>() : v.is_null() ? "" : v.dump(); }

/// Members of objects by name, else the items themselves.
std::string join(const json& list, const char* member = nullptr, std::size_t most = 4) {
  std::string out;
  if (!list.is_array()) return out;
  for (std::size_t i = 0; i < std::min(list.size(), most); ++i) {
    out += (i > 0 ? ", " : "") +
           text(member != nullptr && list[i].is_object() ? list[i].value(member, json()) : list[i]);
  }
  if (list.size() > most) out += fmt::format(", +{}", list.size() - most);
  return out;
}

using Row = std::vector<std::string>;
struct View {
  Row heading;
  std::function<Row(const json&)> row;
};

Row member_row(const json& g) {
  Row out = {text(g["id"]), text(g.value("scheduler", json())),
             g.value("health_check", json::object()).value("type", "none")};
  std::string members;
  const json list = g.value("members", json::array());
  for (std::size_t i = 0; i < std::min<std::size_t>(list.size(), 4); ++i) {
    members += fmt::format("{}{}:{}", i > 0 ? ", " : "", text(list[i]["address"]), text(list[i]["port"]));
  }
  if (list.size() > 4) members += fmt::format(", +{}", list.size() - 4);
  out.push_back(members);
  return out;
}

View view_of(const std::string& kind) {
  const auto get = [](const json& x, const char* name) { return text(x.value(name, json())); };
  if (kind == "load-balancers") {
    return {{"ID", "SCHEME", "ADDRESSES", "NAME"}, [=](const json& x) {
              return Row{get(x, "id"), get(x, "scheme"), join(x["addresses"]), get(x, "name")};
            }};
  }
  if (kind == "listeners") {
    return {{"ID", "LOAD BALANCER", "PORT", "PROTOCOL", "CERTIFICATES", "DEFAULT"}, [=](const json& x) {
              const json action = x.value("default_action", json());
              return Row{get(x, "id"),
                         get(x, "load_balancer"),
                         get(x, "port"),
                         get(x, "protocol"),
                         join(x.value("certificates", json()), "certificate"),
                         action.is_object() ? action_text(action) : "404"};
            }};
  }
  if (kind == "rules") {
    return {{"ID", "LISTENER", "PRIORITY", "HOSTS", "PATHS", "ACTION"}, [=](const json& x) {
              return Row{get(x, "id"),
                         get(x, "listener"),
                         get(x, "priority"),
                         join(x.value("hosts", json()), "value"),
                         join(x.value("paths", json()), "value"),
                         action_text(x["action"])};
            }};
  }
  if (kind == "server-groups") return {{"ID", "SCHEDULER", "CHECK", "MEMBERS"}, member_row};
  if (kind == "certificates") {
    return {
        {"ID", "NAMES", "NOT AFTER", "SUBJECT"}, [=](const json& x) {
          const json s = x.value("status", json::object());
          return Row{get(x, "id"), join(s.value("names", json())), get(s, "not_after"), get(s, "subject")};
        }};
  }
  if (kind == "access-control-lists") {
    return {{"ID", "NAME", "ENTRIES"},
            [=](const json& x) { return Row{get(x, "id"), get(x, "name"), join(x.value("entries", json()))}; }};
  }
  if (kind == "certificate-authorities") {
    return {{"ID", "NAME", "CERTIFICATES", "CRLS"}, [=](const json& x) {
              const json s = x.value("status", json::object());
              const auto count = [&](const char* member) { return std::to_string(s.value(member, json::array()).size()); };
              return Row{get(x, "id"), get(x, "name"), count("certificates"), count("revocation_lists")};
            }};
  }
  if (kind == "tls-policies") {
    return {{"ID", "VERSIONS", "TLS 1.2", "TLS 1.3", "GROUPS"}, [=](const json& x) {
              const auto list = [&](const char* member) { return join(x.value(member, json()), nullptr, 2); };
              return Row{get(x, "id"), get(x, "min_version") + "-" + get(x, "max_version"), list("cipher_suites_tls12"),
                         list("cipher_suites_tls13"), list("groups")};
            }};
  }
  return {{"ID", "SCHEME", "RANGES"}, [=](const json& x) {
            return Row{get(x, "id"), get(x, "scheme"), join(x.value("ranges", json()))};
          }};
}

/// Sum of a metric's samples.
std::uint64_t total(const json& stats, const char* name) {
  double sum = 0;
  const json metric = stats.value("metrics", json::object()).value(name, json::object());
  for (const json& s : metric.value("samples", json::array())) {
    if (s["value"].is_number()) sum += s["value"].get<double>();
  }
  return static_cast<std::uint64_t>(sum);
}

void add_members(std::vector<Row>& rows, const json& group) {
  for (const json& m : group["members"]) {
    rows.push_back({"  " + text(m["id"]), text(m["state"]), text(m["weight"]), text(m["active_requests"])});
  }
}

}  // namespace

std::string table(const std::vector<Row>& rows) {
  std::vector<std::size_t> width;
  for (const Row& r : rows) {
    width.resize(std::max(width.size(), r.size()));
    for (std::size_t i = 0; i < r.size(); ++i) width[i] = std::max(width[i], r[i].size());
  }
  std::string out;
  for (const Row& r : rows) {
    std::string line;
    for (std::size_t i = 0; i < r.size(); ++i) line += fmt::format("{:<{}}", r[i], width[i] + 2);
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

std::string action_text(const json& action) {
  const std::string type = action.value("type", "");
  if (type == "forward") {
    const json groups = action.value("server_groups", json::array());
    std::string weights;
    for (const json& g : groups) weights += (weights.empty() ? "" : ":") + text(g.value("weight", json()));
    return "forward " + join(groups, "server_group") + (groups.size() > 1 ? " (" + weights + ")" : "");
  }
  if (type == "redirect") return "redirect " + text(action.value("status", json()));
  return "answer " + text(action.value("status", json()));
}

std::string resource_table(const std::string& kind, const json& items) {
  const View view = view_of(kind);
  std::vector<Row> rows = {view.heading};
  for (const json& x : items) rows.push_back(view.row(x));
  return table(rows);
}

std::string revision_table(const json& items) {
  std::vector<Row> rows = {{"REVISION", "TIME", "AUTHOR", "COMMENT"}};
  for (const json& r : items)
    rows.push_back({text(r["revision"]), text(r["time"]), text(r["author"]), text(r["comment"])});
  return table(rows);
}

std::string event_table(const json& items) {
  std::vector<Row> rows = {{"ID", "TIME", "TYPE", "SUBJECT", "MESSAGE"}};
  for (const json& e : items)
    rows.push_back({text(e["id"]), text(e["time"]), text(e["type"]), text(e["subject"]), text(e["message"])});
  return table(rows);
}

std::string status_screen(const json& health, const json& stats) {
  std::string out = fmt::format("Status       {}\nRevision     {}\nStarted      {}\nWorkers      {}\n",
                                text(health["status"]), text(health["revision"]),
                                text(health.value("started", json())), text(health["workers"]));
  out += fmt::format("Connections  {} open, {} accepted\nRequests     {} running, {} in all\n\n",
                     total(stats, "sluice_http_connections_active"),
                     total(stats, "sluice_http_connections_total"),
                     total(stats, "sluice_http_requests_active"), total(stats, "sluice_http_requests_total"));
  std::vector<Row> ports = {{"PORT", "LINK", "DRIVER", "RX PACKETS", "TX PACKETS", "MISSED"}};
  for (const json& p : health["ports"]) {
    ports.push_back({text(p["name"]), text(p["link"]), text(p["driver"]), text(p["rx_packets"]),
                     text(p["tx_packets"]), text(p["rx_missed"])});
  }
  out += table(ports) + "\n";
  std::vector<Row> groups = {{"SERVER GROUP", "STATE", "WEIGHT", "ACTIVE"}};
  for (const json& g : health["server_groups"]) {
    groups.push_back({text(g["id"]), text(g["state"])});
    add_members(groups, g);
  }
  return out + table(groups);
}

std::string explanation_text(const json& e) {
  const auto line = [](const char* name, const std::string& value) {
    return value.empty() ? std::string() : fmt::format("{:<14} {}\n", name, value);
  };
  const json& r = e["request"];
  std::string out = line("Request", text(r["method"]) + " " + text(r["host"]) + text(r["path"]) +
                                        (text(r["query"]).empty() ? "" : "?" + text(r["query"])));
  out += line("VIP", text(e["vip"]));
  if (e.contains("other_vips") && !e["other_vips"].empty())
    out += line("", "(also possible: " + join(e["other_vips"]) + ")");
  out += line("Load balancer", text(e["load_balancer"])) + line("Listener", text(e["listener"])) +
         line("Rule", text(e["rule"]));
  out += line("Decision", text(e["decision"])) + line("Why", text(e["reason"]));
  if (e["server_groups"].empty()) return out;
  std::vector<Row> rows = {{"SERVER GROUP", "STATE", "WEIGHT", "ACTIVE"}};
  for (const json& g : e["server_groups"]) {
    rows.push_back({text(g["id"]), text(g["state"]), text(g.value("weight", json()))});
    add_members(rows, g);
  }
  return out + "\n" + table(rows);
}

std::string changes_text(const json& changes) {
  std::string out;
  for (const auto& [kind, lists] : changes.items()) {
    for (const auto& [what, mark] : {std::pair{"created", '+'}, {"changed", '~'}, {"deleted", '-'}}) {
      for (const json& id : lists.value(what, json::array()))
        out += fmt::format("{} {} {}\n", mark, kind, text(id));
    }
  }
  return out;
}

}  // namespace sluice::mgmt::cli
