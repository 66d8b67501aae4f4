// SPDX-License-Identifier: Apache-2.0
// Client certificates that a program shows, and a server that lets nobody in without one (mutual TLS).
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>
#include <openssl/x509.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

#include "mgmt/ingress/k8s/exec_credentials.h"
#include "tests/unit/l7_tls/test_certificates.h"
#include "tests/unit/mgmt_ingress/running_server.h"

namespace sluice::mgmt::ingress::test {
namespace {

using namespace std::chrono_literals;
using l7::tls::test::Authority;
using l7::tls::test::PemPair;
using nlohmann::json;
using testing::HasSubstr;

constexpr const char* kV1 = "client.authentication.k8s.io/v1";

/// Whose certificate the connection of this request began with.
std::string peer_of(const httplib::Request& q) {
  char name[64] = "";
  X509* peer = SSL_get1_peer_certificate(q.ssl);
  if (peer != nullptr) X509_NAME_get_text_by_NID(X509_get_subject_name(peer), NID_commonName, name, sizeof name);
  X509_free(peer);
  return name;
}

class ExecCertificates : public testing::Test {
 protected:
  ExecCertificates() {
    std::filesystem::create_directories(folder_);
    const PemPair own = clients_.issue({.common_name = "server", .dns_names = {"api.example"}});
    write("server.crt", own.certificate);
    write("server.key", own.key);
    write("clients.crt", clients_.certificate());
    https_.emplace(path("server.crt").c_str(), path("server.key").c_str(), path("clients.crt").c_str());
    https_->Get("/", [](const httplib::Request& q, httplib::Response& r) { r.set_content(peer_of(q), "text/plain"); });
    running_.emplace(*https_);
    server_.url = "https://" + running_->authority();
    server_.ca_pem = clients_.certificate();
    server_.tls_server_name = "api.example";
    ExecCredentials::Settings settings;
    settings.api_version = kV1;
    settings.command = {"cat", path("shown")};
    server_.credentials = std::make_shared<ExecCredentials>(settings);
  }
  ~ExecCertificates() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  void write(const std::string& name, const std::string& text) const { std::ofstream(folder_ / name) << text; }
  /// What the program prints from now on.
  void show(const PemPair& pair, const std::string& expires) const {
    const json status = {{"clientCertificateData", pair.certificate},
                         {"clientKeyData", pair.key},
                         {"expirationTimestamp", expires}};
    write("shown", json{{"apiVersion", kV1}, {"kind", "ExecCredential"}, {"status", status}}.dump());
  }
  PemPair client(const std::string& name, const Authority& by) const { return by.issue({.common_name = name}); }
  HttpResponse ask() {
    std::optional<HttpResponse> got;
    loop_.start(server_, {.path = "/"}, [&](HttpResponse r) { got = std::move(r); });
    const auto end = HttpLoop::Clock::now() + 20s;
    while (!got && HttpLoop::Clock::now() < end) loop_.poll(50ms);
    return got.value_or(HttpResponse{.body = {}, .error = "no answer", .headers = {}});
  }

  const std::filesystem::path folder_ =
      std::filesystem::path(testing::TempDir()) / ("exec-certificates-" + std::to_string(::getpid()));
  const Authority clients_{"clients"};
  std::optional<httplib::SSLServer> https_;
  std::optional<RunningServer> running_;
  Server server_;
  HttpLoop loop_;
};

constexpr const char* kLongAgo = "2001-01-01T00:00:00Z";
constexpr const char* kInLong = "2099-01-01T00:00:00Z";

TEST_F(ExecCertificates, TheServerSeesTheOneThatIsShownAndWithoutItLetsNobodyIn) {
  show(client("first", clients_), kInLong);
  const HttpResponse in = ask();
  EXPECT_EQ(in.status, 200) << in.error;
  EXPECT_EQ(in.body, "first");
  server_.credentials = nullptr;
  EXPECT_EQ(ask().status, 0);
}

TEST_F(ExecCertificates, ANewOneDoesNotUseAConnectionOfTheOldOne) {
  for (const char* name : {"first", "second", "third"}) {
    show(client(name, clients_), kLongAgo);
    EXPECT_EQ(ask().body, name);
  }
}

TEST_F(ExecCertificates, OneThatTheServerRefusesIsRenewedForTheNextRequest) {
  show(client("stranger", Authority("others")), kInLong);
  EXPECT_EQ(ask().status, 0);
  show(client("first", clients_), kInLong);
  EXPECT_EQ(ask().body, "first");
}

TEST_F(ExecCertificates, OneThatCannotBeUsedIsNamed) {
  show({"no certificate", "no key"}, kInLong);
  EXPECT_THAT(ask().error, HasSubstr("its client certificate cannot be used: "));
}

TEST_F(ExecCertificates, OneWhoseKeyIsOfAnotherIsNamed) {
  show({client("one", clients_).certificate, client("other", clients_).key}, kInLong);
  EXPECT_THAT(ask().error, HasSubstr("its client certificate cannot be used: "));
}

}  // namespace
}  // namespace sluice::mgmt::ingress::test
