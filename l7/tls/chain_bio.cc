// SPDX-License-Identifier: Apache-2.0
#include "l7/tls/chain_bio.h"

#include <algorithm>

namespace sluice::l7::tls {
namespace {

CipherQueues& queues_of(BIO* bio) { return *static_cast<CipherQueues*>(BIO_get_data(bio)); }

int read(BIO* bio, char* to, std::size_t room, std::size_t* got) {
  BIO_clear_retry_flags(bio);
  CipherQueues& q = queues_of(bio);
  BufChain& in = q.in;
  const std::size_t n = std::min({room, in.size(), q.readable});
  *got = n;
  if (n == 0) {
    BIO_set_retry_read(bio);
    return 0;
  }
  in.copy_out(0, {reinterpret_cast<std::uint8_t*>(to), n});
  in.drop_front(n);
  if (q.readable != SIZE_MAX) q.readable -= n;
  return 1;
}

int write(BIO* bio, const char* from, std::size_t n, std::size_t* written) {
  BIO_clear_retry_flags(bio);
  CipherQueues& q = queues_of(bio);
  q.out_of_buffers = !q.out.append_copy({reinterpret_cast<const std::uint8_t*>(from), n}, q.buffers);
  if (q.out_of_buffers) {
    BIO_set_retry_write(bio);
    return 0;
  }
  *written = n;
  return 1;
}

long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

const BIO_METHOD* method() {
  static const std::unique_ptr<BIO_METHOD, Freer<BIO_meth_free>> made = [] {
    std::unique_ptr<BIO_METHOD, Freer<BIO_meth_free>> m(
        BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "packet buffers"));
    if (m != nullptr) {
      BIO_meth_set_read_ex(m.get(), read);
      BIO_meth_set_write_ex(m.get(), write);
      BIO_meth_set_ctrl(m.get(), control);
    }
    return m;
  }();
  return made.get();
}

}  // namespace

BioPtr make_chain_bio(CipherQueues& queues) {
  if (method() == nullptr) return nullptr;
  BioPtr bio(BIO_new(method()));
  if (bio == nullptr) return nullptr;
  BIO_set_data(bio.get(), &queues);
  BIO_set_init(bio.get(), 1);
  return bio;
}

}  // namespace sluice::l7::tls
