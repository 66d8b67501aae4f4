// SPDX-License-Identifier: Apache-2.0
#include "pktgen-scripts/packets/frame.h"

#include "dataplane/base/checksum.h"
#include "dataplane/net/wire.h"

namespace sluice::pktgen::packets {
namespace {

using namespace net::wire;

constexpr std::size_t kIp = kEthernetHeader, kTransport = kIp + kIpv4Header;
constexpr std::size_t kIpChecksum = kIp + 10, kSource = kIp + 12, kDestination = kIp + 16;
constexpr std::size_t kUdpChecksum = kTransport + 6, kTag = kTransport + kUdpHeader;
constexpr std::size_t kTcpSeq = kTransport + 4, kTcpAck = kTransport + 8, kTcpChecksum = kTransport + 16;
constexpr std::uint32_t kTagMark = 0x534c5544;  // in front of a datagram's number
constexpr std::uint16_t kTagBytes = 12;
constexpr std::size_t kMinFrame = 60;

std::uint32_t words(std::uint32_t v) { return (v >> 16) + (v & 0xffff); }

std::uint16_t fold(std::uint32_t sum) {
  sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(sum + (sum >> 16));
}

std::uint32_t sum_of(std::span<const std::uint8_t> bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) sum += load16(&bytes[i]);
  if (bytes.size() % 2 != 0) sum += static_cast<std::uint32_t>(bytes.back()) << 8;
  return sum;
}

std::uint32_t mark_of(std::uint64_t number) {
  return kTagMark ^ static_cast<std::uint32_t>(number) ^ static_cast<std::uint32_t>(number >> 32);
}

}  // namespace

FrameTemplate::FrameTemplate(const Ends& ends, std::size_t size, std::uint8_t protocol) : bytes_(size, 0) {
  std::uint8_t* f = bytes_.data();
  store_mac(f, ends.theirs);
  store_mac(f + 6, ends.ours);
  store16(f + 12, kEtherIpv4);
  f[kIp] = 0x45;
  store16(f + kIp + 2, static_cast<std::uint16_t>(size - kIp));
  store16(f + kIp + 6, 0x4000);  // do not fragment
  f[kIp + 8] = 64;
  f[kIp + 9] = protocol;
  store32(f + kDestination, ends.target.address.v4_value());
  store16(f + kTransport + 2, ends.target.port);
}

FrameTemplate FrameTemplate::udp(const Ends& ends, std::size_t size) {
  FrameTemplate t(ends, size, kUdp);
  store16(t.bytes_.data() + kTransport + 4, static_cast<std::uint16_t>(size - kTransport));
  for (std::size_t i = kTag + kTagBytes; i < size; ++i) t.bytes_[i] = static_cast<std::uint8_t>(i);
  t.sum_up();
  return t;
}

FrameTemplate FrameTemplate::tcp(const Ends& ends, std::size_t size, std::uint8_t flags, bool mss) {
  FrameTemplate t(ends, size, kTcp);
  std::uint8_t* f = t.bytes_.data();
  const std::size_t header = kTcpHeader + (mss ? 4 : 0);
  // The least frame is padded behind the packet, which carries nothing then.
  if (size <= kMinFrame) store16(f + kIp + 2, static_cast<std::uint16_t>(kIpv4Header + header));
  f[kTransport + 12] = static_cast<std::uint8_t>(header / 4 << 4);
  f[kTransport + 13] = flags;
  store16(f + kTransport + 14, 65535);
  if (mss) {  // RFC 9293, 3.2
    f[kTransport + kTcpHeader] = 2;
    f[kTransport + kTcpHeader + 1] = 4;
    store16(f + kTransport + kTcpHeader + 2, 1460);
  }
  t.sum_up();
  return t;
}

/// The checksums themselves, the source and the numbers are zero yet.
void FrameTemplate::sum_up() {
  const std::uint8_t* f = bytes_.data();
  const std::size_t length = load16(f + kIp + 2) - kIpv4Header;
  ip_sum_ = sum_of(std::span(bytes_).subspan(kIp, kIpv4Header));
  transport_sum_ = sum_of(std::span(bytes_).subspan(kTransport, length)) + words(load32(f + kDestination)) +
                   f[kIp + 9] + static_cast<std::uint32_t>(length);
}

void FrameTemplate::patch_source(std::uint8_t* f, const Source& from) const {
  store32(f + kSource, from.address);
  store16(f + kTransport, from.port);
  store16(f + kIpChecksum, static_cast<std::uint16_t>(~fold(ip_sum_ + words(from.address))));
}

void FrameTemplate::patch_udp(std::uint8_t* f, const Source& from, std::uint64_t number) const {
  patch_source(f, from);
  const std::uint32_t mark = mark_of(number);
  const auto high = static_cast<std::uint32_t>(number >> 32), low = static_cast<std::uint32_t>(number);
  store32(f + kTag, mark);
  store32(f + kTag + 4, high);
  store32(f + kTag + 8, low);
  const auto sum = static_cast<std::uint16_t>(
      ~fold(transport_sum_ + words(from.address) + from.port + words(mark) + words(high) + words(low)));
  store16(f + kUdpChecksum, sum == 0 ? 0xffff : sum);  // RFC 768
}

void FrameTemplate::patch_tcp(std::uint8_t* f, const Source& from, std::uint32_t seq,
                              std::uint32_t ack) const {
  patch_source(f, from);
  store32(f + kTcpSeq, seq);
  store32(f + kTcpAck, ack);
  store16(f + kTcpChecksum, static_cast<std::uint16_t>(~fold(transport_sum_ + words(from.address) +
                                                             from.port + words(seq) + words(ack))));
}

// ---- What comes back ----

namespace {

/// A packet of ours that somebody passed on. `number` is told from the tag, and the flow must be that
/// number's.
Look look_at_own(const std::uint8_t* f, std::size_t length, std::uint64_t flow, const Flows& flows,
                 std::uint64_t sent) {
  Look out{.seen = Seen::kBadTag, .flow = flow};
  if (f[kIp + 9] == kUdp) {
    if (length < kIpv4Header + kUdpHeader + kTagBytes) return out;
    out.number = static_cast<std::uint64_t>(load32(f + kTag + 4)) << 32 | load32(f + kTag + 8);
    if (load32(f + kTag) != mark_of(out.number)) return out;
  } else {  // its low half only: the latest that has it
    const std::uint32_t low = load32(f + kTcpSeq);
    if (load32(f + kTcpAck) != ~low) return out;
    out.number = (sent & ~std::uint64_t{0xffffffff}) | low;
    if (out.number >= sent && out.number >= std::uint64_t{1} << 32) out.number -= std::uint64_t{1} << 32;
  }
  if (out.number < sent && flows.flow_of(out.number) == flow) out.seen = Seen::kReturned;
  return out;
}

Seen kind_of_segment(std::uint8_t flags) {
  if ((flags & kRst) != 0) return Seen::kReset;
  if ((flags & (kSynFlag | kAckFlag)) == (kSynFlag | kAckFlag)) return Seen::kSynAck;
  if ((flags & kFin) != 0) return Seen::kFinish;
  return (flags & kAckFlag) != 0 ? Seen::kAck : Seen::kBadTag;
}

Seen look_at_arp(std::span<const std::uint8_t> frame) {
  if (frame.size() < kEthernetHeader + kArpSize) return Seen::kBadFrame;
  return load16(&frame[kEthernetHeader + 6]) == 1 ? Seen::kArpRequest : Seen::kArpReply;
}

/// Checksums of an IPv4 packet without options or fragments; what else comes is not checked as one.
Seen check(std::span<const std::uint8_t> packet) {
  if (!InternetChecksum().add(packet.first(kIpv4Header)).valid()) return Seen::kBadChecksum;
  const auto body = packet.subspan(kIpv4Header);
  const std::uint8_t protocol = packet[9];
  InternetChecksum sum;
  if (protocol == kTcp || protocol == kUdp) {
    sum.add_pseudo_header(IpAddr::v4_bytes(&packet[12]), IpAddr::v4_bytes(&packet[16]), protocol,
                          static_cast<std::uint32_t>(body.size()));
  }
  return sum.add(body).valid() ? Seen::kOther : Seen::kBadChecksum;
}

}  // namespace

Look look_at(std::span<const std::uint8_t> frame, const Endpoint& target, const Flows& flows,
             std::uint64_t sent) {
  if (frame.size() < kEthernetHeader) return {.seen = Seen::kBadFrame};
  const std::uint8_t* f = frame.data();
  const std::uint16_t type = load16(f + 12);
  if (type == kEtherArp) return {.seen = look_at_arp(frame)};
  if (type != kEtherIpv4) return {.seen = Seen::kOther};
  const std::size_t length = frame.size() < kTransport ? 0 : load16(f + kIp + 2);
  const std::size_t least = kIpv4Header + (length > 0 && f[kIp + 9] == kTcp ? kTcpHeader : kIcmpHeader);
  if (length < least || kIp + length > frame.size() || f[kIp] != 0x45) return {.seen = Seen::kBadFrame};
  if (const Seen wrong = check(frame.subspan(kIp, length)); wrong != Seen::kOther) return {.seen = wrong};

  const std::uint32_t source = load32(f + kSource), destination = load32(f + kDestination);
  const std::uint32_t vip = target.address.v4_value();
  const std::uint8_t protocol = f[kIp + 9];
  if (protocol == kIcmp) {  // from whichever address of the appliance; about a packet of ours
    if (length < kIpv4Header + kIcmpHeader + kIpv4Header + 4) return {.seen = Seen::kBadFrame};
    const std::uint8_t* about = f + kTransport + kIcmpHeader;
    const auto flow = flows.flow_at({load32(about + 12), load16(about + kIpv4Header)});
    if (!flow || load32(about + 16) != vip) return {.seen = Seen::kBadAddress};
    return {.seen = Seen::kIcmp, .flow = *flow};
  }
  if (destination == vip) {
    const auto flow = flows.flow_at({source, load16(f + kTransport)});
    if (!flow || load16(f + kTransport + 2) != target.port) return {.seen = Seen::kBadAddress};
    return look_at_own(f, length, *flow, flows, sent);
  }
  const auto flow = flows.flow_at({destination, load16(f + kTransport + 2)});
  if (source != vip || load16(f + kTransport) != target.port || !flow) return {.seen = Seen::kBadAddress};
  if (protocol == kUdp) return look_at_own(f, length, *flow, flows, sent);  // sent back with the ends swapped
  if (protocol != kTcp) return {.seen = Seen::kBadTag, .flow = *flow};
  return {.seen = kind_of_segment(f[kTransport + 13]),
          .flow = *flow,
          .seq = load32(f + kTcpSeq),
          .ack = load32(f + kTcpAck)};
}

bool concerns(std::span<const std::uint8_t> frame, std::uint32_t address) {
  if (frame.size() < kTransport || load16(&frame[12]) != kEtherIpv4) return false;
  return load32(&frame[kSource]) == address || load32(&frame[kDestination]) == address;
}

// ---- ARP (RFC 826) ----

namespace {
constexpr std::size_t kArp = kEthernetHeader, kArpOperation = kArp + 6, kArpSender = kArp + 8,
                      kArpTarget = kArp + 18;
}

bool answer_arp(std::uint8_t* f, const MacAddr& ours, std::uint32_t address) {
  if (load32(f + kArpTarget + 6) != address) return false;
  std::uint8_t asker[10];
  std::memcpy(asker, f + kArpSender, sizeof asker);
  std::memcpy(f, asker, 6);
  store_mac(f + 6, ours);
  store16(f + kArpOperation, 2);
  store_mac(f + kArpSender, ours);
  store32(f + kArpSender + 6, address);
  std::memcpy(f + kArpTarget, asker, sizeof asker);
  return true;
}

std::vector<std::uint8_t> arp_request(const MacAddr& ours, std::uint32_t address, std::uint32_t wanted) {
  std::vector<std::uint8_t> f(60, 0);
  store_mac(f.data(), kBroadcastMac);
  store_mac(&f[6], ours);
  store16(&f[12], kEtherArp);
  store16(&f[kArp], 1);
  store16(&f[kArp + 2], kEtherIpv4);
  f[kArp + 4] = 6;
  f[kArp + 5] = 4;
  store16(&f[kArpOperation], 1);
  store_mac(&f[kArpSender], ours);
  store32(&f[kArpSender + 6], address);
  store32(&f[kArpTarget + 6], wanted);
  return f;
}

bool is_arp_reply_of(std::span<const std::uint8_t> frame, std::uint32_t wanted, MacAddr& out) {
  if (frame.size() < kEthernetHeader + kArpSize || load16(&frame[12]) != kEtherArp ||
      load16(&frame[kArpOperation]) != 2 || load32(&frame[kArpSender + 6]) != wanted) {
    return false;
  }
  out = load_mac(&frame[kArpSender]);
  return true;
}

}  // namespace sluice::pktgen::packets
