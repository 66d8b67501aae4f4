// SPDX-License-Identifier: Apache-2.0
#include <random>
#include <thread>

#include "mgmt/rest/dispatch.h"
#include "tests/unit/mgmt_daemon/rest_fixture.h"

namespace sluice::mgmt::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::AnyOf;
using testing::Eq;
using testing::StartsWith;

class RestServer : public RestTest {
 protected:
  /// Sends a header a byte every 100 ms over TLS; whether the server ended it before `longest`.
  static bool trickle(std::uint16_t port, std::chrono::seconds longest);
};

bool RestServer::trickle(std::uint16_t port, std::chrono::seconds longest) {
  TlsClient client(port);
  const std::string head = "GET /healthz HTTP/1.1\r\nX: " + std::string(4000, 'a');
  const auto end = std::chrono::steady_clock::now() + longest;
  for (const char c : head) {
    if (std::chrono::steady_clock::now() > end) return false;
    if (!client.send({&c, 1})) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  return false;
}

TEST_F(RestServer, asks_for_a_token_and_tells_how) {
  for (const char* path : {"/api/v1/rules", "/metrics", "/nothing/here", "/api/v1/health"}) {
    const Reply none = as("", "GET", path);
    EXPECT_EQ(none.status, 401) << path;
    EXPECT_EQ(none.headers.at("www-authenticate"), "Bearer realm=\"sluice\"");
    EXPECT_EQ(none.headers.at("content-type"), "application/problem+json");
  }
  EXPECT_EQ(as("wrong", "GET", "/api/v1/rules").status, 401);
  EXPECT_EQ(as(std::string(kAdmin) + "x", "GET", "/api/v1/rules").status, 401);
  EXPECT_EQ(as(std::string(kAdmin).substr(1), "GET", "/api/v1/rules").status, 401);
  EXPECT_EQ(as("", "GET", "/healthz").status, 200);
  EXPECT_EQ(as("", "GET", "/api/v1/openapi.json").status, 200);
}

TEST_F(RestServer, a_viewer_reads_and_changes_nothing) {
  create_example();
  EXPECT_EQ(as(kViewer, "GET", "/api/v1/config").status, 200);
  EXPECT_EQ(as(kViewer, "GET", "/metrics").status, 200);
  EXPECT_EQ(as(kViewer, "POST", "/api/v1/explain", R"({"url": "http://192.0.2.1/"})").status, 200);
  for (const auto& [method, path] : {std::pair{"POST", "/api/v1/rules"},
                                     {"PUT", "/api/v1/rules/r1"},
                                     {"PATCH", "/api/v1/rules/r1"},
                                     {"DELETE", "/api/v1/rules/r1"},
                                     {"PUT", "/api/v1/config"},
                                     {"POST", "/api/v1/revisions/1/rollback"}}) {
    EXPECT_EQ(as(kViewer, method, path, "{}").status, 403) << method << path;
  }
  EXPECT_EQ(call("GET", "/api/v1/rules/r1").status, 200);
}

TEST_F(RestServer, names_the_methods_of_a_path_and_what_it_does_not_have) {
  const Reply r = call("DELETE", "/api/v1/config");
  EXPECT_EQ(r.status, 405);
  EXPECT_EQ(r.headers.at("allow"), "GET, HEAD, PUT, PATCH");
  EXPECT_EQ(call("POST", "/healthz", "{}").status, 405);
  EXPECT_EQ(call("GET", "/api/v1/nothing").status, 404);
  EXPECT_EQ(call("GET", "/").status, 404);
  EXPECT_EQ(call("GET", "/api/v1/rules/a/b").status, 404);
}

TEST_F(RestServer, a_body_that_is_no_json_is_told_by_its_place) {
  const Reply broken = call("POST", "/api/v1/rules", std::string("{\"id\": }"));
  EXPECT_EQ(broken.status, 400);
  EXPECT_THAT(broken.body["detail"].get<std::string>(),
              HasSubstr("the body is not JSON: parse error at line 1, column 8"));
  EXPECT_EQ(call("POST", "/api/v1/rules", std::string("{\"id\": \"a\", \"id\": \"b\"}")).status, 400)
      << "a member twice";
  EXPECT_EQ(call("POST", "/api/v1/rules", std::string("{} {}")).status, 400);
  EXPECT_EQ(call("POST", "/api/v1/rules", std::string("\xff\xfe{}")).status, 400);
  EXPECT_EQ(call("POST", "/api/v1/rules", std::string(100000, '[')).status, 400) << "deep nesting";
  EXPECT_EQ(call("POST", "/api/v1/rules").status, 400) << "no body";
  EXPECT_EQ(call("POST", "/api/v1/rules", std::string("[]")).status, 422) << "JSON, but no object";
  EXPECT_EQ(call("PUT", "/api/v1/config", std::string("5")).status, 422);
}

TEST_F(RestServer, bodies_of_other_types_are_refused) {
  const auto with_type = [&](const std::string& type) {
    return raw("POST /api/v1/rules HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " +
               std::string(kAdmin) + "\r\nContent-Type: " + type + "\r\nContent-Length: 2\r\n\r\n{}");
  };
  EXPECT_THAT(with_type("text/xml"), StartsWith("HTTP/1.1 415"));
  EXPECT_THAT(with_type("application/x-www-form-urlencoded"), StartsWith("HTTP/1.1 415"));
  EXPECT_THAT(with_type("multipart/form-data; boundary=x"), StartsWith("HTTP/1.1 415"));
  EXPECT_THAT(with_type("Application/JSON; charset=utf-8"), StartsWith("HTTP/1.1 422"));
}

TEST_F(RestServer, a_body_beyond_the_limit_is_413_whether_announced_or_not) {
  // More than sockets hold: the client gets to the answer behind its body, and not to a reset.
  const Reply announced = call("POST", "/api/v1/rules", std::string(20u << 20, ' '));
  EXPECT_EQ(announced.status, 413);
  std::string chunked = "POST /api/v1/rules HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " +
                        std::string(kAdmin) +
                        "\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 20; ++i) chunked += "100000\r\n" + std::string(1u << 20, ' ') + "\r\n";
  EXPECT_THAT(raw(chunked + "0\r\n\r\n"), StartsWith("HTTP/1.1 413"));
  EXPECT_EQ(call("GET", "/healthz").status, 200);
}

TEST_F(RestServer, a_chunked_body_works) {
  const std::string body = R"({"id": "lb", "addresses": ["192.0.2.1"]})";
  char size[8];
  std::snprintf(size, sizeof size, "%zx", body.size());
  EXPECT_THAT(
      raw("POST /api/v1/load-balancers HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " +
          std::string(kAdmin) + "\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" +
          size + "\r\n" + body + "\r\n0\r\n\r\n"),
      StartsWith("HTTP/1.1 201"));
}

TEST_F(RestServer, requests_without_a_body_do_not_wait_for_one) {
  const std::string head =
      " HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + std::string(kAdmin) + "\r\n\r\n";
  EXPECT_THAT(raw("DELETE /api/v1/rules/none" + head), StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(raw("POST /api/v1/rules" + head), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(raw("HEAD /api/v1/rules" + head), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(raw("OPTIONS /api/v1/rules" + head), StartsWith("HTTP/1.1 405"));
}

TEST_F(RestServer, a_name_that_points_at_the_loopback_from_elsewhere_is_refused) {
  const auto with_host = [&](const std::string& host) {
    return raw("GET /healthz HTTP/1.1\r\nHost: " + host + "\r\n\r\n").substr(0, 12);
  };
  EXPECT_EQ(with_host("evil.example"), "HTTP/1.1 421");
  EXPECT_EQ(with_host("evil.example:8443"), "HTTP/1.1 421");
  EXPECT_EQ(with_host("127.0.0.1.evil.example"), "HTTP/1.1 421");
  EXPECT_EQ(raw("GET /healthz HTTP/1.1\r\n\r\n").substr(0, 12), "HTTP/1.1 421");
  EXPECT_EQ(with_host("localhost:8443"), "HTTP/1.1 200");
  EXPECT_EQ(with_host("127.0.0.1"), "HTTP/1.1 200");
  EXPECT_TRUE(rest::is_loopback_host("[::1]:8443"));
  EXPECT_FALSE(rest::is_loopback_host("[::1"));
  EXPECT_FALSE(rest::is_loopback_host(""));
}

TEST_F(RestServer, garbage_and_long_paths_end_no_thread) {
  EXPECT_THAT(raw("GARBAGE\r\n\r\n"), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(raw("TRACE / HTTP/1.1\r\nHost: localhost\r\n\r\n"), StartsWith("HTTP/1.1 4"));
  for (const char* method : {"GET", "PUT", "DELETE"}) {
    EXPECT_THAT(
        raw(std::string(method) + " /" + std::string(8000, 'a') + " HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        StartsWith("HTTP/1.1 414"))
        << method;
  }
  EXPECT_THAT(raw("GET /" + std::string(30000, 'a') + " HTTP/1.1\r\nHost: localhost\r\n\r\n"),
              StartsWith("HTTP/1.1 414"));
  // Newer versions of the HTTP library close at a line above 32 KB, without an answer.
  EXPECT_THAT(raw("GET /" + std::string(100000, 'a') + " HTTP/1.1\r\nHost: localhost\r\n\r\n"),
              AnyOf(StartsWith("HTTP/1.1 414"), Eq("")));
  std::mt19937 random(1);
  for (int i = 0; i < 50; ++i) {
    std::string bytes(std::uniform_int_distribution<std::size_t>(1, 300)(random), '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    raw(bytes + "\r\n\r\n");
  }
  EXPECT_EQ(call("GET", "/healthz").status, 200);
}

TEST_F(RestServer, random_edits_of_a_valid_document_are_answered_and_change_all_or_nothing) {
  create_example();
  const std::string whole = call("GET", "/api/v1/config").text;
  std::mt19937 random(7);
  for (int i = 0; i < 100; ++i) {
    std::string edited = whole;
    for (int n = 0; n < 3; ++n)
      edited[random() % edited.size()] =
          static_cast<char>(random() % 4 == 0 ? random() : "{}[],:\"0a"[random() % 9]);
    const std::uint64_t before = engine_->revision();
    const Reply r = call("PUT", "/api/v1/config", edited);
    EXPECT_THAT(r.status, testing::AnyOf(200, 400, 422)) << edited;
    if (r.status != 200) {
      EXPECT_EQ(engine_->revision(), before);
      EXPECT_EQ(r.headers.at("content-type"), "application/problem+json");
    }
  }
}

TEST_F(RestServer, a_second_server_on_the_same_port_is_refused) {
  rest::Server::Options options;
  options.port = server_->port();
  options.certificate_path = folder_.path() + "/api.crt";
  options.key_path = folder_.path() + "/api.key";
  const auto second = rest::Server::open(options, {*engine_, *appliance_, events_}, tokens_);
  ASSERT_FALSE(second.ok());
  EXPECT_THAT(second.error().message, HasSubstr(std::to_string(server_->port())));
}

TEST_F(RestServer, clients_that_send_a_byte_at_a_time_hold_no_thread_for_ever) {
  rest::Server::Options options;
  options.port = 0;
  options.threads = 1;
  options.request_timeout_s = 1;
  options.certificate_path = folder_.path() + "/api.crt";
  options.key_path = folder_.path() + "/api.key";
  auto server = rest::Server::open(options, {*engine_, *appliance_, events_}, tokens_);
  ASSERT_TRUE(server.ok());
  (*server)->start();
  std::atomic<bool> cut{false};
  std::thread slow([&] { cut = trickle((*server)->port(), std::chrono::seconds(60)); });
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  cli::Target target = target_;
  target.server = "https://127.0.0.1:" + std::to_string((*server)->port());
  // A client that gets no time for a second is cut, too: it asks again.
  bool answered = false;
  for (int i = 0; i < 20 && !answered; ++i) {
    const auto answer = cli::request(target, "GET", "/healthz");
    answered = answer.ok() && answer->status == 200;
  }
  EXPECT_TRUE(answered) << "the only thread came free";
  slow.join();
  EXPECT_TRUE(cut);
}

TEST_F(RestServer, a_stop_does_not_wait_for_slow_clients) {
  std::thread slow([&] { trickle(server_->port(), std::chrono::seconds(90)); });
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  const auto before = std::chrono::steady_clock::now();
  server_->stop();
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(30)) << "60 s are a request's due";
  slow.join();
}

TEST_F(RestServer, a_certificate_that_is_none_is_named) {
  rest::Server::Options options;
  options.port = 0;
  options.certificate_path = folder_.path() + "/sluice.db";
  options.key_path = folder_.path() + "/api.key";
  const auto server = rest::Server::open(options, {*engine_, *appliance_, events_}, tokens_);
  ASSERT_FALSE(server.ok());
  EXPECT_THAT(server.error().message, HasSubstr("sluice.db"));
}

TEST_F(RestServer, without_tls_it_serves_plain_http) {
  rest::Server::Options options;
  options.port = 0;
  options.tls = false;
  auto server = rest::Server::open(options, {*engine_, *appliance_, events_, false}, tokens_);
  ASSERT_TRUE(server.ok());
  (*server)->start();
  cli::Target plain;
  plain.server = "http://127.0.0.1:" + std::to_string((*server)->port());
  EXPECT_EQ(cli::request(plain, "GET", "/healthz")->status, 200);
  EXPECT_EQ(cli::request(plain, "GET", "/metrics")->status, 200) << "metrics_auth is false";
  EXPECT_EQ(cli::request(plain, "GET", "/api/v1/rules")->status, 401);
}

}  // namespace
}  // namespace sluice::mgmt::test
