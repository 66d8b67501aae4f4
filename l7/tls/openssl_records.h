// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "l7/tls/chain_bio.h"
#include "l7/tls/record_tools.h"
#include "l7/tls/records.h"

namespace sluice::l7::tls {

/// OpenSSL's own record layer, in the SSL that did the handshake over `queues`: for suites and extensions that OwnRecords
/// does not have.
class OpensslRecords final : public Records {
 public:
  OpensslRecords(CipherQueues& queues, SslPtr ssl, RecordTools& tools)
      : queues_(queues), ssl_(std::move(ssl)), tools_(tools) {}

  Result open(BufChain& plain, std::size_t limit) override;
  Result seal(BufChain& plain, Instant now) override;
  Result close() override;

 private:
  bool has_input() const;
  Result verdict(int returned, const char* what);

  CipherQueues& queues_;
  SslPtr ssl_;
  RecordTools& tools_;
  std::size_t repeat_ = 0;  ///< Bytes of the record that found no buffers: OpenSSL has sealed them already.
};

}  // namespace sluice::l7::tls
