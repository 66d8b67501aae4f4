// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "l7/tls/chain_bio.h"
#include "l7/tls/record_format.h"
#include "l7/tls/records.h"

namespace sluice::l7::tls {

/// What a record layer begins with.
struct RecordKeys {
  const Suite* suite = nullptr;
  Direction read, write;
  bool at_client = false;  ///< We are the client of this connection.
};

/// Plaintext bytes of a record that fits into one packet, with TCP's options, over IPv4 and IPv6.
inline constexpr std::size_t kSmallRecord = 1380;
/// As many bytes go in small records first, about the window that TCP begins with twice over: the client can read each
/// packet as it comes instead of waiting for a whole record over two round trips.
inline constexpr std::size_t kSmallBytes = 32 * 1024;
/// After such a pause TCP begins anew, and so do small records.
inline constexpr Duration kSmallAgainAfter = std::chrono::seconds(1);
/// Records in a row that carry no data (empty ones, KeyUpdate, warnings).
inline constexpr int kMaxQuiet = 32;

/// The record layer by IPsec-MB, for either end. Opens where the bytes lie, seals
/// memory in place that is nobody else's and copies by enciphering what is.
///
/// KeyUpdate (RFC 8446, 4.6.3) is answered right before the next data, so that any number of requests gets one answer.
/// Under one key no more than `RecordTools::max_records` records are sent: then comes a KeyUpdate, or in TLS 1.2 the end.
class OwnRecords final : public Records {
 public:
  OwnRecords(CipherQueues& queues, RecordTools& tools, const RecordKeys& keys);
  ~OwnRecords() override;
  OwnRecords(const OwnRecords&) = delete;
  OwnRecords& operator=(const OwnRecords&) = delete;

  Result open(BufChain& plain, std::size_t limit) override;
  Result seal(BufChain& plain, Instant now) override;
  Result close() override;

 private:
  RecordContext context() { return {suite_, tools_, queues_.buffers}; }
  Result take(ContentType type, BufChain content, BufChain& plain);
  Result data(BufChain content, BufChain& plain);
  Result alert(const BufChain& content);
  Result handshake(const BufChain& content);
  Result hello(const BufChain& content);
  bool skip(const BufChain& content, std::size_t& at);
  Result key_update();
  Result quiet();
  Result fatal(Alert alert, const char* why);
  bool put(ContentType type, std::span<const std::uint8_t> bytes);
  Result new_write_key();
  bool rekey(Direction& direction);

  CipherQueues& queues_;
  RecordTools& tools_;
  const Suite& suite_;
  Direction read_, write_;
  Instant sealed_at_{};
  std::size_t small_left_ = kSmallBytes;
  int quiet_ = 0;                       ///< Records without data since the last one with.
  const bool at_client_;
  bool update_due_ = false;             ///< The peer asked for a new key.
  std::uint8_t message_size_ = 0;       ///< Of a handshake message that came in part.
  std::uint32_t skip_ = 0;              ///< Bytes of a ticket that have not come yet.
  std::array<std::uint8_t, 5> message_;
};

}  // namespace sluice::l7::tls
