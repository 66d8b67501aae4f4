// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ingress/http_loop.h"

#include <gtest/gtest.h>
#include <httplib.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>

#include "tests/unit/l7_tls/test_certificates.h"
#include "tests/unit/mgmt_ingress/running_server.h"

namespace sluice::mgmt::ingress::test {
namespace {

using std::chrono::seconds;

/// From the arrival of bytes that start a timer of 1 ms to its end.
HttpLoop::Clock::duration time_of_a_timer_that_bytes_start() {
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
  const RunningServer running(server);

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
    loop.start({.url = running.url()}, std::move(request), [](HttpResponse) {});
    for (int polls = 0; !due && polls < 1000; ++polls) loop.poll(seconds(60));
    EXPECT_TRUE(due);
    return HttpLoop::Clock::now() - arrived;
  }
}

TEST(HttpLoop, ATimerThatArrivingBytesStartIsDueInTheSameWait) {
  // libcurl wakes by itself after 5 s. The least of several, as a busy machine may sleep, too.
  auto least = HttpLoop::Clock::duration::max();
  for (int i = 0; i < 5 && least >= std::chrono::milliseconds(4500); ++i)
    least = std::min(least, time_of_a_timer_that_bytes_start());
  EXPECT_LT(least, std::chrono::milliseconds(4500)) << "it slept through its timer";
}

TEST(HttpLoop, ATlsServerNameIsWhatTheCertificateHasToBeForAndHostStaysThatOfTheUrl) {
  const auto pem = l7::tls::test::make_pem({.dns_names = {"api.example"}});
  const auto folder = std::filesystem::path(testing::TempDir()) / ("tls-name-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "crt") << pem.certificate;
  std::ofstream(folder / "key") << pem.key;
  httplib::SSLServer server((folder / "crt").c_str(), (folder / "key").c_str());
  server.Get("/x", [](const httplib::Request& q, httplib::Response& r) { r.set_content(q.get_header_value("Host"), "text/plain"); });
  const RunningServer running(server);

  HttpLoop loop;
  const auto ask = [&](const std::string& name) {
    std::optional<HttpResponse> got;
    HttpRequest request;
    request.path = "/x";
    loop.start({.url = "https://" + running.authority(), .ca_pem = pem.certificate, .tls_server_name = name},
               std::move(request), [&](HttpResponse r) { got = std::move(r); });
    for (int polls = 0; !got && polls < 1000; ++polls) loop.poll(seconds(1));
    return got.value_or(HttpResponse{});
  };
  EXPECT_EQ(ask("").status, 0) << "the certificate is not for the address";
  EXPECT_EQ(ask("other.example").status, 0);
  const HttpResponse right = ask("api.example");
  EXPECT_EQ(right.status, 200) << right.error;
  EXPECT_EQ(right.body, running.authority());
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace sluice::mgmt::ingress::test
