// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/base/timer_wheel.h"
#include "l4/stream.h"
#include "l7/proxy/client_session.h"
#include "l7/proxy/worker_state.h"
#include "l7/upstream/connector.h"
#include "tests/support/eal.h"

namespace sluice::l7::proxy::test {

using namespace std::chrono_literals;

/// The other end of a stream, as a test sees it. Holds its user to the wall's rules: no call after the end,
/// no more bytes on their way than the windows allow.
class FakeStream final : public tls::TlsStream {
 public:
  static constexpr std::size_t kWindow = 64 * 1024;
  static constexpr std::size_t kSendBound = 64 * 1024;

  FakeStream(FlowKey flow, Instant* now) : flow_(flow), now_(now) {}

  // What the test does as the peer.
  void open();
  void deliver(std::string_view text, std::size_t segment = 1400);
  /// The same as early data of TLS, whose handshake goes on until finish_handshake().
  void deliver_early(std::string_view text);
  void finish_handshake();
  void peer_closes();
  void closes(l4::CloseReason reason);
  /// Takes what was sent, as an acknowledgement by the peer; may make the stream writable again.
  std::string read(std::size_t most = SIZE_MAX);
  /// The same without looking.
  void skip();
  /// What was sent and not read yet.
  std::string peek() const { return queue_.to_string(); }

  bool is_open = false, is_shut = false, is_aborted = false, is_closed = false, peer_closed = false;
  bool is_complete = true;  ///< TLS' handshake.
  bool all_read() const { return queue_.empty(); }
  bool ended() const { return is_aborted || is_closed; }
  /// Room in the window that the user offers.
  std::size_t window() const { return kWindow - unconsumed_; }
  l4::StreamEvents* events = nullptr;
  std::size_t largest_queue = 0;

  // l4::Stream
  void set_events(l4::StreamEvents* e) override { events = e; }
  const FlowKey& flow() const override { return flow_; }
  void send(BufChain data, Instant now) override;
  std::size_t send_space() const override;
  std::size_t unsent_or_unacked() const override;
  void consumed(std::size_t n, Instant now) override;
  void shutdown(Instant now) override;
  void abort(Instant now) override;

  // What TLS says, when it is asked for.
  upstream::Tls tls;
  bool is_truncated = false;
  std::string tls_error;
  tls::SessionInfo session() const override { return {}; }
  std::string_view last_error() const override { return tls_error; }
  bool truncated() const override { return is_truncated; }
  bool early() const override { return early_left_ != 0; }
  bool handshake_complete() const override { return is_complete; }

 private:
  void check_alive(const char* call) const;
  void acknowledge(std::size_t n);
  FlowKey flow_;
  Instant* now_;
  BufChain queue_;
  std::size_t unconsumed_ = 0, early_left_ = 0;
  mutable bool was_full_ = false;
};

/// Connections to backends: open at once unless the test says otherwise.
class FakeConnector final : public upstream::Connector {
 public:
  explicit FakeConnector(Instant* now) : now_(now) {}
  enum class Mode { kOpens, kRefuses, kHangs, kFailsAtOnce };
  void set(const Endpoint& e, Mode m) { modes_[e] = m; }
  upstream::Connecting connect(const Endpoint& remote, const upstream::Tls& tls, l4::StreamEvents* events,
                               Instant now) override;
  /// Events of what was connected since the last call.
  void settle();

  std::vector<std::unique_ptr<FakeStream>> streams;

 private:
  Instant* now_;
  std::map<Endpoint, Mode> modes_;
  std::deque<FakeStream*> pending_;
  std::uint16_t next_port_ = 20000;
};

/// One worker's proxy without TCP: fake streams above and below, a clock by hand.
class Bench : public testing::Test {
 public:
  Bench();
  ~Bench() override;
  void TearDown() override;

  /// Everything that is due now, as in a worker's loop.
  void poll();
  void advance(Duration d);
  void publish();

  FakeStream& connect_client(std::uint16_t port = 80, bool tls = false);
  FakeStream& upstream(std::size_t i) { return *connector->streams.at(i); }
  std::size_t upstreams() const { return connector->streams.size(); }
  FakeStream& last_upstream() { return *connector->streams.back(); }

  /// Sends `request` on a fresh client connection, and gives what the client got so far.
  std::string ask(std::string_view request);
  AccessRecord log();
  std::size_t logs_waiting() { return log_count(); }

  // What the next publish() publishes. Listener :80 forwards to group 0 with members 10.0.0.1 and up.
  std::shared_ptr<Listener> listener;
  std::shared_ptr<ServerGroup> group;
  std::vector<std::shared_ptr<const Rule>> rules;
  std::shared_ptr<Listener> second_listener;  ///< :81, when set.
  std::vector<std::shared_ptr<const ServerGroup>> more_groups;
  Member member(unsigned i, std::uint16_t weight = 100) const;

  Instant now{1s};
  std::unique_ptr<TimerWheel> wheel;
  std::unique_ptr<Shared> shared;
  std::unique_ptr<FakeConnector> connector;
  std::unique_ptr<WorkerState> worker;

 private:
  std::size_t log_count();
  std::size_t free_before_;
  std::uint64_t revision_ = 0;
  std::uint16_t next_client_port_ = 40000;
  std::vector<std::unique_ptr<Snapshot>> snapshots_;
  std::vector<std::unique_ptr<FakeStream>> clients_;
};

/// The status of the first response in `text`; 0: none.
int status_of(std::string_view text);
/// Value of a header field in the first head of `text`; "-": not there.
std::string field_of(std::string_view text, std::string_view name);
/// Behind the first empty line.
std::string body_of(std::string_view text);

}  // namespace sluice::l7::proxy::test
