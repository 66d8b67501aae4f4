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
    // The stream stays open: nothing but the timer can end the second wait.
    r.set_chunked_content_provider("text/plain",
                                   [sent = false](std::size_t, httplib::DataSink& sink) mutable {
                                     if (!sent) return sent = sink.write("x", 1);
                                     std::this_thread::sleep_for(std::chrono::milliseconds(50));
                                     return sink.is_writable();
                                   });
  });
  const int port = server.bind_to_any_port("127.0.0.1");
  std::thread thread([&] { server.listen_after_bind(); });

  bool due = false;
  int polls = 0;
  {
    HttpLoop loop;
    HttpRequest request;
    request.path = "/";
    request.on_data = [&](std::string_view) {
      loop.after(std::chrono::milliseconds(1), [&] { due = true; });
      return true;
    };
    loop.start({.url = "http://127.0.0.1:" + std::to_string(port)}, std::move(request), [](HttpResponse) {});
    const auto begin = HttpLoop::Clock::now();
    while (!due && polls < 1000 && HttpLoop::Clock::now() - begin < seconds(60))
      ++polls, loop.poll(seconds(30));
    EXPECT_LT(HttpLoop::Clock::now() - begin, seconds(25)) << "it slept through its timer";
  }
  EXPECT_TRUE(due);
  server.stop();
  thread.join();
}

}  // namespace
}  // namespace sluice::mgmt::ingress::test
