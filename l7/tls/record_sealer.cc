// SPDX-License-Identifier: Apache-2.0
#include "l7/tls/record_sealer.h"

#include <algorithm>
#include <utility>

#include "dataplane/base/buf.h"

namespace sluice::l7::tls {
namespace {

/// Source segments of a record; as many pieces again are left for the segments that they are enciphered into.
constexpr std::size_t kMaxSegments = kMaxPieces - 16;
/// Up to here several segments become one: the packet that they go in has fewer parts then.
constexpr std::size_t kGatherBelow = 1408;

struct Pieces {
  Piece& back() { return list[count - 1]; }
  void add(const std::uint8_t* from, std::uint8_t* to, std::size_t size) { list[count++] = {from, to, size}; }
  std::span<const Piece> view() const { return std::span(list).first(count); }

  std::array<Piece, kMaxPieces> list;
  std::size_t count = 0;
};

struct Overhead {
  explicit Overhead(const Suite& s) : front(kRecordHeader + s.explicit_nonce()), back(s.inner_type() + kTagSize) {}
  std::size_t front, back;
};

/// Writes header and explicit nonce, and answers with what goes into the AEAD.
Envelope begin(const Suite& suite, const Direction& d, ContentType type, std::size_t n, std::uint8_t* at) {
  const ContentType outer = suite.tls13 ? ContentType::kApplicationData : type;
  const std::size_t length = suite.explicit_nonce() + n + suite.inner_type() + kTagSize;
  const RecordHeader header = {static_cast<std::uint8_t>(outer), 3, 3, static_cast<std::uint8_t>(length >> 8),
                               static_cast<std::uint8_t>(length)};
  std::copy(header.begin(), header.end(), at);
  // RFC 5288, 3: the sequence number is unique. OpenSSL's own record before ours, Finished, had a random one.
  if (suite.explicit_nonce() > 0) store_be64(at + kRecordHeader, d.sequence);
  return envelope(suite, d, header, at + kRecordHeader, n);
}

void encipher(const RecordContext& c, Direction& d, const Envelope& e, const Pieces& pieces, Tag& tag) {
  c.tools.aead.seal(c.suite.aead, d.key, e.nonce, e.additional(), pieces.view(), tag);
  ++d.sequence;
}

/// What one walk over the front of a chain has found.
struct Extent {
  std::size_t bytes;  ///< Of the record.
  bool in_place;      ///< It is made of whole segments that are nobody else's: `pieces`, the last one `last`.
  rte_mbuf* last;
  Pieces pieces;
};

/// Up to the end of a segment where that costs little and saves a copy.
void measure(BufChain& plain, std::size_t most, Extent& e) {
  std::size_t n = 0, aligned = 0, segments = 0, own = 0;
  bool exclusive = true;
  for (auto* m = plain.head(); m != nullptr && n < most && segments < kMaxSegments; m = segment::next(m), ++segments) {
    const auto bytes = segment::writable(m);
    const std::size_t take = std::min(bytes.size(), most - n);
    n += take;
    exclusive = exclusive && segment::exclusive(m);
    if (!exclusive || take < bytes.size()) continue;
    aligned = n;
    e.last = m;
    e.pieces.list[own++] = {bytes.data(), bytes.data(), take};
  }
  e.pieces.count = own;
  e.bytes = aligned >= most / 2 ? aligned : n;
  e.in_place = e.bytes == aligned && (own == 1 || aligned > kGatherBelow);
}

bool in_place(const RecordContext& c, Direction& d, ContentType type, BufChain& plain, Extent& e, BufChain& out) {
  const Overhead over(c.suite);
  Buf front, back;
  if (segment::headroom(plain.front()) < over.front && !(front = c.buffers.alloc())) return false;
  if (segment::tailroom(e.last) < over.back && !(back = c.buffers.alloc())) return false;

  BufChain record = plain.take_through(e.last, e.pieces.count, e.bytes);
  std::uint8_t *header = nullptr, *end = nullptr;
  if (front) {
    header = front.append(over.front);
    record.push_front(std::move(front));
  } else {
    header = record.prepend(over.front);
  }
  if (back) {
    end = back.append(over.back);
    if (c.suite.tls13) e.pieces.add(end, end, c.suite.inner_type());
    record.push_back(std::move(back));
  } else {
    end = record.extend(over.back);
    e.pieces.back().size += c.suite.inner_type();
  }
  if (c.suite.tls13) *end = static_cast<std::uint8_t>(type);
  Tag tag;
  encipher(c, d, begin(c.suite, d, type, e.bytes, header), e.pieces, tag);
  std::copy(tag.begin(), tag.end(), end + c.suite.inner_type());
  out.append(std::move(record));
  return true;
}

/// A place in a chain that is being written to.
class Cursor {
 public:
  Cursor(BufChain& chain, std::size_t skip) : m_(chain.head()), at_(skip) {}
  /// The next bytes in one piece, up to `most`.
  std::span<std::uint8_t> take(std::size_t most) {
    while (at_ == BufChain::view(m_).size()) {
      m_ = segment::next(m_);
      at_ = 0;
    }
    const auto rest = segment::writable(m_).subspan(at_);
    const std::size_t n = std::min(most, rest.size());
    at_ += n;
    return rest.first(n);
  }

 private:
  decltype(std::declval<BufChain&>().head()) m_;
  std::size_t at_;
};

bool make_room(BufChain& chain, std::size_t n, BufPool& buffers) {
  while (chain.size() < n) {
    Buf b = buffers.alloc();
    if (!b) return false;
    b.append(std::min(b.tailroom(), n - chain.size()));
    chain.push_back(std::move(b));
  }
  return true;
}

bool copied(const RecordContext& c, Direction& d, ContentType type, BufChain& plain, std::size_t n, BufChain& out) {
  const Overhead over(c.suite);
  BufChain record;
  if (!make_room(record, over.front + n + over.back, c.buffers)) return false;
  Cursor to(record, over.front);
  Pieces pieces;
  const auto add = [&](std::span<const std::uint8_t> from) {
    while (!from.empty()) {
      const auto room = to.take(from.size());
      pieces.add(from.data(), room.data(), room.size());
      from = from.subspan(room.size());
    }
  };
  std::size_t left = n;
  for (const auto* m = plain.front(); left > 0; m = BufChain::next(m)) {
    const auto bytes = BufChain::view(m).first(std::min(left, BufChain::view(m).size()));
    add(bytes);
    left -= bytes.size();
  }
  const auto inner_type = static_cast<std::uint8_t>(type);
  if (c.suite.tls13) add({&inner_type, 1});
  Tag tag;
  encipher(c, d, begin(c.suite, d, type, n, segment::writable(record.head()).data()), pieces, tag);
  for (std::size_t done = 0; done < tag.size();) {
    const auto room = to.take(tag.size() - done);
    std::copy_n(tag.begin() + static_cast<std::ptrdiff_t>(done), room.size(), room.begin());
    done += room.size();
  }
  plain.drop_front(n);
  out.append(std::move(record));
  return true;
}

}  // namespace

std::optional<std::size_t> seal_record(const RecordContext& c, Direction& d, ContentType type, BufChain& plain,
                                       std::size_t most, BufChain& out) {
  Extent e;
  measure(plain, most, e);
  const bool sealed = e.in_place ? in_place(c, d, type, plain, e, out) : copied(c, d, type, plain, e.bytes, out);
  if (!sealed) return std::nullopt;
  return e.bytes;
}

}  // namespace sluice::l7::tls
