// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "l7/tls/certificate.h"

namespace sluice::l7::tls::test {

/// What to make. The defaults are a good ECDSA certificate, valid now.
struct CertificateSpec {
  std::string key = "P-256";  ///< "RSA-2048", "RSA-1024", "P-256", "P-384", "P-521", "secp256k1", "Ed25519", "DSA"
  std::string common_name = "test";
  std::vector<std::string> dns_names;
  long not_before = -3600, not_after = 86400;  ///< Seconds from now.
  std::string digest = "SHA256";
  std::string passphrase;  ///< Not empty: the key is written encrypted.
};

struct PemPair {
  std::string certificate, key;
};

PemPair make_pem(const CertificateSpec& spec);
/// make_pem, with an issuer that is not the subject: signed by a CA's key of its own.
PemPair make_pem_issued(const CertificateSpec& spec, std::string* ca_certificate);
/// A CA that issues certificates and lists of revoked ones.
class Authority {
 public:
  explicit Authority(const std::string& name);
  /// Signed by `parent`.
  Authority(const std::string& name, const Authority& parent);
  ~Authority();
  const std::string& certificate() const { return certificate_; }  ///< PEM
  PemPair issue(const CertificateSpec& spec, long serial = 7) const;
  /// A CRL, valid until `next_update` seconds from now.
  std::string revoke(const std::vector<long>& serials, long next_update = 86400) const;

 private:
  struct Key;
  std::string name_, certificate_;
  std::unique_ptr<Key> key_;
};

std::shared_ptr<const Certificate> make_certificate(const CertificateSpec& spec);

}  // namespace sluice::l7::tls::test
