// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ingress/http_loop.h"

#include <gtest/gtest.h>
#include <httplib.h>

#include <thread>

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

}  // namespace
}  // namespace sluice::mgmt::ingress::test
