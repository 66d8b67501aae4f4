// SPDX-License-Identifier: Apache-2.0
#include "pktgen-scripts/streams/backend.h"

#include <algorithm>

#include "pktgen-scripts/streams/stream_app.h"

namespace sluice::pktgen {

void Backend::on_data(BufChain data, Instant now) {
  const std::size_t n = data.size();
  for (const rte_mbuf* m = data.front(); m != nullptr; m = BufChain::next(m)) {
    std::string why;
    const Verdict v = reader_.feed(BufChain::view(m), app_.request_rules(), why);
    if (v == Verdict::kMore) continue;
    if (v != Verdict::kComplete) return fail("request: " + why, now);
    if (to_send_ != 0) return fail("a request before the last one was answered", now);
    app_.results().answered.add();
    to_send_ = app_.response_size();
    send(now);
    if (stream_ == nullptr) return;
  }
  stream_->consumed(n, now);
}

void Backend::send(Instant now) {
  constexpr std::size_t kAtOnce = 256 * 1024;
  while (to_send_ > 0 && stream_->send_space() > 0) {
    const std::size_t n = std::min({to_send_, stream_->send_space(), kAtOnce});
    BufChain part = app_.response(app_.response_size() - to_send_, n);
    if (part.empty()) return fail("out of packet buffers", now);
    to_send_ -= n;
    stream_->send(std::move(part), now);
  }
}

void Backend::fail(std::string why, Instant now) {
  app_.results().fail(Failure::kBackend, std::move(why));
  stream_->abort(now);
  stream_ = nullptr;
  app_.recycle(*this);
}

void Backend::on_closed(l4::CloseReason, Instant) {
  stream_ = nullptr;
  app_.recycle(*this);
}

}  // namespace sluice::pktgen
