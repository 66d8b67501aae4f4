// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "l7/tls/chain_bio.h"
#include "l7/tls/record_tools.h"
#include "l7/tls/records.h"

namespace sluice::l7::tls {

/// OpenSSL's own record layer, in the SSL that did the handshake over `queues`: for suites and extensions that OwnRecords
/// does not have, and until OwnRecords takes over.
class OpensslRecords final : public Records {
 public:
  enum class Reading {
    kFreely,
    kWholeRecords,  ///< One by one, so that OpenSSL never holds a part of one that it does not tell of.
    kNotYet,        ///< Until the handshake is complete, of which a server has sent its part: sealing only.
  };

  OpensslRecords(CipherQueues& queues, SslPtr ssl, RecordTools& tools, Reading reading = Reading::kFreely)
      : queues_(queues), ssl_(std::move(ssl)), tools_(tools), reading_(reading) {}
  ~OpensslRecords() override;

  Result open(BufChain& plain, std::size_t limit) override;
  Result seal(BufChain& plain, Instant now) override;
  Result close() override;

  /// seal() has to be repeated before the SSL may send anything else.
  bool owes_record() const { return repeat_ != 0; }
  /// kWholeRecords: nothing of what came or goes is in the SSL, so that another may go on.
  bool at_rest() const {
    return repeat_ == 0 && !close_sent_ && SSL_pending(ssl_.get()) == 0 && SSL_in_init(ssl_.get()) == 0;
  }
  void read_freely();

 private:
  bool has_input() const;
  bool admit_record();
  Result verdict(int returned, const char* what);

  CipherQueues& queues_;
  SslPtr ssl_;
  RecordTools& tools_;
  Reading reading_;
  bool close_sent_ = false;
  std::size_t repeat_ = 0;  ///< Bytes of the record that found no buffers: OpenSSL has sealed them already.
};

}  // namespace sluice::l7::tls
