// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "dataplane/base/buf.h"
#include "l7/tls/openssl_util.h"

namespace sluice::l7::tls {

/// Ciphertext between OpenSSL and packet memory: what was received and not yet read, what is to be sent. No buffer of
/// its own: OpenSSL reads straight from received segments and writes straight into fresh ones.
struct CipherQueues {
  BufPool& buffers;
  BufChain in;
  BufChain out;
  bool out_of_buffers = false;  ///< The last write found none; it is to be repeated.
  std::size_t readable = SIZE_MAX;  ///< So many bytes of `in` may be read; the others are not seen.
};

/// A BIO over `queues`, which must outlive it. An empty `in` means "try again later", never end of file.
BioPtr make_chain_bio(CipherQueues& queues);

}  // namespace sluice::l7::tls
