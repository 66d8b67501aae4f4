// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "dataplane/base/counter.h"
#include "dataplane/base/object_pool.h"
#include "dataplane/base/timer_wheel.h"
#include "l7/runtime_tables.h"
#include "l7/upstream/connector.h"

namespace sluice::l7::upstream {

/// Why there is no connection.
enum class ConnectFailure : std::uint8_t { kNone, kRefused, kUnreachable, kTimeout, kReset, kNoResources, kTls };
std::string_view to_string(ConnectFailure f);

/// Who uses a connection now. Calls come from within stream events and timers, never from inside a call on
/// the Pool or the Connection.
class ConnectionUser {
 public:
  virtual ~ConnectionUser() = default;
  /// Either this or on_connect_failed answers Pool::open.
  virtual void on_upstream_open(Instant now) = 0;
  /// The connection is gone. `detail`: what was wrong with kTls, else empty; valid in the call.
  virtual void on_connect_failed(ConnectFailure failure, std::string_view detail, Instant now) = 0;
  virtual void on_upstream_data(BufChain data, Instant now) = 0;
  virtual void on_upstream_writable(Instant now) = 0;
  virtual void on_upstream_peer_closed(Instant now) = 0;
  /// The connection is gone. `detail`: what TLS says about kProtocolError, valid in the call.
  virtual void on_upstream_closed(l4::CloseReason reason, std::string_view detail, Instant now) = 0;
};

/// Where to, and for how long it may take.
struct Target {
  BackendSlot slot;
  Endpoint address;
  Duration connect_timeout{};  ///< Of TCP and TLS together.
  Tls tls;
};

class Pool;

/// One connection to a backend, over TCP or TLS:
///
///   open() -> kConnecting -> kBusy <-> kIdle          (put_back, take_idle)
///                  |           |         | peer closes, sends, or idle too long
///                  |           v         v
///                  |        kClosing (our FIN is sent, the peer's is awaited for a bounded time)
///                  v           v
///                kGone  (freed at the next Pool::reap)
///
/// Owned by the Pool, used by one ConnectionUser while connecting or busy.
class Connection final : public l4::StreamEvents {
 public:
  Connection(Pool& pool, const Target& target, ConnectionUser* user);

  l4::Stream& stream() { return *stream_; }
  BackendSlot slot() const { return slot_; }
  const Endpoint& address() const { return address_; }
  /// It has carried an exchange before this one, so the peer may have closed it meanwhile.
  bool reused() const { return reused_; }
  /// The peer has closed, and somebody else may have cut off its last bytes.
  bool truncated() const { return tls_stream_ != nullptr && tls_stream_->truncated(); }

 private:
  friend class Pool;
  enum class State : std::uint8_t { kConnecting, kBusy, kIdle, kClosing, kGone };

  void on_open(Instant now) override;
  void on_data(BufChain data, Instant now) override;
  void on_writable(Instant now) override;
  void on_peer_closed(Instant now) override;
  void on_closed(l4::CloseReason reason, Instant now) override;
  void on_timer(Instant now);

  Pool& pool_;
  l4::Stream* stream_ = nullptr;
  tls::TlsStream* tls_stream_ = nullptr;  // The same, when it is TLS.
  ConnectionUser* user_;
  Connection* prev_ = nullptr;  // Idle list of its backend, or the dead list (next_ only).
  Connection* next_ = nullptr;
  std::size_t index_ = 0;  // In Pool::all_.
  Timer timer_;
  Endpoint address_;
  Tls tls_;
  BackendSlot slot_;
  State state_ = State::kConnecting;
  bool reused_ = false;
  bool peer_closed_ = false;
};

/// One worker's connections to backends, kept alive between requests: for each backend the one used last
/// comes out first, so that what is not needed grows old and is closed. Owned by its worker.
class Pool {
 public:
  /// `backends` counts what this worker does with each backend.
  Pool(Connector& connector, TimerWheel& timers, BackendTable& backends, WorkerId worker,
       std::size_t max_connections);
  /// Leaves the streams of open connections alone: the stack goes with its worker.
  ~Pool();

  /// A connection that is ready, or null. A slot that has meanwhile got another address, or other settings of TLS, never
  /// gives an old one.
  Connection* take_idle(BackendSlot slot, const Endpoint& address, const Tls& tls, ConnectionUser* user, Instant now);
  /// Starts a new one; null: `*failure` says why not, and no event follows.
  Connection* open(const Target& target, ConnectionUser* user, ConnectFailure* failure, Instant now);

  /// After a finished exchange that left the connection clean. More than `max_idle` for the backend: the
  /// oldest goes.
  void put_back(Connection* c, Duration keep_alive, std::size_t max_idle, Instant now);
  /// After a finished exchange that ends the connection: FIN, then a bounded wait for the peer's.
  void close(Connection* c, Instant now);
  /// In any state, at once (RST).
  void abort(Connection* c, Instant now);

  /// Closes every idle connection (drain).
  void close_idle(Instant now);
  /// Once a loop: frees what is gone. Until then a stale pointer on the stack is still an object.
  void reap();

  std::size_t connections() const { return connections_.live(); }
  std::size_t idle() const { return idle_; }

 private:
  friend class Connection;
  struct IdleList {
    Connection* newest = nullptr;
    Connection* oldest = nullptr;
    std::size_t count = 0;
  };

  void destroy(Connection* c);
  void unlink_idle(Connection* c);
  void gone(Connection* c);

  Connector& connector_;
  TimerWheel& timers_;
  BackendTable& backends_;
  const WorkerId worker_;
  ObjectPool<Connection> connections_;
  std::vector<IdleList> idle_lists_;  // By BackendSlot; grows to the largest slot seen.
  std::size_t idle_ = 0;
  std::vector<Connection*> all_;
  Connection* dead_ = nullptr;
};

}  // namespace sluice::l7::upstream
