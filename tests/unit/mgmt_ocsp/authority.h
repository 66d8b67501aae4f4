// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <openssl/ocsp.h>

#include <memory>
#include <string>

#include "l7/tls/certificate.h"
#include "l7/tls/openssl_util.h"

namespace sluice::mgmt::ocsp::test {

struct IssueSpec {
  std::string name = "shop.example";
  long serial = 7;
  std::string aia;            ///< "OCSP;URI:http://ocsp.test/" and so on; empty: none.
  bool must_staple = false;
  bool ocsp_signing = false;  ///< May sign responses for its issuer.
};

struct Issued {
  std::string certificate, key;  ///< PEM
  l7::tls::X509Ptr x509;
  l7::tls::PkeyPtr pkey;
};

/// What a responder says, and who signs it.
struct ResponseSpec {
  int status = V_OCSP_CERTSTATUS_GOOD;
  std::int64_t this_update = 0, next_update = 0;  ///< Unix seconds; no next_update: none.
  const Issued* signer = nullptr;                 ///< Null: the authority itself.
};

/// A CA whose key is its own (ECDSA P-256), and its responder.
class Authority {
 public:
  explicit Authority(const std::string& name);
  Issued issue(const IssueSpec& spec) const;
  std::string respond(const Issued& about, const ResponseSpec& spec) const;  ///< DER
  const std::string& certificate() const { return self_.certificate; }       ///< PEM

 private:
  Issued self_;
};

/// With the issuer's certificate behind it, or alone.
std::shared_ptr<const l7::tls::Certificate> parsed(const Issued& leaf, const Authority* issuer);

}  // namespace sluice::mgmt::ocsp::test
