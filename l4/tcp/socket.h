// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dataplane/base/timer_wheel.h"
#include "l4/stream.h"
#include "l4/tcp/connection.h"
#include "l4/tcp/linked_list.h"
#include "l4/tcp/stack.h"

namespace sluice::l4::tcp {

class Backlog;

/// A connection as the stack holds it and its user sees it: the core, one timer, and links of the stack's
/// lists. Its user's calls change the core and ask for output; they never call back.
class Socket final : public Stream {
 public:
  Socket(Stack::Impl& stack, const FlowKey& flow, bool passive);

  void set_events(StreamEvents* e) override { events = e; }
  const FlowKey& flow() const override { return core.flow; }
  void send(BufChain data, Instant now) override;
  std::size_t send_space() const override;
  std::size_t unsent_or_unacked() const override { return core.queue.size(); }
  void consumed(std::size_t n, Instant now) override;
  void shutdown(Instant now) override;
  void abort(Instant now) override;

  const FlowKey& key() const { return core.flow; }
  Stack::Impl& stack() { return stack_; }

  Connection core;
  Timer timer;
  StreamEvents* events = nullptr;

  // In the stack's lists. A socket that is `gone` is told nothing and waits for the end of flush().
  // By age: half-open connections of one listener, or those whose peer's window is shut.
  Links<Socket> by_age;
  Backlog* backlog = nullptr;
  bool dirty = false, in_events = false, in_table = false, gone = false, in_stalled = false;
  std::uint32_t accounted = 0;  ///< Of Stats::buffered_bytes.

 private:
  Stack::Impl& stack_;
};

}  // namespace sluice::l4::tcp
