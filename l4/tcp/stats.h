// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dataplane/base/counter.h"

namespace sluice::l4::tcp {

/// Counters of one worker's TCP.
struct Stats {
  Counter segments_in, segments_out;
  Counter connections_accepted, connections_opened, connections_failed;
  Counter connections_active;  ///< Gauge: TCBs, TIME_WAIT not counted.
  Counter time_wait;           ///< Gauge.
  Counter retransmits, fast_retransmits, timeouts, tail_probes, spurious_recoveries;
  Counter black_holes, mtu_probes;
  Counter ecn_marks_in, ecn_reductions;
  Counter syn_cookies_sent, syn_cookies_accepted;
  Counter stalled_closed, stalled_evicted;
  Counter resets_in, resets_out, resets_suppressed;
  Counter memory_bytes;    ///< Gauge: connections, records of segments, tables.
  Counter buffered_bytes;  ///< Gauge: data that connections hold, in packet buffers.
  Counter out_of_order, duplicate_acks, zero_window_probes, keepalive_probes;
  void visit(MetricSink& sink, std::string_view labels) const;
};

}  // namespace sluice::l4::tcp
