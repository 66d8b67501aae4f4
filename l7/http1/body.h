// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "dataplane/base/buf.h"
#include "l7/http/message.h"

namespace sluice::l7::http1 {

/// Takes a message body out of its HTTP/1.1 framing, without copying (but runs of tiny pieces, which would
/// cost a buffer each). One a message at a time; memory is bounded whatever the peer sends.
class BodyDecoder {
 public:
  enum class Status : std::uint8_t { kMore, kDone, kError, kNoMemory };

  void start(const http::Framing& framing);
  /// Moves body bytes from the front of `in` to the end of `out`, and drops the framing between them. Bytes
  /// behind the end of the message stay in `in`. kTunnel and kUntilClose never become kDone by themselves.
  Status decode(BufChain& in, BufChain& out, BufPool& pool);
  /// The connection's end: kDone when that ends the body properly (kUntilClose, kTunnel, or already done),
  /// else kError.
  Status finish() const;

  /// After kDone of a chunked body: the trailer section's field lines ("Name: value\r\n"...), checked. Fields
  /// that may not be in trailers (framing, routing; RFC 9110, 6.5.1) are dropped. Empty: none.
  std::string_view trailers() const { return trailers_; }
  /// After kError: what was wrong, a literal.
  std::string_view reason() const { return reason_; }
  std::uint64_t decoded() const { return decoded_; }  ///< Body bytes so far.

 private:
  enum class State : std::uint8_t { kPlain, kSize, kData, kDataEnd, kTrailer, kDone, kFailed };
  enum class Line : std::uint8_t { kMore, kWhole, kTooLong };

  Status decode_plain(BufChain& in, BufChain& out, BufPool& pool);
  Status decode_chunked(BufChain& in, BufChain& out, BufPool& pool);
  bool move(std::size_t n, BufChain& in, BufChain& out, BufPool& pool);
  Line read_line(BufChain& in, std::size_t max);
  void on_size_line();
  void on_data_end();
  void on_trailer_line();
  void fail(std::string_view reason);

  State state_ = State::kDone;
  http::Framing framing_;
  std::uint64_t left_ = 0;  // of the length or the chunk
  std::uint64_t decoded_ = 0;
  std::uint64_t extensions_ = 0;   // bytes of chunk extensions so far
  std::size_t trailer_bytes_ = 0;  // kept or not
  std::string line_;               // chunk-size or trailer line being read, bounded
  std::string trailers_;
  std::string_view reason_;
};

/// Puts body bytes into chunked framing (RFC 9112, 7.1), as one chunk; nothing when there are none. False: no
/// memory, nothing appended to `out`, `payload` is unchanged.
bool encode_chunk(BufChain&& payload, BufChain& out, BufPool& pool);
/// The last chunk with optional trailer field lines.
bool encode_last_chunk(std::string_view trailers, BufChain& out, BufPool& pool);

}  // namespace sluice::l7::http1
