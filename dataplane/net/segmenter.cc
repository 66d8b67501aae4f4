// SPDX-License-Identifier: Apache-2.0
#include "dataplane/net/segmenter.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "dataplane/net/wire.h"

namespace sluice::net {
namespace {

constexpr std::size_t kSequence = 4, kFlags = 13;  // in the header: RFC 9293, 3.1
constexpr std::uint8_t kFin = 0x01, kPsh = 0x08, kCwr = 0x80;

}  // namespace

Segmenter::Segmenter(OutPacket&& packet, BufPool& buffers)
    : rest_(std::move(packet)), buffers_(buffers), payload_(std::exchange(rest_.segment_size, std::uint16_t{0})) {
  const Buf header = rest_.chain.pop_front();
  assert(payload_ > 0 && header.size() >= wire::kTcpHeader && header.size() <= header_.size());
  header_size_ = static_cast<std::uint8_t>(header.size());
  std::copy_n(header.data(), header_size_, header_.begin());
}

/// And makes the one behind it of ours.
Buf Segmenter::next_header(bool last) {
  Buf out = buffers_.alloc();
  if (!out) return out;
  std::uint8_t* at = out.append(header_size_);
  std::copy_n(header_.begin(), header_size_, at);
  if (!last) at[kFlags] &= static_cast<std::uint8_t>(~(kFin | kPsh));
  header_[kFlags] &= static_cast<std::uint8_t>(~kCwr);
  wire::store32(&header_[kSequence], wire::load32(&header_[kSequence]) + payload_);
  return out;
}

std::optional<OutPacket> Segmenter::next() {
  if (rest_.chain.empty()) return std::nullopt;
  const bool last = rest_.chain.size() <= payload_;
  Buf header = next_header(last);
  BufChain payload = header ? rest_.chain.take_front(last ? rest_.chain.size() : payload_, buffers_) : BufChain();
  if (payload.empty()) {
    exhausted_ = true;
    rest_.chain.clear();
    return std::nullopt;
  }
  OutPacket out;
  out.chain = std::move(payload);
  out.chain.push_front(std::move(header));
  out.source = rest_.source;
  out.destination = rest_.destination;
  out.protocol = rest_.protocol;
  out.tos = rest_.tos;
  out.ttl = rest_.ttl;
  return out;
}

}  // namespace sluice::net
