// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <span>
#include <vector>

#include "dataplane/base/drop.h"
#include "dataplane/base/timer_wheel.h"
#include "dataplane/net/interface.h"
#include "dataplane/net/ip_output.h"
#include "dataplane/net/local_addresses.h"
#include "dataplane/net/neighbor_table.h"
#include "dataplane/net/parse.h"
#include "dataplane/net/rate_limit.h"
#include "dataplane/net/routes.h"

namespace sluice::net {

/// What input() found for others: the transport above, and the workers beside.
struct Received {
  std::vector<Packet> packets;            ///< TCP for our addresses.
  std::vector<IcmpError> errors;          ///< About flows of ours.
  std::vector<NeighborUpdate> neighbors;  ///< This worker has taken it in; the others should too.
  void clear() {
    packets.clear();
    errors.clear();
    neighbors.clear();
  }
};

/// IPv4, IPv6, ARP, ND and ICMP of one worker. A core without I/O: frames and the time go in; packets, and
/// frames through FrameSink, come out. Everything received is checked once, answered here or handed up.
class IpLayer final : public IpOutput, private NeighborActions {
 public:
  struct Services {
    std::span<const Interface> interfaces;  ///< PortId is the index. All three outlive this object.
    const RouteTable& routes;
    BufPool& buffers;
    TimerWheel& timers;
    DropCounters& drops;
    FrameSink& sink;
  };
  /// ICMP errors that we send, a worker (RFC 1812, 4.3.2.8; RFC 4443, 2.4 (f)).
  static constexpr unsigned kErrorsPerSecond = 100;
  /// Largest IPv6 error (RFC 4443, 2.4 (c)), and what we quote in an IPv4 one (RFC 1812, 4.3.2.3).
  static constexpr std::size_t kMaxError6 = 1280, kMaxError4 = 576;

  explicit IpLayer(const Services& services, const NeighborTable::Limits& limits = {});
  ~IpLayer() override;
  IpLayer(const IpLayer&) = delete;
  IpLayer& operator=(const IpLayer&) = delete;

  /// Takes a burst of frames of one port, and appends to `out`.
  void input(PortId port, std::span<rte_mbuf* const> frames, Instant now, Received& out);
  /// What another worker has learned.
  void learn(const NeighborUpdate& u, Instant now) { neighbors_.update(u, now); }
  /// Gives the frames made since the last call, by timers as well, to the sink. Once a loop.
  void flush();

  /// Moves out what send() gave up because a neighbour did not answer: to each flow an error like an ICMP
  /// one.
  void take_unresolved(std::vector<IcmpError>& out);

  /// New virtual addresses; those that are new are announced when `announce`.
  void set_vips(const VipSet& vips, bool announce, Instant now);
  /// Gratuitous ARP and unsolicited NA for all that the port answers for, now and again after a second (RFC
  /// 5227, 2.3; RFC 4861, 7.2.6). By one worker only.
  void announce(PortId port, Instant now);
  /// The link came up again.
  void link_restored(PortId port, Instant now);

  // IpOutput
  void send(std::span<OutPacket> batch, Instant now) override;
  std::uint16_t mtu(const IpAddr& destination) const override;
  std::optional<IpAddr> source_for(const IpAddr& destination) const override;

  const LocalAddresses& local() const { return local_; }
  const NeighborTable& neighbors() const { return neighbors_; }

 private:
  /// One received IP packet on its way through the steps.
  struct Inbound {
    PortId port;
    LinkHeader link;
    IpHeader ip;
    BufChain chain;  // from the IP header on, link padding off
    std::uint64_t offload_flags = 0;
  };

  void input_frame(PortId port, rte_mbuf* frame, Instant now, Received& out);
  void input_ip(Inbound& in, bool v6, Instant now, Received& out);
  void input_tcp(Inbound& in, Instant now, Received& out);
  void input_udp(Inbound& in, Instant now);
  bool transport_checksum_ok(const Inbound& in, const BufChain& chain) const;

  // arp_nd.cc
  void input_arp(PortId port, const LinkHeader& link, std::span<const std::uint8_t> arp, Instant now,
                 Received& out);
  void input_neighbor_solicitation(Inbound& in, Instant now, Received& out);
  void input_neighbor_advertisement(Inbound& in, Instant now, Received& out);
  void learn_and_tell(const NeighborUpdate& u, DropReason otherwise, Instant now, Received& out);
  bool on_link(PortId port, const IpAddr& a) const;
  void send_arp(PortId port, std::uint16_t operation, const IpAddr& sender, const MacAddr& target_mac,
                const IpAddr& target, const MacAddr& to);
  void send_advertisement(PortId port, const IpAddr& target, const IpAddr& to, const MacAddr& mac,
                          bool solicited);
  void announce_address(PortId port, const IpAddr& a);
  void announce_again(Instant now);
  void solicit(PortId port, const IpAddr& address, const MacAddr* unicast, Instant now) override;
  void resolved(PortId port, const MacAddr& mac, OutPacket packet, Instant now) override;
  void unresolved(OutPacket packet, Instant now) override;

  // icmp.cc
  void input_icmp(Inbound& in, Instant now, Received& out);
  void input_icmpv6(Inbound& in, Instant now, Received& out);
  void answer_echo(Inbound& in, std::uint8_t reply_type, Instant now);
  void input_error4(Inbound& in, std::span<const std::uint8_t> icmp, Received& out);
  void input_error6(Inbound& in, std::span<const std::uint8_t> icmp, Received& out);
  void send_error(Inbound& in, std::uint8_t type, std::uint8_t code, std::uint32_t rest, Instant now);

  // ip_output.cc
  void send_one(OutPacket& p, Instant now);
  void send_via(PortId port, const IpAddr& next_hop, OutPacket& p, Instant now);
  void emit(PortId port, const MacAddr& to, OutPacket& p);
  void emit_frame(PortId port, const MacAddr& to, OutPacket& p);
  void fill_checksum(const Interface& itf, OutPacket& p, std::uint64_t& flags) const;
  void prepend_ip(OutPacket& p, bool offload_ipv4_checksum);
  void prepend_link(const Interface& itf, BufChain& frame, const MacAddr& to, std::uint16_t ethertype);
  static rte_mbuf* finish(const Interface& itf, BufChain frame, std::uint64_t flags, std::size_t l3_size);
  void queue(PortId port, rte_mbuf* frame);
  bool linearise(BufChain& frame);
  void flush(PortId port);

  void drop(DropReason r) { drops_.add(r); }

  const std::span<const Interface> interfaces_;
  const RouteTable& routes_;
  BufPool& buffers_;
  DropCounters& drops_;
  FrameSink& sink_;
  TimerWheel& timers_;
  LocalAddresses local_;
  NeighborTable neighbors_;
  RateLimit error_limit_;
  std::uint16_t next_ip_id_ = 1;

  static constexpr std::size_t kBatch = 32;
  struct Batch {
    std::array<rte_mbuf*, kBatch> frames;
    std::size_t count = 0;
  };
  std::vector<Batch> batches_;  // a port

  std::vector<IcmpError> unresolved_;
  struct Announcement {
    PortId port;
    IpAddr address;
  };
  std::vector<Announcement> announce_again_;
  Timer announce_timer_;
};

}  // namespace sluice::net
