// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ocsp/fetcher.h"

#include <curl/curl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace sluice::mgmt::ocsp {
namespace {

std::optional<IpAddr> address_of(const sockaddr& a) {
  if (a.sa_family == AF_INET) return IpAddr::v4_bytes(&reinterpret_cast<const sockaddr_in&>(a).sin_addr);
  if (a.sa_family == AF_INET6) return IpAddr::v6_bytes(&reinterpret_cast<const sockaddr_in6&>(a).sin6_addr);
  return std::nullopt;
}

}  // namespace

bool may_be_sent_to(const IpAddr& address) {
  // Metadata services that are not link-local: of Alibaba Cloud, Azure and AWS.
  static const std::array<IpAddr, 3> kMetadata = {*IpAddr::parse("100.100.100.200"), *IpAddr::parse("168.63.129.16"),
                                                  *IpAddr::parse("fd00:ec2::254")};
  return !address.is_loopback() && !address.is_link_local() && !address.is_unspecified() && !address.is_multicast() &&
         !address.is_v4_broadcast() && std::find(kMetadata.begin(), kMetadata.end(), address) == kMetadata.end();
}

/// One request, as libcurl's callbacks see it.
struct HttpFetcher::Transfer {
  const HttpFetcher& fetcher;
  std::string body;
  bool too_large = false;
  std::string refused;  ///< An address.
  char why[CURL_ERROR_SIZE] = {};

  static std::size_t take(char* data, std::size_t, std::size_t n, void* user) {
    auto& t = *static_cast<Transfer*>(user);
    t.too_large = t.body.size() + n > kMaxBody;
    if (t.too_large) return 0;
    t.body.append(data, n);
    return n;
  }

  /// Looks at the address that is really connected to, so that no name can lead elsewhere than it did when it was looked at.
  static curl_socket_t open_socket(void* user, curlsocktype, curl_sockaddr* to) {
    auto& t = *static_cast<Transfer*>(user);
    const auto address = address_of(to->addr);
    if (!t.fetcher.trusted_ && (!address || !may_be_sent_to(*address))) {
      t.refused = address ? address->to_string() : "not IP";
      return CURL_SOCKET_BAD;
    }
    return ::socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
  }

  static int progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return static_cast<Transfer*>(user)->fetcher.cancelled_.load(std::memory_order_relaxed) ? 1 : 0;
  }

  Answer answer(CURLcode code, long status) {
    const auto failed = [](Failure reason, std::string message, bool down) {
      return Answer{{}, Problem{reason, std::move(message)}, down};
    };
    if (too_large) return failed(Failure::kTooLarge, "the answer is larger than " + std::to_string(kMaxBody) + " bytes", false);
    if (code != CURLE_OK && !refused.empty())
      return failed(Failure::kAddress, "certificates may not send the appliance to " + refused, true);
    if (code != CURLE_OK) return failed(Failure::kConnect, why[0] != '\0' ? why : curl_easy_strerror(code), true);
    const bool busy = status >= 500 || status == 429;
    if (status != 200) return failed(Failure::kHttpStatus, "HTTP status " + std::to_string(status), busy);
    return {std::move(body), std::nullopt, false};
  }
};

HttpFetcher::HttpFetcher(std::string proxy, bool trusted)
    : proxy_(std::move(proxy)), trusted_(trusted || !proxy_.empty()), curl_(curl_easy_init()) {}

HttpFetcher::~HttpFetcher() {
  if (curl_ != nullptr) curl_easy_cleanup(curl_);
}

Answer HttpFetcher::post(const std::string& url, const std::string& request) {
  if (curl_ == nullptr) return {{}, Problem{Failure::kConnect, "out of memory"}, true};
  CURL* c = curl_;
  curl_easy_reset(c);
  Transfer t{*this};
  curl_slist* lines = nullptr;
  for (const char* line : {"Content-Type: application/ocsp-request", "Accept: application/ocsp-response", "Expect:"})
    lines = curl_slist_append(lines, line);
  curl_easy_setopt(c, CURLOPT_URL, url.c_str());
  curl_easy_setopt(c, CURLOPT_PROXY, proxy_.c_str());  // empty: none, whatever the environment says
  curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(c, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
  curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(c, CURLOPT_HTTPHEADER, lines);
  curl_easy_setopt(c, CURLOPT_USERAGENT, "sluice");
  curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.size()));
  curl_easy_setopt(c, CURLOPT_POSTFIELDS, request.data());
  curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, Transfer::take);
  curl_easy_setopt(c, CURLOPT_WRITEDATA, &t);
  curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, Transfer::open_socket);
  curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, &t);
  curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, Transfer::progress);
  curl_easy_setopt(c, CURLOPT_XFERINFODATA, &t);
  curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t.why);
  curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, 5000L);
  curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, 10'000L);
  curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(c, CURLOPT_QUICK_EXIT, 1L);  // a stop does not wait for a name server
  const CURLcode code = curl_easy_perform(c);
  long status = 0;
  curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
  curl_slist_free_all(lines);
  return t.answer(code, status);
}

}  // namespace sluice::mgmt::ocsp
