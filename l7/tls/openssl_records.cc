// SPDX-License-Identifier: Apache-2.0
#include "l7/tls/openssl_records.h"

#include <algorithm>

namespace sluice::l7::tls {

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

Records::Result OpensslRecords::open(BufChain& plain, std::size_t limit) {
  if (!has_input()) return Result::kNeedMore;
  ERR_clear_error();
  for (std::size_t opened = 0; opened < limit;) {
    Buf b = queues_.buffers.alloc();
    if (!b) return Result::kNoBuffers;
    while (b.tailroom() > 0 && opened < limit) {
      std::size_t got = 0;
      const int r = SSL_read_ex(ssl_.get(), b.data() + b.size(), std::min(b.tailroom(), limit - opened), &got);
      if (r != 1) {
        plain.push_back(std::move(b));
        return verdict(r, "bad record");
      }
      b.append(got);
      opened += got;
    }
    plain.push_back(std::move(b));
  }
  return Result::kDone;
}

Records::Result OpensslRecords::seal(BufChain& plain, Instant) {
  const std::size_t n = repeat_ > 0 ? repeat_ : std::min(plain.size(), kMaxRecord);
  std::span<const std::uint8_t> from = BufChain::view(plain.front());
  if (from.size() < n) {
    plain.copy_out(0, std::span(tools_.scratch).first(n));
    from = tools_.scratch;
  }
  ERR_clear_error();
  std::size_t written = 0;
  const int r = SSL_write_ex(ssl_.get(), from.data(), n, &written);
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
  const int r = SSL_shutdown(ssl_.get());
  return r >= 0 ? Result::kDone : verdict(r, "close_notify not sealed");
}

}  // namespace sluice::l7::tls
