// SPDX-License-Identifier: Apache-2.0
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "mgmt/rest/metric_text.h"
#include "tests/unit/mgmt_daemon/rest_fixture.h"

namespace sluice::mgmt::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;

class RestStatus : public RestTest {};

TEST_F(RestStatus, health_shows_ports_groups_and_each_members_state) {
  create_example();
  ASSERT_EQ(
      call(
          "PATCH", "/api/v1/server-groups/shop",
          json::parse(
              R"({"members": [{"address": "10.0.0.1", "port": 80, "id": "a"}, {"address": "10.0.0.2", "port": 80, "id": "b"},
      {"address": "10.0.0.3", "port": 80, "id": "c", "drain": true}, {"address": "10.0.0.4", "port": 80, "id": "d"}]})"))
          .status,
      200);
  using H = l7::BackendTable::Health;
  shared_.backends.set_health(*engine_->slot_of("shop", "a"), H::kUp);
  shared_.backends.set_health(*engine_->slot_of("shop", "b"), H::kDown);
  shared_.backends.at(*engine_->slot_of("shop", "a"), WorkerId{0}).active.add(3);
  const Reply r = call("GET", "/api/v1/health");
  ASSERT_EQ(r.status, 200);
  EXPECT_EQ(r.body["status"], "ok");
  EXPECT_EQ(r.body["workers"], 2);
  EXPECT_EQ(r.body["ports"][0]["name"], "wan");
  const json& g = r.body["server_groups"][0];
  EXPECT_EQ(g["state"], "partial");
  EXPECT_EQ(g["members"][0]["state"], "up");
  EXPECT_EQ(g["members"][0]["active_requests"], 3);
  EXPECT_EQ(g["members"][1]["state"], "down");
  EXPECT_EQ(g["members"][2]["state"], "draining");
  EXPECT_EQ(g["members"][3]["state"], "unknown");
  shared_.backends.set_health(*engine_->slot_of("shop", "a"), H::kDown);
  shared_.backends.set_health(*engine_->slot_of("shop", "d"), H::kDown);
  EXPECT_EQ(call("GET", "/api/v1/health").body["status"], "degraded");
  appliance_->is_draining = true;
  EXPECT_EQ(call("GET", "/api/v1/health").body["status"], "draining");
  EXPECT_EQ(call("GET", "/healthz").status, 503);
}

TEST_F(RestStatus, explain_names_the_rule_the_reason_and_who_may_get_it) {
  create_example();
  const Reply post = call("POST", "/api/v1/explain",
                          json{{"url", "http://192.0.2.1/cart?x=1"},
                               {"host", "Shop.Example:80"},
                               {"headers", {{"X-A", {"1", "2"}}}}});
  ASSERT_EQ(post.status, 200) << post.text;
  EXPECT_EQ(post.body["rule"], "r1");
  EXPECT_EQ(post.body["decision"], "forward");
  EXPECT_EQ(post.body["vip"], "192.0.2.1:80");
  EXPECT_EQ(post.body["request"]["path"], "/cart");
  EXPECT_EQ(post.body["request"]["query"], "x=1");
  EXPECT_EQ(post.body["server_groups"][0]["id"], "shop");
  EXPECT_EQ(post.body["server_groups"][0]["members"][0]["state"], "unknown");
  EXPECT_EQ(post.body["server_groups"][0]["weight"], 100);
  const Reply get = call("GET", "/api/v1/explain?url=http%3A%2F%2Fshop.example%2Fcart");
  EXPECT_EQ(get.body["rule"], "r1") << "the address comes from the listener on the port";
  EXPECT_EQ(call("GET", "/api/v1/explain?url=http%3A%2F%2Fother.example").body["decision"], "no_route");
  EXPECT_EQ(call("GET", "/api/v1/explain?url=https%3A%2F%2Fshop.example").body["decision"], "no_listener");
  EXPECT_EQ(call("GET", "/api/v1/explain?url=http%3A%2F%2Fshop.example&vip=192.0.2.9").body["decision"],
            "no_listener");
}

TEST_F(RestStatus, explain_refuses_questions_that_it_does_not_understand) {
  EXPECT_EQ(call("GET", "/api/v1/explain").body["errors"][0]["path"], "/url");
  EXPECT_EQ(call("GET", "/api/v1/explain?url=ftp%3A%2F%2Fa").status, 422);
  EXPECT_EQ(call("POST", "/api/v1/explain", json{{"url", "http://a/"}, {"source", "here"}})
                .body["errors"][0]["path"],
            "/source");
  EXPECT_EQ(call("POST", "/api/v1/explain", json{{"url", "http://a/"}, {"colour", "red"}})
                .body["errors"][0]["path"],
            "/colour");
  EXPECT_EQ(call("POST", "/api/v1/explain", json{{"url", 5}}).status, 422);
  for (const char* url : {"http://", "http://[::1", "http://a:99999/", "http://:80/"}) {
    EXPECT_EQ(call("POST", "/api/v1/explain", json{{"url", url}}).status, 422) << url;
  }
}

TEST_F(RestStatus, metrics_are_valid_text_with_one_family_a_name) {
  const Reply r = call("GET", "/metrics");
  ASSERT_EQ(r.status, 200);
  EXPECT_THAT(r.headers.at("content-type"), HasSubstr("version=0.0.4"));
  static const std::regex sample(
      R"re([a-zA-Z_:][a-zA-Z0-9_:]*(\{([a-z_]+="([^"\\\n]|\\[\\"n])*",?)*\})? (NaN|[+-]Inf|-?[0-9.]+(e[+-]?[0-9]+)?))re");
  std::set<std::string> types, helps;
  std::string line, family;
  for (std::istringstream in(r.text); std::getline(in, line);) {
    std::istringstream words(line);
    std::string hash, what, name;
    words >> hash >> what >> name;
    if (hash == "#") {
      EXPECT_TRUE((what == "HELP" ? helps : types).insert(name).second) << "twice: " << name;
      family = name;
      continue;
    }
    EXPECT_TRUE(std::regex_match(line, sample)) << line;
    EXPECT_EQ(line.rfind(family, 0), 0u) << line << " does not stand behind its TYPE";
  }
  EXPECT_EQ(types, helps);
  EXPECT_THAT(r.text, HasSubstr("sluice_test_total{worker=\"0\"} 7\nsluice_test_total{worker=\"1\"} 7\n"));
  EXPECT_THAT(r.text, HasSubstr("sluice_test_odd{name=\"a\\\"b\\\\c\\nd\"} 1\n"));
}

TEST(MetricText, special_values_are_written_as_the_format_wants_them) {
  rest::MetricCollector m;
  m.gauge("a", "h", "", std::numeric_limits<double>::quiet_NaN());
  m.gauge("b", "h", "", std::numeric_limits<double>::infinity());
  m.gauge("c", "h", "", -0.25);
  m.counter("d", "h", "", UINT64_MAX);
  m.gauge("e", "h", "", 0.00002);
  EXPECT_THAT(m.prometheus(), HasSubstr("\na NaN\n"));
  EXPECT_THAT(m.prometheus(), HasSubstr("\nb +Inf\n"));
  EXPECT_THAT(m.prometheus(), HasSubstr("\nc -0.25\n"));
  EXPECT_THAT(m.prometheus(), HasSubstr("\ne 0.000020000000\n"));
  EXPECT_THAT(m.prometheus(), HasSubstr("\nd 18446744073709551615\n"));
}

TEST_F(RestStatus, stats_are_the_same_counters_as_json) {
  const Reply r = call("GET", "/api/v1/stats");
  ASSERT_EQ(r.status, 200);
  const json& m = r.body["metrics"];
  EXPECT_EQ(m["sluice_test_total"]["type"], "counter");
  EXPECT_EQ(m["sluice_test_total"]["samples"][1]["labels"]["worker"], "1");
  EXPECT_EQ(m["sluice_test_total"]["samples"][1]["value"], 7);
  EXPECT_EQ(m["sluice_test_odd"]["samples"][0]["labels"]["name"], "a\"b\\c\nd");
}

TEST_F(RestStatus, events_keep_the_last_ones_in_order) {
  for (std::size_t i = 0; i < rest::EventLog::kCapacity + 10; ++i) events_.add("test", std::to_string(i), "");
  const Reply r = call("GET", "/api/v1/events?limit=5000");
  ASSERT_EQ(r.body["items"].size(), rest::EventLog::kCapacity);
  EXPECT_EQ(r.body["items"][0]["subject"], "10");
  EXPECT_EQ(r.body["last"], rest::EventLog::kCapacity + 10);
  EXPECT_EQ(
      call("GET", "/api/v1/events?after=" + std::to_string(rest::EventLog::kCapacity)).body["items"].size(),
      10u);
  EXPECT_EQ(call("GET", "/api/v1/events?after=x").status, 400);
}

/// "GET /api/v1/rules/{}"
std::string operation(std::string method, std::string path) {
  std::transform(method.begin(), method.end(), method.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return method + " " + std::regex_replace(path, std::regex("\\{[^}]*\\}"), "{}");
}

TEST_F(RestStatus, the_openapi_document_describes_exactly_the_routes_there_are) {
  const Reply served = call("GET", "/api/v1/openapi.json");
  std::ifstream in(SLUICE_SOURCE_ROOT "/docs/openapi.json");
  const json document = json::parse(in);
  EXPECT_EQ(served.body, document) << "the program serves another text than docs/";
  std::set<std::string> described, there;
  for (const auto& [path, item] : document["paths"].items()) {
    for (const auto& [method, op] : item.items()) {
      described.insert(operation(method, path));
      EXPECT_TRUE(op.contains("operationId") && op.contains("responses")) << method << path;
    }
  }
  for (const auto& r : server_->routes().routes()) there.insert(operation(r.method, r.pattern));
  EXPECT_EQ(described, there);
}

/// Each "$ref" of the document, and each member of an object's "properties".
void collect_refs(const json& node, std::set<std::string>& out) {
  if (node.is_object() && node.contains("$ref")) out.insert(node["$ref"]);
  if (!node.is_structured()) return;
  for (const json& child : node) collect_refs(child, out);
}

TEST_F(RestStatus, the_openapi_document_has_all_that_it_refers_to) {
  const json document = call("GET", "/api/v1/openapi.json").body;
  std::set<std::string> refs;
  collect_refs(document, refs);
  EXPECT_GT(refs.size(), 30u);
  for (const std::string& r : refs) EXPECT_TRUE(document.contains(json::json_pointer(r.substr(1)))) << r;
}

TEST_F(RestStatus, the_openapi_schemas_have_the_fields_that_the_api_shows) {
  create_example();
  ASSERT_EQ(call("PUT", "/api/v1/tls-policies/p", json::object()).status, 201);
  const Pem pem = make_pem("a.test");
  const json certificate = {{"certificate", pem.certificate}, {"private_key", pem.private_key}};
  ASSERT_EQ(call("PUT", "/api/v1/certificates/c", certificate).status, 201);
  const json schemas = call("GET", "/api/v1/openapi.json").body["components"]["schemas"];
  for (const auto& [path, schema] :
       std::map<std::string, std::string>{{"load-balancers/lb", "LoadBalancer"},
                                          {"listeners/web", "Listener"},
                                          {"rules/r1", "Rule"},
                                          {"server-groups/shop", "ServerGroup"},
                                          {"certificates/c", "Certificate"},
                                          {"tls-policies/p", "TlsPolicy"}}) {
    const json shown = call("GET", "/api/v1/" + path).body;
    std::set<std::string> there, described;
    for (const auto& [name, value] : shown.items()) there.insert(name);
    for (const auto& [name, value] : schemas[schema]["properties"].items()) described.insert(name);
    for (const auto& name : there) EXPECT_TRUE(described.contains(name)) << schema << "." << name;
    for (const auto& [name, value] : shown.items()) {
      const json& d = schemas[schema]["properties"][name];
      if (!d.contains("default") || name == "port") continue;
      EXPECT_EQ(d["default"], value) << schema << "." << name;
    }
  }
}

}  // namespace
}  // namespace sluice::mgmt::test
