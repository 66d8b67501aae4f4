// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "l4/stream.h"
#include "pktgen-scripts/framing.h"

namespace sluice::pktgen {

class StreamApp;

/// A backend's end of one connection: reads requests, checks them, answers each with the shape's body.
class Backend final : public l4::StreamEvents {
 public:
  Backend(StreamApp& app, l4::Stream& stream) : app_(app), stream_(&stream) {}

  void on_open(Instant) override {}
  void on_data(BufChain data, Instant now) override;
  void on_writable(Instant now) override { send(now); }
  void on_peer_closed(Instant now) override { stream_->shutdown(now); }
  void on_closed(l4::CloseReason reason, Instant now) override;
  void close(Instant now) { stream_->shutdown(now); }

  Backend *prev = nullptr, *next = nullptr;  // the application's list

 private:
  void fail(std::string why, Instant now);
  void send(Instant now);

  StreamApp& app_;
  l4::Stream* stream_;
  MessageReader reader_;
  std::size_t to_send_ = 0;  // bytes of the answer, from its end
};

}  // namespace sluice::pktgen
