// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <unordered_map>
#include <vector>

#include "dataplane/base/object_pool.h"
#include "l4/tcp/backlog.h"
#include "l4/tcp/env.h"
#include "l4/tcp/flow_table.h"
#include "l4/tcp/outbox.h"
#include "l4/tcp/port_selector.h"
#include "l4/tcp/socket.h"
#include "l4/tcp/stack.h"
#include "l4/tcp/time_wait.h"

namespace sluice::l4::tcp {

/// The shell around the core: finds connections, lets the core work, then tells the users (deliver) and the
/// network (flush). A user is only called from deliver(), when no core function runs, so it may call
/// anything.
class Stack::Impl {
 public:
  Impl(const Config& config, const WorkerServices& services, Acceptor& acceptor);
  ~Impl();

  void input(std::span<net::Packet> batch, Instant now);
  void on_icmp_error(const net::IcmpError& error, Instant now);
  void flush(Instant now);
  ConnectResult connect(const Endpoint& remote, StreamEvents* events, Instant now,
                        std::optional<IpAddr> source);

  Env& env() { return env_; }
  std::size_t connections() const { return env_.stats.connections_active.get(); }

  // For Socket.
  void want_output(Socket& s);
  void abort(Socket& s, Instant now);
  static void on_timer(void* socket, Instant now);

 private:
  /// Places for sockets that are no connections any more and wait for the end of flush().
  static constexpr std::size_t kSpareSockets = 65536;

  struct EndpointHash {
    std::uint64_t seed;
    std::size_t operator()(const Endpoint& e) const { return hash_value(e, seed); }
  };

  void arrive(std::span<net::Packet> batch, Instant now);
  std::size_t join_followers(const Socket& s, std::span<net::Packet> batch, std::span<const std::uint64_t> hashes);
  void packet_arrives(net::Packet& p, Socket* socket, Instant now);
  void arrives_without_connection(const FlowKey& flow, Segment& s, Instant now);
  void arrives_in_listen(const FlowKey& flow, Segment& s, SeqNum iss, bool reused, Instant now);
  void acknowledgement_in_listen(const FlowKey& flow, Segment& s, Instant now);
  /// RST, if there are not too many already.
  void refuse(const FlowKey& flow, const Segment& s, Instant now);
  /// Null: a bound was reached.
  Socket* make(const FlowKey& flow, bool passive, Instant now);

  /// After the core has worked on a connection: what its state now asks of the stack.
  void settle(Socket& s, Instant now);
  void deliver(Instant now);
  void deliver_to(Socket& s, Instant now);
  void evict_stalled(Instant now);
  void account(Socket& s);
  void take_out(Socket& s);
  void bury(Socket& s);
  void free_gone();
  void output_to(Socket& s, Instant now);
  void arm(Socket& s);
  void arm_time_wait();
  std::optional<FlowKey> choose_flow(const IpAddr& source, const Endpoint& remote, Instant now);

  WorkerServices services_;
  Acceptor& acceptor_;
  Outbox outbox_;
  Env env_;
  ObjectPool<Socket> pool_;
  FlowTable<Socket> table_;
  TimeWaitTable time_wait_;
  Timer time_wait_timer_;
  PortSelector ports_;
  std::unordered_map<Endpoint, Backlog, EndpointHash>
      backlogs_;                                 // grows with listeners, not with connections
  LinkedList<Socket, &Socket::by_age> stalled_;  ///< Longest first.
  // Of one loop: they keep their room.
  std::vector<Socket*> dirty_, events_, gone_;
};

}  // namespace sluice::l4::tcp
