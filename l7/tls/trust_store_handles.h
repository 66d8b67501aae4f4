// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "l7/tls/openssl_util.h"
#include "l7/tls/trust_store.h"

namespace sluice::l7::tls {

using CrlPtr = std::unique_ptr<X509_CRL, Freer<X509_CRL_free>>;

struct TrustStore::Handles {
  std::vector<X509Ptr> certificates;
  std::vector<CrlPtr> revocations;
};

}  // namespace sluice::l7::tls
