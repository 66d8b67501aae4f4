// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "dataplane/base/ip.h"
#include "mgmt/ocsp/response.h"

namespace sluice::mgmt::ocsp {

/// What came back from a responder: a body that nobody has judged yet, or why there is none.
struct Answer {
  std::string body;
  std::optional<Problem> problem;
  bool responder_down = false;  ///< The problem is not this certificate's: others need not be asked about now.
};

/// Asks one responder at a time, and waits for it.
class Fetcher {
 public:
  virtual ~Fetcher() = default;
  virtual Answer post(const std::string& url, const std::string& request) = 0;
  /// From any thread: ends what runs, and all that is asked later.
  virtual void cancel() {}
};

/// Whether a certificate may send us to this address. Not to ourselves, to this link, or to the metadata service of a cloud: that
/// somebody may upload certificates is no reason to believe what is written on them. Private networks are fine, responders of
/// private authorities are there.
bool may_be_sent_to(const IpAddr& address);

/// Over HTTP or HTTPS (RFC 6960, A.1), by libcurl on the kernel's network: POST, no redirects, at most 64 KiB and 10 s. One
/// thread; proxies of the environment are not used.
class HttpFetcher final : public Fetcher {
 public:
  static constexpr std::size_t kMaxBody = 64 * 1024;

  /// `proxy`: "http://...", "socks5h://..."; empty: none. `trusted`: URLs come from the operator, so any address will do; so it
  /// will with a proxy, which has to look after them.
  HttpFetcher(std::string proxy, bool trusted);
  ~HttpFetcher() override;
  Answer post(const std::string& url, const std::string& request) override;
  void cancel() override { cancelled_.store(true, std::memory_order_relaxed); }

 private:
  struct Transfer;
  const std::string proxy_;
  const bool trusted_;
  std::atomic<bool> cancelled_{false};
  void* curl_;  ///< CURL: connections stay open between requests.
};

}  // namespace sluice::mgmt::ocsp
