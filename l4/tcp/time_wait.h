// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "dataplane/base/object_pool.h"
#include "l4/tcp/connection.h"
#include "l4/tcp/env.h"
#include "l4/tcp/flow_table.h"
#include "l4/tcp/linked_list.h"

namespace sluice::l4::tcp {

/// What must be known of a connection in TIME-WAIT.
struct TimeWaitEntry {
  FlowKey flow;
  SeqNum snd_nxt, rcv_nxt;
  Timestamps timestamps;
  Instant entered_at{};  ///< Or when the peer's FIN last came again.
  Instant next_ack{Instant::min()};
  Links<TimeWaitEntry> by_age;

  const FlowKey& key() const { return flow; }
};

/// TIME-WAIT connections: a small entry each, at most max_time_wait, in the order in which they end. When
/// full, the oldest goes early.
class TimeWaitTable {
 public:
  explicit TimeWaitTable(Env& env);
  ~TimeWaitTable();
  TimeWaitTable(const TimeWaitTable&) = delete;
  TimeWaitTable& operator=(const TimeWaitTable&) = delete;

  void add(const Connection& c, Instant now);
  TimeWaitEntry* find(const FlowKey& flow) const { return table_.find(flow); }
  void remove(TimeWaitEntry& e);
  std::size_t size() const { return table_.size(); }
  std::size_t bytes() const { return table_.bytes() + pool_.live() * sizeof(TimeWaitEntry); }

  /// RFC 9293, 3.10.7.4, TIME-WAIT. True: the segment is a SYN that may open the connection again (RFC 6191):
  /// the caller removes the entry and goes on as in LISTEN, with an ISS after `next_iss`.
  bool segment_arrives(TimeWaitEntry& e, const Segment& s, Instant now);
  /// An ISS that the peer cannot take for part of the last connection.
  static SeqNum next_iss(const TimeWaitEntry& e, SeqNum wanted);
  /// Whether we may open the flow again ourselves: the peer tells the connections apart by our timestamps.
  static bool reusable(const TimeWaitEntry& e, Instant now);

  Instant next_deadline() const;
  void expire(Instant now);

 private:
  Env& env_;
  ObjectPool<TimeWaitEntry> pool_;
  FlowTable<TimeWaitEntry> table_;
  LinkedList<TimeWaitEntry, &TimeWaitEntry::by_age> by_age_;  // the oldest first
};

}  // namespace sluice::l4::tcp
