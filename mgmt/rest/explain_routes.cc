// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <charconv>

#include "dataplane/base/ascii.h"
#include "mgmt/rest/change.h"
#include "mgmt/rest/group_status.h"

// What would happen to this request, and why?
namespace sluice::mgmt::rest {
namespace {

using config::Config;
using config::FieldError;
using nlohmann::json;

/// What the client asks about, before the address is known.
struct Question {
  std::string url, vip;
  Engine::ExplainRequest request;
  std::uint16_t port = 80;
  std::string url_host;  ///< As in the URL, without brackets.
};

bool parse_port(std::string_view text, std::uint16_t& out) {
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), out);
  return ec == std::errc{} && end == text.data() + text.size() && out != 0;
}

/// "host:port", "[v6]:port", "host"
bool split_authority(std::string_view text, std::string& host, std::uint16_t& port) {
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == std::string_view::npos) return false;
    host = text.substr(1, close - 1);
    text.remove_prefix(close + 1);
    return text.empty() || (text.front() == ':' && parse_port(text.substr(1), port));
  }
  const auto colon = text.find(':');
  host = text.substr(0, colon);
  return !host.empty() && (colon == std::string_view::npos || parse_port(text.substr(colon + 1), port));
}

bool parse_url(Question& q) {
  std::string_view rest = q.url;
  if (rest.starts_with("https://")) {
    q.port = 443;
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else {
    return false;
  }
  rest = rest.substr(0, rest.find('#'));
  const auto slash = rest.find_first_of("/?");
  if (!split_authority(rest.substr(0, slash), q.url_host, q.port)) return false;
  const std::string_view target = slash == std::string_view::npos ? std::string_view{} : rest.substr(slash);
  const auto mark = target.find('?');
  q.request.path = target.substr(0, mark);
  if (q.request.path.empty()) q.request.path = "/";
  if (mark != std::string_view::npos) q.request.query = target.substr(mark + 1);
  return true;
}

class QuestionReader {
 public:
  void text(std::string_view name, std::string value) {
    if (name == "url") {
      q_.url = std::move(value);
      if (!parse_url(q_)) error("/url", "must be a URL such as https://shop.example/cart");
    } else if (name == "vip") {
      q_.vip = std::move(value);
    } else if (name == "method") {
      q_.request.method = std::move(value);
    } else if (name == "host") {
      host_ = std::move(value);
    } else if (name == "source") {
      const auto a = IpAddr::parse(value);
      if (!a) return error("/source", "must be an IP address");
      q_.request.source = *a;
    } else {
      error("/" + std::string(name), "is not known here; expected url, vip, method, host, headers or source");
    }
  }
  void header(std::string name, std::string value) {
    q_.request.headers.emplace_back(std::move(name), std::move(value));
  }
  void header_line(const std::string& line) {
    const auto colon = line.find(':');
    if (colon == std::string::npos || colon == 0) return error("/header", "must look like \"Name: value\"");
    const auto start = line.find_first_not_of(" \t", colon + 1);
    header(line.substr(0, colon), start == std::string::npos ? "" : line.substr(start));
  }
  void error(std::string path, std::string message) {
    errors_.push_back({std::move(path), std::move(message)});
  }

  std::variant<Question, Reply> finish() {
    if (q_.url.empty() && errors_.empty()) error("/url", "is missing");
    if (!errors_.empty()) return problem(422, errors_.front().path + " " + errors_.front().message, errors_);
    std::string host = host_.empty() ? q_.url_host : host_;
    std::uint16_t ignored = 0;
    std::string bare;
    if (split_authority(host, bare, ignored)) host = bare;
    q_.request.host = ascii_lower(std::move(host));
    return std::move(q_);
  }

 private:
  Question q_;
  std::string host_;
  std::vector<FieldError> errors_;
};

std::variant<Question, Reply> read_question(const Call& call) {
  QuestionReader reader;
  if (call.method != "POST") {
    for (const auto& [name, value] : call.query)
      name == "header" ? reader.header_line(value) : reader.text(name, value);
    return reader.finish();
  }
  auto body = read_json(call);
  if (auto* bad = std::get_if<Reply>(&body)) return std::move(*bad);
  const json& document = std::get<json>(body);
  if (!document.is_object())
    return problem(422, "expected an object with a url", {{"", "must be an object"}});
  for (const auto& [name, value] : document.items()) {
    if (name != "headers") {
      value.is_string() ? reader.text(name, value) : reader.error("/" + name, "must be a text");
      continue;
    }
    if (!value.is_object()) reader.error("/headers", "must be an object of names and values");
    for (const auto& [header, texts] : value.items()) {
      if (texts.is_string()) reader.header(header, texts);
      for (std::size_t i = 0; texts.is_array() && i < texts.size(); ++i) {
        if (texts[i].is_string()) reader.header(header, texts[i]);
      }
      if (!texts.is_string() && !texts.is_array())
        reader.error("/headers/" + header, "must be a text or an array of texts");
    }
  }
  return reader.finish();
}

/// Where a client could be sending this: the VIP that was named, the URL's own address, or each VIP with a
/// listener on the port.
std::vector<Endpoint> destinations(const Question& q, const Config& config) {
  for (const std::string& text : {q.vip, q.url_host}) {
    Endpoint e{{}, q.port};
    std::string host;
    if (const auto plain = IpAddr::parse(text)) return {Endpoint{*plain, q.port}};
    if (text == q.vip && split_authority(text, host, e.port)) {
      if (const auto a = IpAddr::parse(host)) return {Endpoint{*a, e.port}};
    }
  }
  std::vector<Endpoint> out;
  for (const auto& [id, listener] : config.listeners) {
    const auto lb = config.load_balancers.find(listener.load_balancer);
    if (listener.port != q.port || lb == config.load_balancers.end()) continue;
    for (const std::string& text : lb->second.addresses) {
      if (const auto a = IpAddr::parse(text)) out.push_back({*a, q.port});
    }
  }
  return out;
}

/// The groups that the decision forwards to, with their weights there and their members' health now.
json candidates(const Api& api, const Config& config, const Engine::Explanation& e) {
  const config::Action* action = nullptr;
  if (const auto rule = config.rules.find(e.rule); rule != config.rules.end()) action = &rule->second.action;
  if (const auto l = config.listeners.find(e.listener);
      action == nullptr && l != config.listeners.end() && l->second.default_action) {
    action = &*l->second.default_action;
  }
  json out = json::array();
  const auto* forward = action != nullptr ? std::get_if<config::ForwardAction>(action) : nullptr;
  for (std::size_t i = 0; forward != nullptr && i < forward->server_groups.size(); ++i) {
    const auto& ref = forward->server_groups[i];
    const auto group = config.server_groups.find(ref.server_group);
    if (group == config.server_groups.end()) continue;
    json one = group_status(api, group->second);
    one["weight"] = ref.weight;
    if (group->second.protocol == "https") {
      const config::BackendTls tls = group->second.tls.value_or(config::BackendTls());
      one["tls"] = {{"verify", tls.verify},
                    {"server_name", tls.server_name},
                    {"certificate_authority", tls.certificate_authority}};
    }
    out.push_back(std::move(one));
  }
  return out;
}

Reply explain(const Api& api, const Call& call) {
  auto read = read_question(call);
  if (auto* bad = std::get_if<Reply>(&read)) return std::move(*bad);
  Question& q = std::get<Question>(read);
  const auto config = api.engine.current();
  const auto where = destinations(q, *config);
  Engine::Explanation best;
  best.decision = "no_listener";
  best.reason = fmt::format("No load balancer has a listener on port {}.", q.port);
  json others = json::array();
  bool found = false;
  for (const Endpoint& vip : where) {
    Engine::ExplainRequest request = q.request;
    request.vip = vip;
    const Engine::Explanation e = api.engine.explain(request);
    const bool better = !found || (best.rule.empty() && !e.rule.empty());
    if (better) {
      best = e;
      q.request.vip = vip;
    }
    found = true;
  }
  for (const Endpoint& vip : where) {
    if (vip != q.request.vip) others.push_back(vip.to_string());
  }
  json out = {{"request",
               {{"method", q.request.method},
                {"host", q.request.host},
                {"path", q.request.path},
                {"query", q.request.query}}},
              {"vip", where.empty() ? json() : json(q.request.vip.to_string())},
              {"other_vips", others},
              {"load_balancer", best.load_balancer},
              {"listener", best.listener},
              {"rule", best.rule},
              {"decision", best.decision},
              {"reason", best.reason},
              {"server_groups", best.decision == "forward" ? candidates(api, *config, best) : json::array()}};
  return json_reply(200, out);
}

}  // namespace

void add_explain_routes(RouteTable& table, const Api& api) {
  for (const char* method : {"GET", "POST"}) {
    table.add({method, "/api/v1/explain", Role::kViewer, [api](const Call& c) { return explain(api, c); }});
  }
}

}  // namespace sluice::mgmt::rest
