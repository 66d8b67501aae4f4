// SPDX-License-Identifier: Apache-2.0
#include "l4/tcp/stats.h"

namespace sluice::l4::tcp {

void Stats::visit(MetricSink& sink, std::string_view labels) const {
  const auto total = [&](std::string_view name, std::string_view help, const Counter& c) {
    sink.counter(name, help, labels, c.get());
  };
  const auto gauge = [&](std::string_view name, std::string_view help, const Counter& c) {
    sink.gauge(name, help, labels, static_cast<double>(c.get()));
  };
  total("sluice_tcp_segments_in_total", "Segments received.", segments_in);
  total("sluice_tcp_segments_out_total", "Segments sent.", segments_out);
  total("sluice_tcp_connections_accepted_total", "Passive opens that were completed.", connections_accepted);
  total("sluice_tcp_connections_opened_total", "Active opens that were completed.", connections_opened);
  total("sluice_tcp_connections_failed_total",
        "Opens, active or passive, that ended before they were completed.", connections_failed);
  gauge("sluice_tcp_connections", "Connections now, TIME-WAIT not counted.", connections_active);
  gauge("sluice_tcp_time_wait", "Connections in TIME-WAIT now.", time_wait);
  total("sluice_tcp_retransmits_total", "Segments sent again.", retransmits);
  total("sluice_tcp_fast_retransmits_total",
        "Fast recoveries: losses found by RACK, duplicate acknowledgements or a tail loss probe.",
        fast_retransmits);
  total("sluice_tcp_timeouts_total", "Retransmission timeouts.", timeouts);
  total("sluice_tcp_tail_probes_total", "Tail loss probes sent.", tail_probes);
  total("sluice_tcp_spurious_recoveries_total", "Recoveries taken back: nothing had been lost.",
        spurious_recoveries);
  total("sluice_tcp_black_holes_total",
        "Connections that went on with small segments after large ones had vanished.", black_holes);
  total("sluice_tcp_mtu_probes_total", "Segments sent to find out whether larger ones pass again.",
        mtu_probes);
  total("sluice_tcp_ecn_marks_in_total", "Data segments received whose packet had met congestion.",
        ecn_marks_in);
  total("sluice_tcp_ecn_reductions_total", "Windows reduced because the peer told of such packets of ours.",
        ecn_reductions);
  total("sluice_tcp_syn_cookies_sent_total", "SYNs answered without a connection, under backlog pressure.",
        syn_cookies_sent);
  total("sluice_tcp_syn_cookies_accepted_total", "Connections made from a SYN cookie that came back.",
        syn_cookies_accepted);
  total("sluice_tcp_resets_in_total", "RSTs received that ended a connection.", resets_in);
  total("sluice_tcp_resets_out_total", "RSTs sent.", resets_out);
  total("sluice_tcp_resets_suppressed_total",
        "RSTs that segments of no connection did not get: too many in a second.", resets_suppressed);
  total("sluice_tcp_stalled_closed_total",
        "Connections reset because the peer's window stayed (nearly) shut for too long.", stalled_closed);
  total("sluice_tcp_stalled_evicted_total",
        "Such connections reset early, to make room for others when connections or buffers ran out.",
        stalled_evicted);
  gauge("sluice_tcp_memory_bytes", "Memory of connections, their records and tables, without data.",
        memory_bytes);
  gauge("sluice_tcp_buffered_bytes", "Data that connections hold: unsent, unacknowledged, unread.",
        buffered_bytes);
  total("sluice_tcp_out_of_order_total", "Segments received above a gap.", out_of_order);
  total("sluice_tcp_duplicate_acks_total", "Duplicate acknowledgements received.", duplicate_acks);
  total("sluice_tcp_zero_window_probes_total", "Zero-window probes sent.", zero_window_probes);
  total("sluice_tcp_keepalive_probes_total", "Keepalive probes sent.", keepalive_probes);
}

}  // namespace sluice::l4::tcp
