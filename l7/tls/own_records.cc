// SPDX-License-Identifier: Apache-2.0
#include "l7/tls/own_records.h"

#include <algorithm>

#include "l4/tcp/coalesce.h"
#include "l7/tls/record_opener.h"
#include "l7/tls/record_sealer.h"

namespace sluice::l7::tls {
namespace {

constexpr std::uint8_t kWarning = 1, kFatal = 2;
/// Before the body of a handshake message.
constexpr std::size_t kMessageHeader = 4;
/// RFC 8446, 4.6.1: two vectors of 2^16 - 1 bytes, one of 255, and what stands before them.
constexpr std::uint32_t kMaxTicketMessage = 2 * 65537 + 256 + 8;

const char* text_of(Alert a) {
  switch (a) {
    case Alert::kUnexpectedMessage: return "unexpected message";
    case Alert::kBadRecordMac: return "decryption failed or bad record mac";
    case Alert::kRecordOverflow: return "data length too long";
    case Alert::kProtocolVersion: return "wrong version number";
    default: return "bad record";
  }
}

}  // namespace

OwnRecords::OwnRecords(CipherQueues& queues, RecordTools& tools, const RecordKeys& keys)
    : queues_(queues), tools_(tools), suite_(*keys.suite), read_(keys.read), write_(keys.write), at_client_(keys.at_client) {
  tools_.aead.admit(read_.key);
  tools_.aead.admit(write_.key);
}

OwnRecords::~OwnRecords() {
  tools_.aead.forget(read_.key);
  tools_.aead.forget(write_.key);
}

// ---- Opening ----

Records::Result OwnRecords::open(BufChain& plain, std::size_t limit) {
  const std::size_t enough = plain.size() + limit;
  while (plain.size() < enough) {
    BufChain content;
    const OpenedRecord r = open_record(context(), read_, queues_.in, content);
    switch (r.status) {
      case OpenedRecord::Status::kDone: break;
      case OpenedRecord::Status::kNeedMore: return Result::kNeedMore;
      case OpenedRecord::Status::kNoBuffers: return Result::kNoBuffers;
      case OpenedRecord::Status::kRefused: return fatal(r.alert, text_of(r.alert));
    }
    if (const Result taken = take(r.type, std::move(content), plain); taken != Result::kDone) return taken;
  }
  return Result::kDone;
}

Records::Result OwnRecords::take(ContentType type, BufChain content, BufChain& plain) {
  // RFC 8446, 5.1: other types do not come between the parts of a message.
  if (message_size_ + skip_ > 0 && type != ContentType::kHandshake) return fatal(Alert::kUnexpectedMessage, "unexpected message");
  switch (type) {
    case ContentType::kApplicationData: return data(std::move(content), plain);
    case ContentType::kAlert: return alert(content);
    case ContentType::kHandshake: return suite_.tls13 ? handshake(content) : hello(content);
    case ContentType::kChangeCipherSpec: break;
  }
  return fatal(Alert::kUnexpectedMessage, "unexpected message");
}

Records::Result OwnRecords::data(BufChain content, BufChain& plain) {
  if (content.empty()) return quiet();
  quiet_ = 0;
  l4::tcp::append_coalesced(plain, std::move(content), queues_.buffers);  // a few bytes do not keep a buffer
  return Result::kDone;
}

Records::Result OwnRecords::alert(const BufChain& content) {
  std::array<std::uint8_t, 2> bytes;
  if (content.size() != bytes.size()) return fatal(Alert::kDecodeError, "bad alert");
  content.copy_out(0, bytes);
  const auto what = static_cast<Alert>(bytes[1]);
  if (what == Alert::kCloseNotify) return Result::kClosed;
  // In TLS 1.3 the level says nothing (RFC 8446, 6).
  if (suite_.tls13 ? what == Alert::kUserCanceled : bytes[0] == kWarning) return quiet();
  error_ = std::string("alert ") + SSL_alert_desc_string_long(bytes[1]);
  return Result::kFailed;
}

/// TLS 1.3: all that a client may still send is KeyUpdate, which ends with its record (RFC 8446, 5.1). A server may send
/// tickets, too: whoever wants them has let OpenSSL read the first one, and further ones are passed over.
Records::Result OwnRecords::handshake(const BufChain& content) {
  if (content.empty()) return fatal(Alert::kUnexpectedMessage, "unexpected message");
  for (std::size_t at = 0; at < content.size();) {
    if (skip(content, at)) continue;
    content.copy_out(at++, {&message_[message_size_++], 1});
    const std::uint8_t type = message_[0];
    if (type == kNewSessionTicket && at_client_) {
      if (message_size_ < kMessageHeader) continue;
      skip_ = std::uint32_t{message_[1]} << 16 | std::uint32_t{message_[2]} << 8 | message_[3];
      message_size_ = 0;
      if (skip_ > kMaxTicketMessage) return fatal(Alert::kDecodeError, "bad ticket");
    } else if (type != kKeyUpdate) {
      return fatal(Alert::kUnexpectedMessage, "unexpected message");
    } else if (message_size_ == message_.size()) {
      return at == content.size() ? key_update() : fatal(Alert::kUnexpectedMessage, "unexpected message");
    }
  }
  return quiet();
}

/// True: passed over bytes of a ticket.
bool OwnRecords::skip(const BufChain& content, std::size_t& at) {
  const auto n = static_cast<std::uint32_t>(std::min<std::size_t>(skip_, content.size() - at));
  skip_ -= n;
  at += n;
  return n > 0;
}

Records::Result OwnRecords::key_update() {
  message_size_ = 0;
  if (message_[1] != 0 || message_[2] != 0 || message_[3] != 1) return fatal(Alert::kDecodeError, "bad key update");
  if (message_[4] > 1) return fatal(Alert::kIllegalParameter, "bad key update");
  if (message_[4] == 1) update_due_ = true;
  if (!rekey(read_)) return fatal(Alert::kInternalError, "out of memory");
  return quiet();
}

/// TLS 1.2: a new handshake is refused, and the connection goes on (RFC 5246, 7.2.2).
Records::Result OwnRecords::hello(const BufChain& content) {
  std::uint8_t first = 0;
  if (!content.empty()) content.copy_out(0, {&first, 1});
  if (content.empty() || first != (at_client_ ? kHelloRequest : kClientHello)) {
    return fatal(Alert::kUnexpectedMessage, "unexpected message");
  }
  const std::uint8_t no[] = {kWarning, static_cast<std::uint8_t>(Alert::kNoRenegotiation)};
  put(ContentType::kAlert, no);  // without memory for it, silence is an answer too
  return quiet();
}

Records::Result OwnRecords::quiet() {
  if (++quiet_ <= kMaxQuiet) return Result::kDone;
  return fatal(Alert::kUnexpectedMessage, "too many records without data");
}

Records::Result OwnRecords::fatal(Alert alert, const char* why) {
  error_ = why;
  const std::uint8_t bytes[] = {kFatal, static_cast<std::uint8_t>(alert)};
  put(ContentType::kAlert, bytes);
  return Result::kFailed;
}

// ---- Sealing ----

Records::Result OwnRecords::seal(BufChain& plain, Instant now) {
  if (update_due_ || write_.sequence >= tools_.max_records) {
    if (const Result r = new_write_key(); r != Result::kDone) return r;
  }
  if (now - sealed_at_ >= kSmallAgainAfter) small_left_ = kSmallBytes;
  sealed_at_ = now;
  const std::size_t most = small_left_ > 0 ? kSmallRecord : kMaxRecord;
  const auto n = seal_record(context(), write_, ContentType::kApplicationData, plain, most, queues_.out);
  if (!n) return Result::kNoBuffers;
  small_left_ -= std::min(small_left_, *n);
  return Result::kDone;
}

Records::Result OwnRecords::new_write_key() {
  if (!suite_.tls13) return fatal(Alert::kInternalError, "too many records for one key");
  const std::uint8_t update[] = {kKeyUpdate, 0, 0, 1, 0};  // update_not_requested
  if (!put(ContentType::kHandshake, update)) return Result::kNoBuffers;
  update_due_ = false;
  return rekey(write_) ? Result::kDone : fatal(Alert::kInternalError, "out of memory");
}

Records::Result OwnRecords::close() {
  const std::uint8_t bytes[] = {kWarning, static_cast<std::uint8_t>(Alert::kCloseNotify)};
  return put(ContentType::kAlert, bytes) ? Result::kDone : Result::kNoBuffers;
}

bool OwnRecords::put(ContentType type, std::span<const std::uint8_t> bytes) {
  BufChain content;
  return content.append_copy(bytes, queues_.buffers) &&
         seal_record(context(), write_, type, content, bytes.size(), queues_.out).has_value();
}

bool OwnRecords::rekey(Direction& d) {
  tools_.aead.forget(d.key);
  if (!tools_.schedule.next_secret(suite_, d.secret) || !tools_.schedule.traffic_key(suite_, d.secret, d.key)) return false;
  tools_.aead.admit(d.key);
  d.sequence = 0;
  return true;
}

}  // namespace sluice::l7::tls
