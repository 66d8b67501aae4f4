// SPDX-License-Identifier: Apache-2.0
#include "l7/tls/record_opener.h"

#include <algorithm>
#include <optional>

#include "dataplane/base/buf.h"

namespace sluice::l7::tls {
namespace {

using Status = OpenedRecord::Status;

/// Below, a record that shares its segment is copied by way of the scratch: a few bytes do not get a buffer of their own.
constexpr std::size_t kWorthABuffer = 512;

/// Where the parts of a record are, as offsets from its beginning.
struct Sealed {
  std::size_t body, size;  ///< What is enciphered.
  std::size_t total;
  std::size_t end() const { return body + size; }
};

struct InPlace {
  std::array<Piece, kMaxPieces> pieces;
  std::size_t count = 0;
  rte_mbuf* last = nullptr;     ///< Of the segments that end with the record or before.
  std::size_t whole = 0;        ///< Their number,
  std::size_t whole_bytes = 0;  ///< and what is in them.
  std::size_t shared = 0;       ///< Bytes of the body in the segment that goes on behind the record: the last piece.
  std::span<const Piece> view() const { return std::span(pieces).first(count); }
};

std::optional<Alert> unacceptable(const Suite& suite, const RecordHeader& h, std::size_t length) {
  const auto type = static_cast<ContentType>(h[0]);
  if (suite.tls13) {
    // RFC 8446, 5.2: the version says nothing.
    if (type != ContentType::kApplicationData) return Alert::kUnexpectedMessage;
  } else {
    if (type < ContentType::kChangeCipherSpec || type > ContentType::kApplicationData) return Alert::kUnexpectedMessage;
    if (h[1] != 3 || h[2] != 3) return Alert::kProtocolVersion;
  }
  const std::size_t overhead = suite.explicit_nonce() + suite.inner_type() + kTagSize;
  // What is longer, be it by padding, has too long a plaintext (RFC 8446, 5.4; RFC 5246, 6.2.1).
  if (length > kMaxRecord + overhead) return Alert::kRecordOverflow;
  if (length < overhead) return Alert::kBadRecordMac;
  return std::nullopt;
}

/// False: it is to be copied.
bool find_in_place(BufChain& in, const Sealed& s, InPlace& out, Tag& tag) {
  std::size_t at = 0;
  for (auto* m = in.head(); at < s.total; m = segment::next(m)) {
    const auto bytes = segment::writable(m);
    const std::size_t next = at + bytes.size(), from = std::max(at, s.body), to = std::min(next, s.end());
    const bool whole = next <= s.total;
    if (from < to) {
      if (out.count == out.pieces.size() || (whole && !segment::exclusive(m))) return false;
      out.pieces[out.count++] = {&bytes[from - at], &bytes[from - at], to - from};
      if (!whole) out.shared = to - from;
    }
    if (next > s.end()) {
      const std::size_t begin = std::max(at, s.end());
      std::copy_n(&bytes[begin - at], std::min(next, s.total) - begin, &tag[begin - s.end()]);
    }
    if (whole) {
      out.last = m;
      ++out.whole;
      out.whole_bytes = next;
    }
    at = next;
  }
  return out.shared == 0 || s.size >= kWorthABuffer;
}

bool decipher(const RecordContext& c, const Direction& d, const Envelope& e, std::span<const Piece> pieces,
              const Tag& theirs) {
  Tag ours;
  c.tools.aead.open(c.suite.aead, d.key, e.nonce, e.additional(), pieces, ours);
  return equal(ours, theirs);
}

/// RFC 8446, 5.4: the last byte that is not zero is the type. Returns 0 when there is none, else `size` is that of what
/// stands before it.
std::uint8_t strip_padding(std::span<const Piece> pieces, std::size_t& size) {
  for (; !pieces.empty(); pieces = pieces.first(pieces.size() - 1)) {
    const Piece& last = pieces.back();
    for (std::size_t n = last.size; n > 0; --n) {
      --size;
      if (last.to[n - 1] != 0) return last.to[n - 1];
    }
  }
  return 0;
}

/// Moves `size` bytes of content out of `in`, and the record with them.
void take_in_place(BufChain& in, const Sealed& s, const InPlace& place, Buf shared, std::size_t size, BufChain& content) {
  if (place.whole > 0) content = in.take_through(place.last, place.whole, place.whole_bytes);
  in.drop_front(s.total - place.whole_bytes);
  content.drop_front(std::min(s.body, content.size()));
  content.push_back(std::move(shared));
  content.drop_back(content.size() - size);
}

OpenedRecord opened(const Suite& suite, const RecordHeader& h, std::uint8_t inner_type) {
  if (suite.tls13 && inner_type == 0) return {.status = Status::kRefused, .alert = Alert::kUnexpectedMessage};
  return {.type = static_cast<ContentType>(suite.tls13 ? inner_type : h[0])};
}

OpenedRecord by_scratch(const RecordContext& c, const Direction& d, const RecordHeader& h, const Envelope& e,
                        const Sealed& s, BufChain& in, BufChain& content) {
  auto bytes = std::span(c.tools.scratch).first(s.size);
  in.copy_out(s.body, bytes);
  Tag tag;
  in.copy_out(s.end(), tag);
  const Piece all{bytes.data(), bytes.data(), bytes.size()};
  if (!decipher(c, d, e, {&all, 1}, tag)) return {.status = Status::kRefused, .alert = Alert::kBadRecordMac};
  std::uint8_t type = 0;
  for (; c.suite.tls13 && type == 0 && !bytes.empty(); bytes = bytes.first(bytes.size() - 1)) type = bytes.back();
  if (!bytes.empty() && !content.append_copy(bytes, c.buffers)) return {.status = Status::kNoBuffers};
  in.drop_front(s.total);
  return opened(c.suite, h, type);
}

}  // namespace

OpenedRecord open_record(const RecordContext& c, Direction& d, BufChain& in, BufChain& content) {
  RecordHeader h;
  if (in.size() < h.size()) return {.status = Status::kNeedMore};
  in.copy_out(0, h);
  const std::size_t length = static_cast<std::size_t>(h[3]) << 8 | h[4];
  if (const auto alert = unacceptable(c.suite, h, length)) return {.status = Status::kRefused, .alert = *alert};
  if (in.size() < h.size() + length) return {.status = Status::kNeedMore};

  const std::size_t nonce_size = c.suite.explicit_nonce();
  const Sealed s{h.size() + nonce_size, length - nonce_size - kTagSize, h.size() + length};
  std::array<std::uint8_t, 8> nonce;
  in.copy_out(h.size(), std::span(nonce).first(nonce_size));
  const Envelope e = envelope(c.suite, d, h, nonce.data(), s.size);

  InPlace place;
  Tag tag;
  Buf shared;
  bool fits = find_in_place(in, s, place, tag);
  if (fits && place.shared > 0) {
    shared = c.buffers.alloc();
    if (!shared) return {.status = Status::kNoBuffers};
    fits = place.shared <= shared.tailroom();
  }
  if (!fits) {
    const OpenedRecord r = by_scratch(c, d, h, e, s, in, content);
    d.sequence += r.status == Status::kDone ? 1 : 0;
    return r;
  }
  if (place.shared > 0) place.pieces[place.count - 1].to = shared.append(place.shared);
  if (!decipher(c, d, e, place.view(), tag)) return {.status = Status::kRefused, .alert = Alert::kBadRecordMac};
  std::size_t size = s.size;
  const std::uint8_t type = c.suite.tls13 ? strip_padding(place.view(), size) : 0;
  take_in_place(in, s, place, std::move(shared), size, content);
  ++d.sequence;
  return opened(c.suite, h, type);
}

}  // namespace sluice::l7::tls
