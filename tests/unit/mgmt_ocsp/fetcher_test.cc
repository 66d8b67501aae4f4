// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ocsp/fetcher.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <thread>

namespace sluice::mgmt::ocsp {
namespace {

using testing::HasSubstr;

/// A server on the loopback that answers each connection with the same bytes, or, when there are none, never.
class Server {
 public:
  explicit Server(std::string answer) : answer_(std::move(answer)), socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    EXPECT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&at), size), 0);
    EXPECT_EQ(::listen(socket_, 8), 0);
    ::getsockname(socket_, reinterpret_cast<sockaddr*>(&at), &size);
    port_ = ntohs(at.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~Server() {
    ::shutdown(socket_, SHUT_RDWR);
    thread_.join();
    ::close(socket_);
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/ocsp"; }
  std::string request;  ///< Of the last connection; to be read when it has been answered.

 private:
  void serve() {
    for (int c; (c = ::accept(socket_, nullptr, nullptr)) >= 0; ::close(c)) {
      request.clear();
      char piece[4096];
      for (ssize_t n; !request.ends_with("question") && (n = ::read(c, piece, sizeof piece)) > 0;)
        request.append(piece, static_cast<std::size_t>(n));
      for (std::size_t at = 0; at < answer_.size();) {
        const ssize_t n = ::send(c, answer_.data() + at, answer_.size() - at, MSG_NOSIGNAL);
        if (n <= 0) break;
        at += static_cast<std::size_t>(n);
      }
      while (answer_.empty() && ::read(c, piece, sizeof piece) > 0) {}
    }
  }
  std::string answer_;
  int socket_;
  int port_ = 0;
  std::thread thread_;
};

std::string with_body(const std::string& body) { return "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body; }

std::string reason(const Answer& a) { return a.problem ? std::string(to_string(a.problem->reason)) : "none"; }

TEST(OcspFetcher, posts_the_question_and_brings_the_answer) {
  Server server(with_body("answer"));
  HttpFetcher fetcher("", true);
  const Answer got = fetcher.post(server.url(), "question");
  ASSERT_EQ(reason(got), "none") << got.problem->message;
  EXPECT_EQ(got.body, "answer");
  EXPECT_THAT(server.request, HasSubstr("POST /ocsp HTTP/1.1\r\n"));
  EXPECT_THAT(server.request, HasSubstr("Content-Type: application/ocsp-request\r\n"));
  EXPECT_THAT(server.request, HasSubstr("\r\n\r\nquestion"));
}

TEST(OcspFetcher, takes_no_other_status_and_follows_no_redirect) {
  Server elsewhere(with_body("never"));
  Server moved("HTTP/1.1 302 Found\r\nLocation: " + elsewhere.url() + "\r\nConnection: close\r\n\r\n"),
      missing("HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n"), broken("HTTP/1.1 503 Busy\r\nConnection: close\r\n\r\n");
  HttpFetcher fetcher("", true);
  const Answer redirected = fetcher.post(moved.url(), "question");
  EXPECT_EQ(reason(redirected), "http_status");
  EXPECT_THAT(redirected.problem->message, HasSubstr("302"));
  EXPECT_EQ(elsewhere.request, "");
  EXPECT_FALSE(fetcher.post(missing.url(), "question").responder_down);
  EXPECT_TRUE(fetcher.post(broken.url(), "question").responder_down);
}

TEST(OcspFetcher, takes_no_more_than_its_bound) {
  Server fits(with_body(std::string(HttpFetcher::kMaxBody, 'x'))), large(with_body(std::string(HttpFetcher::kMaxBody + 1, 'x')));
  HttpFetcher fetcher("", true);
  EXPECT_EQ(fetcher.post(fits.url(), "question").body.size(), HttpFetcher::kMaxBody);
  EXPECT_EQ(reason(fetcher.post(large.url(), "question")), "too_large");
}

TEST(OcspFetcher, connects_to_no_address_that_certificates_may_not_send_it_to) {
  Server server(with_body("answer"));
  HttpFetcher fetcher("", false);
  const Answer got = fetcher.post(server.url(), "question");
  EXPECT_EQ(reason(got), "address_refused");
  EXPECT_THAT(got.problem->message, HasSubstr("127.0.0.1"));
  std::string by_name = server.url();
  by_name.replace(by_name.find("127.0.0.1"), 9, "localhost");
  EXPECT_EQ(reason(fetcher.post(by_name, "question")), "address_refused") << "whatever it is called";
  EXPECT_EQ(server.request, "");
}

TEST(OcspFetcher, knows_addresses_that_are_not_a_responders) {
  for (const char* bad : {"127.0.0.1", "127.8.8.8", "::1", "0.0.0.0", "::", "169.254.169.254", "fe80::1", "224.0.0.1", "ff02::1",
                          "255.255.255.255", "100.100.100.200", "168.63.129.16", "fd00:ec2::254"}) {
    EXPECT_FALSE(may_be_sent_to(*IpAddr::parse(bad))) << bad;
  }
  EXPECT_FALSE(may_be_sent_to(IpAddr::v6_bytes("\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\x01"))) << "::ffff:127.0.0.1";
  for (const char* good : {"192.0.2.1", "10.0.0.1", "192.168.1.1", "2001:db8::1", "fd00::1"})
    EXPECT_TRUE(may_be_sent_to(*IpAddr::parse(good))) << good;
}

TEST(OcspFetcher, speaks_http_only) {
  HttpFetcher fetcher("", true);
  EXPECT_EQ(reason(fetcher.post("file:///etc/hostname", "question")), "connect");
  EXPECT_EQ(reason(fetcher.post("http://127.0.0.1:1/", "question")), "connect");
  EXPECT_TRUE(fetcher.post("http://127.0.0.1:1/", "question").responder_down);
}

TEST(OcspFetcher, goes_by_the_proxy_which_looks_after_addresses) {
  Server proxy(with_body("through the proxy"));
  HttpFetcher fetcher(proxy.url().substr(0, proxy.url().rfind('/')), false);
  EXPECT_EQ(fetcher.post("http://ocsp.test/x", "question").body, "through the proxy");
  EXPECT_THAT(proxy.request, HasSubstr("POST http://ocsp.test/x HTTP/1.1\r\n"));
}

TEST(OcspFetcher, is_cancelled_from_another_thread) {
  Server silent("");
  HttpFetcher fetcher("", true);
  const auto start = std::chrono::steady_clock::now();
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    fetcher.cancel();
  });
  EXPECT_EQ(reason(fetcher.post(silent.url(), "question")), "connect");
  other.join();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(9)) << "it gives up by itself after 10 s";
}

}  // namespace
}  // namespace sluice::mgmt::ocsp
