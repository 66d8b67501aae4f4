// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "dataplane/base/timer_wheel.h"
#include "dataplane/net/ip_output.h"
#include "dataplane/worker/app.h"
#include "l4/tcp/stack.h"
#include "tests/support/eal.h"

namespace sluice::test {

/// What a modelled link does to packets, in one direction.
struct LinkModel {
  Duration delay{std::chrono::milliseconds(1)};
  Duration jitter{0};  ///< Uniform on top of the delay: reorders.
  double loss = 0;     ///< Probability for each packet.
  double duplication = 0;
  double bit_error = 0;  ///< A damaged packet never arrives: the checksum is the IP layer's. Counts as loss.
  std::uint64_t bytes_per_second =
      0;  ///< 0: unlimited. A queue of `queue` packets of 1500 bytes stands before it.
  std::size_t queue = 64;
  double marking = 0;  ///< Probability for each packet that may be marked (ECN).
  bool strip_sack = false, strip_timestamps = false, strip_scaling = false;  ///< A middlebox on SYNs.
};

/// One end: a stack, its wheel, and its side of the link.
class SimHost : public net::IpOutput, public l4::tcp::Acceptor {
 public:
  SimHost(IpAddr address, const l4::tcp::Config& config, std::uint16_t path_mtu, Instant start);

  bool listens(const Endpoint&) const override { return true; }
  l4::StreamEvents* accept(l4::Stream& stream, Instant) override;
  void send(std::span<net::OutPacket> batch, Instant now) override;
  std::uint16_t mtu(const IpAddr&) const override { return mtu_; }
  std::optional<IpAddr> source_for(const IpAddr&) const override { return address_; }

  /// Comes with others of the same moment as one batch, as from a port.
  void arrives(const std::string& bytes, const FlowKey& flow, std::uint8_t tos);
  void take_batch(Instant now);

  TimerWheel timers;
  DropCounters drops;
  std::unique_ptr<l4::tcp::Stack> stack;
  class SimLink* link = nullptr;
  class SimUser* user = nullptr;  ///< Takes what is accepted.

 private:
  IpAddr address_;
  std::uint16_t mtu_;
  std::vector<net::Packet> batch_;
};

/// Both directions between two hosts, and the order of events. Deterministic by its seed.
class SimLink {
 public:
  SimLink(SimHost& a, SimHost& b, const LinkModel& model, std::uint64_t seed, Instant start);

  void transmit(SimHost& from, net::OutPacket& packet, Instant now);
  /// Handles everything up to and including the next event; false when there is none before `limit`.
  bool step(Instant limit);
  Instant now() const { return now_; }
  std::size_t lost() const { return lost_; }

 private:
  struct Flight {
    SimHost* to;
    FlowKey flow;
    std::string bytes;
    std::uint8_t tos;
  };
  bool chance(double p) { return std::uniform_real_distribution<>(0, 1)(random_) < p; }
  void strip(std::string& bytes) const;

  SimHost &a_, &b_;
  const LinkModel model_;
  std::mt19937_64 random_;
  Instant now_;
  Instant busy_until_[2];
  std::multimap<Instant, Flight> flights_;
  std::size_t lost_ = 0;
};

/// Sends `to_send` bytes of a pattern, checks that it gets exactly `to_get` of it, shuts down after sending.
class SimUser : public l4::StreamEvents {
 public:
  SimUser(std::size_t to_send, std::size_t to_get, std::uint64_t seed);

  void on_open(Instant now) override;
  void on_data(BufChain data, Instant now) override;
  void on_writable(Instant now) override;
  void on_peer_closed(Instant now) override;
  void on_closed(l4::CloseReason reason, Instant now) override;
  /// Reads on after a pause, when it holds something back.
  void poll(Instant now);

  l4::Stream* stream = nullptr;
  bool opened = false, peer_closed = false, closed = false;
  bool slow_reader = false;
  l4::CloseReason reason{};
  std::size_t sent = 0, got = 0;
  std::string fault;

 private:
  void fill(Instant now);

  const std::size_t to_send_, to_get_;
  std::mt19937_64 random_;
  std::size_t held_ = 0;
};

}  // namespace sluice::test
