// SPDX-License-Identifier: Apache-2.0
#include "mgmt/cli/commands.h"

#include <fstream>

#include "mgmt/cli/table.h"
#include "tests/unit/mgmt_daemon/rest_fixture.h"

namespace sluice::mgmt::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

class Cli : public RestTest {
 protected:
  std::string file(const std::string& text) {
    const std::string path = folder_.path() + "/document.json";
    std::ofstream(path) << text;
    return path;
  }
  /// Runs a command; output and errors land in out_ and err_.
  template <class F>
  int run(F command) {
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const int status = command();
    std::fflush(stdout);
    std::fflush(stderr);
    out_ = testing::internal::GetCapturedStdout();
    err_ = testing::internal::GetCapturedStderr();
    return status;
  }
  std::string out_, err_;
};

TEST_F(Cli, apply_adds_and_replaces_by_id_in_one_revision_and_keeps_the_rest) {
  create_example();
  const std::uint64_t before = engine_->revision();
  const std::string document =
      file(R"({"rules": [{"id": "r2", "listener": "w2", "action": {"type": "fixed_response"}}],
      "listeners": [{"id": "w2", "load_balancer": "lb", "port": 81}, {"id": "web", "load_balancer": "lb", "port": 8080}]})");
  EXPECT_EQ(run([&] { return cli::apply(target_, document, true, false); }), cli::kOk) << err_;
  EXPECT_THAT(out_, HasSubstr("nothing was changed"));
  EXPECT_EQ(engine_->revision(), before);
  EXPECT_EQ(run([&] { return cli::apply(target_, document, false, false); }), cli::kOk) << err_;
  EXPECT_THAT(out_, HasSubstr("+ rules r2\n"));
  EXPECT_THAT(out_, HasSubstr("~ listeners web\n"));
  EXPECT_EQ(engine_->revision(), before + 1);
  EXPECT_EQ(engine_->current()->rules.size(), 2u);
  EXPECT_EQ(engine_->current()->listeners.at("web").port, 8080u);
  EXPECT_EQ(run([&] { return cli::apply(target_, document, false, false); }), cli::kOk);
  EXPECT_THAT(out_, HasSubstr("unchanged"));
}

TEST_F(Cli, apply_with_replace_deletes_what_the_document_has_not) {
  create_example();
  EXPECT_EQ(run([&] {
              return cli::apply(target_,
                                file(R"({"load_balancers": [{"id": "lb", "addresses": ["192.0.2.1"]}]})"),
                                false, true);
            }),
            cli::kOk)
      << err_;
  EXPECT_THAT(out_, HasSubstr("- rules r1\n"));
  EXPECT_TRUE(engine_->current()->listeners.empty());
}

TEST_F(Cli, a_refused_document_is_told_by_id_and_field) {
  create_example();
  EXPECT_EQ(run([&] {
              return cli::apply(target_,
                                file(R"({"listeners": [{"id": "x", "load_balancer": "lb", "port": 0}]})"),
                                false, false);
            }),
            cli::kRefused);
  EXPECT_THAT(err_, HasSubstr("/listeners/x/port: must be between 1 and 65535"));
  EXPECT_EQ(run([&] { return cli::apply(target_, file("{"), false, false); }), cli::kUsage);
  EXPECT_EQ(run([&] { return cli::apply(target_, "/nonexistent", false, false); }), cli::kUsage);
  EXPECT_EQ(run([&] { return cli::apply(target_, file("[]"), false, false); }), cli::kRefused);
  EXPECT_EQ(run([&] { return cli::apply(target_, file(R"({"listeners": 5})"), false, false); }),
            cli::kRefused);
  EXPECT_EQ(run([&] { return cli::apply(target_, file(R"({"listeners": [5]})"), false, false); }),
            cli::kRefused);
}

TEST_F(Cli, get_prints_tables_or_json) {
  create_example();
  EXPECT_EQ(run([&] { return cli::get(target_, "rule", "", {}, cli::Output::kTable); }), cli::kOk);
  EXPECT_THAT(out_, HasSubstr("r1  web       1000      shop.example         forward shop"));
  EXPECT_EQ(run([&] { return cli::get(target_, "listeners", "web", {}, cli::Output::kJson); }), cli::kOk);
  EXPECT_EQ(json::parse(out_)["port"], 80);
  EXPECT_EQ(run([&] { return cli::get(target_, "rules", "", {"listener=none"}, cli::Output::kTable); }),
            cli::kOk);
  EXPECT_THAT(out_, Not(HasSubstr("r1")));
  EXPECT_EQ(run([&] { return cli::get(target_, "rules", "none", {}, cli::Output::kTable); }), cli::kRefused);
  EXPECT_THAT(err_, HasSubstr("404 Not Found: there is no rule \"none\""));
  EXPECT_EQ(run([&] { return cli::get(target_, "things", "", {}, cli::Output::kTable); }), cli::kUsage);
  for (const std::string& kind : cli::kind_paths())
    EXPECT_EQ(run([&] { return cli::get(target_, kind, "", {}, cli::Output::kTable); }), cli::kOk) << kind;
}

TEST_F(Cli, delete_says_who_still_needs_it) {
  create_example();
  EXPECT_EQ(run([&] { return cli::remove(target_, "server-groups", "shop"); }), cli::kRefused);
  EXPECT_THAT(err_, HasSubstr("rule \"r1\" forwards to it"));
  EXPECT_EQ(run([&] { return cli::remove(target_, "rules", "r1"); }), cli::kOk);
  EXPECT_FALSE(engine_->current()->rules.contains("r1"));
}

TEST_F(Cli, explain_status_revisions_rollback_and_events_print_what_people_look_for) {
  create_example();
  EXPECT_EQ(run([&] {
              return cli::explain(target_, {"http://shop.example/x", "", "", "", "", {"X-A: b"}},
                                  cli::Output::kTable);
            }),
            cli::kOk)
      << err_;
  EXPECT_THAT(out_, HasSubstr("Rule           r1"));
  EXPECT_THAT(out_, HasSubstr("10.0.0.1:8080"));
  EXPECT_EQ(run([&] { return cli::status(target_, cli::Output::kTable); }), cli::kOk);
  EXPECT_THAT(out_, HasSubstr("wan"));
  EXPECT_THAT(out_, HasSubstr("Revision     4"));
  EXPECT_EQ(run([&] { return cli::revisions(target_, cli::Output::kTable); }), cli::kOk);
  EXPECT_THAT(out_, HasSubstr("POST /api/v1/rules"));
  EXPECT_EQ(run([&] { return cli::rollback(target_, 3, false); }), cli::kOk);
  EXPECT_THAT(out_, HasSubstr("- rules r1"));
  EXPECT_EQ(run([&] { return cli::rollback(target_, 99, false); }), cli::kRefused);
  EXPECT_EQ(run([&] { return cli::events(target_, cli::Output::kTable); }), cli::kOk);
  EXPECT_THAT(out_, HasSubstr("config_changed"));
}

TEST_F(Cli, an_appliance_that_cannot_be_reached_or_verified_is_exit_status_3) {
  cli::Target nobody = target_;
  nobody.server = "https://127.0.0.1:1";
  EXPECT_EQ(run([&] { return cli::status(nobody, cli::Output::kTable); }), cli::kUnreachable);
  EXPECT_THAT(err_, HasSubstr("https://127.0.0.1:1: "));
  cli::Target unverified = target_;
  unverified.ca_file.clear();
  EXPECT_EQ(run([&] { return cli::status(unverified, cli::Output::kTable); }), cli::kUnreachable);
  unverified.insecure = true;
  EXPECT_EQ(run([&] { return cli::status(unverified, cli::Output::kTable); }), cli::kOk);
  cli::Target stranger = target_;
  stranger.token = "nobody";
  EXPECT_EQ(run([&] { return cli::status(stranger, cli::Output::kTable); }), cli::kRefused);
}

TEST(CliText, encodes_whatever_a_name_holds) {
  EXPECT_EQ(cli::percent_encode("a b/c?d=\xc3\xbc"), "a%20b%2Fc%3Fd%3D%C3%BC");
  EXPECT_EQ(cli::kind_path("lb"), "load-balancers");
  EXPECT_EQ(cli::kind_path("server_group"), "server-groups");
  EXPECT_EQ(cli::kind_path("x"), "");
}

}  // namespace
}  // namespace sluice::mgmt::test
