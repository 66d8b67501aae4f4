// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "dataplane/base/ip.h"
#include "dataplane/base/spsc_ring.h"

namespace sluice::l7 {

/// A string cut to fit; what was cut is told by `truncated()`.
template <std::size_t N>
class BoundedText {
 public:
  void assign(std::string_view text) {
    truncated_ = text.size() > N;
    size_ = static_cast<std::uint16_t>(truncated_ ? N : text.size());
    if (size_ > 0) std::memcpy(bytes_.data(), text.data(), size_);  // An empty view may have no address.
  }
  std::string_view view() const { return {bytes_.data(), size_}; }
  bool truncated() const { return truncated_; }

 private:
  std::array<char, N> bytes_;
  std::uint16_t size_ = 0;
  bool truncated_ = false;
};

/// One finished request. Written by the worker into its ring, turned into a JSON line by management.
struct AccessRecord {
  std::int64_t duration_ns = 0;           ///< First byte of the request to the last byte handed to TCP.
  std::int64_t upstream_connect_ns = -1;  ///< -1: none (reused or never).
  std::int64_t upstream_response_ns = -1; ///< To the response head.
  std::uint64_t request_bytes = 0, response_bytes = 0;  ///< Bodies.
  Endpoint client, vip, upstream;         ///< upstream.port 0: none.
  std::uint16_t status = 0;               ///< 0: the client left first (also 499 in the log).
  std::uint8_t upstream_attempts = 0;
  bool tls = false;
  bool passthrough = false;               ///< A TLS connection that was passed on; `host` is its server name, bytes are TLS.
  BoundedText<8> method;
  BoundedText<128> host;
  BoundedText<512> path;                  ///< With query.
  BoundedText<64> request_id;
  BoundedText<64> listener, rule, group;
  BoundedText<16> tls_version;
  BoundedText<160> user_agent;
  BoundedText<96> error;                  ///< Why we answered or closed ourselves: "connect_timeout", "bad_request: ..."
};

using AccessRing = SpscRing<AccessRecord>;

/// A change that management logs and shows under /events.
struct HealthEvent {
  std::uint32_t backend_slot = 0;
  bool up = false;
  BoundedText<96> detail;  ///< "connection refused", "status 500"
};
using HealthRing = SpscRing<HealthEvent>;

}  // namespace sluice::l7
