// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "dataplane/net/packet.h"
#include "dataplane/worker/app.h"
#include "l4/stream.h"
#include "l4/tcp/stats.h"

namespace sluice::l4::tcp {

/// Congestion control.
enum class Algorithm : std::uint8_t {
  kCubic,    ///< RFC 9438 with HyStart++ (RFC 9406).
  kNewReno,  ///< RFC 5681.
};

/// Bounds and times of one worker's stack. Defaults suit a reverse proxy.
struct Config {
  std::size_t max_connections = 1u << 20;     ///< TCBs, TIME_WAIT not counted.
  std::size_t max_time_wait = 1u << 16;       ///< Oldest goes first.
  std::size_t max_backlog = 4096;             ///< SYN-RECEIVED a listener endpoint.
  std::uint32_t receive_buffer = 256 * 1024;  ///< Bytes, largest window offered at first.
  std::uint32_t send_buffer = 256 * 1024;     ///< Bytes, the soft bound of Stream::send_space.
  /// What these grow to for a connection whose path holds more: the window while the user keeps up with a
  /// full one, the send buffer to twice the congestion window. Smaller ones: no growth.
  std::uint32_t max_receive_buffer = 4 * 1024 * 1024;
  std::uint32_t max_send_buffer = 4 * 1024 * 1024;
  Duration min_rto = std::chrono::milliseconds(200);
  Duration max_rto = std::chrono::seconds(60);
  Duration time_wait = std::chrono::seconds(60);
  Duration syn_timeout = std::chrono::seconds(30);    ///< Active and passive handshake.
  Duration user_timeout = std::chrono::seconds(120);  ///< No progress of what was sent.
  /// What the user wrote waits, because the peer's window holds less than a segment: for so long, then RST
  /// (RFC 6429). When connections or packet buffers run out, such go after `stall_grace`.
  Duration persist_limit = std::chrono::minutes(5);
  Duration stall_grace = std::chrono::seconds(5);
  unsigned max_resets = 10'000;                    ///< A second, for segments of no connection.
  Duration fin_wait_2 = std::chrono::seconds(60);  ///< Orphaned.
  Duration keepalive_idle = std::chrono::seconds(75);
  Duration keepalive_interval = std::chrono::seconds(15);
  unsigned keepalive_probes = 5;
  Duration delayed_ack = std::chrono::milliseconds(40);
  Algorithm congestion = Algorithm::kCubic;
  bool ecn = true;  ///< RFC 3168: asked for and agreed to.
  bool pacing = true;
  /// Bulk data leaves as packets of many segments that the port, or else the IP layer, cuts (net::OutPacket::segment_size),
  /// and segments that arrive together are joined (gro.h).
  bool segmentation = true;
  std::uint16_t max_mss = 0xffff;    ///< Bound of what is offered and sent, besides the MTU's (MSS clamping).
  std::uint64_t secret[2] = {0, 0};  ///< RFC 6528 ISN and RFC 6056 port hash key; random a process.
};

/// Who takes connections, asked once a SYN (may I?) and once an established connection.
class Acceptor {
 public:
  virtual ~Acceptor() = default;
  /// Whether anybody listens there now. False: the SYN is answered by RST and counted.
  virtual bool listens(const Endpoint& local) const = 0;
  /// Whether who listens there does not want this source. True: what would open a connection is dropped
  /// without an answer, and counted.
  virtual bool denies(const FlowKey& flow) const { return false; }
  /// Whether there are too many connections: a SYN, or the ACK of a SYN cookie, is dropped for that reason, before
  /// anything is kept of it. Silence, because a client then tries again in a second, as with a full backlog; a RST
  /// would make it fail, or try again at once.
  virtual std::optional<DropReason> refuses(const FlowKey& flow, Instant now) { return std::nullopt; }
  /// The three-way handshake is done. Returns the user of the stream, whose on_open follows; null: the stream
  /// is aborted (a limit was reached).
  virtual StreamEvents* accept(Stream& stream, Instant now) = 0;
};

struct ConnectResult {
  Stream* stream = nullptr;
  CloseReason reason = CloseReason::kNoResources;  ///< When stream is null.
};

/// One worker's TCP: connections, TIME_WAIT, ports. Owned by that worker. IPv4 and IPv6.
class Stack {
 public:
  Stack(const Config& config, const WorkerServices& services, Acceptor& acceptor);
  ~Stack();

  /// Segments that this worker owns; protocol 6 only. Takes the chains.
  void input(std::span<net::Packet> batch, Instant now);
  void on_icmp_error(const net::IcmpError& error, Instant now);
  /// Sends everything that calls since the last flush made ready, as batches. Once a loop.
  void flush(Instant now);

  /// Opens a connection; on_open or on_closed tells the outcome. The source address is `source`, which must
  /// be local, or the route's; the port is drawn from the worker's range (RFC 6056, 3.3.4).
  ConnectResult connect(const Endpoint& remote, StreamEvents* events, Instant now,
                        std::optional<IpAddr> source = std::nullopt);

  std::size_t connections() const;
  const Stats& stats() const;

  class Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace sluice::l4::tcp
