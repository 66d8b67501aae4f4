// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <concepts>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "mgmt/cli/client.h"
#include "mgmt/engine/engine.h"
#include "mgmt/rest/server.h"
#include "tests/unit/mgmt_config/samples.h"

struct ssl_st;
struct ssl_ctx_st;

namespace sluice::mgmt::test {

/// A data plane that was never started: two ports, and a counter whose label needs escaping.
class FakeAppliance final : public rest::Appliance {
 public:
  explicit FakeAppliance(const l7::proxy::Shared& shared) : shared_(shared) {}
  void visit(MetricSink& sink) const override;
  std::uint32_t workers() const override { return 2; }
  std::vector<Runtime::PortStatus> ports() const override;
  const l7::BackendTable& backends() const override { return shared_.backends; }
  bool draining() const override { return is_draining; }
  std::int64_t started() const override { return 1'700'000'000; }
  std::optional<ocsp::CertificateOcsp> ocsp_status(const std::string& certificate) const override {
    const auto found = ocsp_statuses.find(certificate);
    return found == ocsp_statuses.end() ? std::nullopt : std::optional(found->second);
  }

  bool is_draining = false;
  std::map<std::string, ocsp::CertificateOcsp> ocsp_statuses;

 private:
  const l7::proxy::Shared& shared_;
};

/// TLS to a port of the loopback, without verification; for what no well-behaved client would send.
class TlsClient {
 public:
  explicit TlsClient(std::uint16_t port);
  ~TlsClient();
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;
  bool send(std::string_view bytes);
  std::string receive_all();

 private:
  int socket_;
  ssl_ctx_st* context_;
  ssl_st* ssl_;
};

/// A real server on a free port of the loopback, with TLS, in front of a real engine in a folder of its own.
class RestTest : public testing::Test {
 protected:
  RestTest();
  ~RestTest() override;

  struct Reply {
    long status = 0;
    nlohmann::json body;  ///< Discarded when it was no JSON.
    std::string text;
    std::map<std::string, std::string> headers;
  };
  using Lines = std::vector<std::string>;
  Reply call(const std::string& method, const std::string& path, const std::string& body = {},
             const Lines& headers = {}) const;
  template <std::same_as<nlohmann::json> Json>  // a text is a text, and not JSON made of one
  Reply call(const std::string& method, const std::string& path, const Json& body,
             const Lines& headers = {}) const {
    return call(method, path, body.dump(), headers);
  }
  Reply as(const std::string& token, const std::string& method, const std::string& path,
           const std::string& body = {}) const;
  /// Bytes as they are over TLS, to where the client would not go; returns what came back.
  std::string raw(const std::string& bytes) const;

  /// One load balancer, listener, group and rule over the API.
  void create_example();

  static constexpr const char* kAdmin = "admin-token-0123456789";
  static constexpr const char* kViewer = "viewer-token-0123456789";

  TempFolder folder_;
  l7::proxy::Shared shared_{2, 64};
  Rcu rcu_{2};
  rest::EventLog events_;
  rest::Tokens tokens_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<FakeAppliance> appliance_;
  std::unique_ptr<rest::Server> server_;
  cli::Target target_;
};

}  // namespace sluice::mgmt::test
