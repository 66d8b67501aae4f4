// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/mgmt_daemon/rest_fixture.h"

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mgmt/rest/api_certificate.h"
#include "mgmt/rest/metric_text.h"

namespace sluice::mgmt::test {

using nlohmann::json;

void FakeAppliance::visit(MetricSink& sink) const {
  for (int worker = 0; worker < 2; ++worker) {
    const std::string label = rest::metric_label("worker", std::to_string(worker));
    sink.counter("sluice_test_total", "A counter.", label, 7);
    sink.gauge("sluice_test_ratio", "A gauge.", label, 0.5);
  }
  sink.gauge("sluice_test_odd", "Its label has \\ and a\nnew line.", rest::metric_label("name", "a\"b\\c\nd"),
             1);
}

std::vector<Runtime::PortStatus> FakeAppliance::ports() const {
  Runtime::PortStatus wan;
  wan.name = "wan";
  wan.driver = "net_null";
  wan.link_up = true;
  Runtime::PortStatus lan = wan;
  lan.name = "lan";
  return {wan, lan};
}

RestTest::RestTest() {
  auto opened = Engine::open({folder_.path(), 2}, shared_);
  EXPECT_TRUE(opened.ok());
  engine_ = std::move(opened).value();
  EXPECT_TRUE(engine_->start(rcu_).ok());
  appliance_ = std::make_unique<FakeAppliance>(shared_);
  EXPECT_TRUE(
      tokens_.load_text(std::string("root admin ") + kAdmin + "\ngrafana viewer " + kViewer + "\n", "tokens")
          .ok());

  rest::Server::Options options;
  options.port = 0;
  options.certificate_path = folder_.path() + "/api.crt";
  options.key_path = folder_.path() + "/api.key";
  options.max_body = 4u << 20;
  options.threads = 4;
  EXPECT_TRUE(rest::ensure_api_certificate(options.certificate_path, options.key_path, options.address).ok());
  auto server = rest::Server::open(options, {*engine_, *appliance_, events_}, tokens_);
  EXPECT_TRUE(server.ok()) << server.error().message;
  server_ = std::move(server).value();
  server_->start();
  target_.server = "https://127.0.0.1:" + std::to_string(server_->port());
  target_.token = kAdmin;
  target_.ca_file = options.certificate_path;
}

RestTest::~RestTest() { server_->stop(); }

RestTest::Reply RestTest::call(const std::string& method, const std::string& path, const std::string& body,
                               const Lines& headers) const {
  const auto answer = cli::request(target_, method, path, body, headers);
  EXPECT_TRUE(answer.ok()) << (answer.ok() ? "" : answer.error().message);
  if (!answer) return {};
  return {answer->status, json::parse(answer->body, nullptr, false), answer->body, answer->headers};
}

RestTest::Reply RestTest::as(const std::string& token, const std::string& method, const std::string& path,
                             const std::string& body) const {
  cli::Target target = target_;
  target.token = token;
  const auto answer = cli::request(target, method, path, body);
  EXPECT_TRUE(answer.ok());
  if (!answer) return {};
  return {answer->status, json::parse(answer->body, nullptr, false), answer->body, answer->headers};
}

TlsClient::TlsClient(std::uint16_t port)
    : socket_(::socket(AF_INET, SOCK_STREAM, 0)),
      context_(SSL_CTX_new(TLS_client_method())),
      ssl_(SSL_new(context_)) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
  const timeval patience{10, 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  EXPECT_EQ(::connect(socket_, reinterpret_cast<sockaddr*>(&to), sizeof to), 0);
  SSL_set_fd(ssl_, socket_);
  EXPECT_EQ(SSL_connect(ssl_), 1);
}

TlsClient::~TlsClient() {
  SSL_free(ssl_);
  SSL_CTX_free(context_);
  ::close(socket_);
}

bool TlsClient::send(std::string_view bytes) {
  return SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size())) > 0;
}

std::string TlsClient::receive_all() {
  std::string out;
  char piece[4096];
  for (int n; (n = SSL_read(ssl_, piece, sizeof piece)) > 0;) out.append(piece, static_cast<std::size_t>(n));
  return out;
}

std::string RestTest::raw(const std::string& bytes) const {
  TlsClient client(server_->port());
  client.send(bytes);
  return client.receive_all();
}

void RestTest::create_example() {
  ASSERT_EQ(call("POST", "/api/v1/load-balancers", json{{"id", "lb"}, {"addresses", {"192.0.2.1"}}}).status,
            201);
  ASSERT_EQ(
      call("POST", "/api/v1/listeners", json{{"id", "web"}, {"load_balancer", "lb"}, {"port", 80}}).status,
      201);
  ASSERT_EQ(call("POST", "/api/v1/server-groups",
                 json{{"id", "shop"}, {"members", {{{"address", "10.0.0.1"}, {"port", 8080}}}}})
                .status,
            201);
  const json action = {{"type", "forward"}, {"server_groups", {{{"server_group", "shop"}}}}};
  ASSERT_EQ(call("POST", "/api/v1/rules",
                 json{{"id", "r1"}, {"listener", "web"}, {"hosts", {"shop.example"}}, {"action", action}})
                .status,
            201);
}

}  // namespace sluice::mgmt::test
