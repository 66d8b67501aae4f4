// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "dataplane/base/object_pool.h"
#include "dataplane/base/timer_wheel.h"
#include "l7/proxy/http_date.h"
#include "l7/proxy/limiter.h"
#include "l7/proxy/proxy_app.h"
#include "l7/route/path.h"
#include "l7/route/router.h"
#include "l7/upstream/pool.h"
#include "l7/upstream/scheduler.h"

namespace sluice::l7::proxy {

class ClientSession;
class Exchange;
struct UnfinishedHead;

/// What the sessions and exchanges of one worker share: the snapshot of this loop, counters, pools.
/// Everything that is mutable on this core hangs here. Owned by the worker's ProxyApp, or by a test.
struct WorkerState {
  WorkerState(WorkerId worker, BufPool& buffer_pool, TimerWheel& wheel, Shared& shared_state,
              upstream::Connector& connector, std::size_t max_connections);
  ~WorkerState();

  /// A new snapshot was published: valid until this worker's next quiescent state.
  void adopt(const Snapshot* next, Instant now);
  /// Accept nothing new; connections without a request are closed, others after their response.
  void begin_drain(Instant now);
  /// No exchange is left, and what was answered has reached the clients.
  bool drained() const;

  /// Null: the bound of connections is reached.
  ClientSession* new_session();
  /// The session's stream is closed or aborted. Its memory stays until reap().
  void session_gone(ClientSession* s);
  /// Has bytes of a further request and wants run_ready() to go on with them.
  void make_ready(ClientSession* s);
  /// Once a loop, before the stack flushes: pipelined requests. False: nobody was ready.
  bool run_ready(Instant now);
  bool has_ready() const { return !ready_.empty(); }

  Exchange* take_exchange();
  /// Back to the free ones at once (nothing happened in it) ...
  void give_back(Exchange* x);
  /// ... or at the next reap(), because its functions may still be on the stack.
  void retire(Exchange* x);
  /// Once a loop, with none of our functions on the stack.
  void reap();

  upstream::Picker& picker(GroupSlot g);
  std::uint64_t random();
  const Listener* listener(const Endpoint& local) const;

  const WorkerId id;
  BufPool& buffers;
  TimerWheel& timers;
  Shared& shared;
  Stats stats;
  Limiter limiter;
  upstream::Pool pool;
  ObjectPool<UnfinishedHead> heads;  ///< No more than sessions: never at its bound.
  const Snapshot* snapshot = nullptr;
  route::Scratch scratch;
  std::array<char, route::kMaxPath> path_buffer;
  HttpDate date;
  std::string text;  ///< For header values that are put together; keeps its room.
  std::string cookie_text;  ///< The same for cookies, which are written while `text` is in use.
  bool draining = false;

 private:
  void close_sessions_without_listener(Instant now);

  std::uint64_t random_;
  std::uint64_t revision_ = 0;
  std::vector<upstream::Picker> pickers_;  // By GroupSlot.
  std::vector<Endpoint> endpoints_;        // Listeners of the snapshot adopted last.
  ObjectPool<ClientSession> session_pool_;
  std::vector<ClientSession*> sessions_;
  std::vector<ClientSession*> dead_sessions_, ready_, running_;
  std::vector<std::unique_ptr<Exchange>> exchanges_;
  std::vector<Exchange*> free_exchanges_, retired_exchanges_;
};

}  // namespace sluice::l7::proxy
