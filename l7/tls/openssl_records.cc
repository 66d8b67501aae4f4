// SPDX-License-Identifier: Apache-2.0
#include "l7/tls/openssl_records.h"

#include <algorithm>

#include "l7/tls/own_records.h"

namespace sluice::l7::tls {

OpensslRecords::~OpensslRecords() { retire(ssl_.get()); }

void OpensslRecords::read_freely() {
  reading_ = Reading::kFreely;
  queues_.readable = SIZE_MAX;
}

Records::Result OpensslRecords::verdict(int returned, const char* what) {
  Result out = Result::kFailed;
  switch (SSL_get_error(ssl_.get(), returned)) {
    case SSL_ERROR_WANT_READ: out = Result::kNeedMore; break;
    case SSL_ERROR_ZERO_RETURN: out = Result::kClosed; break;
    case SSL_ERROR_WANT_WRITE:
      if (queues_.out_of_buffers) out = Result::kNoBuffers;
      break;
    default: break;
  }
  if (out == Result::kFailed) error_ = take_error_text(what);
  ERR_clear_error();
  return out;
}

bool OpensslRecords::has_input() const { return !queues_.in.empty() || SSL_pending(ssl_.get()) > 0; }

/// False: no whole record waits.
bool OpensslRecords::admit_record() {
  if (reading_ == Reading::kFreely || SSL_pending(ssl_.get()) > 0) return true;
  RecordHeader header;
  if (queues_.in.size() < header.size()) return false;
  queues_.in.copy_out(0, header);
  const std::size_t size = header.size() + (std::size_t{header[3]} << 8 | header[4]);
  if (queues_.in.size() < size) return false;
  queues_.readable = size;
  return true;
}

Records::Result OpensslRecords::open(BufChain& plain, std::size_t limit) {
  if (!has_input()) return Result::kNeedMore;
  ERR_clear_error();
  for (std::size_t opened = 0; opened < limit;) {
    Buf b = queues_.buffers.alloc();
    if (!b) return Result::kNoBuffers;
    while (b.tailroom() > 0 && opened < limit) {
      std::size_t got = 0;
      if (!admit_record()) {
        plain.push_back(std::move(b));
        return Result::kNeedMore;
      }
      const int r = SSL_read_ex(ssl_.get(), b.data() + b.size(), std::min(b.tailroom(), limit - opened), &got);
      if (r != 1) {
        const Result result = verdict(r, "bad record");
        if (result == Result::kNeedMore && reading_ == Reading::kWholeRecords) continue;  // a record without data
        plain.push_back(std::move(b));
        return result;
      }
      b.append(got);
      opened += got;
    }
    plain.push_back(std::move(b));
  }
  return Result::kDone;
}

Records::Result OpensslRecords::seal(BufChain& plain, Instant) {
  const bool early = reading_ == Reading::kNotYet;
  // As OwnRecords: a packet each, as long as TCP's window is small.
  const std::size_t n = repeat_ > 0 ? repeat_ : std::min(plain.size(), early ? kSmallRecord : kMaxRecord);
  std::span<const std::uint8_t> from = BufChain::view(plain.front());
  if (from.size() < n) {
    plain.copy_out(0, std::span(tools_.scratch).first(n));
    from = tools_.scratch;
  }
  ERR_clear_error();
  std::size_t written = 0;
  const int r = (early ? SSL_write_early_data : SSL_write_ex)(ssl_.get(), from.data(), n, &written);
  if (r == 1) {
    repeat_ = 0;
    plain.drop_front(written);
    return Result::kDone;
  }
  const Result out = verdict(r, "record not sealed");
  if (out == Result::kNoBuffers) repeat_ = n;
  return out;
}

Records::Result OpensslRecords::close() {
  ERR_clear_error();
  close_sent_ = true;
  const int r = SSL_shutdown(ssl_.get());
  return r >= 0 ? Result::kDone : verdict(r, "close_notify not sealed");
}

}  // namespace sluice::l7::tls
