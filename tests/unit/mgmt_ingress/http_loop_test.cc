// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ingress/http_loop.h"

#include <gtest/gtest.h>
#include <httplib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>

#include "tests/unit/l7_tls/test_certificates.h"

namespace sluice::mgmt::ingress::test {
namespace {

using std::chrono::seconds;

TEST(HttpLoop, ATimerThatArrivingBytesStartIsDueInTheSameWait) {
  httplib::Server server;
  server.Get("/", [](const httplib::Request&, httplib::Response& r) {
    // Late, when libcurl's own timers have passed; then silent: only our timer can end the wait.
    r.set_chunked_content_provider("text/plain",
                                   [sent = false](std::size_t, httplib::DataSink& sink) mutable {
                                     std::this_thread::sleep_for(std::chrono::milliseconds(sent ? 50 : 500));
                                     if (sent) return sink.is_writable();
                                     return sent = sink.write("x", 1);
                                   });
  });
  const int port = server.bind_to_any_port("127.0.0.1");
  std::thread thread([&] { server.listen_after_bind(); });

  bool due = false;
  HttpLoop::Clock::time_point arrived{};
  {
    HttpLoop loop;
    HttpRequest request;
    request.path = "/";
    request.timeout = seconds(300);
    request.on_data = [&](std::string_view) {
      arrived = HttpLoop::Clock::now();
      loop.after(std::chrono::milliseconds(1), [&] { due = true; });
      return true;
    };
    loop.start({.url = "http://127.0.0.1:" + std::to_string(port)}, std::move(request), [](HttpResponse) {});
    for (int polls = 0; !due && polls < 1000; ++polls) loop.poll(seconds(60));
    // libcurl wakes by itself after 5 s.
    EXPECT_LT(HttpLoop::Clock::now() - arrived, seconds(3)) << "it slept through its timer";
  }
  EXPECT_TRUE(due);
  server.stop();
  thread.join();
}

TEST(HttpLoop, ATlsServerNameIsWhatTheCertificateHasToBeForAndHostStaysThatOfTheUrl) {
  const auto pem = l7::tls::test::make_pem({.dns_names = {"api.example"}});
  const auto folder = std::filesystem::path(testing::TempDir()) / ("tls-name-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "crt") << pem.certificate;
  std::ofstream(folder / "key") << pem.key;
  httplib::SSLServer server((folder / "crt").c_str(), (folder / "key").c_str());
  server.Get("/x", [](const httplib::Request& q, httplib::Response& r) { r.set_content(q.get_header_value("Host"), "text/plain"); });
  const int port = server.bind_to_any_port("127.0.0.1");
  std::thread thread([&] { server.listen_after_bind(); });
  while (!server.is_running()) std::this_thread::yield();

  HttpLoop loop;
  const auto ask = [&](const std::string& name) {
    std::optional<HttpResponse> got;
    HttpRequest request;
    request.path = "/x";
    loop.start({.url = "https://127.0.0.1:" + std::to_string(port), .ca_pem = pem.certificate, .tls_server_name = name},
               std::move(request), [&](HttpResponse r) { got = std::move(r); });
    for (int polls = 0; !got && polls < 1000; ++polls) loop.poll(seconds(1));
    return got.value_or(HttpResponse{});
  };
  EXPECT_EQ(ask("").status, 0) << "the certificate is not for the address";
  EXPECT_EQ(ask("other.example").status, 0);
  const HttpResponse right = ask("api.example");
  EXPECT_EQ(right.status, 200) << right.error;
  EXPECT_EQ(right.body, "127.0.0.1:" + std::to_string(port));
  server.stop();
  thread.join();
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace sluice::mgmt::ingress::test
