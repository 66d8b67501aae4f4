// SPDX-License-Identifier: Apache-2.0
#include "mgmt/config/validate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "tests/unit/mgmt_config/samples.h"

namespace sluice::mgmt::config {
namespace {

using testing::ElementsAre;
using testing::UnorderedElementsAre;

/// One way to spoil the sample, and what must be said about it.
struct Wrong {
  const char* name;
  std::function<void(Config&)> spoil;
  const char* path;
  const char* message;
};
void PrintTo(const Wrong& w, std::ostream* out) { *out << w.name; }

class Validate : public testing::TestWithParam<Wrong> {};

TEST_P(Validate, names_the_field_and_what_was_expected) {
  Config c = test::sample();
  GetParam().spoil(c);
  EXPECT_THAT(validate(c), ElementsAre(FieldError{GetParam().path, GetParam().message}));
}

Listener& web(Config& c) { return c.listeners.at("web"); }
Rule& rule(Config& c) { return c.rules.at("r-api"); }
BackendTls& backend_tls(Config& c) {
  c.server_groups.at("api").protocol = "https";
  return c.server_groups.at("api").tls.emplace();
}
ServerGroup& group(Config& c) { return c.server_groups.at("api"); }
RedirectAction& redirect(Config& c) { return std::get<RedirectAction>(c.rules.at("r-redirect").action); }
ForwardAction& forward(Config& c) { return std::get<ForwardAction>(rule(c).action); }
FixedResponseAction& fixed(Config& c) { return std::get<FixedResponseAction>(*web(c).default_action); }

constexpr const char* kUnicast = "must be a unicast IPv4 or IPv6 address";
constexpr const char* kHost = "must be a host name (RFC 1123) with at most one leading \"*.\"";
constexpr const char* kPath = "must start with \"/\"";
constexpr const char* kRange = "must be an address, a prefix without host bits, or \"first-last\"";
constexpr const char* kStatus = "must be a status or a range, such as \"204\" or \"200-399\"";

const Wrong kPools[] = {
    {"scheme", [](Config& c) { c.address_pools["public"].scheme = "dmz"; }, "/address_pools/public/scheme",
     "must be \"internet\" or \"internal\""},
    {"no_ranges", [](Config& c) { c.address_pools["public"].ranges.clear(); }, "/address_pools/public/ranges",
     "must hold 1 to 1000 elements"},
    {"garbage", [](Config& c) { c.address_pools["public"].ranges[1] = "many"; },
     "/address_pools/public/ranges/1", kRange},
    {"backwards", [](Config& c) { c.address_pools["public"].ranges[0] = "198.51.100.9-198.51.100.8"; },
     "/address_pools/public/ranges/0", kRange},
    {"mixed_families", [](Config& c) { c.address_pools["public"].ranges[0] = "198.51.100.9-2001:db8::1"; },
     "/address_pools/public/ranges/0", kRange},
    {"host_bits", [](Config& c) { c.address_pools["public"].ranges[0] = "198.51.100.9/28"; },
     "/address_pools/public/ranges/0", kRange},
    {"multicast", [](Config& c) { c.address_pools["public"].ranges[0] = "224.0.0.0/24"; },
     "/address_pools/public/ranges/0", "must be unicast addresses"},
    {"overlap", [](Config& c) { c.address_pools["public"].ranges.push_back("198.51.100.0/24"); },
     "/address_pools/public/ranges/0", "overlaps with /address_pools/public/ranges/2"},
    {"id",
     [](Config& c) {
       c.address_pools["a b"] = {"a b", "internet", {"10.9.0.1"}};
     },
     "/address_pools/a b/id",
     "must be 1 to 128 characters of A-Z, a-z, 0-9, '.', '_' and '-', and not \".\" or \"..\""},
};
const Wrong kLoadBalancers[] = {
    {"scheme", [](Config& c) { c.load_balancers["edge"].scheme = ""; }, "/load_balancers/edge/scheme",
     "must be \"internet\" or \"internal\""},
    {"name", [](Config& c) { c.load_balancers["edge"].name = "a\nb"; }, "/load_balancers/edge/name",
     "must not hold control characters"},
    {"long_name", [](Config& c) { c.load_balancers["edge"].name = std::string(1025, 'x'); },
     "/load_balancers/edge/name", "must be at most 1024 bytes long"},
    {"no_address", [](Config& c) { c.load_balancers["edge"].addresses[0] = "192.0.2.0/24"; },
     "/load_balancers/edge/addresses/0", kUnicast},
    {"loopback", [](Config& c) { c.load_balancers["edge"].addresses[0] = "127.0.0.1"; },
     "/load_balancers/edge/addresses/0", kUnicast},
    {"multicast", [](Config& c) { c.load_balancers["edge"].addresses[0] = "ff02::1"; },
     "/load_balancers/edge/addresses/0", kUnicast},
    {"link_local", [](Config& c) { c.load_balancers["edge"].addresses[0] = "fe80::1"; },
     "/load_balancers/edge/addresses/0", kUnicast},
    {"class_e", [](Config& c) { c.load_balancers["edge"].addresses[0] = "250.1.1.1"; },
     "/load_balancers/edge/addresses/0", kUnicast},
    {"zero_net", [](Config& c) { c.load_balancers["edge"].addresses[0] = "0.1.2.3"; },
     "/load_balancers/edge/addresses/0", kUnicast},
    {"twice", [](Config& c) { c.load_balancers["edge"].addresses.push_back("192.0.2.1"); },
     "/load_balancers/edge/addresses/1", "is an address of load balancer \"edge\" already"},
    {"shared",
     [](Config& c) {
       c.load_balancers["other"] = {"other", "", "internet", {"192.0.2.1"}};
     },
     "/load_balancers/other/addresses/0", "is an address of load balancer \"edge\" already"},
};
const Wrong kLimits[] = {
    {"performance_class", [](Config& c) { c.load_balancers["edge"].performance_class = "slb.s9.huge"; },
     "/load_balancers/edge/performance_class",
     "must be \"slb.s1.small\", \"slb.s2.small\", \"slb.s2.medium\", \"slb.s3.small\", \"slb.s3.medium\", "
     "\"slb.s3.large\", \"slb.s3.xlarge\" or \"slb.s3.xxlarge\", or empty"},
    {"requests", [](Config& c) { c.load_balancers["edge"].limits.requests_per_second = 1'000'000'001; },
     "/load_balancers/edge/limits/requests_per_second", "must be between 0 and 1000000000"},
    {"connections", [](Config& c) { c.load_balancers["edge"].limits.max_connections = UINT32_MAX; },
     "/load_balancers/edge/limits/max_connections", "must be between 0 and 1000000000"},
    {"source", [](Config& c) { web(c).limits.connections_per_second_per_source = 100'001; },
     "/listeners/web/limits/connections_per_second_per_source", "must be between 0 and 100000"},
    {"handshakes", [](Config& c) { web(c).limits.handshakes_per_second = 1'000'000'001; },
     "/listeners/web/limits/handshakes_per_second", "must be between 0 and 1000000000"},
};
const Wrong kSticky[] = {
    {"type", [](Config& c) { group(c).stickiness.type = "always"; }, "/server_groups/api/stickiness/type",
     "must be \"none\", \"insert\" or \"rewrite\""},
    {"cookie", [](Config& c) { group(c).stickiness = {"insert", "a b", 0}; }, "/server_groups/api/stickiness/cookie",
     "must be a cookie's name (RFC 6265) of at most 64 bytes"},
    {"no_cookie", [](Config& c) { group(c).stickiness.type = "rewrite"; }, "/server_groups/api/stickiness/cookie",
     "must name the members' own cookie"},
    {"age", [](Config& c) { group(c).stickiness.max_age_s = 31536001; }, "/server_groups/api/stickiness/max_age_s",
     "must be between 0 and 31536000"},
};
const Wrong kForwarded[] = {
    {"header", [](Config& c) { web(c).forwarded_headers = {"for", "by"}; }, "/listeners/web/forwarded_headers/1",
     "must be \"for\", \"proto\", \"host\", \"port\", \"real_ip\" or \"client_port\""},
};
const Wrong kChoices[] = {
    {"ip_version", [](Config& c) { c.load_balancers["edge"].ip_version = "ipv5"; }, "/load_balancers/edge/ip_version",
     "must be \"any\", \"ipv4\", \"ipv6\" or \"dual\""},
    {"pool", [](Config& c) { c.load_balancers["edge"].address_pool = "gone"; }, "/load_balancers/edge/address_pool",
     "no address pool has the id \"gone\""},
    {"pool_of_another_scheme",
     [](Config& c) {
       c.load_balancers["edge"].scheme = "internal";
       c.load_balancers["edge"].address_pool = "public";
     },
     "/load_balancers/edge/address_pool", "is a pool of scheme \"internet\", and the load balancer is not"},
};
const Wrong kAccess[] = {
    {"entry", [](Config& c) { c.access_control_lists["l"] = {"l", "", {"10.0.0.0/8", "10.0.0.1/8"}}; },
     "/access_control_lists/l/entries/1", kRange},
    {"name", [](Config& c) { c.access_control_lists["l"] = {"l", "a\nb", {}}; }, "/access_control_lists/l/name",
     "must not hold control characters"},
    {"list", [](Config& c) { web(c).access_control = AccessControl{"deny", {"gone"}}; },
     "/listeners/web/access_control/access_control_lists/0", "no access control list has the id \"gone\""},
    {"no_list", [](Config& c) { web(c).access_control = AccessControl{"allow", {}}; },
     "/listeners/web/access_control/access_control_lists", "must hold 1 to 16 elements"},
    {"type",
     [](Config& c) {
       c.access_control_lists["l"] = {"l", "", {"::/0", "10.0.0.1-10.0.0.9"}};
       web(c).access_control = AccessControl{"white", {"l"}};
     },
     "/listeners/web/access_control/type", "must be \"allow\" or \"deny\""},
};
const Wrong kListeners[] = {
    {"load_balancer", [](Config& c) { web(c).load_balancer = "gone"; }, "/listeners/web/load_balancer",
     "no load balancer has the id \"gone\""},
    {"no_load_balancer", [](Config& c) { web(c).load_balancer = ""; }, "/listeners/web/load_balancer",
     "must be the id of a load balancer"},
    {"port_0", [](Config& c) { web(c).port = 0; }, "/listeners/web/port", "must be between 1 and 65535"},
    {"port_65536", [](Config& c) { web(c).port = 65536; }, "/listeners/web/port",
     "must be between 1 and 65535"},
    {"port_taken", [](Config& c) { web(c).port = 443; }, "/listeners/web/port",
     "is the port of listener \"secure\" on this load balancer"},
    {"protocol", [](Config& c) { web(c).protocol = "udp"; }, "/listeners/web/protocol",
     "must be \"http\", \"https\" or \"tls_passthrough\""},
    {"rule_order", [](Config& c) { web(c).rule_order = "random"; }, "/listeners/web/rule_order",
     "must be \"specific\" or \"priority\""},
    {"certificate", [](Config& c) { c.listeners["secure"].certificates.push_back("gone"); },
     "/listeners/secure/certificates/1", "no certificate has the id \"gone\""},
    {"certificate_twice", [](Config& c) { c.listeners["secure"].certificates.push_back("shop"); },
     "/listeners/secure/certificates/1", "is named twice in this listener"},
    {"certificate_with_hosts", [](Config& c) { c.listeners["secure"].certificates.push_back({"gone", {"a.example"}}); },
     "/listeners/secure/certificates/1/certificate", "no certificate has the id \"gone\""},
    {"certificate_host", [](Config& c) { c.listeners["secure"].certificates = {{"shop", {"*.shop.example", "*"}}}; },
     "/listeners/secure/certificates/0/hosts/1", "must be a host name (RFC 1123), or one behind \"*.\""},
    {"client_mode",
     [](Config& c) {
       c.certificate_authorities["ca"] = {"ca", "", "x", "", ""};
       c.listeners["secure"].client_authentication = ClientAuthentication{"always", "ca", 1, false};
     },
     "/listeners/secure/client_authentication/mode", "must be \"off\", \"optional\" or \"required\""},
    {"client_authority", [](Config& c) { c.listeners["secure"].client_authentication = ClientAuthentication{"optional", "gone", 1, false}; },
     "/listeners/secure/client_authentication/certificate_authority", "no certificate authority has the id \"gone\""},
    {"client_no_authority", [](Config& c) { c.listeners["secure"].client_authentication = ClientAuthentication{"required", "", 1, false}; },
     "/listeners/secure/client_authentication/certificate_authority", "must be the id of a certificate authority"},
    {"client_depth", [](Config& c) { c.listeners["secure"].client_authentication = ClientAuthentication{"off", "", 17, false}; },
     "/listeners/secure/client_authentication/verify_depth", "must be between 0 and 16"},
    {"early_data_without_tls", [](Config& c) { web(c).early_data = true; },
     "/listeners/web/early_data", "must not be true unless protocol is \"https\""},
    {"early_data_with_clients", [](Config& c) {
       c.certificate_authorities["ca"] = {"ca", "", "x", "", ""};
       c.listeners["secure"].client_authentication = ClientAuthentication{"optional", "ca", 1, false};
       c.listeners["secure"].early_data = true;
     },
     "/listeners/secure/early_data",
     "must not be true with client_authentication: early data comes before a certificate could be asked for"},
    {"early_data_without_13", [](Config& c) {
       c.listeners["secure"].tls_max_version = "1.2";
       c.listeners["secure"].early_data = true;
     },
     "/listeners/secure/early_data", "must not be true without TLS 1.3, which tls_policy or tls_max_version leaves out"},
    {"client_without_tls", [](Config& c) { web(c).client_authentication = ClientAuthentication{"off", "", 1, false}; },
     "/listeners/web/client_authentication", "must not be there unless protocol is \"https\""},
    {"hsts_without_tls", [](Config& c) { web(c).hsts.emplace(); },
     "/listeners/web/hsts", "must not be there unless protocol is \"https\""},
    {"authority_empty", [](Config& c) { c.certificate_authorities["ca"] = {"ca", "", "", "", ""}; },
     "/certificate_authorities/ca/certificates", "must hold at least one PEM certificate"},
    {"authority_long", [](Config& c) { c.certificate_authorities["ca"] = {"ca", "", "x", std::string((8 << 20) + 1, 'x'), ""}; },
     "/certificate_authorities/ca/revocation_lists", "must be at most 8388608 bytes long"},
    {"certificate_without_tls", [](Config& c) { web(c).certificates = {"shop"}; },
     "/listeners/web/certificates", "must be empty unless protocol is \"https\""},
    {"tls_version", [](Config& c) { web(c).tls_min_version = "1.1"; }, "/listeners/web/tls_min_version",
     "must be \"1.2\" or \"1.3\" with this tls_policy"},
    {"tls_policy", [](Config& c) { web(c).tls_policy = "strong"; }, "/listeners/web/tls_policy",
     "must be one of default, modern, intermediate, tls_cipher_policy_1_0, tls_cipher_policy_1_1, tls_cipher_policy_1_2, "
     "tls_cipher_policy_1_2_strict, tls_cipher_policy_1_2_strict_with_1_3, or the id of a TLS policy"},
    {"tls_policy_own_version",
     [](Config& c) {
       c.tls_policies["p"] = {.id = "p", .min_version = "1.3"};
       web(c).tls_policy = "p";
       web(c).tls_min_version = "1.2";
     },
     "/listeners/web/tls_min_version", "must be \"1.3\" with this tls_policy"},
    {"tls_policy_version", [](Config& c) { web(c).tls_policy = "modern", web(c).tls_max_version = "1.2"; },
     "/listeners/web/tls_max_version", "must be \"1.3\" with this tls_policy"},
    {"tls_versions", [](Config& c) { web(c).tls_min_version = "1.3", web(c).tls_max_version = "1.2"; },
     "/listeners/web/tls_max_version", "must not be below tls_min_version (1.3)"},
    {"line", [](Config& c) { web(c).max_line_bytes = 0; }, "/listeners/web/max_line_bytes",
     "must be between 256 and 65536"},
    {"header", [](Config& c) { web(c).max_header_bytes = 4096; }, "/listeners/web/max_header_bytes",
     "must not be below max_line_bytes: the line is part of the header"},
    {"fields", [](Config& c) { web(c).max_header_fields = 129; }, "/listeners/web/max_header_fields",
     "must be between 1 and 128"},
    {"timeout", [](Config& c) { web(c).idle_timeout_ms = 0; }, "/listeners/web/idle_timeout_ms",
     "must be between 1 and 86400000"},
    {"requests", [](Config& c) { web(c).max_requests_per_connection = 0; },
     "/listeners/web/max_requests_per_connection", "must be between 1 and 1000000000"},
    {"default_group",
     [](Config& c) {
       web(c).default_action = ForwardAction{{{"gone", 1}}};
     },
     "/listeners/web/default_action/server_groups/0/server_group", "no server group has the id \"gone\""},
};
const Wrong kRules[] = {
    {"listener", [](Config& c) { rule(c).listener = "gone"; }, "/rules/r-api/listener",
     "no listener has the id \"gone\""},
    {"host_label", [](Config& c) { rule(c).hosts[0].value = "a..b"; }, "/rules/r-api/hosts/0/value", kHost},
    {"host_port", [](Config& c) { rule(c).hosts[1].value = "a.example:80"; }, "/rules/r-api/hosts/1/value",
     kHost},
    {"host_underscore", [](Config& c) { rule(c).hosts[1].value = "a_b.example"; },
     "/rules/r-api/hosts/1/value", kHost},
    {"host_hyphen", [](Config& c) { rule(c).hosts[1].value = "-a.example"; }, "/rules/r-api/hosts/1/value",
     kHost},
    {"host_long_label", [](Config& c) { rule(c).hosts[1].value = std::string(64, 'a') + ".example"; },
     "/rules/r-api/hosts/1/value", kHost},
    {"host_two_stars", [](Config& c) { rule(c).hosts[1].value = "*.*.example"; },
     "/rules/r-api/hosts/1/value", kHost},
    {"host_inner_star", [](Config& c) { rule(c).hosts[1].value = "a.*.example"; },
     "/rules/r-api/hosts/1/value", kHost},
    {"host_only_star", [](Config& c) { rule(c).hosts[1].value = "*"; }, "/rules/r-api/hosts/1/value", kHost},
    {"wildcard", [](Config& c) { rule(c).hosts[0].wildcard = "all"; }, "/rules/r-api/hosts/0/wildcard",
     "must be \"one\" or \"many\""},
    {"path_type", [](Config& c) { rule(c).paths[0].type = "glob"; }, "/rules/r-api/paths/0/type",
     "must be \"exact\", \"prefix\", \"string_prefix\" or \"regex\""},
    {"path_relative", [](Config& c) { rule(c).paths[0].value = "api"; }, "/rules/r-api/paths/0/value", kPath},
    {"path_query", [](Config& c) { rule(c).paths[0].value = "/a?b"; }, "/rules/r-api/paths/0/value",
     "must not hold \"?\" or \"#\": a path ends before its query"},
    {"path_space", [](Config& c) { rule(c).paths[0].value = "/a b"; }, "/rules/r-api/paths/0/value",
     "must be visible ASCII; write other characters percent-encoded"},
    {"path_utf8", [](Config& c) { rule(c).paths[0].value = "/\xc3\xa4"; }, "/rules/r-api/paths/0/value",
     "must be visible ASCII; write other characters percent-encoded"},
    {"path_long", [](Config& c) { rule(c).paths[0].value = "/" + std::string(4096, 'a'); },
     "/rules/r-api/paths/0/value", "must be at most 4096 bytes long"},
    {"regex_empty", [](Config& c) { rule(c).paths[1].value = ""; }, "/rules/r-api/paths/1/value",
     "must not be empty"},
    {"ignore_case", [](Config& c) { rule(c).paths[0].ignore_case = true; },
     "/rules/r-api/paths/0/ignore_case", "is for type \"regex\" only"},
    {"condition_type", [](Config& c) { rule(c).conditions[0].type = "body"; },
     "/rules/r-api/conditions/0/type", "must be \"header\", \"query\", \"cookie\", \"method\" or \"source\""},
    {"condition_name", [](Config& c) { rule(c).conditions[0].name = "X Beta"; },
     "/rules/r-api/conditions/0/name", "must be a field name (RFC 9110, 5.1)"},
    {"condition_cookie",
     [](Config& c) {
       rule(c).conditions[0] = {"cookie", "", {}};
     },
     "/rules/r-api/conditions/0/name", "must be visible ASCII and not empty"},
    {"condition_source_name", [](Config& c) { rule(c).conditions[1].name = "x"; },
     "/rules/r-api/conditions/1/name", "must be empty for type \"source\""},
    {"condition_source", [](Config& c) { rule(c).conditions[1].values[0] = "10/8"; },
     "/rules/r-api/conditions/1/values/0", "must be an address or a prefix such as 192.0.2.0/24"},
    {"condition_no_source", [](Config& c) { rule(c).conditions[1].values.clear(); },
     "/rules/r-api/conditions/1/values", "must hold 1 to 1000 elements"},
    {"condition_method",
     [](Config& c) {
       rule(c).conditions[0] = {"method", "", {"GET", "A B"}};
     },
     "/rules/r-api/conditions/0/values/1", "must be a method (RFC 9110, 9.1)"},
    {"many_hosts",
     [](Config& c) {
       rule(c).hosts.assign(1001, {"a.example", "one"}), rule(c).paths.clear();
     },
     "/rules/r-api/hosts", "must hold 0 to 1000 elements"},
    {"many_pairs",
     [](Config& c) {
       rule(c).hosts.assign(101, {"a.example", "one"}), rule(c).paths.assign(100, {});
     },
     "/rules/r-api", "must not have more than 10000 pairs of host and path"},
};
const Wrong kActions[] = {
    {"group", [](Config& c) { forward(c).server_groups[1].server_group = "gone"; },
     "/rules/r-api/action/server_groups/1/server_group", "no server group has the id \"gone\""},
    {"group_twice", [](Config& c) { forward(c).server_groups[1].server_group = "api"; },
     "/rules/r-api/action/server_groups/1/server_group", "is named twice in this action"},
    {"no_group", [](Config& c) { forward(c).server_groups.clear(); }, "/rules/r-api/action/server_groups",
     "must hold 1 to 32 elements"},
    {"weight", [](Config& c) { forward(c).server_groups[1].weight = 65536; },
     "/rules/r-api/action/server_groups/1/weight", "must be between 0 and 65535"},
    {"all_zero",
     [](Config& c) {
       forward(c).server_groups = {{"api", 0}, {"shop", 0}};
     },
     "/rules/r-api/action/server_groups", "must have a weight above 0"},
    {"redirect_status", [](Config& c) { redirect(c).status = 200; }, "/rules/r-redirect/action/status",
     "must be 301, 302, 303, 307 or 308"},
    {"redirect_scheme", [](Config& c) { redirect(c).scheme = "ftp"; }, "/rules/r-redirect/action/scheme",
     "must be \"http\" or \"https\""},
    {"redirect_host", [](Config& c) { redirect(c).host = "a b"; }, "/rules/r-redirect/action/host",
     "must be a host name (RFC 1123) or \"${host}\""},
    {"redirect_path", [](Config& c) { redirect(c).path = "new"; }, "/rules/r-redirect/action/path", kPath},
    {"redirect_split", [](Config& c) { redirect(c).query = "a\r\nSet-Cookie: x"; },
     "/rules/r-redirect/action/query", "must be visible ASCII of at most 4096 bytes"},
    {"redirect_port", [](Config& c) { redirect(c).port = 70000; }, "/rules/r-redirect/action/port",
     "must be between 0 and 65535"},
    {"redirect_to_itself", [](Config& c) { redirect(c) = {}; }, "/rules/r-redirect/action",
     "must change the scheme, host, port, path or query: else it leads back to itself"},
    {"fixed_status", [](Config& c) { fixed(c).status = 101; }, "/listeners/web/default_action/status",
     "must be between 200 and 599"},
    {"fixed_type", [](Config& c) { fixed(c).content_type = "a\r\nb"; },
     "/listeners/web/default_action/content_type", "must not hold control characters"},
    {"fixed_body", [](Config& c) { fixed(c).body = std::string(64 * 1024 + 1, 'x'); },
     "/listeners/web/default_action/body", "must be at most 65536 bytes long"},
    {"fixed_204", [](Config& c) { fixed(c).status = 204; }, "/listeners/web/default_action/body",
     "must be empty with status 204"},
};
const Wrong kGroups[] = {
    {"scheduler", [](Config& c) { group(c).scheduler = "random"; }, "/server_groups/api/scheduler",
     "must be \"weighted_round_robin\" or \"least_connections\""},
    {"address", [](Config& c) { group(c).members[0].address = "backend.example"; },
     "/server_groups/api/members/0/address", kUnicast},
    {"broadcast", [](Config& c) { group(c).members[0].address = "255.255.255.255"; },
     "/server_groups/api/members/0/address", kUnicast},
    {"port", [](Config& c) { group(c).members[0].port = 0; }, "/server_groups/api/members/0/port",
     "must be between 1 and 65535"},
    {"weight", [](Config& c) { group(c).members[0].weight = 70000; }, "/server_groups/api/members/0/weight",
     "must be between 0 and 65535"},
    {"same_id", [](Config& c) { group(c).members[1].id = "a1"; }, "/server_groups/api/members/1/id",
     "is used twice in this group"},
    {"same_endpoint", [](Config& c) { group(c).members[1].address = "10.0.0.1"; },
     "/server_groups/api/members/1", "has the address and port of member 0"},
    {"slash", [](Config& c) { group(c).members[1].id = "a/b"; }, "/server_groups/api/members/1/id",
     "must be at most 128 visible ASCII characters without \"/\""},
    {"check_type", [](Config& c) { group(c).health_check.type = "ping"; },
     "/server_groups/api/health_check/type", "must be \"none\", \"tcp\" or \"http\""},
    {"check_interval", [](Config& c) { group(c).health_check.interval_ms = 1; },
     "/server_groups/api/health_check/interval_ms", "must be between 100 and 86400000"},
    {"check_threshold", [](Config& c) { group(c).health_check.healthy_threshold = 0; },
     "/server_groups/api/health_check/healthy_threshold", "must be between 1 and 100"},
    {"check_method", [](Config& c) { group(c).health_check.method = "POST"; },
     "/server_groups/api/health_check/method", "must be \"HEAD\", \"GET\" or \"OPTIONS\""},
    {"check_path", [](Config& c) { group(c).health_check.path = "ping"; },
     "/server_groups/api/health_check/path", "must start with \"/\" and be visible ASCII without \"#\""},
    {"check_host", [](Config& c) { group(c).health_check.host = "*.a"; },
     "/server_groups/api/health_check/host", "must be a host name (RFC 1123)"},
    {"check_status",
     [](Config& c) {
       group(c).health_check.statuses = {"200", "2xx"};
     },
     "/server_groups/api/health_check/statuses/1", kStatus},
    {"check_status_backwards", [](Config& c) { group(c).health_check.statuses = {"399-200"}; },
     "/server_groups/api/health_check/statuses/0", kStatus},
    {"check_status_out", [](Config& c) { group(c).health_check.statuses = {"600"}; },
     "/server_groups/api/health_check/statuses/0", kStatus},
    {"check_no_status", [](Config& c) { group(c).health_check.statuses.clear(); },
     "/server_groups/api/health_check/statuses", "must hold 1 to 32 elements"},
    {"connect", [](Config& c) { group(c).connect_timeout_ms = 0; }, "/server_groups/api/connect_timeout_ms",
     "must be between 1 and 86400000"},
    {"attempts", [](Config& c) { group(c).connect_attempts = 17; }, "/server_groups/api/connect_attempts",
     "must be between 1 and 16"},
    {"idle", [](Config& c) { group(c).max_idle_per_worker = 65536; },
     "/server_groups/api/max_idle_per_worker", "must be between 0 and 65535"},
    {"protocol", [](Config& c) { group(c).protocol = "h2c"; }, "/server_groups/api/protocol", "must be \"http\" or \"https\""},
    {"tls_without_https", [](Config& c) { group(c).tls.emplace(); }, "/server_groups/api/tls",
     "must not be there unless protocol is \"https\""},
    {"tls_authority", [](Config& c) { backend_tls(c).certificate_authority = "gone"; },
     "/server_groups/api/tls/certificate_authority", "no certificate authority has the id \"gone\""},
    {"tls_verify_depth", [](Config& c) { backend_tls(c).verify_depth = 17; }, "/server_groups/api/tls/verify_depth",
     "must be between 0 and 16"},
    {"tls_certificate", [](Config& c) { backend_tls(c).certificate = "gone"; }, "/server_groups/api/tls/certificate",
     "no certificate has the id \"gone\""},
    {"tls_server_name", [](Config& c) { backend_tls(c).server_name = "*.example"; }, "/server_groups/api/tls/server_name",
     "must be a host name (RFC 1123) and no address, or empty"},
    {"tls_server_address", [](Config& c) { backend_tls(c).server_name = "10.0.0.1"; }, "/server_groups/api/tls/server_name",
     "must be a host name (RFC 1123) and no address, or empty"},
    {"tls_min_version", [](Config& c) { backend_tls(c).min_version = "1.1"; }, "/server_groups/api/tls/min_version",
     "must be \"1.2\" or \"1.3\" with this policy"},
    {"tls_policy", [](Config& c) { backend_tls(c).policy = "strong"; }, "/server_groups/api/tls/policy",
     "must be one of default, modern, intermediate, tls_cipher_policy_1_0, tls_cipher_policy_1_1, tls_cipher_policy_1_2, "
     "tls_cipher_policy_1_2_strict, tls_cipher_policy_1_2_strict_with_1_3, or the id of a TLS policy"},
};
const Wrong kCertificates[] = {
    {"no_key", [](Config& c) { c.certificates["shop"].private_key = ""; }, "/certificates/shop/private_key",
     "is required, unless the certificate exists already and has the same public key"},
    {"no_certificate", [](Config& c) { c.certificates["shop"].certificate = ""; },
     "/certificates/shop/certificate", "must be a certificate chain in PEM"},
    {"long", [](Config& c) { c.certificates["shop"].private_key = std::string(256 * 1024 + 1, 'x'); },
     "/certificates/shop/private_key", "must be at most 262144 bytes long"},
};

const Wrong kTlsPolicies[] = {
    {"built_in", [](Config& c) { c.tls_policies["modern"] = {.id = "modern"}; }, "/tls_policies/modern/id",
     "is the name of a built-in policy"},
    {"old", [](Config& c) { c.tls_policies["p"] = {.id = "p", .min_version = "1.1"}; }, "/tls_policies/p/min_version",
     "must be \"1.2\" or \"1.3\""},
    {"no_version", [](Config& c) { c.tls_policies["p"] = {.id = "p", .max_version = ""}; }, "/tls_policies/p/max_version",
     "must be \"1.2\" or \"1.3\""},
    {"versions", [](Config& c) { c.tls_policies["p"] = {.id = "p", .min_version = "1.3", .max_version = "1.2"}; },
     "/tls_policies/p/max_version", "must not be below min_version (1.3)"},
    {"twice", [](Config& c) { c.tls_policies["p"] = {.id = "p", .groups = {"X25519", "P-256", "X25519"}}; },
     "/tls_policies/p/groups/2", "is named twice"},
    {"many", [](Config& c) {
       auto& names = (c.tls_policies["p"] = {.id = "p"}).signature_algorithms;
       for (int i = 0; i < 65; ++i) names.push_back(std::to_string(i));
     },
     "/tls_policies/p/signature_algorithms", "must hold 0 to 64 elements"},
    {"owner", [](Config& c) { c.tls_policies["p"] = {.id = "p", .managed_by = "a\n"}; }, "/tls_policies/p/managed_by",
     "must not hold control characters"},
};

std::string name_of(const testing::TestParamInfo<Wrong>& info) { return info.param.name; }
INSTANTIATE_TEST_SUITE_P(AddressPools, Validate, testing::ValuesIn(kPools), name_of);
INSTANTIATE_TEST_SUITE_P(LoadBalancers, Validate, testing::ValuesIn(kLoadBalancers), name_of);
INSTANTIATE_TEST_SUITE_P(Limits, Validate, testing::ValuesIn(kLimits), name_of);
INSTANTIATE_TEST_SUITE_P(Stickiness, Validate, testing::ValuesIn(kSticky), name_of);
INSTANTIATE_TEST_SUITE_P(ForwardedHeaders, Validate, testing::ValuesIn(kForwarded), name_of);
INSTANTIATE_TEST_SUITE_P(PoolChoices, Validate, testing::ValuesIn(kChoices), name_of);
INSTANTIATE_TEST_SUITE_P(AccessControl, Validate, testing::ValuesIn(kAccess), name_of);
INSTANTIATE_TEST_SUITE_P(Listeners, Validate, testing::ValuesIn(kListeners), name_of);
INSTANTIATE_TEST_SUITE_P(Rules, Validate, testing::ValuesIn(kRules), name_of);
INSTANTIATE_TEST_SUITE_P(Actions, Validate, testing::ValuesIn(kActions), name_of);
INSTANTIATE_TEST_SUITE_P(ServerGroups, Validate, testing::ValuesIn(kGroups), name_of);
INSTANTIATE_TEST_SUITE_P(Certificates, Validate, testing::ValuesIn(kCertificates), name_of);
INSTANTIATE_TEST_SUITE_P(TlsPolicies, Validate, testing::ValuesIn(kTlsPolicies), name_of);

TEST(ValidateAll, the_sample_and_an_empty_config_are_right) {
  EXPECT_THAT(validate(test::sample()), ElementsAre());
  EXPECT_THAT(validate(Config()), ElementsAre());
}

TEST(ValidateAll, what_is_still_needed_cannot_go) {
  Config c = test::sample();
  c.server_groups.erase("shop");
  c.load_balancers.clear();
  EXPECT_THAT(validate(c),
              UnorderedElementsAre(
                  FieldError{"/listeners/secure/load_balancer", "no load balancer has the id \"edge\""},
                  FieldError{"/listeners/web/load_balancer", "no load balancer has the id \"edge\""},
                  FieldError{"/rules/r-api/action/server_groups/1/server_group",
                             "no server group has the id \"shop\""},
                  FieldError{"/rules/r-secure/action/server_groups/0/server_group",
                             "no server group has the id \"shop\""}));
}

TEST(ValidateAll, a_hundred_errors_are_enough) {
  Config c = test::sample();
  for (int i = 0; i < 1000; ++i) {
    Rule r = c.rules.at("r-api");
    r.id = "x" + std::to_string(i);
    r.priority = 1;
    r.paths[0].value = "";
    c.rules[r.id] = r;
  }
  EXPECT_EQ(validate(c).size(), 100u);
}

TEST(ValidateAll, redirects_may_use_parts_of_the_request) {
  Config c = test::sample();
  redirect(c) = {302, "", "", "${path}", "${query}&x=1", 8443};
  EXPECT_THAT(validate(c), ElementsAre());
}

TEST(ValidateAll, a_listener_that_passes_tls_on_chooses_by_name_and_source_only) {
  Config c;
  c.load_balancers = test::sample().load_balancers;
  c.server_groups = test::sample().server_groups;
  Listener& pass = c.listeners["pass"];
  pass.id = "pass";
  pass.load_balancer = "edge";
  pass.protocol = "tls_passthrough";
  Rule& r = c.rules["r"];
  r.id = "r";
  r.listener = "pass";
  r.hosts = {{"a.example"}};
  r.action = ForwardAction{{{"api"}}};
  r.conditions = {{"source", "", {"192.0.2.0/24"}}};
  EXPECT_THAT(validate(c), ElementsAre());
  const std::string where = " where the listener's protocol is \"tls_passthrough\"";
  pass.default_action = FixedResponseAction{};
  r.paths = {{"prefix", "/"}};
  r.conditions.push_back({"method", "", {"GET"}});
  r.action = FixedResponseAction{};
  EXPECT_THAT(validate(c), UnorderedElementsAre(
                               FieldError{"/listeners/pass/default_action/type", "must be \"forward\"" + where},
                               FieldError{"/rules/r/paths", "must be empty" + where},
                               FieldError{"/rules/r/conditions/1/type", "must be \"source\"" + where},
                               FieldError{"/rules/r/action/type", "must be \"forward\"" + where}));
}

TEST(FillDefaults, names_members_by_address_and_port) {
  Config c = test::sample();
  c.server_groups["api"].members[0].id.clear();
  c.server_groups["shop"].members[0].id.clear();
  fill_defaults(c);
  EXPECT_EQ(c.server_groups["api"].members[0].id, "10.0.0.1:8080");
  EXPECT_EQ(c.server_groups["api"].members[1].id, "a2");
  EXPECT_EQ(c.server_groups["shop"].members[0].id, "[2001:db8:1::1]:80");
}

}  // namespace
}  // namespace sluice::mgmt::config
