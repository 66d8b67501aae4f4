// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "dataplane/base/counter.h"
#include "dataplane/base/drop.h"
#include "dataplane/base/object_pool.h"
#include "dataplane/base/timer_wheel.h"
#include "dataplane/net/packet.h"

namespace sluice::net {

/// What an ARP or ND message says about a neighbour. Crosses between workers: each has a table of its own,
/// and the one that receives a message tells the others.
struct NeighborUpdate {
  enum class Kind : std::uint8_t {
    kAsked,      ///< It asked for an address of ours, so we shall answer it (RFC 826; RFC 4861, 7.2.3).
    kAnswered,   ///< Sent to us: an ARP reply, a solicited NA. Proves that it can be reached.
    kAnnounced,  ///< Nobody asked: gratuitous ARP, unsolicited NA.
  };
  PortId port;
  IpAddr address;
  MacAddr mac;
  Kind kind = Kind::kAnnounced;
  bool override_mac = true;  ///< NA's O flag; true for ARP.
};

/// What the table needs done. Implemented by the IP layer.
class NeighborActions {
 public:
  virtual ~NeighborActions() = default;
  /// ARP request or NS: to `unicast` when it is not null, else to all who may own the address.
  virtual void solicit(PortId port, const IpAddr& address, const MacAddr* unicast, Instant now) = 0;
  /// Send now what waited.
  virtual void resolved(PortId port, const MacAddr& mac, OutPacket packet, Instant now) = 0;
  /// It waited in vain.
  virtual void unresolved(OutPacket packet, Instant now) = 0;
};

/// Neighbours of one worker, IPv4 and IPv6 alike (states after RFC 4861, 7.3.2):
///
///   (none) --send--> Incomplete --message--> Reachable or Stale
///   Incomplete --3 requests, 3 s--> Failed --1 s--> (none)
///   Reachable --30 s--> used since? Probing : Stale --10 min unused--> (none)
///   Stale --send--> Probing --answer--> Reachable
///   Probing --3 unicast, 3 multicast requests, 1 s each--> Failed
///
/// A probe goes out at the first packet and not 5 s after it (no DELAY state): nothing here hints at
/// reachability. Against poisoning, another link address for a known neighbour is never just believed: the
/// old one is asked first (contested, 250 ms), then everybody, and only an answer to that moves the entry. A
/// real failover loses 250 ms. What we did not ask for creates an entry only when the sender asked us, and
/// only in three quarters of the table.
class NeighborTable {
 public:
  struct Limits {
    std::size_t neighbors = 4096;
    std::size_t pending = 1024;             ///< Packets that wait, in all.
    std::size_t pending_per_neighbor = 64;  ///< The oldest makes room (RFC 4861, 7.2.2).
  };
  static constexpr Duration kRetransmit = std::chrono::seconds(1);
  static constexpr Duration kContest = std::chrono::milliseconds(250);
  static constexpr Duration kReachableTime = std::chrono::seconds(30);
  static constexpr Duration kStaleTime = std::chrono::minutes(10);
  static constexpr Duration kFailedTime = std::chrono::seconds(1);
  static constexpr unsigned kSolicits = 3;

  enum class State : std::uint8_t { kIncomplete, kReachable, kStale, kProbing, kFailed };

  NeighborTable(const Limits& limits, TimerWheel& timers, DropCounters& drops, NeighborActions& actions);
  ~NeighborTable();

  /// Where to send a packet now; null: it must wait, see enqueue.
  const MacAddr* lookup(PortId port, const IpAddr& address, Instant now);
  /// Keeps the packet until the neighbour is resolved, which this starts. What does not fit is counted and
  /// dropped.
  void enqueue(PortId port, const IpAddr& address, OutPacket packet, Instant now);
  /// False: told us nothing that we want to know.
  bool update(const NeighborUpdate& u, Instant now);
  /// The link went down and came up: who is behind it may have changed.
  void forget(PortId port);

  std::size_t size() const { return entries_.live(); }
  std::size_t pending() const { return pending_.live(); }
  /// For tests and tools.
  std::optional<State> state(PortId port, const IpAddr& address) const;

 private:
  struct Pending {
    OutPacket packet;
    Pending* next = nullptr;
  };
  struct Entry {
    Entry(NeighborTable& table, PortId p, const IpAddr& a);
    NeighborTable& owner;
    PortId port;
    IpAddr address;
    MacAddr mac;
    State state = State::kIncomplete;
    bool contested = false;
    bool used = false;  // since the last change of state
    unsigned solicits = 0;
    Entry* chain = nullptr;                    // same bucket
    Entry *newer = nullptr, *older = nullptr;  // by last change of state
    Pending *first = nullptr, *last = nullptr;
    std::size_t waiting = 0;
    Timer timer;
  };

  Entry* find(PortId port, const IpAddr& address) const;
  std::size_t bucket_of(PortId port, const IpAddr& address) const;
  Entry* create(PortId port, const IpAddr& address);
  void remove(Entry& e, Instant now);
  void evict_one(Instant now);
  void enter(Entry& e, State next, Instant now);
  void solicit(Entry& e, Instant now);
  void probe(Entry& e, bool contested, Instant now);
  void on_timer(Entry& e, Instant now);
  void flush(Entry& e, Instant now);
  void fail_pending(Entry& e, Instant now);
  Pending* pop_pending(Entry& e);
  void link_newest(Entry& e);
  void unlink_age(Entry& e);

  const Limits limits_;
  TimerWheel& timers_;
  DropCounters& drops_;
  NeighborActions& actions_;
  std::vector<Entry*> buckets_;
  ObjectPool<Entry> entries_;
  ObjectPool<Pending> pending_;
  Entry *newest_ = nullptr, *oldest_ = nullptr;
};

}  // namespace sluice::net
