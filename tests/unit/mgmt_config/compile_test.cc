// SPDX-License-Identifier: Apache-2.0
#include "mgmt/compile/compile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "mgmt/config/validate.h"
#include "tests/unit/mgmt_config/samples.h"

namespace sluice::mgmt::compile {
namespace {

using config::Config;
using config::FieldError;
using testing::ElementsAre;

class CompileTest : public testing::Test {
 protected:
  /// Compiles on top of the last one, which it becomes.
  const Program& run(const Config& config) {
    EXPECT_THAT(config::validate(config), ElementsAre());
    Output out = compile({std::make_shared<const Config>(config), program_.get(), nullptr, 2}, slots_);
    EXPECT_THAT(out.errors, ElementsAre());
    before_ = std::move(program_);
    program_ = std::move(out.program);
    return *program_;
  }
  std::vector<FieldError> errors(const Config& config) {
    Slots slots = slots_;
    Output out = compile({std::make_shared<const Config>(config), program_.get(), nullptr, 2}, slots);
    EXPECT_EQ(out.program, nullptr);
    return out.errors;
  }
  const l7::Listener* listener(const char* id) const { return program_->listeners.at(id).listener.get(); }
  const l7::Listener* listener_before(const char* id) const {
    return before_->listeners.at(id).listener.get();
  }

  Slots slots_;
  std::shared_ptr<const Program> program_, before_;
};

TEST_F(CompileTest, an_equal_config_gives_the_very_same_parts) {
  run(test::sample());
  run(test::sample());
  for (const auto& [id, x] : program_->groups) EXPECT_EQ(x, before_->groups.at(id)) << id;
  for (const auto& [id, x] : program_->rules) EXPECT_EQ(x, before_->rules.at(id)) << id;
  for (const auto& [id, x] : program_->certificates) EXPECT_EQ(x, before_->certificates.at(id)) << id;
  for (const auto& [id, x] : program_->listeners)
    EXPECT_EQ(x.listener, before_->listeners.at(id).listener) << id;
}

TEST_F(CompileTest, a_changed_rule_costs_its_listeners_router_only) {
  Config c = test::sample();
  run(c);
  c.rules["r-redirect"].priority = 5;
  run(c);
  EXPECT_NE(listener("web")->router, listener_before("web")->router);
  EXPECT_EQ(listener("secure"), listener_before("secure"));
  EXPECT_EQ(program_->rules.at("r-api"), before_->rules.at("r-api"));
  EXPECT_NE(program_->rules.at("r-redirect"), before_->rules.at("r-redirect"));
  EXPECT_EQ(program_->rules.at("r-redirect")->age, before_->rules.at("r-redirect")->age);
}

TEST_F(CompileTest, a_changed_group_costs_no_router) {
  Config c = test::sample();
  run(c);
  c.server_groups["shop"].members.push_back({"s2", "10.0.0.9", 80, 100, false});
  run(c);
  EXPECT_EQ(listener("web"), listener_before("web"));
  EXPECT_EQ(listener("secure"), listener_before("secure"));
  EXPECT_EQ(program_->groups.at("api"), before_->groups.at("api"));
  EXPECT_NE(program_->groups.at("shop"), before_->groups.at("shop"));
  EXPECT_EQ(program_->groups.at("shop")->slot, before_->groups.at("shop")->slot);
}

TEST_F(CompileTest, a_changed_timeout_keeps_router_and_tls) {
  Config c = test::sample();
  run(c);
  c.listeners["secure"].idle_timeout_ms = 1;
  run(c);
  EXPECT_NE(listener("secure"), listener_before("secure"));
  EXPECT_EQ(listener("secure")->router, listener_before("secure")->router);
  EXPECT_EQ(listener("secure")->tls, listener_before("secure")->tls);
  EXPECT_EQ(listener("secure")->idle_timeout, std::chrono::milliseconds(1));
}

TEST_F(CompileTest, a_renewed_certificate_changes_the_listeners_that_use_it) {
  Config c = test::sample();
  run(c);
  const test::Pem pem = test::make_pem("shop.example");
  c.certificates["shop"].certificate = pem.certificate;
  c.certificates["shop"].private_key = pem.private_key;
  run(c);
  EXPECT_NE(listener("secure")->tls, listener_before("secure")->tls);
  EXPECT_EQ(listener("secure")->router, listener_before("secure")->router);
  EXPECT_EQ(listener("web"), listener_before("web"));
}

TEST_F(CompileTest, other_hosts_of_a_certificate_change_the_listener_that_presents_it) {
  Config c = test::sample();
  run(c);
  c.listeners["secure"].certificates = {{"shop", {"shop.example"}}};
  run(c);
  EXPECT_NE(listener("secure")->tls, listener_before("secure")->tls);
  run(c);
  EXPECT_EQ(listener("secure")->tls, listener_before("secure")->tls);
}

TEST_F(CompileTest, members_of_a_sticky_group_are_found_by_a_mark_of_their_address) {
  Config c = test::sample();
  c.server_groups["api"].stickiness.type = "insert";
  run(c);
  const auto marks = program_->groups.at("api")->by_mark;
  ASSERT_EQ(marks.size(), 2u);
  const std::string cookie = program_->groups.at("api")->stickiness.cookie;
  EXPECT_EQ(cookie.size(), 14u) << "made from the id";
  std::swap(c.server_groups["api"].members[0], c.server_groups["api"].members[1]);
  c.server_groups["shop"].stickiness = {"rewrite", "SESSION", 0};
  run(c);
  const auto& api = *program_->groups.at("api");
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(api.by_mark[i].first, marks[i].first);
    EXPECT_EQ(api.members[api.by_mark[i].second].mark, marks[i].first);
  }
  EXPECT_EQ(api.stickiness.cookie, cookie);
  EXPECT_EQ(program_->groups.at("shop")->stickiness.cookie, "SESSION");
}

TEST_F(CompileTest, an_access_control_list_changes_only_the_listeners_that_go_by_it) {
  Config c = test::sample();
  c.access_control_lists["office"] = {"office", "", {"10.0.0.0/8", "2001:db8::/32"}};
  c.listeners["web"].access_control = config::AccessControl{"allow", {"office"}};
  run(c);
  EXPECT_TRUE(listener("web")->sources->admits(*IpAddr::parse("10.1.2.3")));
  EXPECT_FALSE(listener("web")->sources->admits(*IpAddr::parse("192.0.2.1")));
  EXPECT_EQ(listener("secure")->sources, nullptr);
  c.access_control_lists["office"].name = "other name";
  run(c);
  EXPECT_EQ(listener("web"), listener_before("web"));
  c.access_control_lists["office"].entries = {"192.0.2.1"};
  run(c);
  EXPECT_NE(listener("web"), listener_before("web"));
  EXPECT_EQ(listener("web")->router, listener_before("web")->router);
  EXPECT_EQ(listener("secure"), listener_before("secure"));
  EXPECT_TRUE(listener("web")->sources->admits(*IpAddr::parse("192.0.2.1")));
  c.listeners["web"].access_control->type = "deny";
  run(c);
  EXPECT_FALSE(listener("web")->sources->admits(*IpAddr::parse("192.0.2.1")));
  c.listeners["web"].access_control.reset();
  run(c);
  EXPECT_EQ(listener("web")->sources, nullptr);
}

TEST_F(CompileTest, limits_are_those_of_the_class_where_the_load_balancer_says_nothing) {
  Config c = test::sample();
  c.load_balancers["edge"].performance_class = "slb.s2.small";
  c.load_balancers["edge"].limits.requests_per_second = 70;
  c.listeners["secure"].limits = {9, 0, 8};
  run(c);
  const l7::limits::Limits edge{.max_connections = 50'000, .connections_per_second = 5'000, .requests_per_second = 70};
  for (const char* id : {"web", "secure"}) EXPECT_EQ(listener(id)->balancer.limits, edge) << id;
  EXPECT_EQ(listener("web")->own.limits, l7::limits::Limits());
  EXPECT_EQ(listener("secure")->own.limits.max_connections, 9u);
  EXPECT_EQ(listener("secure")->own.limits.handshakes_per_second, 8u);
  c.load_balancers["edge"].performance_class.clear();
  run(c);
  EXPECT_EQ(listener("web")->balancer.limits.max_connections, 0u);
  EXPECT_EQ(listener("web")->balancer.limits.requests_per_second, 70u);
  EXPECT_EQ(listener("web")->router, listener_before("web")->router);
}

TEST_F(CompileTest, counts_go_on_over_every_change_of_what_they_are_of) {
  Config c = test::sample();
  c.load_balancers["other"] = {.id = "other", .addresses = {"192.0.2.2"}};
  c.listeners["web"].limits.connections_per_second_per_source = 5;
  run(c);
  std::set<std::uint32_t> slots;
  for (const auto& [id, lb] : program_->load_balancers) slots.insert(lb.slot.value);
  for (const auto& [id, parts] : program_->listeners) slots.insert(parts.listener->own.slot.value);
  EXPECT_EQ(slots.size(), 4u) << "each has its own";
  EXPECT_EQ(listener("web")->balancer.slot, listener("secure")->balancer.slot);

  c.listeners["web"].limits.connections_per_second_per_source = 50;
  c.listeners["web"].idle_timeout_ms = 5;
  c.load_balancers["edge"].limits.max_connections = 7;
  run(c);
  for (const char* id : {"web", "secure"}) {
    EXPECT_EQ(listener(id)->own.slot, listener_before(id)->own.slot);
    EXPECT_EQ(listener(id)->balancer.slot, listener_before(id)->balancer.slot);
  }
  EXPECT_NE(listener("web")->source_rates, nullptr);
  EXPECT_EQ(listener("web")->source_rates, listener_before("web")->source_rates);
  EXPECT_EQ(listener("secure")->source_rates, nullptr);
  EXPECT_TRUE(slots_only_in(*before_, *program_).meters.empty());

  c.load_balancers.erase("other");
  c.listeners["web"].limits = {};
  run(c);
  EXPECT_THAT(slots_only_in(*before_, *program_).meters, ElementsAre(before_->load_balancers.at("other").slot));
  EXPECT_EQ(listener("web")->source_rates, nullptr);
}

TEST_F(CompileTest, another_tls_version_or_rule_order_is_compiled_anew) {
  Config c = test::sample();
  run(c);
  c.listeners["secure"].tls_min_version = "1.3";
  c.listeners["web"].rule_order = "priority";
  run(c);
  EXPECT_NE(listener("secure")->tls, listener_before("secure")->tls);
  EXPECT_NE(listener("web")->router, listener_before("web")->router);
}

TEST_F(CompileTest, another_tls_policy_is_compiled_anew) {
  Config c = test::sample();
  run(c);
  c.listeners["secure"].tls_policy = "modern";
  run(c);
  EXPECT_NE(listener("secure")->tls, listener_before("secure")->tls);
}

TEST_F(CompileTest, a_tls_policy_changes_only_the_listeners_that_name_it) {
  Config c = test::sample();
  c.tls_policies["p"] = {.id = "p"};
  c.listeners["secure"].tls_policy = "p";
  c.listeners["other"] = c.listeners["secure"];
  c.listeners["other"].id = "other";
  c.listeners["other"].port = 8443;
  c.listeners["other"].tls_policy = "default";
  run(c);
  c.tls_policies["p"].managed_by = "somebody";
  run(c);
  EXPECT_EQ(listener("secure")->tls, listener_before("secure")->tls) << "nothing that TLS sees";
  c.tls_policies["p"].cipher_suites_tls13 = {"TLS_AES_256_GCM_SHA384"};
  run(c);
  EXPECT_NE(listener("secure")->tls, listener_before("secure")->tls);
  EXPECT_EQ(listener("other")->tls, listener_before("other")->tls);
  EXPECT_EQ(listener("secure")->router, listener_before("secure")->router);
}

TEST_F(CompileTest, a_tls_policy_changes_only_the_groups_that_name_it) {
  Config c = test::sample();
  c.tls_policies["p"] = {.id = "p"};
  for (const char* id : {"api", "shop"}) {
    c.server_groups[id].protocol = "https";
    c.server_groups[id].tls = {.verify = false, .policy = id == std::string("api") ? "p" : "default"};
  }
  run(c);
  c.tls_policies["p"].cipher_suites_tls13 = {"TLS_AES_256_GCM_SHA384"};
  run(c);
  EXPECT_NE(program_->groups.at("api")->tls, before_->groups.at("api")->tls);
  EXPECT_EQ(program_->groups.at("shop"), before_->groups.at("shop"));
}

TEST_F(CompileTest, names_each_element_of_a_tls_policy_that_openssl_does_not_know) {
  Config c = test::sample();
  c.tls_policies["p"] = {.id = "p",
                         .cipher_suites_tls12 = {"ECDHE-RSA-AES128-GCM-SHA256", "TLS_AES_128_GCM_SHA256"},
                         .cipher_suites_tls13 = {"AES"},
                         .groups = {"X25519", "P-25519"},
                         .signature_algorithms = {"RSA+SHA1"}};
  std::vector<std::string> paths;
  for (const FieldError& e : errors(c)) paths.push_back(e.path);
  EXPECT_THAT(paths, ElementsAre("/tls_policies/p/cipher_suites_tls12/1", "/tls_policies/p/cipher_suites_tls13/0",
                                 "/tls_policies/p/groups/1", "/tls_policies/p/signature_algorithms/0"));
  c.tls_policies["p"] = {.id = "p", .groups = {"X25519", "P-256", "prime256v1"}};
  EXPECT_THAT(errors(c), ElementsAre(FieldError{"/tls_policies/p/groups", "names one thing twice"}));
}

TEST_F(CompileTest, a_certificate_stays_the_same_while_its_chain_and_key_do) {
  Config c = test::sample();
  run(c);
  c.certificates["shop"].ocsp_stapling = false;
  c.certificates["shop"].managed_by = "somebody";
  run(c);
  EXPECT_EQ(program_->certificates.at("shop"), before_->certificates.at("shop"));
  EXPECT_EQ(listener("secure")->tls, listener_before("secure")->tls);
}

TEST_F(CompileTest, a_certificate_authority_changes_only_the_listeners_that_verify_clients_by_it) {
  Config c = test::sample();
  const test::Pem ca = test::make_pem("ca.example"), other = test::make_pem("other.example");
  c.certificate_authorities["ca"] = {"ca", "", ca.certificate, "", ""};
  run(c);
  const auto without = listener("secure")->tls;
  c.listeners["secure"].client_authentication = config::ClientAuthentication{"required", "ca"};
  run(c);
  EXPECT_NE(listener("secure")->tls, without);
  EXPECT_EQ(listener("web"), listener_before("web"));
  c.certificate_authorities["ca"].name = "another name";
  run(c);
  EXPECT_EQ(listener("secure")->tls, listener_before("secure")->tls);
  c.certificate_authorities["ca"].certificates += other.certificate;
  run(c);
  EXPECT_NE(listener("secure")->tls, listener_before("secure")->tls);
  c.listeners["secure"].client_authentication->pass_certificate = true;
  run(c);
  EXPECT_NE(listener("secure")->tls, listener_before("secure")->tls);
  EXPECT_EQ(listener("secure")->router, listener_before("secure")->router);
  c.listeners["secure"].client_authentication->mode = "off";
  run(c);
  EXPECT_NE(listener("secure")->tls, listener_before("secure")->tls);
  EXPECT_FALSE(listener("secure")->tls->early_data());
  c.listeners["secure"].early_data = true;
  run(c);
  EXPECT_TRUE(listener("secure")->tls->early_data());
}

TEST_F(CompileTest, a_broken_certificate_authority_is_refused_by_its_part) {
  Config c = test::sample();
  c.certificate_authorities["ca"] = {"ca", "", "nonsense", "", ""};
  ASSERT_EQ(errors(c).size(), 1u);
  EXPECT_EQ(errors(c)[0].path, "/certificate_authorities/ca/certificates");
  c.certificate_authorities["ca"] = {"ca", "", test::make_pem("ca.example").certificate, "nonsense", ""};
  ASSERT_EQ(errors(c).size(), 1u);
  EXPECT_EQ(errors(c)[0].path, "/certificate_authorities/ca/revocation_lists");
}

TEST_F(CompileTest, groups_with_the_same_settings_share_a_context_and_keep_it) {
  Config c = test::sample();
  const test::Pem ca = test::make_pem("ca.example");
  c.certificate_authorities["ca"] = {"ca", "", ca.certificate, "", ""};
  for (auto& [id, group] : c.server_groups) {
    group.protocol = "https";
    group.tls = config::BackendTls{.certificate_authority = "ca", .server_name = "Web.Example", .certificate = "shop"};
  }
  run(c);
  const auto tls = [&](const char* id) { return program_->groups.at(id)->tls; };
  const auto before = tls("api");
  ASSERT_NE(before, nullptr);
  EXPECT_EQ(before->server_name, "web.example");
  EXPECT_EQ(before->context, tls("shop")->context);
  c.server_groups["api"].members.pop_back();
  run(c);
  EXPECT_EQ(tls("api"), before) << "connections to the others go on";
  c.server_groups["api"].tls->server_name = "other.example";
  run(c);
  EXPECT_NE(tls("api"), before);
  EXPECT_EQ(tls("api")->context, before->context);
  c.server_groups["api"].tls->verify_depth = 0;
  run(c);
  EXPECT_NE(tls("api")->context, before->context);
  EXPECT_EQ(tls("shop")->context, before->context);
  c.certificate_authorities["ca"].certificates += test::make_pem("other.example").certificate;
  run(c);
  EXPECT_NE(tls("api")->context, before->context);
  EXPECT_NE(tls("shop")->context, before->context) << "though its own model is the same";
  c.server_groups["api"] = {.id = "api"};
  run(c);
  EXPECT_EQ(tls("api"), nullptr);
}

TEST_F(CompileTest, a_group_may_trust_the_system_or_nobody) {
  Config c = test::sample();
  c.server_groups["api"].protocol = "https";
  c.server_groups["shop"].protocol = "https";
  c.server_groups["shop"].tls = config::BackendTls{.verify = false};
  run(c);
  EXPECT_TRUE(program_->groups.at("api")->tls->context->verifies());
  EXPECT_FALSE(program_->groups.at("shop")->tls->context->verifies());
}

TEST_F(CompileTest, hsts_is_one_field_value_and_keeps_tls) {
  Config c = test::sample();
  run(c);
  EXPECT_EQ(listener("secure")->strict_transport_security, "");
  c.listeners["secure"].hsts = config::Hsts{};
  run(c);
  EXPECT_EQ(listener("secure")->strict_transport_security, "max-age=31536000");
  EXPECT_EQ(listener("secure")->tls, listener_before("secure")->tls);
  c.listeners["secure"].hsts = config::Hsts{UINT32_MAX, true, true};
  run(c);
  EXPECT_EQ(listener("secure")->strict_transport_security, "max-age=4294967295; includeSubDomains; preload");
  EXPECT_LE(listener("secure")->strict_transport_security.size(), 64u) << "what an exchange has room for";
}

TEST_F(CompileTest, https_without_certificates_gets_a_context_all_the_same) {
  Config c = test::sample();
  c.listeners["secure"].certificates.clear();
  run(c);
  EXPECT_NE(listener("secure")->tls, nullptr);
  EXPECT_EQ(listener("web")->tls, nullptr);
}

TEST_F(CompileTest, a_rule_moves_with_its_listener) {
  Config c = test::sample();
  run(c);
  c.rules["r-redirect"].listener = "secure";
  run(c);
  EXPECT_EQ(listener("web")->router->rules(), 1u);
  EXPECT_EQ(listener("secure")->router->rules(), 2u);
}

TEST_F(CompileTest, members_keep_their_slot_by_address_whatever_they_are_called) {
  Config c = test::sample();
  run(c);
  auto& members = c.server_groups["api"].members;
  members[0].id = "renamed";
  members[0].weight = 1;
  std::swap(members[0], members[1]);
  members.push_back({"a3", "10.0.0.3", 8080, 100, true});
  run(c);
  const auto& now = program_->groups.at("api")->members;
  const auto& was = before_->groups.at("api")->members;
  EXPECT_EQ(now[0].slot, was[1].slot);
  EXPECT_EQ(now[1].slot, was[0].slot);
  EXPECT_EQ(now[1].id, "renamed");
  EXPECT_EQ(now[2].weight, 0) << "drained";
  EXPECT_EQ(program_->backends[now[1].slot.value].group->members[1].id, "renamed");
}

TEST_F(CompileTest, each_member_of_each_group_has_a_slot_of_its_own) {
  Config c = test::sample();
  c.server_groups["shop"].members.push_back({"same", "10.0.0.1", 8080, 100, false});
  run(c);
  std::set<std::uint32_t> seen;
  for (const auto& [id, g] : program_->groups) {
    for (const auto& m : g->members) EXPECT_TRUE(seen.insert(m.slot.value).second) << id << "/" << m.id;
  }
  EXPECT_EQ(seen.size(), 4u);
}

TEST_F(CompileTest, tells_which_slots_a_step_retires_and_takes) {
  Config c = test::sample();
  run(c);
  c.server_groups["api"].members.erase(c.server_groups["api"].members.begin());
  c.rules.erase("r-secure");
  std::get<config::ForwardAction>(c.rules["r-api"].action).server_groups.pop_back();
  c.server_groups.erase("shop");
  c.server_groups["new"] = {"new"};
  c.server_groups["new"].members = {{"n", "10.0.0.7", 80, 100, false}};
  run(c);
  const SlotDifference gone = slots_only_in(*before_, *program_);
  EXPECT_THAT(gone.groups, ElementsAre(before_->groups.at("shop")->slot));
  EXPECT_THAT(gone.backends, ElementsAre(before_->groups.at("api")->members[0].slot,
                                         before_->groups.at("shop")->members[0].slot));
  const SlotDifference fresh = slots_only_in(*program_, *before_);
  EXPECT_THAT(fresh.groups, ElementsAre(program_->groups.at("new")->slot));
  EXPECT_THAT(fresh.backends, ElementsAre(program_->groups.at("new")->members[0].slot));
  EXPECT_THAT(gone.backends, testing::Not(testing::Contains(fresh.backends[0])))
      << "not reused in the same step";
}

TEST_F(CompileTest, ages_tell_older_rules_from_newer_ones) {
  Config c = test::sample();
  run(c);
  config::Rule newer = c.rules["r-api"];
  newer.id = "a-first-by-name";
  c.rules[newer.id] = newer;
  run(c);
  EXPECT_GT(program_->rules.at("a-first-by-name")->age, program_->rules.at("r-api")->age);
}

TEST_F(CompileTest, ages_come_back_from_the_store) {
  const std::map<std::string, std::uint64_t> stored = {{"r-api", 70}, {"r-secure", 30}};
  const Output out = compile({std::make_shared<const Config>(test::sample()), nullptr, &stored, 1}, slots_);
  ASSERT_NE(out.program, nullptr);
  EXPECT_EQ(out.program->rules.at("r-api")->age, 70u);
  EXPECT_EQ(out.program->rules.at("r-secure")->age, 30u);
  EXPECT_EQ(out.program->rules.at("r-redirect")->age, 71u);
}

TEST_F(CompileTest, names_the_expression_that_does_not_compile) {
  Config c = test::sample();
  c.rules["r-api"].paths[1].value = "/(";
  const auto wrong = errors(c);
  ASSERT_EQ(wrong.size(), 1u);
  EXPECT_EQ(wrong[0].path, "/rules/r-api/paths/1/value");
  EXPECT_NE(wrong[0].message, "");
}

TEST_F(CompileTest, names_the_part_of_a_certificate_that_is_wrong) {
  const std::string other_key = test::make_pem("other.example").private_key;
  const struct {
    std::string certificate, private_key, path;
  } cases[] = {
      {"nonsense", test::sample().certificates["shop"].private_key, "/certificates/shop/certificate"},
      {test::sample().certificates["shop"].certificate, "nonsense", "/certificates/shop/private_key"},
      {test::sample().certificates["shop"].certificate, other_key, "/certificates/shop/private_key"}};
  for (const auto& one : cases) {
    Config c = test::sample();
    c.certificates["shop"].certificate = one.certificate;
    c.certificates["shop"].private_key = one.private_key;
    const auto wrong = errors(c);
    ASSERT_EQ(wrong.size(), 1u);
    EXPECT_EQ(wrong[0].path, one.path) << wrong[0].message;
  }
}

TEST_F(CompileTest, says_when_backends_run_out) {
  slots_.backends = SlotAllocator(2, 0);
  EXPECT_THAT(errors(test::sample()),
              ElementsAre(FieldError{"/server_groups/shop/members",
                                     "must not bring the members of all groups above 65536"}));
}

TEST_F(CompileTest, the_snapshot_has_every_address_and_port) {
  Config c = test::sample();
  c.load_balancers["edge"].addresses = {"203.0.113.1", "192.0.2.1", "2001:db8::5"};
  c.load_balancers["idle"] = {"idle", "", "internal", {"10.1.1.1"}};
  run(c);
  const auto snapshot = make_snapshot(*program_, 7);
  EXPECT_EQ(snapshot->revision, 7u);
  EXPECT_EQ(snapshot->vips.addresses.size(), 4u);
  EXPECT_TRUE(std::is_sorted(snapshot->vips.addresses.begin(), snapshot->vips.addresses.end()));
  EXPECT_EQ(snapshot->listeners.size(), 6u);
  const Endpoint at{*IpAddr::parse("2001:db8::5"), 443};
  ASSERT_TRUE(snapshot->listeners.contains(at));
  EXPECT_EQ(snapshot->listeners.at(at).get(), listener("secure"));
  for (const auto& [id, g] : program_->groups) EXPECT_EQ(snapshot->group(g->slot), g.get());
  EXPECT_EQ(snapshot->group(GroupSlot{99}), nullptr);
}

TEST_F(CompileTest, values_arrive_in_the_data_planes_units) {
  Config c = test::sample();
  c.server_groups["shop"].health_check = {"http", 500,   700,       2,           4,
                                          8080,   "GET", "/ping?x", "h.example", {"204", "300-302"}};
  c.rules["r-api"].hosts = {{"Shop.EXAMPLE", "one"}, {"*.Many.example", "many"}};
  c.rules["r-api"].paths = {{"string_prefix", "/s", false}, {"exact", "/e", false}};
  run(c);
  const l7::HealthCheck& check = program_->groups.at("shop")->health_check;
  EXPECT_EQ(check.kind, l7::HealthCheck::Kind::kHttp);
  EXPECT_EQ(check.interval, std::chrono::milliseconds(500));
  EXPECT_EQ(check.timeout, std::chrono::milliseconds(700));
  EXPECT_EQ(check.statuses, (std::vector<std::pair<std::uint16_t, std::uint16_t>>{{204, 204}, {300, 302}}));
  EXPECT_EQ(program_->groups.at("shop")->scheduler, l7::Scheduler::kLeastConnections);
  const l7::Rule& rule = *program_->rules.at("r-api");
  EXPECT_EQ(rule.hosts[0].kind, l7::HostKind::kExact);
  EXPECT_EQ(rule.hosts[0].value, "shop.example");
  EXPECT_EQ(rule.hosts[1].kind, l7::HostKind::kWildcardMany);
  EXPECT_EQ(rule.hosts[1].value, ".many.example");
  EXPECT_EQ(rule.paths[0].kind, l7::PathKind::kStringPrefix);
  EXPECT_EQ(rule.paths[1].kind, l7::PathKind::kExact);
  EXPECT_EQ(rule.conditions[1].sources.size(), 1u);
  const auto& forward = std::get<l7::ForwardAction>(rule.action);
  EXPECT_EQ(forward.groups[0].group, program_->groups.at("api")->slot);
  EXPECT_EQ(forward.groups[0].weight, 90);
  const auto& redirect = std::get<l7::RedirectAction>(program_->rules.at("r-redirect")->action);
  EXPECT_EQ(redirect.status, 308);
  EXPECT_EQ(redirect.host, "${host}");
}

TEST(SlotAllocator, gives_fresh_numbers_while_those_that_came_back_are_in_quarantine) {
  SlotAllocator a(100, 2);
  for (std::uint32_t i = 0; i < 3; ++i) EXPECT_EQ(a.take(), i);
  a.release(0);
  a.release(1);
  EXPECT_EQ(a.take(), 3u);
  a.release(2);
  EXPECT_EQ(a.take(), 0u) << "the one that has waited longest";
  EXPECT_EQ(a.high_water(), 4u);
}

TEST(SlotAllocator, breaks_the_quarantine_rather_than_refuse) {
  SlotAllocator a(2, 10);
  a.take();
  a.take();
  EXPECT_EQ(a.take(), std::nullopt);
  a.release(1);
  EXPECT_EQ(a.take(), 1u);
}

}  // namespace
}  // namespace sluice::mgmt::compile
