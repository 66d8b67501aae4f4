// SPDX-License-Identifier: Apache-2.0
#include <thread>

#include "tests/unit/mgmt_daemon/rest_fixture.h"

namespace sluice::mgmt::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

class Resources : public RestTest {};

TEST_F(Resources, one_is_created_read_replaced_patched_and_deleted) {
  const Reply created = call("POST", "/api/v1/server-groups",
                             json{{"id", "shop"}, {"members", {{{"address", "10.0.0.1"}, {"port", 80}}}}});
  ASSERT_EQ(created.status, 201) << created.text;
  EXPECT_EQ(created.headers.at("location"), "/api/v1/server-groups/shop");
  EXPECT_EQ(created.headers.at("sluice-revision"), "1");
  EXPECT_EQ(created.body["scheduler"], "weighted_round_robin") << "defaults are shown";
  EXPECT_EQ(created.body["members"][0]["id"], "10.0.0.1:80") << "what the engine filled in, too";

  const Reply read = call("GET", "/api/v1/server-groups/shop");
  EXPECT_EQ(read.status, 200);
  EXPECT_EQ(read.body, created.body);
  EXPECT_EQ(read.headers.at("etag"), created.headers.at("etag"));

  const Reply replaced = call("PUT", "/api/v1/server-groups/shop", json{{"scheduler", "least_connections"}});
  EXPECT_EQ(replaced.status, 200) << replaced.text;
  EXPECT_TRUE(replaced.body["members"].empty()) << "PUT replaces: what is left out goes back to its default";
  EXPECT_NE(replaced.headers.at("etag"), created.headers.at("etag"));

  const Reply patched =
      call("PATCH", "/api/v1/server-groups/shop", json{{"connect_attempts", 2}, {"scheduler", nullptr}});
  EXPECT_EQ(patched.status, 200) << patched.text;
  EXPECT_EQ(patched.body["connect_attempts"], 2);
  EXPECT_EQ(patched.body["scheduler"], "weighted_round_robin") << "null goes back to the default (RFC 7396)";

  const Reply deleted = call("DELETE", "/api/v1/server-groups/shop");
  EXPECT_EQ(deleted.status, 204);
  EXPECT_EQ(deleted.text, "");
  EXPECT_EQ(call("GET", "/api/v1/server-groups/shop").status, 404);
  EXPECT_EQ(call("DELETE", "/api/v1/server-groups/shop").status, 404);
  EXPECT_EQ(call("PATCH", "/api/v1/server-groups/shop", json::object()).status, 404);
}

TEST_F(Resources, every_kind_goes_the_same_way) {
  create_example();
  const Pem pem = make_pem("shop.example");
  EXPECT_EQ(call("POST", "/api/v1/certificates",
                 json{{"id", "c"}, {"certificate", pem.certificate}, {"private_key", pem.private_key}})
                .status,
            201);
  EXPECT_EQ(call("POST", "/api/v1/address-pools",
                 json{{"id", "p"}, {"scheme", "internal"}, {"ranges", {"10.9.0.0/28"}}})
                .status,
            201);
  EXPECT_EQ(call("POST", "/api/v1/access-control-lists", json{{"id", "l"}, {"entries", {"10.0.0.0/8"}}}).status, 201);
  EXPECT_EQ(call("POST", "/api/v1/certificate-authorities", json{{"id", "ca"}, {"certificates", pem.certificate}}).status, 201);
  for (const auto& [kind, id] : {std::pair{"load-balancers", "lb"},
                                 {"listeners", "web"},
                                 {"server-groups", "shop"},
                                 {"rules", "r1"},
                                 {"certificates", "c"},
                                 {"access-control-lists", "l"},
                                 {"certificate-authorities", "ca"},
                                 {"address-pools", "p"}}) {
    const std::string all = std::string("/api/v1/") + kind, one = all + "/" + id;
    const Reply list = call("GET", all);
    ASSERT_EQ(list.status, 200) << kind;
    ASSERT_EQ(list.body["items"].size(), 1u) << kind;
    const Reply read = call("GET", one);
    EXPECT_EQ(read.body, list.body["items"][0]) << kind;
    const Reply again = call("PUT", one, read.body);
    EXPECT_EQ(again.status, 200) << kind << ": what was read can be sent back: " << again.text;
    EXPECT_EQ(again.headers.at("sluice-outcome"), "unchanged") << kind;
    EXPECT_EQ(again.headers.at("etag"), read.headers.at("etag")) << kind;
    EXPECT_EQ(call("POST", all, read.body).status, 409) << kind << ": the id is taken";
  }
}

TEST_F(Resources, a_certificate_authority_says_what_is_in_it_and_stays_while_a_listener_verifies_by_it) {
  create_example();
  const Pem pem = make_pem("ca.example"), other = make_pem("other.example");
  const Reply made = call("PUT", "/api/v1/certificate-authorities/ca", json{{"certificates", pem.certificate + other.certificate}});
  ASSERT_EQ(made.status, 201) << made.text;
  ASSERT_EQ(made.body["status"]["certificates"].size(), 2u);
  EXPECT_EQ(made.body["status"]["certificates"][1]["subject"], "CN=other.example");
  EXPECT_TRUE(made.body["status"]["revocation_lists"].empty());
  const json clients = {{"certificate_authority", "ca"}};
  const Reply wrong = call("PATCH", "/api/v1/listeners/web", json{{"client_authentication", clients}});
  EXPECT_EQ(wrong.status, 422);
  EXPECT_EQ(wrong.body["errors"][0]["path"], "/client_authentication");
  const Reply set = call("PATCH", "/api/v1/listeners/web", json{{"protocol", "https"}, {"client_authentication", clients}});
  ASSERT_EQ(set.status, 200) << set.text;
  EXPECT_EQ(set.body["client_authentication"],
            (json{{"mode", "required"}, {"certificate_authority", "ca"}, {"verify_depth", 1}, {"pass_certificate", false}}));
  EXPECT_EQ(call("GET", "/api/v1/listeners?certificate_authority=ca").body["items"].size(), 1u);
  EXPECT_EQ(call("GET", "/api/v1/listeners?certificate_authority=other").body["items"].size(), 0u);
  const Reply kept = call("DELETE", "/api/v1/certificate-authorities/ca");
  EXPECT_EQ(kept.status, 409);
  EXPECT_EQ(kept.body["errors"][0]["path"], "/listeners/web/client_authentication/certificate_authority");
  EXPECT_EQ(call("PATCH", "/api/v1/listeners/web", json{{"client_authentication", nullptr}}).status, 200);
  EXPECT_EQ(call("DELETE", "/api/v1/certificate-authorities/ca").status, 204);
}

TEST_F(Resources, a_tls_policy_is_a_resource_that_stays_while_a_listener_goes_by_it) {
  create_example();
  const char* const path = "/api/v1/tls-policies/strict";
  const Reply made = call("POST", "/api/v1/tls-policies", json{{"id", "strict"}, {"groups", {"X25519"}}});
  ASSERT_EQ(made.status, 201) << made.text;
  EXPECT_EQ(made.body["min_version"], "1.2");
  EXPECT_TRUE(made.body["cipher_suites_tls12"].empty());
  EXPECT_EQ(call("PATCH", "/api/v1/listeners/web", json{{"tls_policy", "strict"}}).status, 200);
  EXPECT_EQ(call("GET", "/api/v1/listeners?tls_policy=strict").body["items"].size(), 1u);
  EXPECT_EQ(call("GET", "/api/v1/listeners?tls_policy=default").body["items"].size(), 0u);

  const Reply wrong = call("PATCH", path, json{{"groups", {"X25519", "P-257"}}});
  EXPECT_EQ(wrong.status, 422);
  EXPECT_EQ(wrong.body["errors"][0]["path"], "/groups/1");
  EXPECT_EQ(call("PATCH", path, json{{"min_version", "1.3"}, {"groups", {"P-256"}}}).body["min_version"], "1.3");
  EXPECT_EQ(call("GET", path).body["groups"], json({"P-256"}));
  const Reply kept = call("DELETE", path);
  EXPECT_EQ(kept.status, 409);
  EXPECT_EQ(kept.body["errors"][0]["path"], "/listeners/web/tls_policy");
  EXPECT_EQ(call("PATCH", "/api/v1/listeners/web", json{{"tls_policy", nullptr}}).status, 200);
  EXPECT_EQ(call("DELETE", path).status, 204);
  EXPECT_EQ(call("PATCH", "/api/v1/listeners/web", json{{"tls_policy", "strict"}}).status, 422);
}

TEST_F(Resources, what_a_server_groups_tls_goes_by_stays) {
  create_example();
  const Pem pem = make_pem("inner.example");
  const json certificate = {{"id", "gateway"}, {"certificate", pem.certificate}, {"private_key", pem.private_key}};
  ASSERT_EQ(call("POST", "/api/v1/certificates", certificate).status, 201);
  ASSERT_EQ(call("POST", "/api/v1/certificate-authorities", json{{"id", "inner"}, {"certificates", pem.certificate}}).status, 201);
  ASSERT_EQ(call("POST", "/api/v1/tls-policies", json{{"id", "strict"}}).status, 201);
  const json tls = {{"certificate_authority", "inner"}, {"certificate", "gateway"}, {"policy", "strict"}};
  const Reply made = call("POST", "/api/v1/server-groups", json{{"id", "inside"}, {"protocol", "https"}, {"tls", tls}});
  ASSERT_EQ(made.status, 201) << made.text;
  for (const auto& [path, member] : {std::pair("/certificate-authorities/inner", "certificate_authority"),
                                     std::pair("/certificates/gateway", "certificate"),
                                     std::pair("/tls-policies/strict", "policy")}) {
    const Reply kept = call("DELETE", "/api/v1" + std::string(path));
    EXPECT_EQ(kept.status, 409) << path;
    EXPECT_EQ(kept.body["errors"][0]["path"], std::string("/server_groups/inside/tls/") + member);
  }
  EXPECT_EQ(call("DELETE", "/api/v1/server-groups/inside").status, 204);
  for (const char* path : {"/certificate-authorities/inner", "/certificates/gateway", "/tls-policies/strict"})
    EXPECT_EQ(call("DELETE", "/api/v1" + std::string(path)).status, 204) << path;
}

TEST_F(Resources, built_in_tls_policies_are_shown_and_not_taken) {
  const Reply shown = call("GET", "/api/v1/tls/builtin-policies");
  ASSERT_EQ(shown.status, 200);
  ASSERT_EQ(shown.body["items"].size(), 8u);
  const json& first = shown.body["items"][0];
  EXPECT_EQ(first["id"], "default");
  EXPECT_EQ(first["min_version"], "1.2");
  EXPECT_EQ(first["cipher_suites_tls12"][0], "ECDHE-ECDSA-AES128-GCM-SHA256");
  EXPECT_EQ(first["cipher_suites_tls12"].size(), 6u);
  EXPECT_EQ(first["cipher_suites_tls13"].size(), 3u);
  EXPECT_THAT(first["groups"], testing::Contains("X25519"));
  const Reply wrong = call("PUT", "/api/v1/tls-policies/default", json::object());
  EXPECT_EQ(wrong.status, 422);
  EXPECT_EQ(wrong.body["errors"][0]["path"], "/id");
  // A copy of each, under another name, is a policy: all names that are shown are usable.
  for (json copy : shown.body["items"]) {
    copy["id"] = "my-" + copy["id"].get<std::string>();
    if (copy["min_version"] < "1.2") copy["min_version"] = "1.2";
    const Reply made = call("POST", "/api/v1/tls-policies", copy);
    EXPECT_EQ(made.status, 201) << made.text;
  }
}

TEST_F(Resources, a_certificate_says_how_things_stand_with_its_ocsp_response) {
  const Pem pem = make_pem("shop.example");
  json document = {{"id", "shop"}, {"certificate", pem.certificate}, {"private_key", pem.private_key}};
  Reply r = call("POST", "/api/v1/certificates", document);
  ASSERT_EQ(r.status, 201) << r.text;
  EXPECT_EQ(r.body["ocsp_stapling"], true);
  EXPECT_FALSE(r.body["status"].contains("ocsp")) << "nothing is known yet";
  ocsp::CertificateOcsp& o = appliance_->ocsp_statuses["shop"];
  o.state = ocsp::OcspState::kMissing;
  o.responder = "http://ocsp.test/";
  o.failures = 2;
  o.reason = "connect";
  o.error = "connection refused";
  o.next_request = 1'700'000'000;
  r = call("GET", "/api/v1/certificates/shop");
  EXPECT_EQ(r.body["status"]["ocsp"],
            json::parse(R"({"state": "missing", "must_staple": false, "responder": "http://ocsp.test/",
                            "certificate_status": null, "this_update": null, "next_update": null, "revoked_at": null,
                            "next_request": "2023-11-14T22:13:20Z", "failures": 2,
                            "error": {"reason": "connect", "message": "connection refused"}})"));
  o = {.state = ocsp::OcspState::kStapled, .revoked = true, .this_update = 1'700'000'000, .next_update = 1'700'003'600,
       .revoked_at = 1'600'000'000};
  r = call("GET", "/api/v1/certificates");
  const json shown = r.body["items"][0];
  EXPECT_EQ(shown["status"]["ocsp"]["certificate_status"], "revoked");
  EXPECT_EQ(shown["status"]["ocsp"]["next_update"], "2023-11-14T23:13:20Z");
  EXPECT_EQ(shown["status"]["ocsp"]["error"], nullptr);
  json back = shown;
  back["ocsp_stapling"] = false;
  r = call("PUT", "/api/v1/certificates/shop", back);
  EXPECT_EQ(r.status, 200) << r.text;
  EXPECT_EQ(r.body["ocsp_stapling"], false);
}

TEST_F(Resources, an_access_control_list_stays_while_a_listener_goes_by_it) {
  create_example();
  EXPECT_EQ(call("PUT", "/api/v1/access-control-lists/l", json{{"entries", {"10.0.0.0/8"}}}).status, 201);
  const json access = {{"type", "deny"}, {"access_control_lists", {"l"}}};
  EXPECT_EQ(call("PATCH", "/api/v1/listeners/web", json{{"access_control", access}}).status, 200);
  EXPECT_EQ(call("GET", "/api/v1/listeners?access_control_list=l").body["items"].size(), 1u);
  EXPECT_EQ(call("GET", "/api/v1/listeners?access_control_list=m").body["items"].size(), 0u);
  const Reply refused = call("DELETE", "/api/v1/access-control-lists/l");
  EXPECT_EQ(refused.status, 409);
  EXPECT_EQ(refused.body["errors"][0]["path"], "/listeners/web/access_control/access_control_lists/0");
  EXPECT_EQ(call("PATCH", "/api/v1/listeners/web", json{{"access_control", nullptr}}).status, 200);
  EXPECT_EQ(call("DELETE", "/api/v1/access-control-lists/l").status, 204);
}

TEST_F(Resources, an_id_is_made_up_when_a_post_has_none) {
  const Reply created = call("POST", "/api/v1/load-balancers", json{{"addresses", {"192.0.2.9"}}});
  ASSERT_EQ(created.status, 201) << created.text;
  const std::string id = created.body["id"];
  EXPECT_EQ(created.headers.at("location"), "/api/v1/load-balancers/" + id);
  EXPECT_EQ(call("GET", created.headers.at("location")).status, 200);
}

TEST_F(Resources, put_creates_under_the_id_of_the_path_and_refuses_another_in_the_body) {
  EXPECT_EQ(call("PUT", "/api/v1/load-balancers/a", json{{"addresses", {"192.0.2.9"}}}).status, 201);
  const Reply other = call("PUT", "/api/v1/load-balancers/a", json{{"id", "b"}});
  EXPECT_EQ(other.status, 422);
  EXPECT_EQ(other.body["errors"][0]["path"], "/id");
  EXPECT_EQ(call("PUT", "/api/v1/load-balancers/b%20c", json::object()).status, 422) << "not an id";
}

TEST_F(Resources, wrong_fields_are_named_by_pointers_into_the_document_that_was_sent) {
  create_example();
  const Reply shape =
      call("PUT", "/api/v1/listeners/web", json{{"load_balancer", "lb"}, {"port", "80"}, {"colour", "red"}});
  EXPECT_EQ(shape.status, 422);
  EXPECT_EQ(shape.headers.at("content-type"), "application/problem+json");
  EXPECT_EQ(shape.body["status"], 422);
  EXPECT_EQ(shape.body["title"], "Unprocessable Content");
  std::set<std::string> paths;
  for (const json& e : shape.body["errors"]) paths.insert(e["path"]);
  EXPECT_EQ(paths, (std::set<std::string>{"/port", "/colour"}));

  const Reply meaning = call("PATCH", "/api/v1/listeners/web", json{{"port", 0}});
  EXPECT_EQ(meaning.status, 422);
  ASSERT_EQ(meaning.body["errors"].size(), 1u);
  EXPECT_EQ(meaning.body["errors"][0]["path"], "/port");
  EXPECT_EQ(call("GET", "/api/v1/listeners/web").body["port"], 80) << "nothing changed";

  const Reply regex = call("PUT", "/api/v1/rules/r1",
                           json{{"listener", "web"},
                                {"paths", {{{"type", "regex"}, {"value", "/a(b"}}}},
                                {"action", {{"type", "fixed_response"}}}});
  EXPECT_EQ(regex.status, 422);
  EXPECT_EQ(regex.body["errors"][0]["path"], "/paths/0/value");
}

TEST_F(Resources, what_is_referred_to_is_not_deleted_and_the_referrers_are_named) {
  create_example();
  const Reply group = call("DELETE", "/api/v1/server-groups/shop");
  EXPECT_EQ(group.status, 409);
  ASSERT_EQ(group.body["errors"].size(), 1u);
  EXPECT_EQ(group.body["errors"][0]["path"], "/rules/r1/action/server_groups/0");
  EXPECT_THAT(group.body["detail"].get<std::string>(), HasSubstr("rule \"r1\""));
  EXPECT_EQ(call("DELETE", "/api/v1/listeners/web").body["errors"][0]["path"], "/rules/r1/listener");
  EXPECT_EQ(call("DELETE", "/api/v1/load-balancers/lb").body["errors"][0]["path"],
            "/listeners/web/load_balancer");
  for (const char* path : {"rules/r1", "server-groups/shop", "listeners/web", "load-balancers/lb"}) {
    EXPECT_EQ(call("DELETE", std::string("/api/v1/") + path).status, 204) << path;
  }
}

TEST_F(Resources, lists_are_filtered_and_paged_and_unknown_filters_are_refused) {
  create_example();
  ASSERT_EQ(
      call("POST", "/api/v1/listeners", json{{"id", "other"}, {"load_balancer", "lb"}, {"port", 81}}).status,
      201);
  const json fixed = {{"type", "fixed_response"}};
  for (const char* id : {"a", "b", "c"}) {
    ASSERT_EQ(call("POST", "/api/v1/rules",
                   json{{"id", id},
                        {"listener", "other"},
                        {"paths", {{{"value", std::string("/") + id}}}},
                        {"action", fixed}})
                  .status,
              201);
  }
  EXPECT_EQ(call("GET", "/api/v1/rules").body["items"].size(), 4u);
  EXPECT_EQ(call("GET", "/api/v1/rules?listener=web").body["items"].size(), 1u);
  EXPECT_EQ(call("GET", "/api/v1/rules?server_group=shop").body["items"][0]["id"], "r1");
  EXPECT_EQ(call("GET", "/api/v1/rules?listener=other&server_group=shop").body["items"].size(), 0u);
  const Reply page = call("GET", "/api/v1/rules?limit=2");
  EXPECT_EQ(page.body["items"].size(), 2u);
  EXPECT_EQ(page.body["next"], "b");
  const Reply rest = call("GET", "/api/v1/rules?limit=2&after=b");
  EXPECT_EQ(rest.body["items"][0]["id"], "c");
  EXPECT_FALSE(rest.body.contains("next"));
  EXPECT_EQ(call("GET", "/api/v1/rules?lisener=web").status, 400);
  EXPECT_EQ(call("GET", "/api/v1/rules?limit=x").status, 400);
}

TEST_F(Resources, etags_guard_against_lost_updates) {
  create_example();
  const std::string path = "/api/v1/listeners/web";
  const std::string old = call("GET", path).headers.at("etag");
  EXPECT_EQ(call("GET", path, "", {"If-None-Match: " + old}).status, 304);
  EXPECT_EQ(call("PATCH", path, json{{"port", 8080}}, {"If-Match: " + old}).status, 200);
  EXPECT_EQ(call("GET", path, "", {"If-None-Match: " + old}).status, 200);
  EXPECT_EQ(call("PATCH", path, json{{"port", 9090}}, {"If-Match: " + old}).status, 412);
  EXPECT_EQ(call("DELETE", path, "", {"If-Match: " + old}).status, 412);
  EXPECT_EQ(call("PATCH", path, json{{"port", 9090}}, {"If-Match: \"x\", *"}).status, 200);
  EXPECT_EQ(call("PUT", "/api/v1/load-balancers/lb", json{{"addresses", {"192.0.2.1"}}}, {"If-None-Match: *"})
                .status,
            412);
  EXPECT_EQ(
      call("PUT", "/api/v1/load-balancers/new", json{{"addresses", {"192.0.2.2"}}}, {"If-Match: *"}).status,
      412);
  EXPECT_EQ(
      call("PUT", "/api/v1/load-balancers/new", json{{"addresses", {"192.0.2.2"}}}, {"If-None-Match: *"})
          .status,
      201);
}

TEST_F(Resources, a_dry_run_judges_and_changes_nothing) {
  create_example();
  const std::uint64_t before = engine_->revision();
  EXPECT_EQ(
      call("POST", "/api/v1/load-balancers?dry_run=true", json{{"id", "x"}, {"addresses", {"192.0.2.7"}}})
          .status,
      201);
  EXPECT_EQ(call("PATCH", "/api/v1/listeners/web?dry_run=true", json{{"port", 81}}).body["port"], 81);
  EXPECT_EQ(call("PATCH", "/api/v1/listeners/web?dry_run=true", json{{"port", 0}}).status, 422);
  EXPECT_EQ(call("DELETE", "/api/v1/rules/r1?dry_run=true").status, 204);
  EXPECT_EQ(call("DELETE", "/api/v1/rules/r1?dry_run=maybe").status, 400);
  EXPECT_EQ(engine_->revision(), before);
  EXPECT_EQ(call("GET", "/api/v1/rules/r1").status, 200);
}

TEST_F(Resources, private_keys_never_come_back) {
  const Pem pem = make_pem("shop.example"), other = make_pem("other.example");
  const std::string secret = pem.private_key.substr(60, 40);
  const json certificate = {{"id", "c"}, {"certificate", pem.certificate}, {"private_key", pem.private_key}};
  const Reply created = call("POST", "/api/v1/certificates", certificate);
  ASSERT_EQ(created.status, 201) << created.text;
  EXPECT_THAT(created.body["status"]["names"].dump(), HasSubstr("shop.example"));

  // Also not when the document is refused, or cut so that the parser stops inside the key.
  json wrong = certificate;
  wrong["id"] = "d";
  wrong["colour"] = pem.private_key;
  wrong["private_key"] = json::array({pem.private_key});
  json mismatch = certificate;
  mismatch["id"] = "e";
  mismatch["certificate"] = other.certificate;
  const std::string whole = certificate.dump();
  const std::size_t inside = whole.find(secret.substr(0, 20)) + 20;
  std::string control = whole;
  control[inside] = '\x01';
  std::string broken = whole;
  broken.insert(broken.find("PRIVATE KEY-----\\n") + 40, "\" x");
  for (const Reply& r :
       {call("GET", "/api/v1/certificates"), call("GET", "/api/v1/certificates/c"),
        call("GET", "/api/v1/config"), call("GET", "/api/v1/revisions/1"), call("GET", "/api/v1/audit"),
        call("GET", "/api/v1/events"), call("PATCH", "/api/v1/certificates/c", json::object()),
        call("POST", "/api/v1/certificates", wrong), call("POST", "/api/v1/certificates", mismatch),
        call("POST", "/api/v1/certificates", whole.substr(0, inside)),
        call("POST", "/api/v1/certificates", control), call("POST", "/api/v1/certificates", broken),
        call("PUT", "/api/v1/config", json{{"certificates", {wrong}}}),
        call("POST", "/api/v1/rules", whole)}) {
    EXPECT_THAT(r.text, Not(HasSubstr("PRIVATE KEY")));
    // The scalar of a P-256 key in PKCS #8; around it stand bytes that the public certificate has, too.
    for (const std::size_t at : {28u + 49u, 28u + 65u, 28u + 77u}) {
      EXPECT_THAT(r.text, Not(HasSubstr(pem.private_key.substr(at, 12))));
    }
  }
}

TEST_F(Resources, a_certificate_that_is_sent_back_without_its_key_keeps_it) {
  const Pem pem = make_pem("shop.example");
  ASSERT_EQ(call("POST", "/api/v1/certificates",
                 json{{"id", "c"}, {"certificate", pem.certificate}, {"private_key", pem.private_key}})
                .status,
            201);
  const Pem renewed = renew(pem, "shop.example");
  const Reply put = call("PUT", "/api/v1/certificates/c", json{{"certificate", renewed.certificate}});
  EXPECT_EQ(put.status, 200) << put.text;
  EXPECT_EQ(engine_->current()->certificates.at("c").private_key, pem.private_key);
  const Pem other = make_pem("shop.example");
  const Reply foreign = call("PUT", "/api/v1/certificates/c", json{{"certificate", other.certificate}});
  EXPECT_EQ(foreign.status, 422) << "another key's certificate needs that key";
}

TEST_F(Resources, concurrent_writers_lose_nothing_that_was_answered_with_success) {
  create_example();
  constexpr int kThreads = 4, kEach = 12;
  std::vector<std::thread> threads;
  std::array<std::vector<std::string>, kThreads> done;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        const std::string id = "t" + std::to_string(t) + "-" + std::to_string(i);
        const json rule = {{"id", id},
                           {"listener", "web"},
                           {"paths", {{{"type", "exact"}, {"value", "/" + id}}}},
                           {"action", {{"type", "fixed_response"}}}};
        if (call("POST", "/api/v1/rules", rule).status == 201)
          done[static_cast<std::size_t>(t)].push_back(id);
      }
    });
  }
  for (auto& t : threads) t.join();
  const auto config = engine_->current();
  std::size_t total = 0;
  for (const auto& ids : done) {
    for (const std::string& id : ids) EXPECT_TRUE(config->rules.contains(id)) << id;
    total += ids.size();
  }
  EXPECT_EQ(total, static_cast<std::size_t>(kThreads * kEach));
  EXPECT_EQ(config->rules.size(), total + 1);
}

TEST_F(Resources, of_writers_with_the_same_etag_exactly_one_wins) {
  create_example();
  const std::string tag = call("GET", "/api/v1/listeners/web").headers.at("etag");
  std::atomic<int> won{0}, lost{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      const long s =
          call("PATCH", "/api/v1/listeners/web", json{{"port", 1000 + t}}, {"If-Match: " + tag}).status;
      if (s == 200) ++won;
      if (s == 412) ++lost;
    });
  }
  for (auto& t : threads) t.join();
  EXPECT_EQ(won, 1);
  EXPECT_EQ(lost, 3);
}

}  // namespace
}  // namespace sluice::mgmt::test
