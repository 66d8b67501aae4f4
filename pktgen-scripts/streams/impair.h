// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "dataplane/base/buf.h"
#include "dataplane/net/ip_output.h"
#include "dataplane/net/packet.h"
#include "pktgen-scripts/shape.h"

namespace sluice::pktgen {

/// A bad piece of wire for packets of one direction: loses some, doubles some, lets some be overtaken. The
/// same seed makes the same choices.
template <class Packet>
class BadWire {
 public:
  BadWire(const Impairment& how, std::uint32_t salt, BufPool& buffers)
      : how_(how), buffers_(buffers), random_(how.seed + salt) {}

  /// Takes the packet; adds to `out` what comes out of the wire now.
  void pass(Packet& p, std::vector<Packet>& out, Instant now);
  /// What has waited for too long comes out although nothing overtook it.
  void release(std::vector<Packet>& out, Instant now);

 private:
  static constexpr Duration kLongest = std::chrono::milliseconds(2);
  struct Held {
    Packet packet;
    std::uint32_t overtaken_by;
    Instant since;
  };
  bool chance(std::uint32_t ppm) { return ppm > 0 && random_() % 1'000'000 < ppm; }

  const Impairment how_;
  BufPool& buffers_;
  std::mt19937 random_;
  std::vector<Held> held_;
};

/// The stack's way out, with a bad wire before the port for what goes to one address.
class ImpairedOutput final : public net::IpOutput {
 public:
  ImpairedOutput(net::IpOutput& out, const IpAddr& target, const Impairment& how, BufPool& buffers)
      : out_(out), target_(target), wire_(how, 1, buffers) {}
  void send(std::span<net::OutPacket> batch, Instant now) override;
  std::uint16_t mtu(const IpAddr& destination) const override { return out_.mtu(destination); }
  std::optional<IpAddr> source_for(const IpAddr& destination) const override {
    return out_.source_for(destination);
  }
  void release(Instant now);

 private:
  net::IpOutput& out_;
  const IpAddr target_;
  BadWire<net::OutPacket> wire_;
  std::vector<net::OutPacket> ready_;
};

}  // namespace sluice::pktgen
