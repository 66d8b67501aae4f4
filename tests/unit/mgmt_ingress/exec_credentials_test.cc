// SPDX-License-Identifier: Apache-2.0
// Real programs: scripts that play what a cloud's kubeconfig calls.
#include "mgmt/ingress/k8s/exec_credentials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "mgmt/ingress/k8s/credentials.h"
#include "mgmt/ingress/wall_clock.h"
#include "tests/unit/l7_tls/test_certificates.h"
#include "tests/unit/mgmt_ingress/running_server.h"

namespace sluice::mgmt::ingress::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using testing::HasSubstr;

constexpr const char* kEndless = "sleep 300 & echo $! > \"$here/child\"; wait";
constexpr const char* kV1 = "client.authentication.k8s.io/v1";

std::string credential(const json& status, const std::string& version = kV1) {
  return json{{"apiVersion", version}, {"kind", "ExecCredential"}, {"status", status}}.dump();
}

TEST(ExecCredential, IsATokenOrACertificateAndMayEnd) {
  const auto token = read_exec_credential(credential({{"token", "word"}}), kV1);
  ASSERT_TRUE(token.ok()) << token.error().message;
  EXPECT_EQ(token->credentials.token, "word");
  EXPECT_FALSE(token->expires);
  const auto pem = l7::tls::test::make_pem({});
  const json pair = {{"clientCertificateData", pem.certificate},
                     {"clientKeyData", pem.key},
                     {"expirationTimestamp", "2026-01-02T05:04:05.5+02:00"}};
  const auto both = read_exec_credential(credential(pair), kV1);
  ASSERT_TRUE(both.ok()) << both.error().message;
  EXPECT_EQ(both->credentials.client_certificate + both->credentials.client_key, pem.certificate + pem.key);
  EXPECT_EQ(both->expires, unix_seconds_of("2026-01-02T03:04:05Z"));
}

TEST(ExecCredential, IsRefusedWithTheReason) {
  const auto why = [](const std::string& text) {
    const auto read = read_exec_credential(text, kV1);
    return read.ok() ? "taken" : read.error().message;
  };
  EXPECT_THAT(why(""), HasSubstr("no ExecCredential"));
  EXPECT_THAT(why("{}"), HasSubstr("no ExecCredential"));
  EXPECT_THAT(why(credential({{"token", "w"}}, "client.authentication.k8s.io/v1beta1")), HasSubstr("not of"));
  EXPECT_THAT(why(credential(json::object())), HasSubstr("neither a token"));
  EXPECT_THAT(why(credential({{"clientCertificateData", "C"}})), HasSubstr("one of"));
  EXPECT_THAT(why(credential({{"token", "a\r\nHost: b"}})), HasSubstr("token"));
  EXPECT_THAT(why(credential({{"token", "w"}, {"expirationTimestamp", "soon"}})), HasSubstr("RFC 3339"));
}

TEST(UnixSeconds, AreThoseOfRfc3339) {
  EXPECT_EQ(unix_seconds_of("1970-01-01T00:00:00Z"), 0);
  EXPECT_EQ(unix_seconds_of("2000-02-29T12:00:00-01:30"), 951831000);
  EXPECT_EQ(unix_seconds_of("2000-02-29T12:00:00.999999z"), 951825600);
  EXPECT_EQ(unix_seconds_of("2016-12-31t23:59:60Z"), 1483228800) << "a leap second";
  EXPECT_EQ(unix_seconds_of("1970-01-01T23:59:00+23:59"), 0);
  EXPECT_EQ(unix_seconds_of("0000-01-01T00:00:00-00:00"), -62167219200);
  for (const char* text : {"", "2000-02-29", "2000-02-29T12:00:00", "2000-02-29 12:00:00Z", "2000-02-29T12:00:00+1:00",
                           "2000-02-29T12:00:00Zx", "yesterday", "2000-00-01T12:00:00Z", "2000-99-01T12:00:00Z",
                           "2000-01-00T12:00:00Z", "2000-01-32T12:00:00Z", "2001-02-29T12:00:00Z", "2000-01-01T24:00:00Z",
                           "2000-01-01T77:00:00Z", "2000-01-01T12:60:00Z", "2000-01-01T12:00:61Z", " 999-01-01T12:00:00Z",
                           "2000- 1-01T12:00:00Z", "2000-01-01T 2:00:00Z", "-200-01-01T12:00:00Z", "2000-01-01T12:00:00.Z",
                           "2000-01-01T12:00:00+24:00", "2000-01-01T12:00:00+99:99", "2000-01-01T12:00:00+00:60",
                           "2000-01-01T12:00:00+ 1:00", "2000-01-01T12:00:00+01: 0", "2000-01-01T12:00:00+01:-1",
                           "2000-01-01T12:00:00+-1:00", "2000-01-01T12:00:00+01:0x", "2000-01-01T12:00:00Z "})
    EXPECT_FALSE(unix_seconds_of(text)) << text;
}

/// A server that wants one token, and a folder with a kubeconfig whose user calls a script.
class Exec : public testing::Test {
 protected:
  Exec() {
    server_.Get("/", [this](const httplib::Request& q, httplib::Response& r) {
      const std::lock_guard lock(mutex_);
      r.status = q.get_header_value("Authorization") == "Bearer " + wanted_ ? 200 : 401;
    });
    running_.emplace(server_);
    std::filesystem::create_directories(folder_ / "bin");
  }
  ~Exec() override { std::filesystem::remove_all(folder_); }
  void want(const std::string& token) {
    const std::lock_guard lock(mutex_);
    wanted_ = token;
  }
  /// The program; it notes each run.
  void script(const std::string& body) {
    const auto file = folder_ / "bin/plugin";
    std::ofstream(file) << "#!/bin/sh\nhere=$(dirname \"$0\")/..\necho run >> \"$here/runs\"\n" << body << "\n";
    ::chmod(file.c_str(), 0755);
  }
  void prints(const json& status) { script("cat <<'END'\n" + credential(status) + "\nEND"); }
  std::string read(const std::string& name) const {
    std::ifstream in(folder_ / name);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::size_t runs() const { return read("runs").size() / 4; }
  /// Of a script that is kEndless.
  bool child_begins(HttpLoop& loop) const {
    const auto end = HttpLoop::Clock::now() + 60s;
    while (!read("child").ends_with('\n') && HttpLoop::Clock::now() < end) loop.poll(20ms);
    return read("child").ends_with('\n');
  }
  bool child_ends() const {
    const auto process = std::filesystem::path("/proc") / std::to_string(std::stoi(read("child")));
    const auto gone = [&] {
      std::ifstream in(process / "stat");
      std::string number, name, state;
      in >> number >> name >> state;
      return state.empty() || state == "Z";
    };
    const auto end = HttpLoop::Clock::now() + 60s;
    while (!gone() && HttpLoop::Clock::now() < end) std::this_thread::sleep_for(20ms);
    return gone();
  }

  json exec() const {
    return {{"apiVersion", kV1}, {"command", "./bin/plugin"}, {"interactiveMode", "Never"}};
  }
  Result<Server> load(const json& exec, const json& more_of_cluster = json::object(), const json& more_of_user = json::object()) {
    json cluster = {{"server", running_->url()}}, user = {{"exec", exec}};
    cluster.update(more_of_cluster);
    user.update(more_of_user);
    std::ofstream(folder_ / "config")
        << json{{"apiVersion", "v1"}, {"kind", "Config"}, {"current-context", "c"},
                {"contexts", {{{"name", "c"}, {"context", {{"cluster", "c"}, {"user", "u"}}}}}},
                {"clusters", {{{"name", "c"}, {"cluster", cluster}}}}, {"users", {{{"name", "u"}, {"user", user}}}}};
    return server_from_kubeconfig((folder_ / "config").string());
  }
  Server loaded(const json& exec) {
    auto server = load(exec);
    if (!server) ADD_FAILURE() << server.error().message;
    return server ? *server : Server{};
  }
  std::string refusal(const json& exec) {
    const auto server = load(exec);
    return server ? "taken" : server.error().message;
  }
  /// Status 0: with the error.
  std::pair<int, std::string> ask(const Server& server, std::chrono::seconds patience = 60s) {
    std::optional<HttpResponse> got;
    HttpRequest request;
    request.path = "/";
    loop_.start(server, std::move(request), [&](HttpResponse r) { got = std::move(r); });
    EXPECT_FALSE(got) << "not from inside start()";
    const auto end = HttpLoop::Clock::now() + patience;
    while (!got && HttpLoop::Clock::now() < end) loop_.poll(50ms);
    return got ? std::pair(got->status, got->error) : std::pair(-1, std::string("no answer"));
  }

  const std::filesystem::path folder_ = std::filesystem::path(testing::TempDir()) / ("exec-" + std::to_string(::getpid()));
  httplib::Server server_;
  std::mutex mutex_;
  std::string wanted_ = "first";
  std::optional<RunningServer> running_;
  HttpLoop loop_;
};

TEST_F(Exec, ATokenIsShownAndKept) {
  prints({{"token", "first"}});
  const Server server = loaded(exec());
  EXPECT_EQ(ask(server).first, 200);
  EXPECT_EQ(ask(server).first, 200);
  EXPECT_EQ(runs(), 1u);
}

TEST_F(Exec, ManyRequestsWaitForOneRun) {
  prints({{"token", "first"}});
  const Server server = loaded(exec());
  int good = 0;
  for (int i = 0; i < 20; ++i) {
    HttpRequest request;
    request.path = "/";
    loop_.start(server, std::move(request), [&](const HttpResponse& r) { good += r.status == 200; });
  }
  const auto end = HttpLoop::Clock::now() + 60s;
  while (good < 20 && HttpLoop::Clock::now() < end) loop_.poll(50ms);
  EXPECT_EQ(good, 20);
  EXPECT_EQ(runs(), 1u);
}

TEST_F(Exec, OneThatHasExpiredIsRenewed) {
  prints({{"token", "first"}, {"expirationTimestamp", "2001-01-01T00:00:00Z"}});
  const Server server = loaded(exec());
  EXPECT_EQ(ask(server).first, 200);
  EXPECT_EQ(ask(server).first, 200);
  EXPECT_EQ(runs(), 2u);
  prints({{"token", "first"}, {"expirationTimestamp", "2099-01-01T00:00:00Z"}});
  EXPECT_EQ(ask(server).first, 200);
  EXPECT_EQ(ask(server).first, 200);
  EXPECT_EQ(runs(), 3u);
}

TEST_F(Exec, OneThatIsRefusedIsRenewedForTheNextRequest) {
  prints({{"token", "first"}});
  const Server server = loaded(exec());
  EXPECT_EQ(ask(server).first, 200);
  want("second");
  prints({{"token", "second"}});
  EXPECT_EQ(ask(server).first, 401);
  EXPECT_EQ(ask(server).first, 200);
  EXPECT_EQ(runs(), 2u);
}

TEST_F(Exec, TheProgramGetsItsArgumentsItsEnvironmentAndWhatItIsAskedFor) {
  script("printf '%s|' \"$1\" \"$2\" \"$COLOUR\" > \"$here/said\"; printf '%s' \"$KUBERNETES_EXEC_INFO\" > \"$here/info\"\n"
         "ls /proc/self/fd | wc -l > \"$here/files\"; cat > \"$here/input\"\n"
         "echo '" + credential({{"token", "first"}}) + "'");
  json with = exec();
  with["args"] = {"a b", "$HOME;`id`"};  // no shell reads them
  with["env"] = {{{"name", "COLOUR"}, {"value", "green"}}};
  with["provideClusterInfo"] = true;
  EXPECT_EQ(ask(loaded(with)).first, 200);
  EXPECT_EQ(read("said"), "a b|$HOME;`id`|green|");
  const json info = json::parse(read("info"));
  EXPECT_EQ(info["apiVersion"], kV1);
  EXPECT_EQ(info["kind"], "ExecCredential");
  EXPECT_EQ(info["spec"]["interactive"], false);
  EXPECT_EQ(info["spec"]["cluster"]["server"], running_->url());
  EXPECT_LE(std::stoi(read("files")), 5) << "it has inherited files of ours";
  EXPECT_EQ(read("input"), "");
}

TEST_F(Exec, AProgramThatFailsIsNamedAndNotRunAgainForEveryRequest) {
  script("exit 3");
  const Server server = loaded(exec());
  const auto [status, error] = ask(server);
  EXPECT_EQ(status, 0);
  EXPECT_THAT(error, HasSubstr("plugin: ended with status 3"));
  for (int i = 0; i < 20; ++i) ask(server);
  EXPECT_LT(runs(), 6u) << "it backs off";
}

TEST_F(Exec, OneThatIsMissingOrPrintsNonsenseIsNamed) {
  json missing = exec();
  missing["command"] = "./bin/none";
  missing["installHint"] = "get it from example.com";
  EXPECT_THAT(ask(loaded(missing)).second, HasSubstr("No such file or directory; get it from example.com"));
  script("echo hello");
  EXPECT_THAT(ask(loaded(exec())).second, HasSubstr("it printed no ExecCredential"));
  script("head -c 2000000 /dev/zero");
  EXPECT_THAT(ask(loaded(exec())).second, HasSubstr("it printed more than"));
}

TEST_F(Exec, OneThatDoesNotEndIsEndedWithAllThatItStarted) {
  script(kEndless);
  ExecCredentials::Settings settings;
  settings.api_version = kV1;
  settings.command = {(folder_ / "bin/plugin").string()};
  Server server;
  server.url = running_->url();
  // Longer, where it was ended before it came to start anything.
  for (const int seconds : {3, 8, 20}) {
    server.credentials = std::make_shared<ExecCredentials>(settings, std::chrono::seconds(seconds));
    EXPECT_THAT(ask(server).second, HasSubstr("did not end within " + std::to_string(seconds) + " s"));
    if (read("child").ends_with('\n')) break;
  }
  ASSERT_THAT(read("child"), testing::EndsWith("\n"));
  EXPECT_TRUE(child_ends());
}

TEST_F(Exec, OneThatRunsIsEndedWithWhoWaitsForIt) {
  script(kEndless);
  {
    HttpLoop loop;
    const Server server = loaded(exec());
    loop.start(server, {.path = "/"}, [](const HttpResponse&) { ADD_FAILURE(); });
    EXPECT_TRUE(child_begins(loop));
  }
  EXPECT_TRUE(child_ends());
}

TEST_F(Exec, OneThatNobodyWantsAnyMoreIsEndedWhileTheLoopGoesOn) {
  script(kEndless);
  const auto id = loop_.start(loaded(exec()), {.path = "/"}, [](const HttpResponse&) { ADD_FAILURE(); });
  EXPECT_TRUE(child_begins(loop_));
  loop_.cancel(id);
  EXPECT_TRUE(child_ends());
  for (int i = 0; i < 5; ++i) loop_.poll(20ms);  // The look at it that was due comes to nothing.
}

TEST_F(Exec, WhoIsToldMayCancelAllOthersThatWait) {
  script("exit 3");
  std::string told;
  HttpLoop::Id other = 0;
  {
    const Server server = loaded(exec());
    loop_.start(server, {.path = "/"}, [&](const HttpResponse& r) {
      told = r.error;
      loop_.cancel(other);
    });
    other = loop_.start(server, {.path = "/"}, [](const HttpResponse&) { ADD_FAILURE(); });
  }
  const auto end = HttpLoop::Clock::now() + 60s;
  while (told.empty() && HttpLoop::Clock::now() < end) loop_.poll(50ms);
  EXPECT_THAT(told, HasSubstr("plugin: ended with status 3"));
}

TEST_F(Exec, TheLoopGoesOnWhileItRuns) {
  script("while [ ! -e \"$here/enough\" ]; do sleep 0.05; done; echo '" + credential({{"token", "first"}}) + "'");
  const Server server = loaded(exec());
  int ticks = 0;
  std::function<void()> tick = [&] {
    if (++ticks == 20) std::ofstream(folder_ / "enough") << "ticks";
    loop_.after(10ms, tick);
  };
  tick();
  EXPECT_EQ(ask(server).first, 200) << ticks << " ticks";
}

TEST_F(Exec, ARequestThatIsCancelledMeanwhileGetsNoAnswer) {
  prints({{"token", "first"}});
  const Server server = loaded(exec());
  HttpRequest request;
  request.path = "/";
  loop_.cancel(loop_.start(server, std::move(request), [&](const HttpResponse&) { ADD_FAILURE(); }));
  EXPECT_EQ(ask(server).first, 200);
}

TEST_F(Exec, WhatItCannotDoIsRefusedWhenTheFileIsRead) {
  const auto with = [&](const char* name, const json& value) {
    json out = exec();
    out[name] = value;
    return refusal(out);
  };
  EXPECT_THAT(with("apiVersion", "client.authentication.k8s.io/v1alpha1"), HasSubstr("v1 and v1beta1 are supported"));
  EXPECT_THAT(with("interactiveMode", "Always"), HasSubstr("needs a person"));
  EXPECT_THAT(with("interactiveMode", nullptr), HasSubstr("interactiveMode"));
  EXPECT_THAT(with("command", ""), HasSubstr("no command"));
  EXPECT_THAT(with("shell", true), HasSubstr("\"shell\""));
  EXPECT_THAT(with("args", {1}), HasSubstr("no kubeconfig"));
  json beta = exec();
  beta.erase("interactiveMode");
  beta["apiVersion"] = "client.authentication.k8s.io/v1beta1";
  beta["args"] = beta["env"] = nullptr;
  EXPECT_EQ(refusal(beta), "taken");
}

TEST_F(Exec, WhatAKubeconfigSaysBesidesIsNotPassedOver) {
  const auto why = [&](const json& cluster, const json& user) {
    const auto server = load(exec(), cluster, user);
    return server ? "taken" : server.error().message;
  };
  EXPECT_EQ(why({{"disable-compression", true}}, json::object()), "taken");
  EXPECT_THAT(why({{"bastion", "x"}}, json::object()), HasSubstr("its cluster has a member \"bastion\""));
  EXPECT_THAT(why(json::object(), {{"as", "root"}}), HasSubstr("its user has a member \"as\""));
  EXPECT_THAT(why(json::object(), {{"auth-provider", {{"name", "gcp"}}}}), HasSubstr("\"auth-provider\""));
  EXPECT_THAT(why(json::object(), {{"username", "x"}}), HasSubstr("\"username\""));
  EXPECT_THAT(why({{"tls-server-name", "a b"}}, json::object()), HasSubstr("tls-server-name"));
  EXPECT_THAT(why({{"proxy-url", "ftp://x"}}, json::object()), HasSubstr("proxy-url"));
}

TEST_F(Exec, AContextWhoseUserIsNotThereIsNobody) {
  ASSERT_TRUE(load(exec()).ok());
  json document = json::parse(read("config"));
  document["users"] = nullptr;
  std::ofstream(folder_ / "config") << document;
  EXPECT_THAT(server_from_kubeconfig((folder_ / "config").string()).error().message, HasSubstr("names a user that is not there"));
}

TEST_F(Exec, AProxyIsAskedForTheServer) {
  httplib::Server proxy;
  std::string asked;
  proxy.set_pre_routing_handler([&](const httplib::Request& q, httplib::Response& r) {
    asked = q.target;
    r.status = 200;
    return httplib::Server::HandlerResponse::Handled;
  });
  const RunningServer running(proxy);
  prints({{"token", "first"}});
  auto server = load(exec(), {{"server", "http://api.example:8080"}, {"proxy-url", running.url()}});
  ASSERT_TRUE(server.ok());
  EXPECT_EQ(ask(*server).first, 200);
  EXPECT_EQ(asked, "http://api.example:8080/");
  server->url = "http://api.example";
  server->tls_server_name = "tls.example";
  EXPECT_EQ(ask(*server).first, 200);
  EXPECT_EQ(asked, "http://api.example/") << "without TLS there is no certificate's name to ask for";
}

}  // namespace
}  // namespace sluice::mgmt::ingress::test
