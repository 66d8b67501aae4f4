// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/base/result.h"

namespace sluice::l7::tls {

/// A certificate chain with its private key, parsed and checked to belong together. Immutable; any thread. The key
/// cannot be read back.
class Certificate {
 public:
  /// `chain_pem`: leaf first. Errors say which part is wrong (no certificate in it, key does not belong to the
  /// certificate, key type or size not usable, encrypted key...).
  static Result<std::shared_ptr<const Certificate>> parse(std::string_view chain_pem, std::string_view key_pem);
  /// A fresh self-signed ECDSA P-256 certificate ("Sluice Fake Certificate") for listeners that have none.
  static Result<std::shared_ptr<const Certificate>> generate_self_signed(const std::string& common_name);

  ~Certificate();
  const std::vector<std::string>& names() const { return names_; }  ///< DNS names, lower case, wildcards as "*.x".
  const std::string& subject() const { return subject_; }
  const std::string& issuer() const { return issuer_; }
  const std::string& fingerprint_sha256() const { return fingerprint_; }  ///< Hex, lower case.
  const std::string& key_type() const { return key_type_; }               ///< "RSA-2048", "ECDSA-P-256"
  std::int64_t not_before() const { return not_before_; }                 ///< Unix time, seconds.
  std::int64_t not_after() const { return not_after_; }

  struct Handles;  ///< OpenSSL objects; l7/tls and mgmt/ocsp only.
  const Handles& handles() const { return *handles_; }

 private:
  Certificate();
  std::vector<std::string> names_;
  std::string subject_, issuer_, fingerprint_, key_type_;
  std::int64_t not_before_ = 0, not_after_ = 0;
  std::unique_ptr<Handles> handles_;
};

}  // namespace sluice::l7::tls
