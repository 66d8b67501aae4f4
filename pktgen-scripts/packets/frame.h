// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/base/ip.h"
#include "pktgen-scripts/packets/flows.h"

namespace sluice::pktgen::packets {

/// TCP flags (RFC 9293, 3.1).
inline constexpr std::uint8_t kFin = 1, kSynFlag = 2, kRst = 4, kAckFlag = 16;

/// The ends of the wire, and who is talked to.
struct Ends {
  MacAddr ours, theirs;
  Endpoint target;        ///< IPv4.
  std::uint32_t own = 0;  ///< The port's address, which may be a kernel's too.
};

/// A frame whose sources and numbers change from packet to packet and nothing else: it is built once, and a
/// packet costs the few bytes that differ. Checksums are those of the constant part plus the words that were
/// put in (RFC 1624's idea).
class FrameTemplate {
 public:
  static FrameTemplate udp(const Ends& ends, std::size_t size);
  /// `mss`: with that option (SYN).
  static FrameTemplate tcp(const Ends& ends, std::size_t size, std::uint8_t flags, bool mss = false);

  std::span<const std::uint8_t> bytes() const { return bytes_; }

  /// `frame` holds bytes(), or what an earlier call made of it.
  void patch_udp(std::uint8_t* frame, const Source& from, std::uint64_t number) const;
  void patch_tcp(std::uint8_t* frame, const Source& from, std::uint32_t seq, std::uint32_t ack) const;

 private:
  FrameTemplate(const Ends& ends, std::size_t size, std::uint8_t protocol);
  void patch_source(std::uint8_t* frame, const Source& from) const;
  void sum_up();

  std::vector<std::uint8_t> bytes_;
  std::uint32_t ip_sum_ = 0,
                transport_sum_ = 0;  ///< One's complement sums of the constant words, not folded.
};

/// What a received frame is.
enum class Seen : std::uint8_t {
  kArpRequest,
  kArpReply,
  kSynAck,
  kAck,
  kReset,
  kFinish,  ///< FIN.
  kIcmp,
  kReturned,  ///< One of our own packets.
  kOther,     ///< No IPv4: neighbour discovery, LLDP.
  kBadFrame,  ///< Cut off, or of an impossible length.
  kBadChecksum,
  kBadAddress,  ///< Not from the target, or to none of our flows.
  kBadTag,      ///< Ours, but not as it was sent.
  kCount
};

struct Look {
  Seen seen = Seen::kOther;
  std::uint64_t flow = 0;          ///< Of IPv4 packets.
  std::uint32_t seq = 0, ack = 0;  ///< Of TCP.
  std::uint64_t number = 0;        ///< Of kReturned.
};

/// Recognises and checks a whole frame: header and transport checksums, both addresses, and of a packet of
/// our own its tag. `sent`: how many we have sent, for the tag.
Look look_at(std::span<const std::uint8_t> frame, const Endpoint& target, const Flows& flows,
             std::uint64_t sent);

/// Whether an IPv4 packet comes from or goes to `address`.
bool concerns(std::span<const std::uint8_t> frame, std::uint32_t address);

/// Turns an ARP request for `address` (RFC 826) into its answer; false: it is not for us.
bool answer_arp(std::uint8_t* frame, const MacAddr& ours, std::uint32_t address);
/// An ARP request from `address` for `wanted`.
std::vector<std::uint8_t> arp_request(const MacAddr& ours, std::uint32_t address, std::uint32_t wanted);
/// Who says that it has `wanted`, in an ARP reply.
bool is_arp_reply_of(std::span<const std::uint8_t> frame, std::uint32_t wanted, MacAddr& out);

}  // namespace sluice::pktgen::packets
